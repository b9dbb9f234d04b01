//! A change that any number of tasks wait for, woken in the order in which they began to wait.
//!
//! (`tokio::sync::watch` wakes in a random order, and a run could not be repeated from its seed.)

use std::{
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
};
use tokio::sync::Notify;

/// Counts changes and wakes those who wait for the next.
#[derive(Default)]
pub(crate) struct Signal {
    count: AtomicU64,
    waiting: Notify,
}

impl Signal {
    /// Something changed.
    pub(crate) fn raise(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
        self.waiting.notify_waiters();
    }

    /// Changes so far; read this before what may change.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Resolves when there are more changes than `seen`.
    pub(crate) async fn after(&self, seen: u64) {
        loop {
            let mut next = pin!(self.waiting.notified());
            next.as_mut().enable();
            if self.count() > seen {
                return;
            }
            next.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_change_after_the_count_was_read_is_never_missed() {
        let signal = Signal::default();
        let seen = signal.count();
        let mut waits = [Box::pin(signal.after(seen)), Box::pin(signal.after(seen))];
        assert!(waits.iter_mut().all(|wait| wait.as_mut().now_or_never().is_none()));
        signal.raise();
        assert!(waits.iter_mut().all(|wait| wait.as_mut().now_or_never().is_some()));
        assert!(signal.after(seen).now_or_never().is_some());
        assert!(signal.after(signal.count()).now_or_never().is_none());
    }
}
