//! The one framework: how a mind is driven.

use crate::Time;

/// A mind: a pure state that takes inputs and appends effects. It knows no clock, no randomness,
/// no file, no socket. The same inputs give the same state and the same effects on every replica.
pub trait Machine {
    /// What can happen to it.
    type Input;
    /// What it wants done. Only the leader's driver carries effects out.
    type Effect;

    /// Takes one input at `now` and appends what should be done about it.
    fn step(&mut self, now: Time, input: Self::Input, effects: &mut Vec<Self::Effect>);
}
