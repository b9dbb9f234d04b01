//! Who is given a slot that is free, and which tasks begin.
//!
//! A node that has room again is served first: with what waits for it, and with tasks that begin
//! there, in the order of the queue. Then jobs that may have more to give are fed: each of their
//! tasks goes to the best node with room, or, if all its replicas are drawn, to whom the draw says.

use crate::{
    JobRecord, TaskTimes, Work,
    lineup::{FAIR_TURN, Lineup, Rank},
    score::Scale,
    state::{Race, Readiness, Seat, TaskRecord, TaskState},
    turn::Turn,
};
use identity::PublicKey;
use protocol::{JobId, Placement, TaskIndex, draw};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

/// Tasks of one job whose first replica is to be given again, of which it is looked whether a node
/// may have one.
const LOOSE_SEEN: usize = 32;

/// What a node is given.
#[derive(Clone, Copy)]
pub(crate) enum Gift {
    /// A replica that waits for it.
    Queued(TaskIndex),
    /// The first replica of a task that lost the one it had.
    Again(TaskIndex),
    /// The first replica of a task that begins.
    Next(TaskIndex),
}

/// Nodes with room, the best first.
struct Pool {
    nodes: BinaryHeap<(u32, Reverse<PublicKey>)>,
    scale: Scale,
}

impl Work {
    /// Gives free slots away, until there are none or nobody wants one.
    pub(crate) fn deal(&mut self, turn: &mut Turn<'_>) {
        while !(turn.freed.is_empty() && turn.hungry.is_empty()) {
            let freed = std::mem::take(&mut turn.freed);
            let hungry = std::mem::take(&mut turn.hungry);
            let mut lineup = self.lineup();
            for node in freed {
                self.serve(node, &mut lineup, turn);
            }
            self.feed(hungry, &mut lineup, turn);
        }
    }

    /// Gives the free slots of a node away.
    fn serve(&mut self, node: PublicKey, lineup: &mut Lineup, turn: &mut Turn<'_>) {
        while self.fleet.has_slot(&node) {
            let fair = (self.fleet.turns(&node) + 1).is_multiple_of(FAIR_TURN);
            let Some((at, gift)) = self.next_at(&node, lineup, fair) else { return };
            self.fleet.count_turn(&node);
            let job = lineup.entries()[at].job;
            let now = self.serve_job(job);
            match gift {
                Gift::Queued(task) => self.give_queued(&node, (job, task), turn),
                Gift::Again(task) | Gift::Next(task) => {
                    if !self.begin_at((job, task), node, turn) {
                        return;
                    }
                }
            }
            lineup.gave(at, now, gift);
        }
    }

    /// What a node is given next.
    fn next_at(&mut self, node: &PublicKey, lineup: &Lineup, fair: bool) -> Option<(usize, Gift)> {
        let mut best: Option<(Rank, usize, Gift)> = None;
        for at in 0..lineup.entries().len() {
            let rank = lineup.rank(at, fair);
            if best.as_ref().is_some_and(|(least, ..)| *least < rank) {
                continue;
            }
            let job = lineup.entries()[at].job;
            let Some(record) = self.jobs.get(&job) else { continue };
            let ready = self.readiness_of(record, node) == Readiness::Free;
            let queued = self.fleet.queued(node, &job).filter(|_| ready);
            if let Some(task) = queued {
                best = Some((rank, at, Gift::Queued(task)));
            } else if let Some(gift) = self.first_for(lineup, at, node).filter(|_| ready) {
                if matches!(gift, Gift::Next(_)) && !self.may_begin(lineup, at) {
                    self.capped.insert(job);
                } else {
                    best = Some((rank, at, gift));
                }
            }
        }
        best.map(|(_, at, gift)| (at, gift))
    }

    /// The task of a job whose first replica this node may be given.
    fn first_for(&self, lineup: &Lineup, at: usize, node: &PublicKey) -> Option<Gift> {
        let entry = &lineup.entries()[at];
        let record = self.jobs.get(&entry.job)?;
        let wants = entry.scored && entry.wanting > 0 && self.is_eligible(record, node);
        self.task_for(entry.job, node).filter(|_| wants)
    }

    /// Whether a job may have one more task at work. Those that lost their first replica are at work.
    fn may_begin(&self, lineup: &Lineup, at: usize) -> bool {
        let entry = &lineup.entries()[at];
        let room = lineup.open < u64::from(self.config.open_tasks)
            || entry.running < self.config.open_least;
        let quota = self.quota(&entry.submitter);
        room && lineup.share(&entry.submitter) + entry.replicas <= u64::from(quota.replicas)
    }

    /// Begins tasks of these jobs, in their order.
    fn feed(&mut self, mut hungry: BTreeSet<JobId>, lineup: &mut Lineup, turn: &mut Turn<'_>) {
        let mut pools: BTreeMap<JobId, Pool> = BTreeMap::new();
        loop {
            let fair = (self.fed + 1).is_multiple_of(FAIR_TURN);
            let Some(at) = lineup.first(&hungry, fair) else { return };
            let entry = &lineup.entries()[at];
            let (job, scored, room) = (entry.job, entry.scored, self.may_begin(lineup, at));
            if !room {
                self.capped.insert(job);
            }
            let Some(record) = self.jobs.get(&job) else { return };
            let given = if scored && (room || !record.loose.is_empty()) {
                let pool = pools.entry(job).or_insert_with(|| self.pool(record));
                self.begin_at_best(job, pool, room, turn)
            } else if !scored && room {
                self.begin_drawn(job, turn)
            } else {
                None
            };
            let Some(gift) = given else {
                hungry.remove(&job);
                continue;
            };
            self.fed += 1;
            let now = self.serve_job(job);
            lineup.gave(at, now, gift);
        }
    }

    /// A job is served in a turn of its own. Gives the turn.
    fn serve_job(&mut self, job: JobId) -> u64 {
        self.turns += 1;
        if let Some(record) = self.jobs.get_mut(&job) {
            record.served = self.turns;
        }
        self.turns
    }

    fn give_queued(
        &mut self,
        node: &PublicKey,
        (job, task): (JobId, TaskIndex),
        turn: &mut Turn<'_>,
    ) {
        self.fleet.dequeue(node, (job, task));
        if let Some(record) = self.jobs.get_mut(&job)
            && let Some(seat) = record.seat(node)
            && let Some((race, _)) = record.race_mut(task)
        {
            race.waiting.remove(&seat);
            self.advance(job, task, turn);
        }
    }

    /// Nodes with room that may run a job, the best first.
    fn pool(&self, record: &JobRecord) -> Pool {
        let scale = self.scale(record);
        let nodes = self.fleet.with_slots().filter(|node| {
            self.readiness_of(record, node) == Readiness::Free && self.is_eligible(record, node)
        });
        let scored = |node| (self.score(record, node, &scale).total, Reverse(*node));
        Pool { nodes: nodes.map(scored).collect(), scale }
    }

    /// Gives the first replica of a task to the best node that has room; of one that begins only if
    /// there is room for that.
    fn begin_at_best(
        &mut self,
        job: JobId,
        pool: &mut Pool,
        room: bool,
        turn: &mut Turn<'_>,
    ) -> Option<Gift> {
        while let Some((_, Reverse(node))) = pool.nodes.pop() {
            let record = self.jobs.get(&job)?;
            if self.readiness_of(record, &node) != Readiness::Free {
                continue;
            }
            let gift = match self.task_for(job, &node) {
                Some(gift @ Gift::Next(task)) if room => (gift, task),
                Some(gift @ Gift::Again(task)) => (gift, task),
                _ => continue,
            };
            let began = self.begin_at((job, gift.1), node, turn);
            if let Some(record) = self.jobs.get(&job)
                && self.readiness_of(record, &node) == Readiness::Free
            {
                let total = self.score(record, &node, &pool.scale).total;
                pool.nodes.push((total, Reverse(node)));
            }
            return began.then_some(gift.0);
        }
        None
    }

    /// The task whose first replica a node may be given: one that lost its first, or the next.
    fn task_for(&self, job: JobId, node: &PublicKey) -> Option<Gift> {
        let record = self.jobs.get(&job)?;
        let seat = record.seat(node)?;
        let free = |task: &&TaskIndex| {
            record.race(**task).is_some_and(|race| !race.skips.contains_key(&seat))
        };
        let loose = record.loose.iter().take(LOOSE_SEEN).find(free).copied().map(Gift::Again);
        let next = (record.progress.waiting > 0).then_some(Gift::Next(TaskIndex(record.next)));
        loose.or(next)
    }

    /// Gives a node the first replica of a task.
    fn begin_at(
        &mut self,
        (job, task): (JobId, TaskIndex),
        node: PublicKey,
        turn: &mut Turn<'_>,
    ) -> bool {
        let Some(record) = self.jobs.get(&job) else { return false };
        let Some(seat) = record.seat(&node) else { return false };
        if record.race(task).is_none() {
            let alone = record.order.payload.verification.k == 1;
            let walk = if alone { Vec::new() } else { self.walk_of(&job, task) };
            self.add_race(job, Race { walk, ..Race::default() }, turn);
        }
        let Some(record) = self.jobs.get_mut(&job) else { return false };
        record.loose.remove(&task);
        let Some((race, _)) = record.race_mut(task) else { return false };
        race.first = Some(seat);
        race.loose = false;
        self.start((job, task), seat, turn);
        self.watch((job, task), &node, turn);
        self.advance(job, task, turn);
        true
    }

    /// Begins a task of which all replicas are drawn.
    fn begin_drawn(&mut self, job: JobId, turn: &mut Turn<'_>) -> Option<Gift> {
        let record = self.jobs.get(&job)?;
        if record.progress.waiting == 0 {
            return None;
        }
        let task = TaskIndex(record.next);
        let walk = self.walk_of(&job, task);
        self.add_race(job, Race { walk, ..Race::default() }, turn);
        self.advance(job, task, turn);
        Some(Gift::Next(task))
    }

    /// The next task of a job is worked on from now on.
    fn add_race(&mut self, job: JobId, race: Race, turn: &Turn<'_>) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let task = TaskIndex(record.next);
        record.next += 1;
        let times = TaskTimes { began: Some(turn.now), agreed: None };
        let state = TaskState::Open(Box::new(race));
        record.tasks.begin(task, TaskRecord { assigned: Vec::new(), state, times });
        record.progress.waiting -= 1;
        record.progress.running += 1;
    }

    /// All candidates of a task in the order of the draw.
    pub(crate) fn walk_of(&self, job: &JobId, task: TaskIndex) -> Vec<Seat> {
        let Some(record) = self.jobs.get(job) else { return Vec::new() };
        let Some(drawn) = &record.draw else { return Vec::new() };
        let Some(roster) = self.rosters.get(&drawn.roster) else { return Vec::new() };
        let candidates = draw::candidates(&drawn.beacon, job, task, roster);
        let seats = candidates.iter().take(usize::from(u16::MAX));
        seats.filter_map(|candidate| record.seat(&candidate.node)).collect()
    }

    /// Whether the first replica of a job's tasks goes by score.
    pub(crate) fn is_scored(&self, record: &JobRecord) -> bool {
        let by_score = record.draw.as_ref().is_some_and(|draw| draw.barred.is_some());
        by_score && record.order.payload.placement == Placement::Fast
    }
}
