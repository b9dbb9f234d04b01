//! Nodes that lie on purpose, for demonstrations: what an honest node does, and who departs from it.
//!
//! The worker asks its [`Conduct`] at the few places where a node could lie. Every kind of liar is
//! one file. Only a network that was founded as a demonstration runs any of them.

mod colluding;
mod copied;
mod false_accuser;
mod lie;
mod selective;
mod silent;
mod slow;
mod two_commitments;
mod unopened_reveal;
mod wrong_result;

pub(crate) use false_accuser::accuse_falsely;

use crate::worker::{Execution, Executor, Replica, Withheld};
use anyhow::bail;
use identity::SecretKey;
use lie::Liar;
use protocol::{Commitment, Genesis, NoResult, Outcome, Reveal, port::Answer};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use storage::Store;

/// How a node misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Misbehaviour {
    /// Claims a wrong outcome of about a third of its replicas, and rules as it claims.
    WrongResult,
    /// Claims of some tasks the same wrong outcome as everybody who colludes, and rules so.
    Colluding,
    /// Claims a wrong outcome where nobody else runs the task.
    Selective,
    /// Runs one task of a job, and claims its outcome for all others.
    Copied,
    /// Takes replicas and never answers.
    Silent,
    /// Lets everybody wait for its commitments.
    Slow,
    /// Commits twice to every replica.
    TwoCommitments,
    /// Reveals something else than it committed to.
    UnopenedReveal,
    /// Accuses nodes that did nothing.
    FalseAccuser,
}

/// What a node does where it could lie. The default is honest.
pub(crate) trait Conduct: Send + Sync + 'static {
    /// Gives the outcome of a replica, to be committed to; or says why there is none.
    fn execute<'a>(
        &'a self,
        replica: &'a Replica,
        executor: &'a Executor,
    ) -> Answer<'a, Result<Execution, NoResult>> {
        Box::pin(executor.outcome(replica))
    }

    /// Whether it answers for the replicas that it takes.
    fn answers(&self) -> bool {
        true
    }

    /// What it commits to once more after it committed to these.
    fn commits_again(&self, _said: &[Commitment]) -> Option<Vec<Commitment>> {
        None
    }

    /// What it reveals of a replica that opens so.
    fn reveals(&self, opening: Reveal, outcome: Outcome) -> (Reveal, Outcome) {
        (opening, outcome)
    }

    /// What it says that a disputed or audited task gave.
    fn ruling(&self, honest: Outcome) -> Outcome {
        honest
    }
}

/// Does as the rules say.
struct Honest;

impl Conduct for Honest {}

/// Refuses to misbehave where it is no demonstration.
///
/// # Errors
/// One clear sentence.
pub(crate) fn check(how: Option<Misbehaviour>, genesis: &Genesis) -> anyhow::Result<()> {
    if how.is_some() && !genesis.params.demonstration {
        bail!(
            "config.toml says misbehave, which only a network founded as a demonstration allows; \
             take that line out"
        );
    }
    Ok(())
}

/// How this node behaves.
pub(crate) fn conduct(
    how: Option<Misbehaviour>,
    key: &SecretKey,
    store: &Store,
    withheld: &Arc<Withheld>,
) -> Arc<dyn Conduct> {
    let Some(how) = how else { return Arc::new(Honest) };
    tracing::warn!(?how, "this node misbehaves on purpose");
    let liar = Liar::new(key.public(), store.clone(), withheld.clone());
    match how {
        Misbehaviour::WrongResult => Arc::new(wrong_result::WrongResult(liar)),
        Misbehaviour::Colluding => Arc::new(colluding::Colluding(liar)),
        Misbehaviour::Selective => Arc::new(selective::Selective(liar)),
        Misbehaviour::Copied => Arc::new(copied::Copied::default()),
        Misbehaviour::Silent => Arc::new(silent::Silent),
        Misbehaviour::Slow => Arc::new(slow::Slow),
        Misbehaviour::TwoCommitments => Arc::new(two_commitments::TwoCommitments),
        Misbehaviour::UnopenedReveal => Arc::new(unopened_reveal::UnopenedReveal),
        // It lies to the ledger, not as a worker.
        Misbehaviour::FalseAccuser => Arc::new(Honest),
    }
}
