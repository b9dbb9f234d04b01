//! What is made of those who speak to a member and should not, or not like that.

use super::{
    key,
    society::{Member, Society},
};
use crate::{
    ClusterId,
    wire::{
        Answer, Ask, Standing,
        raw::{self, Hello},
    },
};
use identity::{Digest, PublicKey};
use protocol::port::{Offence, Stream, Streams, read_frame, write_frame};
use sim::streams::Mesh;
use std::time::Duration;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// A member of a thousand lives.
const LIFE: u64 = 1_000_000;

/// A stream to the first member, as somebody may open it who has the key.
pub(super) struct Raw(Stream);

impl Raw {
    pub(super) async fn open(mesh: &Mesh, from: PublicKey) -> Self {
        let node = mesh.node(from);
        Self(node.open(key(1), raw::CLUSTER).await.unwrap())
    }

    /// The same, as one who means this cluster and says that it knows nothing yet.
    pub(super) async fn greet(mesh: &Mesh, from: PublicKey, cluster: Option<ClusterId>) -> Self {
        let mut line = Self::open(mesh, from).await;
        let standing = Standing { life: LIFE, term: 0, last: None };
        line.write(&raw::encode(&Hello { cluster, standing })).await;
        line
    }

    async fn write(&mut self, bytes: &[u8]) {
        write_frame(&mut self.0, bytes).await.unwrap();
    }

    /// What is answered; nothing if the stream was closed.
    pub(super) async fn hear(&mut self) -> Option<Answer> {
        let read = tokio::time::timeout(PATIENCE, read_frame(&mut self.0, raw::ANSWER_BYTES));
        let frame = read.await.expect("neither an answer nor the end").ok()??;
        Some(raw::decode(&frame, raw::ANSWER_BYTES).unwrap())
    }

    pub(super) async fn ask(&mut self, ask: &Ask) -> Option<Answer> {
        self.write(&raw::encode(ask)).await;
        self.hear().await
    }
}

async fn alone() -> (Society, Member) {
    let society = Society::new();
    let first = society.found().await;
    (society, first)
}

async fn offences(mesh: &Mesh, count: usize) -> Vec<(PublicKey, PublicKey, Offence)> {
    tokio::time::timeout(PATIENCE, mesh.offended(count)).await.expect("no offence is counted");
    mesh.offences()
}

#[tokio::test]
async fn a_stream_of_another_owners_node_is_closed_at_once_and_counted() {
    let (society, first) = alone().await;
    let mut stranger = Raw::open(&society.mesh, key(99)).await;
    assert_eq!(stranger.hear().await, None);
    assert_eq!(offences(&society.mesh, 1).await, [(key(1), key(99), Offence::Flooding)]);
    assert_eq!(first.cluster.status().members.len(), 1);
}

#[tokio::test]
async fn whoever_is_refused_hears_why_before_it_asks() {
    let (society, _first) = alone().await;
    let other = ClusterId(Digest::of("another cluster", &[]));
    let mut refused = Raw::greet(&society.mesh, key(2), Some(other)).await;
    let answer = refused.hear().await.unwrap();
    assert!(matches!(&answer, Answer::Refused { reason } if reason.contains("one cluster")));
}

#[tokio::test]
async fn who_is_no_member_asks_nothing_large() {
    let (society, _first) = alone().await;
    let mut joining = Raw::greet(&society.mesh, key(2), None).await;
    assert!(matches!(joining.ask(&Ask::Standing).await, Some(Answer::Standing(_))));
    // It may be stopped on the way.
    drop(write_frame(&mut joining.0, &vec![0; 1 << 20]).await);
    assert_eq!(joining.hear().await, None);
    assert_eq!(offences(&society.mesh, 1).await, [(key(1), key(2), Offence::Oversized)]);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_waited_for_who_opens_a_stream_and_says_nothing() {
    let (society, first) = alone().await;
    let mut silent = Raw::open(&society.mesh, key(2)).await;
    assert_eq!(silent.hear().await, None);
    let cluster = first.cluster.status().cluster;
    let mut greets = Raw::greet(&society.mesh, key(2), cluster).await;
    assert_eq!(greets.hear().await, None);
}
