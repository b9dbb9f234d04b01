//! Blobs between nodes: a server for what we have, and a fetcher for what others have.
//!
//! One stream carries requests and answers in turn. A request is a frame of up to [`MAX_WANTS`]
//! CIDs; for each of them comes one frame, in the same order: the bytes, or that they are not to be
//! had. Nothing is believed: what does not match its CID is an offence, and another peer is asked.

mod config;
mod fetcher;
mod file;
mod gate;
mod server;
mod session;
mod wire;

pub use crate::desk::Server;
pub use config::Config;
pub use fetcher::{DagLimits, FetchError, Fetcher, Refusal};
pub use gate::Serve;
pub use server::serve;
pub use wire::MAX_WANTS;

use futures::future::{Either, select};
use protocol::port::{Clock, Protocol};
use std::{future::Future, io, pin::pin};

/// The protocol under which blobs are asked for.
pub const PROTOCOL: Protocol = Protocol("/polity/blob/1");

/// Waits for something on a stream, but not longer than `limit_ms`.
pub(crate) async fn within<T>(
    clock: &dyn Clock,
    limit_ms: u64,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let end = clock.pause(limit_ms);
    match select(pin!(work), end).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => {
            let reason = format!("nothing came for {limit_ms} ms");
            Err(io::Error::new(io::ErrorKind::TimedOut, reason))
        }
    }
}

#[cfg(test)]
#[path = "tests/mod.rs"]
mod tests;
