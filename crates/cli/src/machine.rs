//! The clock, the entropy and the room of this machine.

use crate::failure::Failure;
use identity::Digest;
use protocol::Time;
use std::{path::Path, time::SystemTime};

/// Now.
pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// 32 random bytes.
pub(crate) fn entropy() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(Failure::internal)?;
    Ok(bytes)
}

/// A random digest, for nonces and seeds.
pub(crate) fn nonce() -> Result<Digest, Failure> {
    entropy().map(Digest)
}

/// Bytes that are free where `path`, or the nearest directory above it that exists, is.
pub(crate) fn free_bytes(path: &Path) -> Result<u64, Failure> {
    let absolute = std::path::absolute(path).map_err(|e| Failure::file(path, &e))?;
    let there = absolute.ancestors().find(|dir| dir.exists()).unwrap_or(&absolute);
    let room = rustix::fs::statvfs(there).map_err(|e| Failure::file(there, &e.into()))?;
    Ok(room.f_bavail.saturating_mul(room.f_frsize))
}

/// Makes everything durable that was written on the disk of `dir`.
pub(crate) fn sync(dir: &Path) -> Result<(), Failure> {
    let opened = std::fs::File::open(dir).map_err(|e| Failure::file(dir, &e))?;
    rustix::fs::syncfs(opened).map_err(|e| Failure::file(dir, &e.into()))
}
