//! What a mind must offer to be replicated.

use protocol::{Machine, Time};
use serde::{Serialize, de::DeserializeOwned};
use work::{Input, Work};

/// A mind whose inputs go through a replicated log and whose state goes into snapshots. State and
/// inputs must have a DAG-CBOR form (maps keyed by text, no NaN).
pub trait Replicated:
    Machine<Input: Serialize + DeserializeOwned + Send, Effect: Send + 'static>
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// The input for the time at which [`Self::next_deadline`] has come.
    fn tick() -> Self::Input;

    /// The input for a node that begins to lead: effects that were asked for in the past may not
    /// have been carried out, and are asked for again now.
    fn lead() -> Self::Input;

    /// When the next tick is due. A tick at that time or later must move it on.
    fn next_deadline(&self) -> Option<Time>;
}

impl Replicated for Work {
    fn tick() -> Input {
        Input::Tick
    }

    fn lead() -> Input {
        Input::Lead
    }

    fn next_deadline(&self) -> Option<Time> {
        Work::next_deadline(self)
    }
}
