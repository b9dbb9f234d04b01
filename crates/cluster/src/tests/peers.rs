//! What is made of those who speak to a member and should not, or not like that.

use super::{
    key,
    society::{Member, Society, until},
};
use crate::{
    Begin, ClusterId,
    engine::{LeaderId, LogId, Member as Node, Types, Vote},
    tests::{probe::Probe, tally::Told},
    wire::{
        Answer, Ask, Standing,
        raw::{self, Append, Ballot, Hello},
    },
};
use identity::{Digest, PublicKey};
use openraft::raft::{AppendEntriesRequest, VoteRequest};
use protocol::port::{Offence, Stream, Streams, read_frame, write_frame};
use sim::streams::Mesh;
use std::time::Duration;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// A member of a thousand lives.
const LIFE: u64 = 1_000_000;

/// A stream to the first member, as somebody may open it who has the key.
struct Raw(Stream);

impl Raw {
    async fn open(mesh: &Mesh, from: PublicKey) -> Self {
        let node = mesh.node(from);
        loop {
            match node.open(key(1), raw::CLUSTER).await {
                Ok(stream) => return Self(stream),
                // It has just begun.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    /// The same, as one who means this cluster.
    async fn greet(mesh: &Mesh, from: PublicKey, cluster: Option<ClusterId>) -> Self {
        let mut line = Self::open(mesh, from).await;
        // Nobody is listened to who says that it has less than it had.
        let leader_id = LeaderId { term: 1_000, node_id: Node(from) };
        let last = Some(LogId { leader_id, index: 1_000_000 }.into());
        let standing = Standing { life: LIFE, term: 1_000, last };
        line.write(&raw::encode(&Hello { cluster, standing })).await;
        line
    }

    async fn write(&mut self, bytes: &[u8]) {
        write_frame(&mut self.0, bytes).await.unwrap();
    }

    /// What is answered; nothing if the stream was closed.
    async fn hear(&mut self) -> Option<Answer> {
        let read = tokio::time::timeout(PATIENCE, read_frame(&mut self.0, raw::ANSWER_BYTES));
        let frame = read.await.expect("neither an answer nor the end").ok()??;
        Some(raw::decode(&frame, raw::ANSWER_BYTES).unwrap())
    }

    async fn ask(&mut self, ask: &Ask) -> Option<Answer> {
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

fn vote(term: u64, by: u8, committed: bool) -> Vote {
    Vote { leader_id: LeaderId { term, node_id: Node(key(by)) }, committed }
}

fn append(vote: Vote) -> Ask {
    let entries = Vec::new();
    let request =
        AppendEntriesRequest::<Types> { vote, prev_log_id: None, entries, leader_commit: None };
    Ask::Append(Append::from(request))
}

/// For an election that the leader is said to have asked for, with the best of all logs.
fn ballot(vote: Vote) -> Ballot {
    let last = LogId { leader_id: vote.leader_id, index: 1_000_000 };
    let mut request = VoteRequest::<Types>::new(vote, Some(last));
    request.leadership_transfer = true;
    request.into()
}

/// Everything by which one could lead, or have another election.
fn seizures(term: u64, by: u8) -> Vec<Ask> {
    let (leads, stands) = (vote(term, by, true), vote(term, by, false));
    let snapshot = bytes::Bytes::from_static(b"any state");
    vec![
        append(leads),
        Ask::Vote(ballot(stands)),
        Ask::PreVote(ballot(stands)),
        Ask::Snapshot { vote: leads.into(), snapshot },
        Ask::Transfer { vote: leads.into(), to: key(1), last: None },
    ]
}

async fn refusal(mesh: &Mesh, from: u8, cluster: Option<ClusterId>, ask: &Ask) -> String {
    let mut line = Raw::greet(mesh, key(from), cluster).await;
    match line.ask(ask).await {
        Some(Answer::Refused { reason }) => reason,
        other => panic!("{ask:?}: {other:?}"),
    }
}

#[tokio::test]
async fn a_machine_that_was_removed_has_no_power_and_is_not_let_in_before_somebody_says_so() {
    let society = Society::new();
    let mut members = society.of(3).await;
    members[0].cluster.remove(key(3)).await.unwrap();
    drop(members.pop());
    until(&members, || members.iter().all(|m| m.cluster.status().members.len() == 2)).await;
    members[0].add(100).await;
    let before = members[0].cluster.status();
    let way_out = format!("polity cluster add {}", key(3));
    for ask in seizures(before.term + 5, 3) {
        let reason = refusal(&society.mesh, 3, before.cluster, &ask).await;
        assert!(reason.contains(&way_out), "{ask:?}: {reason}");
    }
    let labels = std::collections::BTreeMap::new();
    let join = Ask::Join { labels };
    members[0].cluster.hand_over(Some(key(1))).await.unwrap();
    until(&members, || members[0].cluster.leader() == Some(key(1))).await;
    let reason = refusal(&society.mesh, 3, None, &join).await;
    assert!(reason.contains(&way_out), "{reason}");
    assert_eq!(members[0].cluster.status().members.len(), 2);
    members[1].cluster.let_in(key(3)).await.unwrap();
    members.push(society.join(3).await);
    until(&members, || members.iter().all(|m| m.cluster.status().members.len() == 3)).await;
}

#[tokio::test]
async fn a_node_that_never_was_a_member_can_be_kept_out() {
    let (society, first) = alone().await;
    first.cluster.remove(key(2)).await.unwrap();
    let again = first.cluster.remove(key(2)).await.unwrap_err().to_string();
    assert!(again.contains("no member"), "{again}");
    let join = Ask::Join { labels: std::collections::BTreeMap::new() };
    let reason = refusal(&society.mesh, 2, None, &join).await;
    assert!(reason.contains("was removed"), "{reason}");
    // It is known after a restart, from the log or from a snapshot.
    for numbers in [0..10, 10..500] {
        for number in numbers {
            first.cluster.propose(Told::Add(number)).await.unwrap();
        }
    }
    let log = first.log.fork();
    drop(first);
    let begin = Begin::Found { name: "home".into() };
    let first = society.start(1, begin, log).await;
    assert!(refusal(&society.mesh, 2, None, &join).await.contains("was removed"));
    first.cluster.let_in(key(2)).await.unwrap();
    let second = society.join(2).await;
    until([&first, &second], || second.added().len() == 501).await;
}

#[tokio::test]
async fn a_member_speaks_for_itself_and_of_terms_that_can_be() {
    let society = Society::new();
    let mut members = society.of(3).await;
    drop(members.pop());
    let before = members[0].cluster.status();
    for ask in seizures(before.term + 1, 2) {
        let reason = refusal(&society.mesh, 3, before.cluster, &ask).await;
        assert!(reason.contains("speaks as"), "{ask:?}: {reason}");
    }
    for ask in seizures(u64::MAX, 3) {
        let reason = refusal(&society.mesh, 3, before.cluster, &ask).await;
        assert!(reason.contains("too far"), "{ask:?}: {reason}");
    }
    members[0].add(100).await;
    assert!(members[0].cluster.status().term < 1 << 32);
}

/// A node that is no member, and was not removed, does not have a leader deposed that is there.
#[tokio::test]
async fn only_members_stand_in_the_place_of_a_leader_that_is_there() {
    let society = Society::new();
    let members = society.of(3).await;
    members[0].add(100).await;
    let status = members[0].cluster.status();
    let mut line = Raw::greet(&society.mesh, key(4), status.cluster).await;
    let ask = Ask::Vote(ballot(vote(status.term + 5, 4, false)));
    let answer = line.ask(&ask).await;
    assert!(matches!(answer, Some(Answer::Voted { granted: false, .. })), "{answer:?}");
    assert_eq!(members[0].cluster.status().term, status.term);
}

#[tokio::test]
async fn who_was_let_in_again_leads_a_member_that_only_heard_of_its_removal() {
    let society = Society::new();
    let mut members = society.of(3).await;
    let fourth = society.join(4).await;
    members[0].cluster.remove(key(4)).await.unwrap();
    drop(fourth);
    until(&members, || members.iter().all(|m| m.cluster.status().members.len() == 3)).await;
    let third = &members[2];
    let removed = || third.cluster.status().applied >= members[0].cluster.status().committed;
    until(&members, removed).await;
    members[0].cluster.hand_over(Some(key(1))).await.unwrap();
    society.part(&[3], &[1, 2, 4]);
    members[0].cluster.let_in(key(4)).await.unwrap();
    let fourth = society.start(4, Begin::Join { seeds: vec![key(1)] }, Probe::new()).await;
    members.push(fourth);
    let votes = |n: u8| {
        let status = members[0].cluster.status();
        status.at_rest && status.members.iter().any(|m| m.node == key(n) && m.votes)
    };
    until(&members, || votes(4)).await;
    members[0].cluster.hand_over(Some(key(4))).await.unwrap();
    members[3].add(100).await;
    society.heal(&[3], &[1, 2, 4]);
    until(&members, || members[2].added().contains(&100)).await;
    assert_eq!(members[2].cluster.leader(), Some(key(4)));
}

/// It cannot know yet that a majority has the entry that says so.
#[tokio::test]
async fn a_member_that_begins_again_remembers_who_was_removed_before_anybody_leads() {
    let society = Society::new();
    let mut members = society.of(3).await;
    members.push(society.join(4).await);
    members[0].cluster.remove(key(4)).await.unwrap();
    drop(members.pop());
    until(&members, || members[0].cluster.status().at_rest).await;
    members[0].add(100).await;
    let log = members[0].log.fork();
    assert!(!log.has("snapshot"));
    drop(members);
    let first = society.start(1, Begin::Join { seeds: vec![key(2)] }, log).await;
    let status = first.cluster.status();
    assert_eq!((first.cluster.leader(), status.applied), (None, 0));
    for ask in seizures(status.term + 5, 4) {
        let reason = refusal(&society.mesh, 4, status.cluster, &ask).await;
        assert!(reason.contains("was removed"), "{ask:?}: {reason}");
    }
}
