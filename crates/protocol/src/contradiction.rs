//! Evidence: two statements by one key that cannot both be true, or a reveal that does not open its
//! commitment. It needs no verdict; it is proof by itself.

use crate::{
    Attempt, Batched, Cause, CommitQuote, Error, JobId, Quote, RevealQuote, TaskIndex, Time,
    Verdicts, VotePair, commitment_of,
};
use identity::{NetworkId, PublicKey, Sign, Signed};
use serde::{Deserialize, Serialize};

/// Two contradicting statements of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Contradiction {
    /// Two commitments for one replica.
    Commits {
        /// One.
        first: CommitQuote,
        /// The other.
        second: CommitQuote,
    },
    /// Two reveals of one replica. Naming another set is no contradiction: a home may have shown
    /// one.
    Reveals {
        /// One.
        first: RevealQuote,
        /// The other.
        second: RevealQuote,
    },
    /// A reveal that does not open its commitment.
    Opening {
        /// The commitment.
        commit: CommitQuote,
        /// The reveal.
        reveal: RevealQuote,
    },
    /// Two rulings of a validator about one dispute.
    Verdicts {
        /// One.
        first: Signed<Verdicts>,
        /// The other.
        second: Signed<Verdicts>,
    },
    /// Two votes of a validator in one view of the engine.
    Votes(VotePair),
}

impl Contradiction {
    /// Checks that the statements hold, are of one key, and contradict each other. Gives who
    /// signed them, and what that is. That votes and rulings are a validator's is the caller's to
    /// check.
    ///
    /// # Errors
    /// What does not hold: then this proves nothing.
    pub fn check(&self, network: NetworkId) -> Result<(PublicKey, Cause), Error> {
        match self {
            Self::Commits { first, second } => commits(first, second, network),
            Self::Reveals { first, second } => reveals(first, second, network),
            Self::Opening { commit, reveal } => opening(commit, reveal, network),
            Self::Verdicts { first, second } => verdicts(first, second, network),
            Self::Votes(pair) => {
                let by = pair.check(network)?;
                Ok((by, Cause::Votes { epoch: pair.first.epoch, view: pair.first.view }))
            }
        }
    }
}

fn proves_nothing<T>(reason: &str) -> Result<T, Error> {
    Err(Error::invalid("contradiction", reason))
}

/// The replica that two statements of one key are about.
fn replica<S: Batched, L: Serialize, T: Batched, M: Serialize>(
    (first, at): (&Quote<S, L>, (TaskIndex, Attempt)),
    (second, other): (&Quote<T, M>, (TaskIndex, Attempt)),
    network: NetworkId,
) -> Result<(PublicKey, JobId, TaskIndex, Attempt), Error> {
    first.check(network)?;
    second.check(network)?;
    let same = first.by() == second.by() && first.job() == second.job() && at == other;
    if !same {
        return proves_nothing("the statements are of two keys, or about two replicas");
    }
    let (task, attempt) = at;
    Ok((first.by(), first.job(), task, attempt))
}

fn at_commit(quote: &CommitQuote) -> (&CommitQuote, (TaskIndex, Attempt)) {
    (quote, (quote.leaf.task, quote.leaf.attempt))
}

fn at_reveal(quote: &RevealQuote) -> (&RevealQuote, (TaskIndex, Attempt)) {
    (quote, (quote.leaf.task, quote.leaf.attempt))
}

fn commits(
    first: &CommitQuote,
    second: &CommitQuote,
    network: NetworkId,
) -> Result<(PublicKey, Cause), Error> {
    let (by, job, task, attempt) = replica(at_commit(first), at_commit(second), network)?;
    if first.leaf.hidden == second.leaf.hidden {
        return proves_nothing("these commitments are the same");
    }
    Ok((by, Cause::Commits { job, task, attempt }))
}

fn reveals(
    first: &RevealQuote,
    second: &RevealQuote,
    network: NetworkId,
) -> Result<(PublicKey, Cause), Error> {
    let (by, job, task, attempt) = replica(at_reveal(first), at_reveal(second), network)?;
    if (first.leaf.outcome, first.leaf.salt) == (second.leaf.outcome, second.leaf.salt) {
        return proves_nothing("these reveals open to the same");
    }
    Ok((by, Cause::Reveals { job, task, attempt }))
}

fn opening(
    commit: &CommitQuote,
    reveal: &RevealQuote,
    network: NetworkId,
) -> Result<(PublicKey, Cause), Error> {
    let (by, job, task, attempt) = replica(at_commit(commit), at_reveal(reveal), network)?;
    if commitment_of(&by, &reveal.leaf.salt, &reveal.leaf.outcome) == commit.leaf.hidden {
        return proves_nothing("the reveal opens this commitment");
    }
    Ok((by, Cause::Opening { job, task, attempt }))
}

fn verdicts(
    first: &Signed<Verdicts>,
    second: &Signed<Verdicts>,
    network: NetworkId,
) -> Result<(PublicKey, Cause), Error> {
    Verdicts::check(first, network)?;
    Verdicts::check(second, network)?;
    if first.by != second.by {
        return proves_nothing("the verdicts are of two keys");
    }
    // Not to have been able to run the task, and to have run it later, is no contradiction.
    let differs = first.payload.rulings.iter().find(|ruling| {
        let other = second.payload.on(&ruling.job, ruling.task).and_then(|other| other.outcome);
        ruling.outcome.is_some() && other.is_some() && ruling.outcome != other
    });
    match differs {
        Some(ruling) => Ok((first.by, Cause::Verdicts { job: ruling.job, task: ruling.task })),
        None => proves_nothing("these verdicts can stand beside each other"),
    }
}

/// A node's word that another one contradicts itself. Signed by the node that accuses: what does
/// not hold is recorded against its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accusation {
    /// Who is accused.
    pub against: PublicKey,
    /// The proof.
    pub contradiction: Contradiction,
    /// When it was signed: the ledger takes it for as long as a job may last.
    pub issued: Time,
}

impl Sign for Accusation {
    const DOMAIN: &'static str = "accusation";
}

impl Accusation {
    /// What the accused is proven to have done.
    ///
    /// # Errors
    /// Why nothing is proven.
    pub fn check(&self, network: NetworkId) -> Result<Cause, Error> {
        let (by, cause) = self.contradiction.check(network)?;
        if by == self.against { Ok(cause) } else { proves_nothing("it is another key's") }
    }
}
