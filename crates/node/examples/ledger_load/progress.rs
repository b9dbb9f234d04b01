//! Which transactions are due, which are under way, which are final, and when.

use anyhow::ensure;
use identity::PublicKey;
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// Shared by those who send and whoever follows.
pub(crate) struct Progress {
    state: Mutex<State>,
    /// Something is due.
    due: Notify,
}

struct State {
    due: VecDeque<usize>,
    /// When each should have been sent: waiting for a turn counts.
    sent: Vec<Option<Instant>>,
    times: Vec<Option<Duration>>,
    /// Which validator took it.
    taken: Vec<Option<PublicKey>>,
    /// Whether it was sent again because that one was lost: others may have it already.
    repeated: Vec<bool>,
    finals: usize,
    last: Option<Instant>,
    refused: u64,
    again: u64,
    blocks: usize,
    block: Option<Instant>,
    gap: Duration,
}

impl Progress {
    pub(crate) fn new(count: usize) -> Self {
        let state = State {
            due: VecDeque::new(),
            sent: vec![None; count],
            times: vec![None; count],
            taken: vec![None; count],
            repeated: vec![false; count],
            finals: 0,
            last: None,
            refused: 0,
            again: 0,
            blocks: 0,
            block: None,
            gap: Duration::ZERO,
        };
        Self { state: Mutex::new(state), due: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with it")
    }

    /// A transaction is due.
    pub(crate) fn push(&self, number: usize, at: Instant) {
        let mut state = self.state();
        state.sent[number].get_or_insert(at);
        state.due.push_back(number);
        drop(state);
        self.due.notify_one();
    }

    /// Takes some that are due; waits for the first.
    pub(crate) async fn take(&self, most: usize) -> Vec<usize> {
        loop {
            let known = self.due.notified();
            let taken = self.try_take(most);
            if !taken.is_empty() {
                // Somebody else may take the rest.
                self.due.notify_one();
                return taken;
            }
            known.await;
        }
    }

    fn try_take(&self, most: usize) -> Vec<usize> {
        let mut state = self.state();
        let most = most.min(state.due.len());
        state.due.drain(..most).collect()
    }

    /// A validator took it.
    pub(crate) fn taken(&self, number: usize, by: PublicKey) {
        self.state().taken[number] = Some(by);
    }

    /// A validator did not take it: it is sent again, unless it was taken by another one before.
    ///
    /// # Errors
    /// If it never will be taken.
    pub(crate) fn refused(&self, number: usize, why: &str) -> anyhow::Result<()> {
        let mut state = self.state();
        if state.times[number].is_some() || state.repeated[number] {
            return Ok(());
        }
        state.refused += 1;
        ensure!(why.contains("try again later"), "{why}");
        state.due.push_back(number);
        Ok(())
    }

    /// Whoever had these is gone.
    pub(crate) fn put_back(&self, numbers: &[usize]) {
        let mut state = self.state();
        state.due.extend(numbers);
        drop(state);
        self.due.notify_one();
    }

    /// A validator is gone: what it took and nobody has seen in a block is sent to others.
    pub(crate) fn lost(&self, validator: PublicKey) {
        let mut state = self.state();
        let state = &mut *state;
        for number in 0..state.taken.len() {
            if state.taken[number] == Some(validator) && state.times[number].is_none() {
                state.taken[number] = None;
                state.repeated[number] = true;
                state.again += 1;
                state.due.push_back(number);
            }
        }
        self.due.notify_one();
    }

    /// A block arrived. Tells how many of its transactions are new.
    pub(crate) fn block(&self, numbers: impl Iterator<Item = usize>) -> usize {
        let now = Instant::now();
        let mut state = self.state();
        state.blocks += 1;
        if let Some(before) = state.block.replace(now) {
            state.gap = state.gap.max(now - before);
        }
        let mut new = 0;
        for number in numbers {
            let Some(Some(sent)) = state.sent.get(number).copied() else { continue };
            if state.times[number].is_none() {
                state.times[number] = Some(now.saturating_duration_since(sent));
                state.last = Some(now);
                new += 1;
            }
        }
        state.finals += new;
        new
    }

    pub(crate) fn finals(&self) -> usize {
        self.state().finals
    }

    /// The clock starts: from here on the time without a block counts.
    pub(crate) fn start(&self, at: Instant) {
        self.state().block = Some(at);
    }

    /// What came of it, as JSON.
    pub(crate) fn report(&self, size_bytes: usize, start: Instant) -> serde_json::Value {
        let state = self.state();
        let silent = match state.block {
            Some(block) if state.finals < state.times.len() => block.elapsed(),
            _ => Duration::ZERO,
        };
        let mut times: Vec<_> = state.times.iter().flatten().map(ms).collect();
        times.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).max(1);
            times.get(rank - 1).copied()
        };
        let seconds = state.last.map_or(0.0, |last| (last - start).as_secs_f64());
        serde_json::json!({
            "count": state.times.len(),
            "size_bytes": size_bytes,
            "final": state.finals,
            "seconds": seconds,
            "rate": state.finals as f64 / seconds.max(1e-9),
            "p50_ms": at(50),
            "p95_ms": at(95),
            "max_ms": at(100),
            "blocks": state.blocks,
            "gap_ms": ms(&state.gap.max(silent)),
            "refused": state.refused,
            "again": state.again,
        })
    }
}

fn ms(time: &Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
