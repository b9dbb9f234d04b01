//! Being let into a cluster, before anything else is known of it.

use crate::{
    Error,
    engine::{LogId, Vote},
    record::{self, Belongs},
    store::{BELONGS, JOINED, LogStore, ORIGIN},
    wire::{Answer, Ask, Line, Silence, Wire},
};
use identity::PublicKey;
use openraft::storage::RaftLogStorage;
use protocol::port::{Clock, Log};
use std::collections::{BTreeMap, VecDeque};

/// Pause between two rounds of asking.
const AGAIN_MS: u64 = 500;
/// The same, at most, while nobody answers: those who do not know yet that this node is admitted close
/// its streams and count them, and it must not come often enough to be banned for that.
const SELDOM_MS: u64 = 16_000;
/// Members that are asked in one round.
const ASKED: usize = 16;

/// Asks until somebody lets this node in, and keeps what it says. Nothing is kept before that but
/// whom to ask.
pub(crate) async fn be_let_in(
    wire: &Wire,
    log: &dyn Log,
    store: &mut LogStore,
    clock: &dyn Clock,
    labels: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let belongs = wire.belongs();
    let mut told = String::new();
    let mut pause_ms = AGAIN_MS;
    loop {
        match ask_round(wire, &belongs.seeds, labels).await {
            Ok((cluster, name, origin, at)) => {
                if let Some(at) = at {
                    grow_from(at, wire, log, store).await?;
                }
                let belongs = Belongs { cluster: Some(cluster), name, ..belongs };
                log.set(ORIGIN, origin).await?;
                log.set(BELONGS, record::belongs_bytes(&belongs)).await?;
                tracing::info!(%cluster, name = belongs.name, "is a member of its owner's cluster");
                wire.set_belongs(belongs);
                return Ok(());
            }
            Err(NotLetIn { reason, closed }) => {
                if reason != told {
                    tracing::warn!(reason, "waits to be let into the cluster");
                    told = reason;
                }
                clock.pause(pause_ms).await;
                pause_ms = if closed { (2 * pause_ms).min(SELDOM_MS) } else { AGAIN_MS };
            }
        }
    }
}

type LetIn = (crate::ClusterId, String, bytes::Bytes, Option<LogId>);

/// Takes note of the entry that let this node in: it follows nobody whose term is over, and elects
/// nobody who lacks that entry.
async fn grow_from(
    at: LogId,
    wire: &Wire,
    log: &dyn Log,
    store: &mut LogStore,
) -> Result<(), Error> {
    log.set(JOINED, record::position_bytes(at)).await?;
    let vote = Vote { leader_id: at.leader_id, committed: true };
    store.save_vote(&vote).await.map_err(|error| Error::Failed(error.to_string()))?;
    wire.set_joined(at);
    Ok(())
}

/// Why nobody lets it in.
struct NotLetIn {
    /// The last one says so.
    reason: String,
    /// Somebody closed a stream without a word.
    closed: bool,
}

/// Asks the seeds, and whomever they name.
async fn ask_round(
    wire: &Wire,
    seeds: &[PublicKey],
    labels: &BTreeMap<String, String>,
) -> Result<LetIn, NotLetIn> {
    let mut asked: Vec<PublicKey> = Vec::new();
    let mut rest: VecDeque<PublicKey> = seeds.iter().copied().collect();
    let mut reason = "no member is known".to_string();
    let mut closed = false;
    while let Some(member) = rest.pop_front() {
        if asked.contains(&member) || asked.len() >= ASKED {
            continue;
        }
        asked.push(member);
        match ask(wire, member, labels).await {
            Ok(Answer::Joined { cluster, name, origin, at }) => {
                return Ok((cluster, name, origin, at.map(|at| LogId::from(*at))));
            }
            Ok(Answer::NotLeader { leader }) => {
                reason = "nobody leads the cluster now".into();
                rest.extend(leader);
            }
            Ok(other) => reason = format!("{}: {}", member.short(), other.reason()),
            Err(silence @ (Silence::Closed | Silence::Broken(_))) => {
                closed = true;
                let known = "it may not know yet that this node is admitted";
                reason = format!("{}: {silence}; {known}", member.short());
            }
            Err(silence) => reason = format!("{}: {silence}", member.short()),
        }
    }
    Err(NotLetIn { reason, closed })
}

async fn ask(
    wire: &Wire,
    member: PublicKey,
    labels: &BTreeMap<String, String>,
) -> Result<Answer, Silence> {
    let mut line = Line::open(wire, member).await?;
    line.ask(wire, &Ask::Join { labels: labels.clone() }).await
}
