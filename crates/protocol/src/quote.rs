//! One leaf quoted out of a signed batch: what a node said about one replica, provable alone.

use crate::{
    Attempt, CommitBatch, Commitment, Commits, Error, JobId, Reveal, RevealBatch, Reveals,
    TaskIndex, limits, merkle::Inclusion,
};
use identity::{Digest, NetworkId, PublicKey, Sign, Signed, canonical};
use serde::{Deserialize, Serialize};

/// A statement that signs the root over many leaves.
pub trait Batched: Sign {
    /// The job that all leaves are about.
    fn job(&self) -> JobId;
    /// How many leaves there are, and the root over them.
    fn tree(&self) -> (u32, Digest);
}

impl Batched for Commits {
    fn job(&self) -> JobId {
        self.job
    }
    fn tree(&self) -> (u32, Digest) {
        (self.count, self.root)
    }
}

impl Batched for Reveals {
    fn job(&self) -> JobId {
        self.job
    }
    fn tree(&self) -> (u32, Digest) {
        (self.count, self.root)
    }
}

/// One leaf of a batch, with the proof that the signature covers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quote<S, L> {
    /// The signed root.
    pub statement: Signed<S>,
    /// The leaf.
    pub leaf: L,
    /// Where it stands below the root.
    pub proof: Inclusion,
}

/// One commitment of a node.
pub type CommitQuote = Quote<Commits, Commitment>;
/// One reveal of a node.
pub type RevealQuote = Quote<Reveals, Reveal>;

impl<S: Batched, L: Serialize> Quote<S, L> {
    fn of<M: Clone + Serialize>(
        statement: &Signed<S>,
        leaves: &[M],
        index: usize,
    ) -> Option<Quote<S, M>>
    where
        Signed<S>: Clone,
    {
        let bytes: Vec<_> = leaves.iter().map(canonical::encode).collect();
        let proof = Inclusion::of(&bytes, index)?;
        Some(Quote { statement: statement.clone(), leaf: leaves[index].clone(), proof })
    }

    /// Who said it.
    pub fn by(&self) -> PublicKey {
        self.statement.by
    }

    /// The job that it is about.
    pub fn job(&self) -> JobId {
        self.statement.payload.job()
    }

    /// Checks the signature and that it covers the leaf.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(&self, network: NetworkId) -> Result<(), Error> {
        self.statement.check(network)?;
        let (count, root) = self.statement.payload.tree();
        if u64::from(count) != self.proof.size || count as usize > limits::BATCH_LEAVES {
            return Err(Error::invalid("quote", "the batch has another number of leaves"));
        }
        self.proof.check(&canonical::encode(&self.leaf), &root)?;
        Ok(())
    }
}

impl CommitBatch {
    /// Quotes the commitment of one replica, if the batch holds it.
    pub fn quote(&self, task: TaskIndex, attempt: Attempt) -> Option<CommitQuote> {
        let index =
            self.leaves.iter().position(|leaf| (leaf.task, leaf.attempt) == (task, attempt))?;
        Quote::<Commits, Commitment>::of(&self.statement, &self.leaves, index)
    }
}

impl RevealBatch {
    /// Quotes the reveal of one replica, if the batch holds it.
    pub fn quote(&self, task: TaskIndex, attempt: Attempt) -> Option<RevealQuote> {
        let index =
            self.leaves.iter().position(|leaf| (leaf.task, leaf.attempt) == (task, attempt))?;
        Quote::<Reveals, Reveal>::of(&self.statement, &self.leaves, index)
    }
}
