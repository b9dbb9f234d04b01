//! What one task gave on one node: deterministic fields only.

use crate::{Error, JobId, OutcomeDigest, TaskIndex, limits, table::check_file_name};
use identity::Digest;
use objects::Cid;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a program was stopped by its own doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trap {
    /// `unreachable`: in most languages a panic or an abort.
    Unreachable,
    /// An access outside linear memory.
    MemoryOutOfBounds,
    /// An access outside a table.
    TableOutOfBounds,
    /// An indirect call to an empty table entry.
    IndirectCallToNull,
    /// An indirect call with another signature.
    BadSignature,
    /// A signed division that overflows.
    IntegerOverflow,
    /// A division by zero.
    IntegerDivisionByZero,
    /// A float without an integer form.
    BadConversionToInteger,
    /// A null reference.
    NullReference,
    /// A misaligned atomic access.
    Misaligned,
    /// Any other trap of the engine that this fingerprint names.
    Other,
}

/// How a task ended. Every end is comparable between replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The program ended with this code.
    Exit(u32),
    /// The program trapped.
    Trap(Trap),
    /// The fuel ran out.
    OutOfFuel,
    /// It asked for more memory than it may have.
    OutOfMemory,
    /// It wrote more than it may.
    OutputLimit,
}

impl End {
    /// Whether the program ended well.
    pub fn is_success(self) -> bool {
        self == Self::Exit(0)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit {code}"),
            Self::Trap(Trap::Unreachable) => f.write_str("trap: unreachable (a panic or an abort)"),
            Self::Trap(trap) => write!(f, "trap: {trap:?}"),
            Self::OutOfFuel => f.write_str("out of fuel"),
            Self::OutOfMemory => f.write_str("memory limit"),
            Self::OutputLimit => f.write_str("output limit"),
        }
    }
}

/// Why a replica has no result at all. Nothing is compared; the task is tried elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoResult {
    /// The program's stack ran out.
    StackOverflow,
    /// The host had no memory.
    HostOutOfMemory,
    /// It took longer than its wall time.
    WallTime,
    /// The node was told to stop.
    Cancelled,
    /// The program or an input could not be had.
    MissingObject,
    /// The program is not one that this node can run.
    BadProgram,
    /// The node has no room or its store failed.
    HostFailure,
    /// The node has too much to do.
    Busy,
    /// The node does not accept this order.
    Refused,
    /// The node has another engine than the one that the order names.
    OtherEngine,
}

impl fmt::Display for NoResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StackOverflow => "the program's stack ran out",
            Self::HostOutOfMemory => "the machine had no memory for it",
            Self::WallTime => "it took longer than its wall time",
            Self::Cancelled => "the node was told to stop",
            Self::MissingObject => "the program or an input could not be had",
            Self::BadProgram => "the program is none that can be run",
            Self::HostFailure => "the machine has no room, or its store failed",
            Self::Busy => "there is too much to do",
            Self::Refused => "the order is not accepted",
            Self::OtherEngine => "the engine is another one than the order names",
        })
    }
}

/// A file that a task wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Its path below `/out`, components joined by `/`.
    pub path: String,
    /// Its content: a UnixFS file.
    pub cid: Cid,
    /// Its size.
    pub size_bytes: u64,
}

/// What one task gave. Two honest replicas with one engine fingerprint give equal outcomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The job.
    pub job: JobId,
    /// The task.
    pub task: TaskIndex,
    /// How it ended.
    pub end: End,
    /// Fuel that was used.
    pub fuel: u64,
    /// Version and configuration of the engine.
    pub fingerprint: Digest,
    /// The files it wrote, sorted by path.
    pub outputs: Vec<Output>,
    /// Everything written to stdout: a UnixFS file.
    pub stdout: Cid,
    /// Everything written to stderr: a UnixFS file.
    pub stderr: Cid,
}

impl Outcome {
    /// The outcome's digest, by which it is committed to and compared.
    pub fn digest(&self) -> OutcomeDigest {
        OutcomeDigest(Cid::of_value(self).digest())
    }

    /// Checks that paths are plain, sorted and few.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the first thing that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |reason: String| Err(Error::invalid("outcome", reason));
        if self.outputs.len() > limits::OUTPUTS {
            return wrong(format!("{} files", self.outputs.len()));
        }
        if self.outputs.windows(2).any(|pair| pair[0].path >= pair[1].path) {
            return wrong("files repeat, or are out of order".into());
        }
        for output in &self.outputs {
            if output.path.len() > 4096 {
                return wrong("a path of more than 4096 bytes".into());
            }
            output.path.split('/').try_for_each(check_file_name)?;
        }
        Ok(())
    }

    /// Everything the outcome refers to.
    pub fn objects(&self) -> impl Iterator<Item = Cid> + '_ {
        self.outputs.iter().map(|output| output.cid).chain([self.stdout, self.stderr])
    }
}
