//! One step of the mind: what it touches, and what is said at its end.
//!
//! Messages are gathered while an input is handled, so that many tasks share one message.

use crate::{Effect, Work};
use identity::PublicKey;
use protocol::{
    Attempt, JobEvent, JobId, Member, TaskIndex, Time, ToWorker,
    limits::{BATCH_LEAVES, MESSAGE_BYTES},
};
use std::collections::{BTreeMap, BTreeSet};

/// Replicas, or tasks, named in one message.
const NAMED: usize = 10_000;
/// Bytes of one member of a set, at most.
const MEMBER_BYTES: usize = 128;
/// Bytes of one leaf of commitments, at most.
const LEAF_BYTES: usize = 64;
/// Bytes of sets and batches in one message: half of what is allowed, so that one task more, with
/// the batches of the most replicas, still fits.
const SETS_BYTES: usize = MESSAGE_BYTES / 2;

type To = (PublicKey, JobId);

/// What one input has led to so far.
pub(crate) struct Turn<'a> {
    pub(crate) now: Time,
    effects: &'a mut Vec<Effect>,
    assigns: BTreeMap<To, BTreeSet<(TaskIndex, Attempt)>>,
    sets: BTreeMap<To, BTreeSet<TaskIndex>>,
    closes: BTreeMap<To, BTreeSet<TaskIndex>>,
    /// Nodes that may have a free slot now.
    pub(crate) freed: BTreeSet<PublicKey>,
    /// Jobs of which further tasks may be begun.
    pub(crate) hungry: BTreeSet<JobId>,
    /// Jobs that may have something to publish, or be finished.
    pub(crate) touched: BTreeSet<JobId>,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(now: Time, effects: &'a mut Vec<Effect>) -> Self {
        Self {
            now,
            effects,
            assigns: BTreeMap::new(),
            sets: BTreeMap::new(),
            closes: BTreeMap::new(),
            freed: BTreeSet::new(),
            hungry: BTreeSet::new(),
            touched: BTreeSet::new(),
        }
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn event(&mut self, job: JobId, event: JobEvent) {
        self.effects.push(Effect::Event { job, event });
    }

    pub(crate) fn assign(&mut self, to: To, replica: (TaskIndex, Attempt)) {
        self.assigns.entry(to).or_default().insert(replica);
    }

    /// The set that the replica of this node was shown is said at the end of the turn.
    pub(crate) fn show(&mut self, to: To, task: TaskIndex) {
        self.sets.entry(to).or_default().insert(task);
    }

    pub(crate) fn close(&mut self, to: To, task: TaskIndex) {
        self.closes.entry(to).or_default().insert(task);
    }
}

impl Work {
    /// Gives free slots away, begins further tasks, publishes, finishes, and speaks.
    pub(crate) fn end_turn(&mut self, mut turn: Turn<'_>) {
        self.deal(&mut turn);
        while let Some(job) = turn.touched.pop_first() {
            self.publish(job, &mut turn);
            self.finish(job, &mut turn);
        }
        self.speak(turn);
    }

    /// Sends what was gathered. Who is not connected is told again when it returns.
    fn speak(&self, turn: Turn<'_>) {
        let Turn { effects, assigns, sets, closes, .. } = turn;
        for ((to, job), replicas) in assigns {
            let Some(record) = self.jobs.get(&job).filter(|_| self.fleet.is_up(&to)) else {
                continue;
            };
            let Some(drawn) = record.drawn() else { continue };
            let replicas: Vec<_> = replicas.into_iter().collect();
            for chunk in replicas.chunks(NAMED) {
                let message = ToWorker::Assign {
                    order: record.order.clone(),
                    drawn,
                    replicas: chunk.to_vec(),
                };
                effects.push(Effect::Send { to, message });
            }
        }
        for ((to, job), tasks) in sets {
            if self.fleet.is_up(&to) {
                let messages = self.sets_messages(&to, job, tasks);
                effects.extend(messages.into_iter().map(|message| Effect::Send { to, message }));
            }
        }
        for ((to, job), tasks) in closes {
            let tasks: Vec<_> = tasks.into_iter().collect();
            for chunk in tasks.chunks(NAMED).filter(|_| self.fleet.is_up(&to)) {
                let message = ToWorker::Close { job, tasks: chunk.to_vec() };
                effects.push(Effect::Send { to, message });
            }
        }
    }

    /// The sets that were shown to a node, in messages of bounded size.
    fn sets_messages(
        &self,
        to: &PublicKey,
        job: JobId,
        tasks: BTreeSet<TaskIndex>,
    ) -> Vec<ToWorker> {
        let Some(record) = self.jobs.get(&job) else { return Vec::new() };
        let mut messages = Vec::new();
        let (mut sets, mut batches, mut bytes) = (Vec::new(), BTreeSet::new(), 0);
        let flush = |sets: &mut Vec<_>, batches: &mut BTreeSet<u32>| ToWorker::Sets {
            job,
            sets: std::mem::take(sets),
            commits: std::mem::take(batches)
                .into_iter()
                .map(|number| record.commits.get(number).clone())
                .collect(),
        };
        for task in tasks {
            let Some((members, needed)) = self.set_shown_to(to, job, task) else { continue };
            let new = needed.difference(&batches).count();
            bytes += members.len() * MEMBER_BYTES + new * BATCH_LEAVES * LEAF_BYTES;
            sets.push((task, members));
            batches.extend(needed);
            if bytes >= SETS_BYTES {
                messages.push(flush(&mut sets, &mut batches));
                bytes = 0;
            }
        }
        if !sets.is_empty() {
            messages.push(flush(&mut sets, &mut batches));
        }
        messages
    }

    /// The members of the set that a node's replica of a task was shown, and their batches.
    fn set_shown_to(
        &self,
        node: &PublicKey,
        job: JobId,
        task: TaskIndex,
    ) -> Option<(Vec<Member>, BTreeSet<u32>)> {
        let record = self.jobs.get(&job)?;
        let race = record.race(task)?;
        let attempt = record.attempt(task, record.seat(node)?)?;
        let shown = &race.sets[race.replica(attempt).shown? as usize];
        let mut batches = BTreeSet::new();
        let members = record.members(task, &shown.attempts, &mut batches);
        Some((members, batches))
    }
}
