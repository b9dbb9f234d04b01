//! One job and its tasks.

use super::{
    Ask, Draw, Found, JobTimes, Left, Race, Ruling, Settlement, Shelf, Shipment, TaskTimes, Tasks,
};
use identity::{Digest, PublicKey, Signed};
use protocol::{
    Attempt, CommitBatch, Contradiction, Height, Job, JobId, Member, Outcome, OutcomeDigest,
    RevealBatch, TaskIndex, Time, Unsettled, pairs,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The place of a node among the nodes with which a job was drawn, in the order of their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Seat(pub(crate) u32);

/// How far a task is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum TaskState {
    Waiting,
    Open(Box<Race>),
    Agreed {
        outcome: Box<Outcome>,
        executors: Vec<Seat>,
    },
    Final {
        outcome: Box<Outcome>,
        executors: Vec<Seat>,
        height: Height,
    },
    Unsettled {
        why: Unsettled,
        reveals: BTreeSet<u32>,
    },
    /// Refused by the ledger: the outcome is kept in case the ledger has it after all.
    Disowned {
        outcome: Box<Outcome>,
        executors: Vec<Seat>,
    },
}

/// How many tasks are how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Nobody was asked yet.
    pub waiting: u32,
    /// Replicas are at work.
    pub running: u32,
    /// Agreed, and not final yet.
    pub agreed: u32,
    /// Final.
    pub settled: u32,
    /// Ended without agreement.
    pub unsettled: u32,
}

/// A job whose receipt is not stored yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRecord {
    pub(crate) id: JobId,
    pub(crate) order: Signed<Job>,
    /// None yet while a sealed order is on its way to the ledger, or the order is held.
    pub(crate) draw: Option<Draw>,
    /// Jobs that must end well before anybody is drawn, and have not yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) held: BTreeSet<JobId>,
    /// When an order that waits for its draw is mentioned again.
    pub(crate) ordering: Option<Time>,
    pub(crate) admitted: Time,
    pub(crate) tasks: Tasks,
    /// The first task that nobody was asked for yet.
    pub(crate) next: u32,
    pub(crate) progress: Progress,
    pub(crate) commits: Shelf<CommitBatch>,
    pub(crate) reveals: Shelf<RevealBatch>,
    #[serde(with = "pairs")]
    pub(crate) agreed: BTreeMap<TaskIndex, Settlement>,
    #[serde(with = "pairs")]
    pub(crate) shipments: BTreeMap<Digest, Shipment>,
    /// What the ledger holds of it that is in no shipment here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "pairs")]
    pub(crate) found: BTreeMap<Digest, Found>,
    /// Shipments that wait for the ledger.
    pub(crate) in_flight: usize,
    /// Until then agreed tasks wait for more, as long as there may be more.
    #[serde(default)]
    pub(crate) gathers: Time,
    pub(crate) outcome_bytes: u64,
    pub(crate) contradictions: Vec<Contradiction>,
    /// Whose contradictions are kept.
    pub(crate) accused: BTreeSet<Seat>,
    /// Tasks that wait for a ruling, and when the dispute is mentioned again.
    #[serde(with = "pairs")]
    pub(crate) disputes: BTreeMap<TaskIndex, Time>,
    /// Verdicts on tasks that had not ended then.
    #[serde(with = "pairs")]
    pub(crate) rulings: BTreeMap<TaskIndex, Ruling>,
    /// What the ledger said to disputes that it refused.
    #[serde(with = "pairs")]
    pub(crate) dispute_refusals: BTreeMap<TaskIndex, String>,
    /// When the finished job is mentioned again.
    pub(crate) store: Option<Time>,
    #[serde(default)]
    pub(crate) times: JobTimes,
    /// How tasks stood that ended without agreement, the first ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) left: Vec<Left>,
    /// The turn in which it was served last, or was admitted.
    #[serde(default)]
    pub(crate) served: u64,
    /// Nobody new is given a task of it.
    #[serde(default)]
    pub(crate) paused: bool,
    /// Tasks whose first replica is to be given again.
    #[serde(default)]
    pub(crate) loose: BTreeSet<TaskIndex>,
}

impl JobRecord {
    pub(crate) fn new(
        order: Signed<Job>,
        draw: Option<Draw>,
        (admitted, served): (Time, u64),
    ) -> Self {
        let count = order.payload.tasks;
        Self {
            id: order.payload.id(),
            order,
            draw,
            held: BTreeSet::new(),
            ordering: None,
            admitted,
            tasks: Tasks::new(count),
            next: 0,
            progress: Progress { waiting: count, ..Progress::default() },
            commits: Shelf::default(),
            reveals: Shelf::default(),
            agreed: BTreeMap::new(),
            shipments: BTreeMap::new(),
            found: BTreeMap::new(),
            in_flight: 0,
            gathers: Time::default(),
            outcome_bytes: 0,
            contradictions: Vec::new(),
            accused: BTreeSet::new(),
            disputes: BTreeMap::new(),
            rulings: BTreeMap::new(),
            dispute_refusals: BTreeMap::new(),
            store: None,
            times: JobTimes::default(),
            left: Vec::new(),
            served,
            paused: false,
            loose: BTreeSet::new(),
        }
    }

    /// Whether nobody new is given a task of it.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Tasks that have not ended.
    pub(crate) fn unended(&self) -> u64 {
        let Progress { waiting, running, agreed, .. } = self.progress;
        u64::from(waiting) + u64::from(running) + u64::from(agreed)
    }

    /// What one of its replicas has for itself.
    pub(crate) fn ask(&self) -> Ask {
        let job = &self.order.payload;
        let (cpus, gpus) = (job.terms.needs.cpus, job.terms.needs.gpus);
        let reserves = cpus > 0 || gpus > 0;
        let memory_bytes = if reserves { job.limits.memory_bytes } else { 0 };
        Ask { cpus, memory_bytes, gpus }
    }

    /// The order as it was signed.
    pub fn order(&self) -> &Signed<Job> {
        &self.order
    }

    /// Jobs of this home that must end well before anybody is drawn, and have not yet.
    pub fn held(&self) -> impl Iterator<Item = &JobId> {
        self.held.iter()
    }

    /// Height of the block whose beacon draws; none yet while a sealed order waits for it, or one
    /// is held.
    pub fn drawn(&self) -> Option<Height> {
        self.draw.as_ref().map(|draw| draw.height)
    }

    /// The beacon that draws.
    pub fn beacon(&self) -> Option<Digest> {
        self.draw.as_ref().map(|draw| draw.beacon)
    }

    /// When the order was admitted.
    pub fn admitted(&self) -> Time {
        self.admitted
    }

    /// Its milestones.
    pub fn times(&self) -> JobTimes {
        self.times
    }

    /// The milestones of a task.
    pub fn times_of(&self, task: TaskIndex) -> TaskTimes {
        self.tasks.get(task).map(|record| record.times).unwrap_or_default()
    }

    /// How a task stood that ended without agreement, if that is kept.
    pub fn left(&self, task: TaskIndex) -> Option<&Left> {
        self.left.iter().find(|left| left.task == task)
    }

    /// How many tasks are how far.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Whether every task is final or unsettled.
    pub fn is_finished(&self) -> bool {
        self.progress.settled + self.progress.unsettled == self.order.payload.tasks
            && self.in_flight == 0
    }

    /// Whether a draw is what it waits for.
    pub(crate) fn is_to_be_drawn(&self) -> bool {
        self.draw.is_none() && self.held.is_empty() && !self.is_finished()
    }

    /// Final tasks that ended with exit 0.
    pub(crate) fn succeeded(&self) -> u32 {
        let count = self.outcomes().filter(|outcome| outcome.end.is_success()).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    pub(crate) fn seat(&self, node: &PublicKey) -> Option<Seat> {
        let place = self.nodes().binary_search_by_key(node, |(node, _)| *node).ok()?;
        u32::try_from(place).ok().map(Seat)
    }

    pub(crate) fn node(&self, seat: Seat) -> PublicKey {
        self.nodes()[seat.0 as usize].0
    }

    pub(crate) fn party(&self, seat: Seat) -> PublicKey {
        self.nodes()[seat.0 as usize].1
    }

    /// Node and party of every seat; none before somebody was drawn.
    fn nodes(&self) -> &[(PublicKey, PublicKey)] {
        self.draw.as_ref().map_or(&[], |draw| &draw.nodes)
    }

    /// The nodes that were admitted when it was drawn, sorted.
    pub(crate) fn drawn_nodes(&self) -> impl Iterator<Item = &PublicKey> {
        self.nodes().iter().map(|(node, _)| node)
    }

    /// The seats of all that could be drawn.
    pub(crate) fn candidates(&self) -> Vec<Seat> {
        let barred = self.draw.as_ref().and_then(|draw| draw.barred.as_ref());
        let seats = (0..).map(Seat).zip(self.nodes()).map(|(seat, _)| seat);
        seats.filter(|seat| barred.is_none_or(|barred| !barred.contains(seat))).collect()
    }

    /// Root of the roster with which the job was drawn.
    pub(crate) fn roster(&self) -> Option<Digest> {
        self.draw.as_ref().map(|draw| draw.roster)
    }

    /// The verdict on a running task whose replicas disagree.
    pub(crate) fn verdict(&self, task: TaskIndex, race: &Race) -> Option<OutcomeDigest> {
        self.ruling(task).filter(|_| race.dissent)
    }

    /// The attempt that belongs to a seat, if it was ever asked.
    pub(crate) fn attempt(&self, task: TaskIndex, seat: Seat) -> Option<Attempt> {
        let record = self.tasks.get(task)?;
        record.assigned.iter().position(|other| *other == seat).map(super::race::attempt_of)
    }

    /// How often a seat was asked to run a task.
    pub(crate) fn asked(&self, task: TaskIndex, seat: Seat) -> u32 {
        let replica = |race: &Race| Some(race.replica(self.attempt(task, seat)?).asked);
        self.race(task).and_then(replica).unwrap_or(0)
    }

    /// Whether all these replicas were given to this node.
    pub(crate) fn owns(
        &self,
        seat: Seat,
        mut replicas: impl Iterator<Item = (TaskIndex, Attempt)>,
    ) -> bool {
        replicas.all(|(task, attempt)| self.attempt(task, seat) == Some(attempt))
    }

    pub(crate) fn race(&self, task: TaskIndex) -> Option<&Race> {
        match &self.tasks.get(task)?.state {
            TaskState::Open(race) => Some(race),
            _ => None,
        }
    }

    /// A running task, with the nodes of its attempts.
    pub(crate) fn race_mut(&mut self, task: TaskIndex) -> Option<(&mut Race, &mut Vec<Seat>)> {
        let record = self.tasks.get_mut(task)?;
        match &mut record.state {
            TaskState::Open(race) => Some((race, &mut record.assigned)),
            _ => None,
        }
    }

    /// The commitments of these attempts; adds the numbers of the batches that hold them.
    pub(crate) fn members(
        &self,
        task: TaskIndex,
        attempts: &[Attempt],
        batches: &mut BTreeSet<u32>,
    ) -> Vec<Member> {
        let Some(race) = self.race(task) else { return Vec::new() };
        let assigned = self.tasks.assigned(task);
        let member = |attempt: &Attempt| {
            let (batch, hidden) = race.replica(*attempt).commit?;
            batches.insert(batch);
            let node = self.node(assigned[usize::from(attempt.0)]);
            Some(Member { node, attempt: *attempt, hidden })
        };
        attempts.iter().filter_map(member).collect()
    }

    /// How many replicas a task needs now. After a verdict nobody new is asked.
    pub(crate) fn goal(&self, task: TaskIndex, race: &Race) -> usize {
        if self.verdict(task, race).is_some() {
            return 0;
        }
        let verification = self.order.payload.verification;
        usize::from(if race.dissent { verification.n } else { verification.k })
    }
}
