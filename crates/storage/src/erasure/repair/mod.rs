//! Replacing holders that left: a mind that decides, and a driver that does it.
//!
//! [`Repair`] knows no clock and no network: it takes what happened and says what is to be done.
//! The first live holder in slot order repairs; the others watch. A holder that left is replaced
//! after a grace time, one slot after the other, the object that lost most first.

mod driver;
mod mind;

pub use driver::{Neighbours, Repairer};
pub use mind::{Action, Input, Policy, Repair};

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
