//! A worker's hands, faked: real keys and signatures, made-up outcomes.

use super::{Nature, Random};
use identity::{Digest, NetworkId, SecretKey};
use ledger::Ledger;
use objects::{Cid, Codec};
use protocol::{
    Attempt, CommitBatch, Commitment, End, Job, JobId, Member, NoResult, Outcome, Output, Reveal,
    RevealBatch, Salt, TaskIndex, Time, ToHome, ToWorker, commitment_of, set_digest,
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

/// One worker. All that it knows is lost in a crash, except for its key and its ledger.
pub(super) struct Worker {
    pub(super) key: SecretKey,
    pub(super) ledger: Ledger,
    pub(super) nature: Nature,
    pub(super) up: bool,
    /// How often it crashed: what was begun before does not come to an end.
    pub(super) life: u32,
    network: NetworkId,
    slots: BTreeMap<Place, Slot>,
}

impl Worker {
    pub(super) fn new(key: SecretKey, ledger: Ledger, nature: Nature) -> Self {
        let network = ledger.network();
        Self { key, ledger, nature, up: true, life: 0, network, slots: BTreeMap::new() }
    }

    pub(super) fn crash(&mut self) {
        self.up = false;
        self.life += 1;
        self.slots.clear();
    }

    pub(super) fn hear(&mut self, message: &ToWorker, now: Time, random: &mut Random) -> Vec<Deed> {
        match message {
            ToWorker::Assign { order, replicas, .. } => {
                let job = order.payload.id();
                let known = self.ledger.roster().owner(&order.by).is_some();
                let holds = Job::check(order, self.network).is_ok();
                if !known || !holds || order.payload.expires < now {
                    let refuse = |(t, a): &(_, _)| (*t, *a, NoResult::Refused);
                    let replicas = replicas.iter().map(refuse).collect();
                    return vec![Deed::Say(ToHome::NoResult { job, replicas })];
                }
                self.take(job, replicas, random)
            }
            ToWorker::Sets { job, sets, commits } => self.reveal(*job, sets, commits),
            ToWorker::Close { job, tasks } => {
                self.slots.retain(|(of, task, _), _| of != job || !tasks.contains(task));
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
        for (task, attempt) in replicas {
            let place = (job, *task, *attempt);
            match self.slots.get(&place) {
                None => {
                    self.slots.insert(place, Slot::Running);
                    let run_ms = random.between(20, 60) * self.nature.slowness;
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
        deeds.extend(again.into_iter().map(|batch| Deed::Say(ToHome::Committed(batch))));
        deeds
    }

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

    /// Commits to everything that is ready.
    pub(super) fn commit(&mut self) -> Vec<ToHome> {
        let ready = self.slots.iter().filter(|(_, slot)| matches!(slot, Slot::Ready));
        let mut by_job: BTreeMap<JobId, Vec<Place>> = BTreeMap::new();
        ready.for_each(|(place, _)| by_job.entry(place.0).or_default().push(*place));
        let mut said = Vec::new();
        for (job, places) in by_job {
            for places in places.chunks(LEAVES) {
                let leaves = places.iter().map(|place| self.commitment(place)).collect();
                let batch = CommitBatch::sign(job, leaves, self.network, &self.key);
                for place in places {
                    self.slots.insert(*place, Slot::Committed(batch.clone()));
                }
                said.push(ToHome::Committed(batch));
            }
        }
        said
    }

    fn commitment(&self, place: &Place) -> Commitment {
        let hidden = commitment_of(&self.salt(place), &self.outcome(place).digest());
        Commitment { task: place.1, attempt: place.2, hidden }
    }

    fn salt(&self, (job, task, attempt): &Place) -> Salt {
        let place = [&task.0.to_be_bytes()[..], &attempt.0.to_be_bytes()[..]].concat();
        let digest = Digest::of("polity sim salt", &[self.key.seed(), &job.0.to_bytes(), &place]);
        let mut salt = [0; 16];
        salt.copy_from_slice(&digest.as_bytes()[..16]);
        Salt(salt)
    }

    /// The same on every node that does not lie.
    fn outcome(&self, (job, task, _): &Place) -> Outcome {
        let lie = if self.nature.lies { self.key.public().short() } else { String::new() };
        let file = |name: &str| format!("{name} of task {task}{lie}").into_bytes();
        let cid = |name: &str| Cid::of(Codec::Raw, &file(name));
        let size_bytes = file("mean.csv").len() as u64;
        Outcome {
            job: *job,
            task: *task,
            end: End::Exit(0),
            fuel: 1_000 + u64::from(task.0),
            fingerprint: Digest::of("polity sim engine", &[]),
            outputs: vec![Output { path: "mean.csv".into(), cid: cid("mean.csv"), size_bytes }],
            stdout: cid("stdout"),
            stderr: cid("stderr"),
        }
    }

    /// Reveals what stands in complete sets, each once; says the same again if asked again.
    fn reveal(
        &mut self,
        job: JobId,
        sets: &[(TaskIndex, Vec<Member>)],
        commits: &[CommitBatch],
    ) -> Vec<Deed> {
        let hold = commits.iter().all(|batch| batch.check(&job, self.network).is_ok());
        assert!(hold, "a home shows batches that hold");
        let leaves = |batch: &CommitBatch| {
            let by = batch.statement.by;
            let named = |leaf: &Commitment| (by, leaf.task, leaf.attempt, leaf.hidden);
            batch.leaves.iter().map(named).collect::<Vec<_>>()
        };
        let shown: BTreeSet<_> = commits.iter().flat_map(leaves).collect();
        let me = self.key.public();
        let (mut again, mut fresh): (Vec<RevealBatch>, Vec<Reveal>) = Default::default();
        for (task, members) in sets {
            let complete = members
                .iter()
                .all(|member| shown.contains(&(member.node, *task, member.attempt, member.hidden)));
            assert!(complete, "a set consists of commitments that are shown");
            let Some(mine) = members.iter().find(|member| member.node == me) else { continue };
            let place = (job, *task, mine.attempt);
            match self.slots.get(&place) {
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
            let batch = RevealBatch::sign(job, leaves.to_vec(), self.network, &self.key);
            for leaf in &batch.leaves {
                let place = (job, leaf.task, leaf.attempt);
                if let Some(Slot::Committed(commit)) = self.slots.get(&place) {
                    let slot = Slot::Revealed(commit.clone(), batch.clone());
                    self.slots.insert(place, slot);
                }
            }
            again.push(batch);
        }
        let say = |batch: RevealBatch| {
            let outcome = |leaf: &Reveal| self.outcome(&(job, leaf.task, leaf.attempt));
            let outcomes = batch.leaves.iter().map(outcome).collect();
            Deed::Say(ToHome::Revealed { batch, outcomes })
        };
        again.into_iter().map(say).collect()
    }
}
