//! Keep bytes: content-addressed packs, erasure coding, tiers, indexes, journals.
//!
//! - [`open`] gives a [`Store`]: blobs by CID in append-only packs with an index beside them
//!   (`protocol::port::Blobs`), with pins, garbage collection, quota and scrub. What is
//!   acknowledged survives kill -9 and power loss.
//! - [`Journal`] is a durable sequence of entries with a few named values (`protocol::port::Log`).
//! - [`erasure`] protects objects against the loss of machines.
//! - [`exchange`] serves blobs to other nodes and fetches them from others.
//! - [`bitswap`] does so with peers of IPFS.
//!
//! Files are only ever read and written by threads of this crate, so its futures can be awaited on
//! any runtime.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod bitswap;
mod config;
mod desk;
mod disk;
pub mod erasure;
mod error;
pub mod exchange;
mod frame;
mod home;
mod journal;
mod lane;
mod lock;
mod store;

pub use config::{Config, JournalConfig};
pub use disk::is_exhausted;
pub use error::Error;
pub use journal::Journal;
pub use store::{
    CompactOptions, CompactReport, GcOptions, GcReport, Label, PackImage, PackRecord, Pin, PinKey,
    PinMode, Progress, ScrubOptions, ScrubReport, ScrubState, Store, StoreStatus, open,
};
