//! What the guest may write in all: files, stdout and stderr share one budget.

use crate::stop::Stop;
use protocol::NoResult;

/// Bytes that are still allowed.
pub(crate) struct Budget {
    left: u64,
}

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        Self { left: bytes }
    }

    /// Whether so much may still be written.
    pub(crate) fn check(&self, bytes: u64) -> Result<(), Stop> {
        if bytes > self.left { Err(Stop::OutputLimit) } else { Ok(()) }
    }

    /// Takes what is about to be written.
    pub(crate) fn take(&mut self, bytes: u64) -> Result<(), Stop> {
        self.left = self.left.checked_sub(bytes).ok_or(Stop::OutputLimit)?;
        Ok(())
    }

    /// Gives back what was removed.
    pub(crate) fn give_back(&mut self, bytes: u64) {
        self.left += bytes;
    }
}

/// Makes room for `more` bytes, without taking the process down if there is none.
pub(crate) fn reserve(bytes: &mut Vec<u8>, more: usize) -> Result<(), Stop> {
    bytes.try_reserve(more).map_err(|_| Stop::NoResult(NoResult::HostOutOfMemory))
}
