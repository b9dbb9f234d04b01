//! The threads that care for the store: one collects and compacts, one scrubs.

use super::{
    Shared,
    compact::{self, CompactOptions, CompactReport},
    gc::{self, GcOptions, GcReport},
    scrub::{self, Pass, ScrubReport},
    writer::{Job, Reply},
};
use crate::{Error, lock::lock};
use objects::Cid;
use protocol::port::BlobError;
use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// What the threads are asked. Whoever asked may go away, which ends it at the next step.
pub(super) enum Asked {
    Gc(Vec<Cid>, GcOptions, oneshot::Sender<Result<GcReport, Error>>),
    Compact(CompactOptions, oneshot::Sender<Result<CompactReport, Error>>),
    Scrub(Pass, oneshot::Sender<Result<ScrubReport, Error>>),
}

/// Asks the writing thread from another thread of the store.
pub(super) struct Caller(pub(super) mpsc::Sender<Job>);

impl Caller {
    /// Waits for the answer.
    pub(super) fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, BlobError> {
        let (reply, answer) = oneshot::channel();
        let died = || BlobError::Io("the writing thread of the store died".into());
        self.0.blocking_send(job(reply)).map_err(|_| died())?;
        answer.blocking_recv().unwrap_or_else(|_| Err(died()))
    }

    /// Does not wait for an answer.
    pub(super) fn tell(&self, job: Job) {
        if self.0.blocking_send(job).is_err() {
            tracing::warn!("the writing thread of the store died");
        }
    }
}

/// Tells threads that are at work, or wait, to end.
#[derive(Debug, Default)]
pub(super) struct Stop {
    is_set: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    pub(super) fn is_set(&self) -> bool {
        *lock(&self.is_set)
    }

    pub(super) fn set(&self) {
        *lock(&self.is_set) = true;
        self.changed.notify_all();
    }

    /// Waits so long, or until it is set.
    pub(super) fn wait(&self, time: Duration) {
        let result = self.changed.wait_timeout_while(lock(&self.is_set), time, |is_set| !*is_set);
        drop(result.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Sets it when the store is dropped.
#[derive(Debug)]
pub(super) struct StopOnDrop(pub(super) Arc<Shared>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop.set();
    }
}

/// Does what is asked.
pub(super) fn serve(shared: &Shared, caller: &Caller, asked: Asked) {
    match asked {
        Asked::Gc(roots, options, reply) => {
            let result = collect(shared, caller, &roots, &options, &|| reply.is_closed());
            drop(reply.send(result));
        }
        Asked::Compact(options, reply) => {
            let result = compact::compact(shared, caller, &options, &|| reply.is_closed());
            drop(reply.send(result));
        }
        Asked::Scrub(pass, reply) => {
            let result = scrub::scrub(shared, caller, pass, &|| reply.is_closed());
            drop(reply.send(result));
        }
    }
}

fn collect(
    shared: &Shared,
    caller: &Caller,
    roots: &[Cid],
    options: &GcOptions,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<GcReport, Error> {
    let mut report = gc::collect(shared, caller, roots, options, is_cancelled)?;
    if options.compact && !options.dry_run && report.is_complete {
        let left_ms = options.budget_ms.saturating_sub(report.took_ms);
        // A budget that is just used up must not become none.
        let budget_ms = if options.budget_ms == 0 { 0 } else { left_ms.max(1) };
        let options = CompactOptions { budget_ms, ..CompactOptions::of(&shared.config) };
        let compaction = compact::compact(shared, caller, &options, is_cancelled)?;
        report.took_ms += compaction.took_ms;
        report.compaction = Some(compaction);
    }
    tracing::info!(
        kept = report.kept_blobs,
        freed = report.freed_blobs,
        freed_bytes = report.freed_bytes,
        missing = report.missing,
        "garbage was collected"
    );
    Ok(report)
}
