//! Bitswap: blocks from and for any peer that speaks the protocol of IPFS, member or not.
//!
//! Source: IPFS specification "Bitswap", version 1.2.0; streams of 1.1.0 are read as well, and
//! written where a peer knows nothing newer.
//!
//! - [`start`] serves what is in the store, as far as the gate allows ([`crate::exchange::Serve`],
//!   the same that guards the exchange between members), and gives a [`Bitswap`] that fetches.
//! - Every peer has a queue of its own, of bounded length. Memory for messages is handed out in the
//!   order in which it was asked for, and nobody asks for a second message before the first is
//!   sent, unless there is plenty: peers are served in turn.
//! - A want whose block is not here is answered at once, remembered for a while, and served when
//!   the block comes.
//! - Nothing is believed: a block is what its hash says. One that was not asked for is an offence.
//! - A stream that nobody uses is closed before others give up on it.
//!
//! Blocks above 2 MiB are not exchanged here, as the specification advises; for members there is
//! [`crate::exchange`]. Files are cut into blocks of 1 MiB, so this concerns large values only.

mod config;
mod engine;
mod fetch;
mod mail;
mod message;
mod name;
mod peer;
mod protobuf;
mod reader;
mod service;
mod session;
mod writer;

pub use crate::desk::Server;
pub use config::Config;
pub use fetch::{Bitswap, Extent};
pub use service::start;

use protocol::port::Protocol;

/// The protocol under which blocks are asked for and sent.
pub const PROTOCOL: Protocol = Protocol("/ipfs/bitswap/1.2.0");
/// Older versions, the newest first. They know no presences, and step over them.
const OLDER: [Protocol; 1] = [Protocol("/ipfs/bitswap/1.1.0")];

#[cfg(test)]
#[path = "tests/mod.rs"]
mod tests;
