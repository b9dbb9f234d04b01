//! The engine on commonware's deterministic runtime and simulated network: the same seed gives the
//! same run, and an hour passes in a second.
//!
//! Liars are files. Where they lie, the application is our own: the ledger.

mod censor;
mod dead;
mod equivocator;
mod forfeiter;
mod mind;
mod pace;
mod partition;
mod returning;
mod seed;
mod silent;
mod society;
mod spoiler;
mod twins;
mod wanted;
mod wire;
mod witness;
mod world;
