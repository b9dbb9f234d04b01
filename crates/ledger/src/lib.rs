//! What the ordered transactions mean: state and roots.
//!
//! A block applies as a whole or not at all: inclusion means acceptance. The state after a block is
//! a value of its own, so that a validator can hold the states of several proposals at once.

mod audits;
mod beacons;
mod block;
mod checked;
mod disputes;
mod effect;
mod effort;
mod error;
mod handle;
mod jobs;
mod orders;
mod part;
mod standing;
mod state;
mod trie;

pub use audits::{AuditCount, Duty};
pub use checked::CheckedTx;
pub use disputes::{DisputeRecord, DisputeStatus};
pub use effect::Effect;
pub use error::{Error, Refusal};
pub use state::Ledger;
