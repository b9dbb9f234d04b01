//! Configure, wire, admit, drive, shut down.
//!
//! `start` is the file that starts and stops everything, top to bottom. `chain` holds what the
//! ledger decided, `home` carries out what `work` decides, `worker` runs other homes' tasks, `rerun`
//! runs what is disputed or audited, `door` is what this owner's commands talk to.
//! `misbehave` is for demonstrations. No rule of the protocol is here.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod about;
mod alone;
mod basis;
mod chain;
mod clock;
mod config;
mod door;
mod durability;
mod events;
mod executors;
mod heard;
mod home;
mod idle;
mod ipfs;
mod join;
mod launch;
mod measure;
mod membership;
mod memory;
mod metrics;
mod misbehave;
mod places;
mod post;
mod quotes;
mod rerun;
mod sources;
mod start;
mod upkeep;
mod vote;
mod worker;

pub use config::Config;
pub use launch::House;
