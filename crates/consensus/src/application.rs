//! What consensus asks of the ledger: the trait that `node` implements and tests fake.

use identity::{Digest, PublicKey};
use protocol::{
    Block, Certificate, Header, Height, NamedBlock, NamedTx, Time, VotePair, port::Answer,
};
use std::sync::Arc;

/// What a block is built on.
#[derive(Clone, Debug)]
pub struct Parent {
    /// The header of the block before.
    pub header: Header,
    /// The blocks between the last one that the application confirmed as final (exclusive) and
    /// `header` (inclusive), oldest first. Empty if the parent itself is final. The application may
    /// find some of the oldest final already, and skips these.
    pub pending: Vec<Arc<NamedBlock>>,
}

/// The answer to a call for a block.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The block; none if there is nothing to put into it that applies. A block without
    /// transactions counts only when it was [`Call::due`].
    pub block: Option<Block>,
    /// Candidates that will never apply; they leave the pool.
    pub stale: Vec<Digest>,
}

/// A call for a block.
#[derive(Clone, Debug)]
pub struct Call {
    /// What to build on.
    pub parent: Parent,
    /// What waits, oldest first; together they fit into a block. None of it is in `parent`.
    pub candidates: Vec<Arc<NamedTx>>,
    /// The clock of this validator.
    pub now: Time,
    /// Whether a block is due even without transactions: the heartbeat, or
    /// [`Application::wants_block`].
    pub due: bool,
}

/// The answer to a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The block may become final.
    Valid,
    /// The block must never become final; the reason is logged.
    Invalid(String),
    /// The block is of the future; ask again at this time.
    NotBefore(Time),
    /// The question is moot, because a block of this height is final already.
    Moot,
}

/// The ledger behind the engine.
///
/// Futures may be dropped before they are done, except those of [`Application::finalized`], which
/// are dropped only when consensus stops.
pub trait Application: Send + Sync + 'static {
    /// Block 0.
    fn genesis(&self) -> Block;

    /// Whether transactions may wait: their form, their signatures, and that each could apply to the
    /// ledger as it is now. One answer for each, in their order: if it may not, the reason for its
    /// submitter. Must not wait.
    fn check(&self, txs: &[Arc<NamedTx>]) -> Vec<Result<(), String>>;

    /// Builds a block on `call.parent`, proposed by this validator.
    fn propose(&self, call: Call) -> Answer<'static, Draft>;

    /// Judges a block that `leader` proposed on `parent`. Validators must agree on the answer for
    /// the same parent and block. The future may wait while the answer can still change, for
    /// instance for data that is missing. That the block follows the parent, is of this network,
    /// names `leader` as its proposer and commits to its transactions was checked before.
    fn verify(&self, parent: Parent, block: Arc<NamedBlock>, now: Time)
    -> Answer<'static, Verdict>;

    /// Takes a final block. Called in the order of heights, from 1 on, each height at least once;
    /// after a restart some may come again. A block whose certificate is `None` was made final by
    /// a later one's. When the answer is `Ok`, the block is durable.
    ///
    /// An error stops consensus for good: this node can no longer follow.
    fn finalized(
        &self,
        block: Arc<NamedBlock>,
        certificate: Option<Certificate>,
    ) -> Answer<'static, Result<(), String>>;

    /// Whether the ledger waits for its next block although no transaction does, for instance
    /// because something is drawn with the beacon of that block. Asked at the start and after each
    /// final block. While it holds, time passes as if there were work, and a leader whose parent is
    /// final is called for a block at once ([`Call::due`]).
    ///
    /// Validators must agree on the answer for the same final block, so it follows from the state
    /// after that block and nothing else; and a bounded number of blocks must satisfy it, or an
    /// idle chain never rests. Must not wait.
    fn wants_block(&self) -> bool {
        false
    }
}

/// What consensus noticed beside blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "both are rare, and the queue is short")]
pub enum Event {
    /// A validator signed two votes that contradict each other; both signatures were checked.
    Evidence(VotePair),
    /// A validator sent what no honest one sends; nothing more is exchanged with it until this
    /// node restarts.
    Blocked(PublicKey),
}

/// How far this validator is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last block that the application confirmed.
    pub applied: Height,
    /// The highest block that is known to be final.
    pub tip: Height,
}
