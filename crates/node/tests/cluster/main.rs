//! The machines of one owner act as one, whatever happens to one of them. Real processes.

#![allow(clippy::unwrap_used)]

#[path = "../society/mod.rs"]
mod society;

mod care;
mod chaos;
mod lost;
mod survival;
mod trio;
