//! Where a job stands in the queue, and how much there is in it.

use crate::{Quota, Usage, Work};
use protocol::{JobId, Priority};

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueView {
    /// How urgent it is: at least as urgent as what is held for it.
    pub priority: Priority,
    /// Nobody new is given a task of it.
    pub paused: bool,
    /// Its submitter, or all together, have as much at work as they may.
    pub capped: bool,
    /// Jobs with tasks that nobody was asked for that go before it.
    pub jobs_before: usize,
    /// Tasks of these jobs that nobody was asked for.
    pub tasks_before: u64,
    /// When its first task that waits is expected to begin, if that can be said: from now, in
    /// milliseconds.
    pub wait_ms: Option<u64>,
    /// What its submitter may have under way.
    pub quota: Quota,
    /// What it has.
    pub usage: Usage,
}

/// How much there is of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Jobs whose receipts are not stored yet.
    pub jobs: usize,
    /// Jobs of which nobody new is given a task.
    pub paused: usize,
    /// Tasks that nobody was asked for.
    pub queued: u64,
    /// The same by priority, the most urgent first.
    pub queued_by_priority: [u64; 5],
    /// Tasks that are worked on.
    pub running: u64,
    /// Tasks that were agreed on, and wait for the ledger.
    pub agreed: u64,
    /// Tasks of these jobs that have ended.
    pub ended: u64,
    /// Jobs whose receipts are stored, as many as are remembered.
    pub finished: usize,
    /// Second copies of replicas that took long.
    pub copies: u64,
    /// Of those the ones that paid.
    pub copies_paid: u64,
}

impl Work {
    /// Where a job stands in the queue; nothing if its receipt is stored, or it is not known.
    pub fn position(&self, job: &JobId) -> Option<QueueView> {
        let record = self.job(job)?;
        let submitter = &record.order.by;
        let lineup = self.lineup();
        let own = lineup.find(job);
        let own_rank = own.map(|at| lineup.rank(at, false));
        let waits = |at: &usize| lineup.entries()[*at].wanting > 0;
        let before = |at: &usize| own_rank.is_none_or(|rank| lineup.rank(*at, false) < rank);
        let ahead: Vec<_> = (0..lineup.entries().len()).filter(waits).filter(before).collect();
        let tasks_before = ahead.iter().map(|at| u64::from(lineup.entries()[*at].wanting)).sum();
        let least_ms = self.learned.least_ms(&record.order.payload.program);
        let slots = self.fleet.up_slots();
        let wait = |least_ms: u64| least_ms.saturating_mul(tasks_before) / slots.max(1);
        let terms = &record.order.payload.terms;
        Some(QueueView {
            priority: own.map_or(terms.priority, |at| lineup.entries()[at].priority),
            paused: record.paused,
            capped: self.is_capped(job),
            jobs_before: ahead.len(),
            tasks_before,
            wait_ms: least_ms.filter(|_| own.is_some() && slots > 0).map(wait),
            quota: self.quota(submitter),
            usage: self.usage(submitter),
        })
    }

    /// How much there is of everything.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals {
            jobs: self.jobs.len(),
            finished: self.finished.len(),
            copies: self.counts.copies,
            copies_paid: self.counts.copies_paid,
            ..Totals::default()
        };
        for record in self.jobs.values() {
            let progress = record.progress;
            let waiting = u64::from(progress.waiting);
            totals.paused += usize::from(record.paused);
            totals.queued += waiting;
            totals.queued_by_priority[record.order.payload.terms.priority as usize] += waiting;
            totals.running += u64::from(progress.running);
            totals.agreed += u64::from(progress.agreed);
            totals.ended += u64::from(progress.settled) + u64::from(progress.unsettled);
        }
        totals
    }
}
