//! Run Wasm and boxes under limits.
//!
//! A program is a WASI command: a module (preview 1) or a component (0.2). What it sees is a function
//! of its order alone: a virtual filesystem, a virtual clock, randomness from the order's seed. So two engines of one
//! [`Engine::fingerprint`] give equal [`Done`]s, on any machine.
//!
//! Read in this order: [`Order`] and [`Ran`] (what is asked and answered), [`Engine`] (who does it),
//! `settings` (what the engine's results depend on), `task` (one run), `wasi` (the guest's world).
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod aot;
mod bounds;
mod config;
mod engine;
mod error;
mod inspect;
mod known;
mod measure;
mod order;
mod pool;
mod programs;
mod settings;
mod stop;
mod task;
mod ticker;
mod wasi;

pub use config::Config;
pub use engine::Engine;
pub use error::Error;
pub use inspect::{PROGRAM_BYTES, ProgramInfo, inspect};
pub use order::{Done, Order, Ran};
