//! Replicate `work` inside an owner's cluster (an existing Raft).
//!
//! [`start`] drives a mind ([`Replicated`]) through a log that survives kill -9 and power loss.
//! An input is stamped with the leader's time, made durable, applied on every member, and only
//! then [`Cluster::propose`] returns. Effects of the mind are handed out by the leader alone, in
//! the order of the log.
//!
//! What a caller may rely on:
//! - Each time this node begins to lead (after a start, too) the mind first takes
//!   [`Replicated::lead`]. Effects of entries before that one are not handed out again: what they
//!   left to do, the mind must ask for anew.
//! - Stamps never go backwards, even where clocks do.
//! - After a failed write nothing is acknowledged any more; [`Cluster::failed`] tells why.
//!
//! A cluster has up to [`MEMBERS`] members. An odd number of them votes, chosen by the leader
//! (`voters`) and spread over failure domains; all others follow. Any member takes inputs and
//! answers looks: what only the leader can do goes by way of it (`voice`, `wire`).
//!
//! What a stopped node holds, or a copy ([`Cluster::image`]), is a [`Held`]: of it a cluster of one is
//! made that goes on when a majority is lost for ever.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod config;
mod driver;
mod engine;
mod error;
mod fault;
mod handle;
mod held;
mod join;
mod lock;
mod members;
mod orphan;
mod record;
mod removed;
mod replica;
mod replicated;
mod seen;
mod service;
mod snapshot;
mod steward;
mod store;
#[cfg(test)]
mod tests;
mod voice;
mod voters;
mod wire;

pub use config::Config;
pub use error::Error;
pub use handle::{Cluster, Leading, Leads, Stale};
pub use held::{Held, Image};
pub use members::{ClusterId, ClusterStatus, LeftBehind, MEMBERS, MemberStatus};
pub use replica::Told;
pub use replicated::Replicated;
pub use service::{Begin, Parts, start};
pub use wire::Admits;
