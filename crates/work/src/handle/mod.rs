//! One file for each input.

mod cancel;
mod committed;
mod connected;
mod cordon;
mod disconnected;
mod dispute_refused;
mod drawn;
mod found;
mod hold;
mod included;
mod lead;
mod no_result;
mod pause;
mod profile;
mod quota;
mod receipt_stored;
mod refused;
mod reserve;
mod revealed;
mod roster;
mod ruled;
mod seal;
mod submit;
mod tick;
mod windows;
