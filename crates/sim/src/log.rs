//! A log in memory.

use bytes::Bytes;
use futures::{FutureExt, future};
use protocol::port::{Answer, Log, LogError};
use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A log that keeps everything in memory. Clones share what is in it, as if it was opened again.
#[derive(Clone, Debug, Default)]
pub struct MemoryLog(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    start: u64,
    entries: VecDeque<Bytes>,
    values: BTreeMap<&'static str, Bytes>,
    /// Why nothing is written any more.
    failed: Option<String>,
}

impl MemoryLog {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every write from now on fails, as if the disk did.
    pub fn fail(&self, reason: &str) {
        self.state().failed = Some(reason.to_string());
    }

    /// Writes succeed again, as after the log was opened again on a mended disk.
    pub fn mend(&self) {
        self.state().failed = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is half done between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(
        &self,
        change: impl FnOnce(&mut State) -> Result<(), LogError> + Send + 'static,
    ) -> Answer<'static, Result<(), LogError>> {
        let log = self.clone();
        // As with a disk, nothing happens before the answer is asked for.
        future::lazy(move |_| {
            let mut state = log.state();
            match &state.failed {
                Some(reason) => Err(LogError::Failed(reason.clone())),
                None => change(&mut state),
            }
        })
        .boxed()
    }
}

impl State {
    fn range(&self) -> Range<u64> {
        self.start..self.start + self.entries.len() as u64
    }

    fn append(&mut self, first: u64, entries: Vec<Bytes>) -> Result<(), LogError> {
        let expected = self.range().end;
        if self.entries.is_empty() {
            self.start = if entries.is_empty() { self.start } else { first };
        } else if first != expected {
            return Err(LogError::Gap { expected, got: first });
        }
        self.entries.extend(entries);
        Ok(())
    }

    fn read(&self, range: Range<u64>) -> Result<Vec<Bytes>, LogError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let all = self.range();
        if range.start < all.start || range.end > all.end {
            return Err(LogError::Missing(range));
        }
        let at = |index: u64| (index - self.start) as usize;
        Ok(self.entries.range(at(range.start)..at(range.end)).cloned().collect())
    }
}

impl Log for MemoryLog {
    fn append(&self, first: u64, entries: Vec<Bytes>) -> Answer<'static, Result<(), LogError>> {
        self.change(move |state| state.append(first, entries))
    }

    fn read(&self, range: Range<u64>) -> Answer<'static, Result<Vec<Bytes>, LogError>> {
        let log = self.clone();
        future::lazy(move |_| log.state().read(range)).boxed()
    }

    fn range(&self) -> Range<u64> {
        self.state().range()
    }

    fn truncate(&self, index: u64) -> Answer<'static, Result<(), LogError>> {
        self.change(move |state| {
            let kept = index.saturating_sub(state.start) as usize;
            state.entries.truncate(kept);
            Ok(())
        })
    }

    fn purge(&self, index: u64) -> Answer<'static, Result<(), LogError>> {
        self.change(move |state| {
            if index > state.start {
                let gone = (index - state.start).min(state.entries.len() as u64) as usize;
                state.entries.drain(..gone);
                state.start = index;
            }
            Ok(())
        })
    }

    fn set(&self, name: &'static str, value: Bytes) -> Answer<'static, Result<(), LogError>> {
        self.change(move |state| {
            state.values.insert(name, value);
            Ok(())
        })
    }

    fn value(&self, name: &'static str) -> Answer<'static, Result<Option<Bytes>, LogError>> {
        let log = self.clone();
        future::lazy(move |_| Ok(log.state().values.get(name).cloned())).boxed()
    }
}
