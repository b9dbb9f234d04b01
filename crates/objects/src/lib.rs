//! Content as pure values: CIDs, DAG-CBOR values, UnixFS files and directories.

mod cid;
mod error;

pub use cid::{Cid, Codec};
pub use error::Error;
