//! One file for each input.

mod cancel;
mod committed;
mod connected;
mod disconnected;
mod included;
mod lead;
mod no_result;
mod receipt_stored;
mod refused;
mod revealed;
mod roster;
mod submit;
mod tick;
