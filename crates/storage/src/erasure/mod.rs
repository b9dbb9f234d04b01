//! Content that survives the loss of machines: a code, and the hands that keep its shards on peers.

mod code;
mod error;
mod field;
mod kernel;
mod matrix;

pub use code::Code;
pub use error::Error;
