//! A log in memory that can be held up, broken, and copied as a crash would leave it.

use crate::store::{BELONGS, COMMITTED, JOINED, ORIGIN, PURGED, SNAPSHOT, VOTE};
use bytes::Bytes;
use futures::FutureExt;
use protocol::port::{Answer, Log, LogError};
use sim::log::MemoryLog;
use std::{
    ops::Range,
    sync::{Arc, Mutex},
};
use tokio::sync::watch;

#[derive(Default)]
pub(super) struct Probe {
    log: MemoryLog,
    /// How many appends were asked for.
    asked: watch::Sender<u64>,
    /// How many writes were done.
    done: Arc<watch::Sender<u64>>,
    held: watch::Sender<bool>,
    refused: Mutex<Option<&'static str>>,
}

impl Probe {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// What a crash at this moment would leave.
    pub(super) fn fork(&self) -> Arc<Self> {
        let fork = Self::default();
        let range = self.log.range();
        let entries = now(self.log.read(range.clone()));
        if entries.is_empty() {
            now(fork.log.purge(range.start));
        } else {
            now(fork.log.append(range.start, entries));
        }
        for name in [BELONGS, COMMITTED, JOINED, ORIGIN, PURGED, SNAPSHOT, VOTE] {
            if let Some(value) = now(self.log.value(name)) {
                now(fork.log.set(name, value));
            }
        }
        Arc::new(fork)
    }

    /// Appends wait until they are let go.
    pub(super) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// Every write fails from now on.
    pub(super) fn break_down(&self) {
        self.log.fail("the disk is on fire");
    }

    /// Setting this value breaks the log down.
    pub(super) fn refuse(&self, name: &'static str) {
        *self.refused.lock().unwrap() = Some(name);
    }

    pub(super) fn asked(&self) -> u64 {
        *self.asked.borrow()
    }

    /// Waits until more appends were asked for than `before`.
    pub(super) async fn asked_after(&self, before: u64) {
        self.asked.subscribe().wait_for(|asked| *asked > before).await.unwrap();
    }

    /// Waits until the log begins after `index`.
    pub(super) async fn begins_after(&self, index: u64) {
        let mut done = self.done.subscribe();
        while self.range().start <= index {
            done.changed().await.unwrap();
        }
    }

    pub(super) fn has(&self, name: &'static str) -> bool {
        now(self.log.value(name)).is_some()
    }

    fn count(
        &self,
        write: Answer<'static, Result<(), LogError>>,
    ) -> Answer<'static, Result<(), LogError>> {
        let done = self.done.clone();
        write.inspect(move |_| done.send_modify(|done| *done += 1)).boxed()
    }
}

/// A log in memory answers at once.
fn now<T>(answer: Answer<'static, Result<T, LogError>>) -> T {
    answer.now_or_never().unwrap().unwrap()
}

impl Log for Probe {
    fn append(&self, first: u64, entries: Vec<Bytes>) -> Answer<'static, Result<(), LogError>> {
        let mut held = self.held.subscribe();
        let write = self.count(self.log.append(first, entries));
        self.asked.send_modify(|asked| *asked += 1);
        Box::pin(async move {
            held.wait_for(|held| !held).await.unwrap();
            write.await
        })
    }

    fn read(&self, range: Range<u64>) -> Answer<'static, Result<Vec<Bytes>, LogError>> {
        self.log.read(range)
    }

    fn range(&self) -> Range<u64> {
        self.log.range()
    }

    fn truncate(&self, index: u64) -> Answer<'static, Result<(), LogError>> {
        self.count(self.log.truncate(index))
    }

    fn purge(&self, index: u64) -> Answer<'static, Result<(), LogError>> {
        self.count(self.log.purge(index))
    }

    fn set(&self, name: &'static str, value: Bytes) -> Answer<'static, Result<(), LogError>> {
        if *self.refused.lock().unwrap() == Some(name) {
            self.break_down();
        }
        self.count(self.log.set(name, value))
    }

    fn value(&self, name: &'static str) -> Answer<'static, Result<Option<Bytes>, LogError>> {
        self.log.value(name)
    }
}
