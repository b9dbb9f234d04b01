//! What a mind must offer to be replicated.

use identity::PublicKey;
use protocol::{Machine, Time};
use serde::{Serialize, de::DeserializeOwned};
use work::{Effect, Input, Work};

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

    /// The input for the node that begins to lead: effects that were asked for in the past may not
    /// have been carried out, and are asked for again now.
    fn lead(by: PublicKey) -> Self::Input;

    /// Whether an effect is handed out on every member, because it only says what happened.
    fn is_told_everywhere(effect: &Self::Effect) -> bool;

    /// When the next tick is due. A tick at that time or later must move it on.
    fn next_deadline(&self) -> Option<Time>;
}

impl Replicated for Work {
    fn tick() -> Input {
        Input::Tick
    }

    fn lead(by: PublicKey) -> Input {
        Input::Led { by }
    }

    fn is_told_everywhere(effect: &Effect) -> bool {
        matches!(effect, Effect::Event { .. })
    }

    fn next_deadline(&self) -> Option<Time> {
        Work::next_deadline(self)
    }
}
