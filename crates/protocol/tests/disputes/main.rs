//! What proves that somebody lied, and every near miss that proves nothing.

#![allow(clippy::unwrap_used)]

mod claims;
mod contradictions;
mod draw;
mod evidence;
#[path = "../fixture/mod.rs"]
mod fixture;
mod quotes;
mod receipts;

use identity::{Digest, NetworkId};

/// A network that nothing here was signed for.
fn elsewhere() -> NetworkId {
    NetworkId(Digest([9; 32]))
}
