//! The guest's world: WASI over a virtual filesystem, clock and randomness.
//!
//! Modules see preview 1, components see 0.2 (`components`): two doors to one [`World`]. Nothing of
//! the host shows through, and every call is paid for in fuel ([`cost`]).
//!
//! Source of preview 1: `wasi_snapshot_preview1.witx` of the WASI repository (`legacy/preview1`). A
//! call is a method of [`call::Call`], which sees the guest's memory and its [`World`]; `table`
//! binds them to their names.

mod call;
mod changes;
pub(crate) mod components;
pub(crate) mod cost;
mod descriptors;
mod environment;
mod errno;
mod files;
mod host;
mod listing;
mod memory;
mod meter;
mod output;
mod path_calls;
mod paths;
mod poll;
mod rights;
mod stat;
mod stream_calls;
mod table;
mod tree;
mod world;

pub(crate) use host::Host;
pub(crate) use table::{MODULE, link, signature, signature_text};
pub(crate) use world::World;

/// The version of everything in this directory. Any change that a guest could see must change it:
/// replicas of different worlds are not compared.
pub(crate) const WORLD_VERSION: &str = "polity world 3";
