//! Many minds on one seeded thread, every hand faked.

pub mod blobs;
pub mod bound;
pub mod contract;
pub mod history;
pub mod liars;
pub mod log;
mod random;
pub mod streams;
pub mod world;

pub use random::Random;
