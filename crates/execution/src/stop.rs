//! Why a guest is stopped from the host's side.

use protocol::NoResult;
use std::fmt;

/// Ends a run from inside a host call, a limiter or the epoch callback. It travels as the error of
/// the call into wasmtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// `proc_exit`, or what a component calls so.
    Exit(u32),
    /// A host call cost more fuel than was left.
    OutOfFuel,
    /// Memory or tables would exceed the limit.
    OutOfMemory,
    /// Files, stdout and stderr would exceed the limit.
    OutputLimit,
    /// A component broke a rule of the component model or of WASI, whose answer is a trap.
    Breach(&'static str),
    /// This machine cannot, or may not, go on.
    NoResult(NoResult),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stopped: {self:?}")
    }
}

impl std::error::Error for Stop {}
