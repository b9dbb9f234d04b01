//! What machines suffer: power that goes, networks that split, disks that fill. Real processes.

#![allow(clippy::unwrap_used)]

#[path = "../society/mod.rs"]
mod society;

mod disk;
mod kills;
mod load;
mod partition;
mod record;
mod resume;
mod start;
