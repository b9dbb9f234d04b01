//! What is asked of the engine, and what it answers.

use bytes::Bytes;
use identity::Digest;
use objects::Cid;
use protocol::{End, Limits, NoResult};

/// One task to run. Whoever builds it has checked every content against its CID.
#[derive(Clone, Debug)]
pub struct Order {
    /// The program's name.
    pub program: Cid,
    /// The program itself: what `program` names.
    pub bytes: Bytes,
    /// Arguments after the program's name (which the guest sees as `program`).
    pub args: Vec<String>,
    /// Files that the guest finds under `/in`, by name.
    pub inputs: Vec<(String, Bytes)>,
    /// What the guest reads from stdin; nothing, if `None`.
    pub stdin: Option<Bytes>,
    /// The guest's environment, in this order.
    pub env: Vec<(String, String)>,
    /// The seed of the guest's randomness.
    pub seed: Digest,
    /// What the guest may use.
    pub limits: Limits,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// The program ended, and ends equally everywhere.
    Done(Done),
    /// There is no result; another machine, or another moment, may have one.
    NoResult(NoResult),
}

/// A comparable result: a function of the order and the engine's fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// How it ended.
    pub end: End,
    /// Fuel that was used: all of it, if it ran out.
    pub fuel_used: u64,
    /// Everything written to stdout.
    pub stdout: Bytes,
    /// Everything written to stderr.
    pub stderr: Bytes,
    /// The files left under `/out`, by path relative to it, sorted. Empty directories are not kept.
    pub outputs: Vec<(String, Bytes)>,
}
