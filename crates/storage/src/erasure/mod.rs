//! Content that survives the loss of machines: a code, and the hands that keep its shards on peers.
//!
//! [`Keeper::protect`] makes parity and a manifest of an object, [`Keeper::distribute`] brings the
//! shards to their holders, who run [`Keeper::serve`]. [`Keeper::recover`] reads with any `data`
//! of them, [`Keeper::whereabouts`] says where they are, and [`repair`] replaces holders that left.
//! Nothing that a peer sends is believed: every shard has the name that its manifest gives it.

mod book;
mod code;
mod config;
mod distribute;
mod error;
mod field;
mod gather;
mod hold;
mod keep;
mod keeper;
mod kernel;
mod matrix;
mod pages;
mod protect;
mod recover;
pub mod repair;
mod scratch;
mod server;
mod walk;
mod whereabouts;
mod wire;

pub use crate::desk::Server;
pub use code::Code;
pub use config::Config;
pub use distribute::Spread;
pub use error::Error;
pub use keep::{Keep, Kept, Lend};
pub use keeper::{Keeper, Parts};
pub use protect::Protected;
pub use recover::{Recovered, Wanted};
pub use whereabouts::{HolderAt, Look, Presence, ShardAt, Whereabouts};
pub use wire::PROTOCOL;

#[cfg(test)]
#[path = "tests/mod.rs"]
mod tests;
