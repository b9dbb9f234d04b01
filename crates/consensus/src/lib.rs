//! Order transactions among Byzantine validators (an existing engine, driven here).
//!
//! The engine is commonware's `simplex` with `marshal`, signed with Ed25519 and carried over our own
//! streams. A validator calls [`start`] and gets a [`Handle`]; the ledger behind it is an
//! [`Application`]. What the engine decides leaves this room only as our own words:
//! [`protocol::Block`], [`protocol::Certificate`], and [`protocol::VotePair`] against a validator
//! that voted twice.
//!
//! Nodes that do not vote do not run this; they follow the chain by its certificates.
//!
//! # Time
//! While transactions wait, or the ledger wants a block ([`Application::wants_block`]), blocks follow
//! each other as fast as validators answer, and a leader that does not answer is given up after the
//! genesis' leader timeout. Without work there is one empty block per heartbeat. Both come from one
//! stretched clock: see the module `pace`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod application;
mod block;
mod bridge;
mod config;
mod convert;
mod deliver;
mod desk;
mod elastic;
mod engine;
mod error;
mod evidence;
mod gossip;
mod journal;
mod links;
mod pace;
mod pool;
mod service;
mod signal;

pub use application::{Application, Call, Draft, Event, Parent, Progress, Verdict};
pub use config::{Config, Settings};
pub use error::{Error, SubmitError};
pub use journal::{create_journal, journal_exists};
pub use service::{Handle, Journal, start};

#[cfg(test)]
extern crate self as consensus;
#[cfg(test)]
#[path = "../tests/support/chain.rs"]
mod tests;
