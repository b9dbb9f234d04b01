//! The engine on commonware's deterministic runtime and simulated network: the same seed gives the
//! same run, and an hour passes in a second.

mod dead;
mod pace;
mod partition;
mod returning;
mod seed;
mod wanted;
mod wire;
mod world;
