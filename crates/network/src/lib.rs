//! Speak libp2p.
//!
//! [`start`] gives a [`Network`], which offers the ports [`protocol::port::Streams`] and
//! [`protocol::port::Gossip`], and a [`Service`], which ends it. The network lives on one thread
//! with a runtime of its own; a busy node cannot starve it, and callers need no runtime.
//!
//! Every name on the wire carries the network's name, so that nodes of different networks have
//! nothing to say to each other; such connections are closed and counted ([`Network::refused`]).
//! Peers of no polity at all may stay as guests, if that is allowed ([`GuestConfig`]); a protocol
//! whose name does not begin with `/polity` keeps its name, and is for members and guests alike.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod address;
mod behaviour;
mod book;
mod config;
#[cfg(feature = "contract")]
pub mod contract;
mod error;
mod exchange;
mod gossip;
mod guests;
mod handle;
mod links;
mod lock;
mod names;
mod offences;
mod pace;
mod peers;
mod pings;
mod providers;
mod refusals;
mod service;
mod streams;
mod transport;

pub use address::Address;
pub use config::Config;
pub use error::Error;
pub use guests::GuestConfig;
pub use handle::Network;
pub use offences::Record;
pub use providers::{ProviderConfig, Table};
pub use refusals::{Foreign, Refused};
pub use service::{Service, start};
