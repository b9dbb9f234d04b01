//! Nodes that lie on purpose, for demonstrations.
//!
//! The worker asks its [`Conduct`] at the few places where a node could lie. Every kind of liar is
//! one file. Only a network that was founded as a demonstration runs any of them.

mod censor;
mod colluding;
mod copied;
mod false_accuser;
mod forfeiter;
mod lie;
mod selective;
mod silent;
mod slow;
mod spoiler;
mod two_commitments;
mod two_sets;
mod unopened_reveal;
mod withholding;
mod wrong_result;

pub(crate) use false_accuser::accuse_falsely;

use crate::{
    chain::{Fair, Proposing},
    home::{Hosting, Plain},
    worker::{Conduct, Honest, Withheld},
};
use anyhow::bail;
use identity::SecretKey;
use lie::Liar;
use protocol::Genesis;
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
    /// Never proposes a block, and so withholds its part of the beacon.
    Forfeiter,
    /// Proposes blocks that do not apply.
    Spoiler,
    /// Proposes nothing that is of one of the founders.
    Censor,
    /// As a home, shows the replicas of a task different sets.
    TwoSets,
    /// As a home, does not show some nodes any set, and passes them over.
    Withholding,
}

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
        // They lie elsewhere, not as workers.
        Misbehaviour::FalseAccuser
        | Misbehaviour::Forfeiter
        | Misbehaviour::Spoiler
        | Misbehaviour::Censor
        | Misbehaviour::TwoSets
        | Misbehaviour::Withholding => Arc::new(Honest),
    }
}

/// How this node proposes, if it votes.
pub(crate) fn proposing(
    how: Option<Misbehaviour>,
    key: &SecretKey,
    genesis: &Genesis,
) -> Arc<dyn Proposing> {
    match how {
        Some(Misbehaviour::Forfeiter) => Arc::new(forfeiter::Forfeiter),
        Some(Misbehaviour::Spoiler) => Arc::new(spoiler::Spoiler),
        Some(Misbehaviour::Censor) => Arc::new(censor::Censor::new(key.public(), genesis)),
        _ => Arc::new(Fair),
    }
}

/// How this node treats the workers of its jobs.
pub(crate) fn hosting(how: Option<Misbehaviour>) -> Arc<dyn Hosting> {
    match how {
        Some(Misbehaviour::TwoSets) => Arc::new(two_sets::TwoSets),
        Some(Misbehaviour::Withholding) => Arc::new(withholding::Withholding),
        _ => Arc::new(Plain),
    }
}
