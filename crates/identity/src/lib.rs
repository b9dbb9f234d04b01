//! Who speaks: keys, canonical bytes, `Signed<T>`, and the verifiable random function.
//!
//! Everything a node says is a noun in canonical bytes ([`canonical`]), signed under a domain, a
//! version and the network it is meant for ([`Signed`]). Signatures are Ed25519 under the one
//! verification rule of ZIP-215 ([`PublicKey`]), so a batch and a single check never disagree.

mod batch;
pub mod canonical;
mod digest;
mod error;
mod key;
mod signed;
pub mod vrf;

pub use batch::Batch;
pub use digest::{Digest, Hasher, NetworkId};
pub use error::Error;
pub use key::{PublicKey, SecretKey, Signature};
pub use signed::{AtOnce, Notary, Sign, Signed, Verified, signing_bytes};
