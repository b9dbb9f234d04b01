//! A worker's hands, faked: real keys and signatures, made-up outcomes.

use super::{claims_in, truth};
use crate::{
    Random,
    liars::{Answer, Given, Hand, Liar},
};
use identity::{Digest, Signed};
use protocol::{
    Agreements, Attempt, Claim, CommitBatch, Commitment, Height, Job, JobId, Member, NoResult,
    Outcome, Reveal, RevealBatch, Salt, TaskIndex, ToHome, ToWorker, commitment_of, set_digest,
};
use std::collections::{BTreeMap, BTreeSet};

/// Leaves of one batch, at most.
const LEAVES: usize = 64;

/// One replica.
pub(super) type Place = (JobId, TaskIndex, Attempt);

/// What a worker does about a message.
pub(super) enum Deed {
    Say(ToHome),
    /// Run this replica for so long.
    Run(Place, u64),
}

enum Slot {
    Running,
    Ready,
    Committed(CommitBatch),
    Revealed(CommitBatch, RevealBatch),
}

/// What one worker has in memory. All of it is lost in a crash.
#[derive(Default)]
pub(super) struct Worker {
    orders: BTreeMap<JobId, (Signed<Job>, Height)>,
    slots: BTreeMap<Place, Slot>,
    /// What it committed to for tasks that are closed: the record may say something else.
    closed: BTreeMap<(JobId, TaskIndex), (Attempt, CommitBatch)>,
}

/// A worker that does something, with all that it needs for it.
pub(super) struct Acting<'a> {
    pub(super) worker: &'a mut Worker,
    pub(super) hand: Hand<'a>,
    pub(super) liar: Option<&'static dyn Liar>,
    pub(super) slowness: u64,
}

impl Acting<'_> {
    pub(super) fn hear(
        &mut self,
        message: &ToWorker,
        now: protocol::Time,
        random: &mut Random,
    ) -> Vec<Deed> {
        match message {
            ToWorker::Assign { order, drawn, replicas } => {
                let job = order.payload.id();
                let known = self.hand.ledger.roster().owner(&order.by).is_some();
                let holds = Job::check(order, self.hand.network).is_ok();
                if !known || !holds || order.payload.expires < now {
                    let refuse = |(t, a): &(_, _)| (*t, *a, NoResult::Refused);
                    let replicas = replicas.iter().map(refuse).collect();
                    return vec![Deed::Say(ToHome::NoResult { job, replicas })];
                }
                self.worker.orders.insert(job, (order.clone(), *drawn));
                self.take(job, replicas, random)
            }
            ToWorker::Sets { job, sets, commits } => self.reveal(*job, sets, commits),
            ToWorker::Close { job, tasks } => {
                self.worker.close(job, tasks);
                Vec::new()
            }
        }
    }

    fn take(
        &mut self,
        job: JobId,
        replicas: &[(TaskIndex, Attempt)],
        random: &mut Random,
    ) -> Vec<Deed> {
        let mut deeds = Vec::new();
        let mut again: Vec<CommitBatch> = Vec::new();
        let slowness = self.slowness * self.liar.map_or(1, Liar::slowness);
        for (task, attempt) in replicas {
            let place = (job, *task, *attempt);
            match self.worker.slots.get(&place) {
                None => {
                    self.worker.slots.insert(place, Slot::Running);
                    let run_ms = random.between(20, 60) * slowness;
                    deeds.push(Deed::Run(place, run_ms));
                }
                Some(Slot::Running | Slot::Ready) => {}
                Some(Slot::Committed(batch) | Slot::Revealed(batch, _)) => {
                    if !again.contains(batch) {
                        again.push(batch.clone());
                    }
                }
            }
        }
        if self.liar.is_some_and(|liar| !liar.answers()) {
            return Vec::new();
        }
        deeds.extend(again.into_iter().map(|batch| Deed::Say(ToHome::Committed(batch))));
        deeds
    }

    /// Commits to everything that is ready.
    pub(super) fn commit(&mut self) -> Vec<ToHome> {
        let ready = self.worker.slots.iter().filter(|(_, slot)| matches!(slot, Slot::Ready));
        let mut by_job: BTreeMap<JobId, Vec<Place>> = BTreeMap::new();
        ready.for_each(|(place, _)| by_job.entry(place.0).or_default().push(*place));
        let mut said = Vec::new();
        for (job, places) in by_job {
            for places in places.chunks(LEAVES) {
                let leaves = places.iter().map(|place| self.commitment(place)).collect();
                let batch = CommitBatch::sign(job, leaves, self.hand.network, self.hand.key);
                for place in places {
                    self.worker.slots.insert(*place, Slot::Committed(batch.clone()));
                }
                let batches = match self.liar {
                    Some(liar) => liar.commits(&self.hand, batch),
                    None => vec![batch],
                };
                said.extend(batches.into_iter().map(ToHome::Committed));
            }
        }
        said
    }

    fn commitment(&self, place: &Place) -> Commitment {
        let hidden = commitment_of(
            &self.hand.key.public(),
            &self.salt(place),
            &self.outcome(place).digest(),
        );
        Commitment { task: place.1, attempt: place.2, hidden }
    }

    fn salt(&self, (job, task, attempt): &Place) -> Salt {
        let place = [&task.0.to_be_bytes()[..], &attempt.0.to_be_bytes()[..]].concat();
        let seed = self.hand.key.seed();
        let digest = Digest::of("polity sim salt", &[seed, &job.0.to_bytes(), &place]);
        let mut salt = [0; 16];
        salt.copy_from_slice(&digest.as_bytes()[..16]);
        Salt(salt)
    }

    /// The same on every node that does not lie.
    fn outcome(&self, (job, task, _): &Place) -> Outcome {
        let right = || truth::outcome(*job, *task, "");
        let (Some(liar), Some((order, drawn))) = (self.liar, self.worker.orders.get(job)) else {
            return right();
        };
        let given = Given { job: &order.payload, drawn: *drawn, task: *task };
        match liar.answer(&self.hand, &given) {
            Answer::Truth => right(),
            Answer::Marked(mark) => truth::outcome(*job, *task, &mark),
            Answer::Copied(outcome) => *outcome,
        }
    }

    /// Whether every member of a set is a commitment that was shown, each once, in order, and all
    /// are of different parties.
    fn holds(
        &self,
        task: TaskIndex,
        members: &[Member],
        shown: &BTreeSet<(identity::PublicKey, TaskIndex, Attempt, Digest)>,
    ) -> bool {
        let roster = self.hand.ledger.roster();
        let parties: BTreeSet<_> =
            members.iter().map(|m| roster.party_of_node(&m.node).unwrap_or(m.node)).collect();
        let is_shown = |m: &Member| shown.contains(&(m.node, task, m.attempt, m.hidden));
        parties.len() == members.len()
            && members.windows(2).all(|pair| pair[0].attempt < pair[1].attempt)
            && members.iter().all(is_shown)
    }

    /// Reveals what stands in complete sets, each once; says the same again if asked again.
    fn reveal(
        &mut self,
        job: JobId,
        sets: &[(TaskIndex, Vec<Member>)],
        commits: &[CommitBatch],
    ) -> Vec<Deed> {
        if !commits.iter().all(|batch| batch.check(&job, self.hand.network).is_ok()) {
            return Vec::new();
        }
        let leaves = |batch: &CommitBatch| {
            let by = batch.statement.by;
            let named = |leaf: &Commitment| (by, leaf.task, leaf.attempt, leaf.hidden);
            batch.leaves.iter().map(named).collect::<Vec<_>>()
        };
        let shown: BTreeSet<_> = commits.iter().flat_map(leaves).collect();
        let me = self.hand.key.public();
        let (mut again, mut fresh): (Vec<RevealBatch>, Vec<Reveal>) = Default::default();
        for (task, members) in sets {
            if !self.holds(*task, members, &shown) {
                continue;
            }
            let Some(mine) = members.iter().find(|member| member.node == me) else { continue };
            let place = (job, *task, mine.attempt);
            match self.worker.slots.get(&place) {
                Some(Slot::Revealed(_, batch)) if !again.contains(batch) => {
                    again.push(batch.clone());
                }
                Some(Slot::Committed(_)) => fresh.push(Reveal {
                    task: *task,
                    attempt: mine.attempt,
                    set: set_digest(&job, *task, members),
                    outcome: self.outcome(&place).digest(),
                    salt: self.salt(&place),
                }),
                _ => {}
            }
        }
        for leaves in fresh.chunks(LEAVES) {
            let batch = RevealBatch::sign(job, leaves.to_vec(), self.hand.network, self.hand.key);
            for leaf in &batch.leaves {
                let place = (job, leaf.task, leaf.attempt);
                if let Some(Slot::Committed(commit)) = self.worker.slots.get(&place) {
                    let slot = Slot::Revealed(commit.clone(), batch.clone());
                    self.worker.slots.insert(place, slot);
                }
            }
            again.push(batch);
        }
        again.into_iter().map(|batch| self.say(batch)).collect()
    }

    fn say(&self, batch: RevealBatch) -> Deed {
        let job = batch.statement.payload.job;
        let outcome = |leaf: &Reveal| self.outcome(&(job, leaf.task, leaf.attempt));
        let outcomes = batch.leaves.iter().map(outcome).collect();
        let (batch, outcomes) = match self.liar {
            Some(liar) => liar.reveals(&self.hand, batch, outcomes),
            None => (batch, outcomes),
        };
        Deed::Say(ToHome::Revealed { batch, outcomes })
    }

    /// What this worker holds against agreements that are final: for each task of which it has
    /// another outcome, all claims.
    pub(super) fn objections(&self, agreements: &Agreements) -> Vec<(TaskIndex, Vec<Claim>)> {
        let job = agreements.order.payload.id();
        let mut found = Vec::new();
        for agreed in &agreements.tasks {
            let Some((attempt, commits)) = self.worker.committed(job, agreed.task) else {
                continue;
            };
            let place = (job, agreed.task, attempt);
            let outcome = self.outcome(&place).digest();
            let Some(commit) = commits.quote(agreed.task, attempt) else { continue };
            if outcome == agreed.outcome {
                continue;
            }
            let reveal = Reveal {
                task: agreed.task,
                attempt,
                set: Digest::default(),
                outcome,
                salt: self.salt(&place),
            };
            let batch = RevealBatch::sign(job, vec![reveal], self.hand.network, self.hand.key);
            let Some(reveal) = batch.quote(agreed.task, attempt) else { continue };
            let mut claims = claims_in(agreements, agreed.task);
            claims.retain(|claim| claim.node() != self.hand.key.public());
            claims.push(Claim { commit, reveal });
            claims.sort_by_key(Claim::node);
            found.push((agreed.task, claims));
        }
        found
    }
}

impl Worker {
    /// A program ended. True if it is the first that waits to be committed to.
    pub(super) fn ran(&mut self, place: Place) -> bool {
        let waiting = self.slots.values().any(|slot| matches!(slot, Slot::Ready));
        match self.slots.get_mut(&place) {
            Some(slot @ Slot::Running) => {
                *slot = Slot::Ready;
                !waiting
            }
            _ => false,
        }
    }

    fn close(&mut self, job: &JobId, tasks: &[TaskIndex]) {
        let closes = |place: &Place| place.0 == *job && tasks.contains(&place.1);
        let ended: Vec<_> = self.slots.keys().filter(|place| closes(place)).copied().collect();
        for place in ended {
            if let Some(Slot::Committed(batch) | Slot::Revealed(batch, _)) =
                self.slots.remove(&place)
            {
                self.closed.insert((place.0, place.1), (place.2, batch));
            }
        }
    }

    /// What it committed to for a task, whether that is closed or not.
    fn committed(&self, job: JobId, task: TaskIndex) -> Option<(Attempt, CommitBatch)> {
        let open = self.slots.iter().find_map(|((of, at, attempt), slot)| match slot {
            Slot::Committed(batch) | Slot::Revealed(batch, _) if (*of, *at) == (job, task) => {
                Some((*attempt, batch.clone()))
            }
            _ => None,
        });
        open.or_else(|| self.closed.get(&(job, task)).cloned())
    }
}
