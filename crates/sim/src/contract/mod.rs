//! What every implementation of a port has to do. Fakes and real adapters pass the same suites.
//!
//! A suite takes a function that opens the thing of a name. Opening a name again, after all earlier
//! handles are gone, finds what was acknowledged before; another name finds nothing. The suites
//! panic where the contract is broken.

mod blobs;
mod log;

pub use blobs::blobs;
pub use log::log;
