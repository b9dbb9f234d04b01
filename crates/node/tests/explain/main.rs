//! Jobs that are stuck, each in another way, and whether the true reason is told. Real processes.

#![allow(clippy::unwrap_used)]

#[path = "../society/mod.rs"]
mod society;

mod executors;
mod ledger;
mod machines;
mod order;
mod owners;
mod pages;
mod queue;
mod submitter;
mod told;
