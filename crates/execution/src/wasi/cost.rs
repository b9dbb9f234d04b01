//! What host calls cost, in fuel. One unit is about one Wasm instruction.
//!
//! Prices are set so that a loop of host calls takes no more wall time per fuel than a loop of
//! instructions does.

/// Any call.
pub(crate) const CALL: u64 = 256;
/// Each byte of a path that is looked up or hashed.
pub(crate) const PATH_BYTE: u64 = 8;
/// Each byte of randomness.
pub(crate) const RANDOM_BYTE: u64 = 16;
/// Each directory entry, node, text or subscription that is visited.
pub(crate) const ENTRY: u64 = 128;
