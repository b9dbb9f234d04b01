//! The life of jobs, services and pipelines: placement, leases, retries, comparison, outbox.
//!
//! [`Work`] is the mind of a job's home. It gives replicas of every task to K nodes of different
//! parties, collects their commitments, shows them the complete set, compares what they reveal, and
//! keeps what was agreed on in an outbox until the ledger has accepted it.
//!
//! Who is served first is said in `lineup` (priority, deadline, fair shares, and one turn of sixteen
//! for whoever waits longest); who is given something in `deal`: the first replica goes to the best
//! node with room by `score`, of those that `fit`, and the others to whom the draw names (`place`).
//! What was seen of programs and nodes is kept (`learn`) and gone by. [`Work::placement`],
//! [`Work::position`] and [`Work::node`] tell why things are as they are.
//!
//! What a worker may rely on, and what is relied on:
//! - One node has one attempt number for a task, for ever. An order to run it may come again (after
//!   a reconnection, or when nobody else is left): a worker that has an answer repeats it, one that
//!   has none runs the task.
//! - A set may be shown again; the answer is the same reveal. A replica is never shown two sets.
//! - Statements are repeated in the batches in which they were first made, of at most 64 leaves.
//!   A leaf that moves between batches is accepted, but costs room in transactions.
//! - Whatever is revealed while a task runs is a claim, also of a replica that was passed over. The
//!   first two claims that differ are disputed at once; a verdict refutes, a majority does not.
//!
//! What is held in memory is bounded by [`Config`]: live jobs, their tasks, the bytes of their
//! outcomes, and [`WASTE_BYTES`] of useless leaves for each node of a job. A task that nobody was asked
//! for takes no room. Nodes, programs that are known, quotas and reservations have bounds as well.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod accuse;
mod config;
mod deal;
mod dispute;
mod effect;
mod error;
mod first;
mod fit;
mod handle;
mod input;
mod judge;
mod learn;
mod lease;
mod lineup;
mod outbox;
mod place;
mod quota;
mod reserve;
mod score;
mod settle;
mod state;
mod turn;
mod view;

pub use config::Config;
pub use effect::Effect;
pub use error::Error;
pub use fit::Unfit;
pub use input::Input;
pub use lineup::FAIR_TURN;
pub use quota::{Quota, Share, Usage};
pub use reserve::Reservation;
pub use score::{Score, Weights};
pub use state::{
    Conduct, Counts, JobRecord, JobTimes, Left, Progress, Summary, TaskTimes, WASTE_BYTES, Window,
};
pub use view::{
    Included, NodeView, Passed, PlacementView, QueueView, ReplicaStatus, ReplicaView, ScoredNode,
    TaskStatus, TaskView, Totals,
};

use identity::{Digest, NetworkId, PublicKey};
use protocol::{Attempt, Height, JobId, Machine, Placement, Roster, TaskIndex, Time, pairs};
use serde::{Deserialize, Serialize};
use state::{Fleet, Learned, Timers};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use turn::Turn;

/// The jobs of one home and everything known about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    config: Config,
    me: PublicKey,
    network: NetworkId,
    /// The latest stamp: a new leader's clock may be behind the last one's.
    now: Time,
    /// The last admitted owners and nodes that the ledger told of.
    roster: Option<(Height, Digest)>,
    /// Rosters by their roots: the last one, and those with which live jobs were drawn.
    #[serde(with = "pairs")]
    rosters: BTreeMap<Digest, Roster>,
    /// Nodes that are not drawn as of the last of them, because their party is sanctioned.
    barred: BTreeSet<PublicKey>,
    fleet: Fleet,
    timers: Timers,
    #[serde(with = "pairs")]
    jobs: BTreeMap<JobId, JobRecord>,
    /// Tasks that have too few replicas and nobody to ask.
    short: BTreeSet<(JobId, TaskIndex)>,
    finished: VecDeque<Summary>,
    counts: Counts,
    /// How often a job was given something.
    #[serde(default)]
    turns: u64,
    /// How often a task was begun because its job had more to give.
    #[serde(default)]
    fed: u64,
    /// Jobs that have more to give than may be at work.
    #[serde(default)]
    capped: BTreeSet<JobId>,
    /// Submitters with a quota of their own.
    #[serde(default, with = "pairs")]
    quotas: BTreeMap<PublicKey, Quota>,
    #[serde(default)]
    learned: Learned,
    /// By their names.
    #[serde(default)]
    reservations: BTreeMap<String, Reservation>,
}

impl Work {
    /// No jobs yet. `me` is the home's own node: it counts as connected always. Fields of the
    /// config for which [`Config::check`] refuses zero are taken as one.
    pub fn new(config: Config, me: PublicKey, network: NetworkId) -> Self {
        let config = config.without_zeros();
        let fleet = Fleet::new(me, config.slots(), config.peers);
        Self {
            config,
            me,
            network,
            now: Time::default(),
            roster: None,
            rosters: BTreeMap::new(),
            barred: BTreeSet::new(),
            fleet,
            timers: Timers::default(),
            jobs: BTreeMap::new(),
            short: BTreeSet::new(),
            finished: VecDeque::new(),
            counts: Counts::default(),
            turns: 0,
            fed: 0,
            capped: BTreeSet::new(),
            quotas: BTreeMap::new(),
            learned: Learned::default(),
            reservations: BTreeMap::new(),
        }
    }

    /// When the next [`Input::Tick`] is due, if something waits for time to pass.
    pub fn next_deadline(&self) -> Option<Time> {
        self.timers.next()
    }

    /// A job whose receipt is not stored yet.
    pub fn job(&self, id: &JobId) -> Option<&JobRecord> {
        self.jobs.get(id)
    }

    /// All jobs whose receipts are not stored yet, by their ids.
    pub fn jobs(&self) -> impl Iterator<Item = (&JobId, &JobRecord)> {
        self.jobs.iter()
    }

    /// Jobs whose receipts are stored, the oldest first, as many as the config keeps.
    pub fn finished(&self) -> impl DoubleEndedIterator<Item = &Summary> {
        self.finished.iter()
    }

    /// Sealed orders that wait for their draw, without those that are held.
    pub fn sealed(&self) -> Vec<JobId> {
        let waits = |record: &JobRecord| {
            record.order.payload.placement == Placement::Sealed && record.is_to_be_drawn()
        };
        self.jobs.iter().filter(|(_, record)| waits(record)).map(|(job, _)| *job).collect()
    }

    /// Whether this home knows a job: as long as [`Self::jobs`] or [`Self::finished`] has it.
    pub fn knows(&self, job: &JobId) -> bool {
        self.jobs.contains_key(job) || self.finished.iter().any(|summary| summary.job == *job)
    }

    /// Whether any of these replicas of a job was given to this node; `None` if [`Self::jobs`] has no
    /// such job.
    pub fn gave(
        &self,
        job: &JobId,
        node: &PublicKey,
        mut replicas: impl Iterator<Item = (TaskIndex, Attempt)>,
    ) -> Option<bool> {
        let record = self.jobs.get(job)?;
        let given =
            |seat| replicas.any(|(task, attempt)| record.attempt(task, seat) == Some(attempt));
        Some(record.seat(node).is_some_and(given))
    }

    /// Tasks that wait for a ruling.
    pub fn disputed(&self) -> Vec<(JobId, TaskIndex)> {
        let of_job = |(job, record): (&JobId, &JobRecord)| {
            let job = *job;
            record.disputed().into_iter().map(move |task| (job, task))
        };
        self.jobs.iter().flat_map(of_job).collect()
    }

    /// Messages that were ignored, by the reason.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The network whose jobs these are.
    pub fn network(&self) -> NetworkId {
        self.network
    }
}

impl Machine for Work {
    type Input = Input;
    type Effect = Effect;

    fn step(&mut self, now: Time, input: Input, effects: &mut Vec<Effect>) {
        self.now = self.now.max(now);
        let mut turn = Turn::new(self.now, effects);
        match input {
            Input::Roster { height, roster } => self.on_roster(height, roster, &mut turn),
            Input::Submit { order, drawn, beacon } => {
                self.on_submit(order, (drawn, beacon), &mut turn);
            }
            Input::Seal { order } => self.on_seal(order, &mut turn),
            Input::Hold { order, after } => self.on_hold(order, &after, &mut turn),
            Input::Drawn { job, drawn, beacon, roster } => {
                self.on_drawn(job, (drawn, beacon), roster, &mut turn);
            }
            Input::Connected(node) => self.on_connected(node, &mut turn),
            Input::Disconnected(node) => self.on_disconnected(node, &turn),
            Input::Committed { node, batch } => self.on_committed(node, batch, &mut turn),
            Input::Revealed { node, batch, outcomes } => {
                self.on_revealed(node, batch, outcomes, &mut turn);
            }
            Input::NoResult { node, job, replicas } => {
                self.on_no_result(node, job, &replicas, &mut turn);
            }
            Input::Included { job, tx, height, .. } => self.on_included(job, tx, height, &mut turn),
            Input::Found { agreements, height } => self.on_found(*agreements, height, &mut turn),
            Input::RefusedByLedger { job, tx, reason } => {
                self.on_refused(job, tx, reason, &mut turn);
            }
            Input::Ruled { job, task, outcome } => self.on_ruled(job, task, outcome, &mut turn),
            Input::DisputeRefused { job, task, reason } => {
                self.on_dispute_refused(job, task, reason, &mut turn);
            }
            Input::ReceiptStored { job, receipt } => {
                self.on_receipt_stored(job, receipt, &mut turn);
            }
            Input::Cancel { job } => self.on_cancel(job, &mut turn),
            Input::Pause { job } => self.on_pause(job, &mut turn),
            Input::Resume { job } => self.on_resume(job, &mut turn),
            Input::Profile { node, profile, rtt_ms } => {
                self.on_profile(node, profile, rtt_ms, &mut turn);
            }
            Input::Cordon { node, reason } => self.on_cordon(node, reason, &mut turn),
            Input::Windows { node, windows } => self.on_windows(node, windows, &mut turn),
            Input::Quota { submitter, quota } => self.on_quota(submitter, quota, &mut turn),
            Input::Reserve { id, reservation } => self.on_reserve(&id, reservation, &mut turn),
            Input::Lead => self.on_lead(&mut turn),
            Input::Led { by } => self.on_led(by, &mut turn),
            Input::Tick => self.on_tick(&mut turn),
        }
        self.end_turn(turn);
    }
}
