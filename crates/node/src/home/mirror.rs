//! Copies of what jobs need, on other members of the cluster, so that a job outlives the machine that
//! took it.

use super::Home;
use futures::{StreamExt, future};
use identity::{PublicKey, canonical};
use objects::{Cid, Codec};
use protocol::port::{Incoming, Offence, Protocol, StreamError, Streams, read_frame, write_frame};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};
use tokio::{sync::Semaphore, task::JoinSet};

/// Questions whether a member has, or can fetch, some objects.
const MIRROR: Protocol = Protocol("/polity/mirror/1");
/// Roots in one question.
const ROOTS: usize = 4_096;
/// Bytes of a question.
const QUESTION_BYTES: usize = 512 << 10;
/// Bytes of an answer.
const ANSWER_BYTES: usize = 4 << 10;
/// Questions that are answered at once.
const ANSWERED: usize = 16;
/// How long a member may take for one question.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest object.
const FILE_BYTES: u64 = 1 << 30;

/// Objects that the asking member has.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    roots: Vec<Cid>,
}

/// Whether they are here now.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Answer {
    Here,
    Lacking { reason: String },
}

impl Home {
    /// Has a majority of the voters of this cluster keep these objects, this node among them. A
    /// cluster of one has nobody else.
    ///
    /// # Errors
    /// Why there are too few copies.
    pub(super) async fn mirror(&self, roots: &[Cid]) -> Result<(), String> {
        let me = self.key.public();
        let status = self.cluster.status();
        let voters = status.members.iter().filter(|member| member.votes);
        let others: Vec<PublicKey> =
            voters.map(|member| member.node).filter(|n| *n != me).collect();
        let votes = status.members.iter().any(|member| member.votes && member.node == me);
        let needed = (others.len() + usize::from(votes)) / 2 + 1;
        let mut have = usize::from(votes);
        let mut reasons = BTreeMap::new();
        let asked = others.iter().map(|member| self.ask_to_mirror(*member, roots));
        let mut asked = futures::stream::FuturesUnordered::from_iter(asked);
        while have < needed {
            match asked.next().await {
                Some((_, Ok(()))) => have += 1,
                Some((member, Err(reason))) => drop(reasons.insert(member, reason)),
                None => break,
            }
        }
        if have >= needed {
            return Ok(());
        }
        let told = reasons.iter().map(|(member, reason)| format!("{}: {reason}", member.short()));
        let told: Vec<_> = told.collect();
        Err(format!("{have} of {needed} members have it; {}", told.join("; ")))
    }

    /// Has the other voters keep these objects as well, if they can.
    pub(super) async fn mirror_further(&self, roots: &[Cid]) {
        let me = self.key.public();
        let status = self.cluster.status();
        let others = status.members.iter().filter(|member| member.votes && member.node != me);
        let asked = others.map(|member| self.ask_to_mirror(member.node, roots));
        for (member, told) in future::join_all(asked).await {
            if let Err(reason) = told {
                tracing::debug!(member = %member.short(), reason, "keeps no copy yet");
            }
        }
    }

    async fn ask_to_mirror(
        &self,
        member: PublicKey,
        roots: &[Cid],
    ) -> (PublicKey, Result<(), String>) {
        for share in roots.chunks(ROOTS) {
            let asking = ask(self.streams.as_ref(), member, share.to_vec());
            match tokio::time::timeout(PATIENCE, asking).await {
                Ok(Ok(Answer::Here)) => {}
                Ok(Ok(Answer::Lacking { reason })) => return (member, Err(reason)),
                Ok(Err(reason)) => return (member, Err(reason)),
                Err(_) => return (member, Err("it took too long".into())),
            }
        }
        (member, Ok(()))
    }

    /// Fetches what other members ask this one to keep, until the network closes.
    pub(super) async fn answer_mirrors(self) -> Result<(), StreamError> {
        let mut incoming = self.streams.accept(MIRROR)?;
        let places = std::sync::Arc::new(Semaphore::new(ANSWERED));
        let mut answering = JoinSet::new();
        loop {
            tokio::select! {
                next = incoming.next() => {
                    let Some(next) = next else { return Ok(()) };
                    if !self.is_ours(&next.peer) {
                        self.streams.penalise(next.peer, Offence::Flooding);
                        continue;
                    }
                    let (home, places) = (self.clone(), places.clone());
                    answering.spawn(async move {
                        let Ok(_place) = places.acquire().await else { return };
                        // Who asked and went away does not want to know.
                        drop(tokio::time::timeout(PATIENCE, home.answer_mirror(next)).await);
                    });
                }
                Some(_) = answering.join_next() => {}
            }
        }
    }

    async fn answer_mirror(self, Incoming { peer, mut stream }: Incoming) -> std::io::Result<()> {
        let Some(question) = read_frame(&mut stream, QUESTION_BYTES).await? else { return Ok(()) };
        let Ok(Question { roots }) = canonical::decode(&question, QUESTION_BYTES) else {
            self.streams.penalise(peer, Offence::Malformed);
            return Ok(());
        };
        let answer = match self.copy_from(peer, &roots).await {
            Ok(()) => Answer::Here,
            Err(reason) => Answer::Lacking { reason },
        };
        write_frame(&mut stream, &canonical::encode(&answer)).await
    }

    /// Fetches objects with everything below them.
    async fn copy_from(&self, peer: PublicKey, roots: &[Cid]) -> Result<(), String> {
        let from = [peer];
        // Most are one block, and many of them are had with one request.
        self.fetcher.fetch_all(roots, &from).await.map_err(|error| error.to_string())?;
        for root in roots.iter().filter(|root| root.codec() == Codec::DagPb) {
            let fetched = self.fetcher.fetch_file(*root, &from, FILE_BYTES).await;
            fetched.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Whether a node is this node's owner's.
    pub(crate) fn is_ours(&self, node: &PublicKey) -> bool {
        let ledger = self.chain.ledger();
        let owner = |node: &PublicKey| ledger.roster().node(node).map(|record| record.owner);
        owner(node).is_some() && owner(node) == owner(&self.key.public())
    }
}

async fn ask(streams: &dyn Streams, member: PublicKey, roots: Vec<Cid>) -> Result<Answer, String> {
    let mut stream = streams.open(member, MIRROR).await.map_err(|error| error.to_string())?;
    let question = canonical::encode(&Question { roots });
    write_frame(&mut stream, &question).await.map_err(|error| error.to_string())?;
    let answer = read_frame(&mut stream, ANSWER_BYTES).await.map_err(|error| error.to_string())?;
    let answer = answer.ok_or_else(|| "it closed the stream".to_string())?;
    canonical::decode(&answer, ANSWER_BYTES).map_err(|error| error.to_string())
}
