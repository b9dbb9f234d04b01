//! The order in which jobs are served.
//!
//! The most urgent goes first; among equals the earliest deadline, then the job of whoever has the
//! least at work, then the one that was served longest ago. One turn of every [`FAIR_TURN`] goes to
//! the job that was served longest ago, whatever its priority. So no job starves: with `n` jobs
//! that could be given a slot of a node, each is given one within `16 n` slots of that node.

use crate::{JobRecord, Work, deal::Gift};
use identity::PublicKey;
use protocol::{JobId, Priority, Time};
use std::collections::{BTreeMap, BTreeSet};

/// Every so many turns one goes to the job that was served longest ago.
pub const FAIR_TURN: u64 = 16;

/// Where a job stands: what is smaller goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    /// The turn in which it was served last, in a turn that goes by that alone.
    before: u64,
    priority: Priority,
    /// The last one of all if it has none.
    deadline: Time,
    /// Replicas of its submitter that are at work.
    share: u64,
    served: u64,
    job: JobId,
}

/// A job that has something to give.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) job: JobId,
    pub(crate) submitter: PublicKey,
    /// At least that of what is held for it.
    pub(crate) priority: Priority,
    deadline: Time,
    served: u64,
    /// Tasks that nobody was asked for, or whose first replica is to be given again.
    pub(crate) wanting: u32,
    pub(crate) running: u32,
    /// Replicas of one task.
    pub(crate) replicas: u64,
    /// Whether a task begins with a node that has room, instead of with a draw.
    pub(crate) scored: bool,
}

/// All of them, and what is at work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lineup {
    /// Sorted by job.
    entries: Vec<Entry>,
    shares: BTreeMap<PublicKey, u64>,
    /// Tasks that are worked on.
    pub(crate) open: u64,
}

impl Lineup {
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn find(&self, job: &JobId) -> Option<usize> {
        self.entries.binary_search_by_key(job, |entry| entry.job).ok()
    }

    /// Replicas of a submitter that are at work.
    pub(crate) fn share(&self, submitter: &PublicKey) -> u64 {
        self.shares.get(submitter).copied().unwrap_or(0)
    }

    /// Where an entry stands in a turn that is fair or not.
    pub(crate) fn rank(&self, at: usize, fair: bool) -> Rank {
        let Entry { job, submitter, priority, deadline, served, .. } = self.entries[at];
        let before = if fair { served } else { 0 };
        Rank { before, priority, deadline, share: self.share(&submitter), served, job }
    }

    /// The first of these jobs that wants something.
    pub(crate) fn first(&self, of: &BTreeSet<JobId>, fair: bool) -> Option<usize> {
        let wanting = of.iter().filter_map(|job| self.find(job));
        wanting.filter(|at| self.entries[*at].wanting > 0).min_by_key(|at| self.rank(*at, fair))
    }

    /// Something of an entry was given away, in this turn.
    pub(crate) fn gave(&mut self, at: usize, turn: u64, gift: Gift) {
        let entry = &mut self.entries[at];
        entry.served = turn;
        if !matches!(gift, Gift::Queued(_)) {
            entry.wanting = entry.wanting.saturating_sub(1);
        }
        if matches!(gift, Gift::Next(_)) {
            entry.running += 1;
            self.open += 1;
            *self.shares.entry(entry.submitter).or_default() += entry.replicas;
        }
    }
}

impl Work {
    /// Everybody who has something to give, and what is at work.
    pub(crate) fn lineup(&self) -> Lineup {
        let inherited = self.inherited();
        let mut lineup = Lineup::default();
        for (job, record) in &self.jobs {
            let running = u64::from(record.progress.running);
            if running > 0 {
                lineup.open += running;
                *lineup.shares.entry(record.order.by).or_default() += running * record.width();
            }
            let idle = record.draw.is_none() || record.paused;
            if idle || record.progress.running + record.progress.waiting == 0 {
                continue;
            }
            let priority = record.order.payload.terms.priority;
            lineup.entries.push(Entry {
                job: *job,
                submitter: record.order.by,
                priority: inherited.get(job).copied().map_or(priority, |p| p.min(priority)),
                deadline: record.order.payload.terms.deadline.unwrap_or(Time(u64::MAX)),
                served: record.served,
                wanting: record.wanting(),
                running: record.progress.running,
                replicas: record.width(),
                scored: self.is_scored(record),
            });
        }
        lineup
    }

    /// What a job is held for is as urgent as the job.
    fn inherited(&self) -> BTreeMap<JobId, Priority> {
        let mut inherited = BTreeMap::new();
        for record in self.jobs.values() {
            let priority = record.order.payload.terms.priority;
            for other in &record.held {
                let most = inherited.entry(*other).or_insert(priority);
                *most = priority.min(*most);
            }
        }
        inherited
    }
}

impl JobRecord {
    /// Replicas that one task has, if nothing goes wrong.
    pub(crate) fn width(&self) -> u64 {
        u64::from(self.order.payload.verification.k)
    }

    /// Tasks that nobody was asked for, or whose first replica is to be given again.
    pub(crate) fn wanting(&self) -> u32 {
        let loose = u32::try_from(self.loose.len()).unwrap_or(u32::MAX);
        self.progress.waiting.saturating_add(loose)
    }
}
