//! A worker with real keys and made-up outcomes. It insists on what a worker may insist on.

use identity::{Digest, NetworkId, PublicKey, SecretKey};
use objects::{Cid, Codec};
use protocol::{
    Attempt, CommitBatch, Commitment, End, Job, JobId, Member, NoResult, Outcome, Reveal,
    RevealBatch, Salt, TaskIndex, ToHome, ToWorker, commitment_of, set_digest,
};
use std::collections::{BTreeMap, BTreeSet};

/// Leaves of one batch, at most.
const LEAVES: usize = 64;

/// How a worker behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Honest,
    /// Gives an outcome of its own.
    Liar(u8),
    /// Its programs end with exit 1.
    Failing,
    /// Takes orders and says nothing.
    Mute,
    /// Commits and never reveals.
    Hider,
    /// Has no result.
    Unable(NoResult),
}

type Place = (JobId, TaskIndex, Attempt);

/// One worker.
pub(crate) struct Worker {
    pub(crate) key: SecretKey,
    pub(crate) manner: Manner,
    network: NetworkId,
    commits: BTreeMap<Place, CommitBatch>,
    reveals: BTreeMap<Place, (RevealBatch, Vec<Outcome>)>,
    /// The set that each replica was shown.
    pub(crate) shown: BTreeMap<Place, Digest>,
    verification: BTreeMap<JobId, u16>,
}

/// What a task gives, honestly if `lie` is 0.
pub(crate) fn outcome_of(job: JobId, task: TaskIndex, lie: u8) -> Outcome {
    let file = |name: &str| Cid::of(Codec::Raw, format!("{name} {task} {lie}").as_bytes());
    Outcome {
        job,
        task,
        end: End::Exit(0),
        fuel: 1_000 + u64::from(task.0),
        fingerprint: Digest([1; 32]),
        outputs: vec![],
        stdout: file("stdout"),
        stderr: file("stderr"),
    }
}

impl Worker {
    pub(crate) fn new(key: SecretKey, manner: Manner, network: NetworkId) -> Self {
        Self {
            key,
            manner,
            network,
            commits: BTreeMap::new(),
            reveals: BTreeMap::new(),
            shown: BTreeMap::new(),
            verification: BTreeMap::new(),
        }
    }

    pub(crate) fn public(&self) -> PublicKey {
        self.key.public()
    }

    /// Forgets everything, as a restart does.
    pub(crate) fn restart(&mut self) {
        self.commits.clear();
        self.reveals.clear();
    }

    pub(crate) fn hear(&mut self, message: &ToWorker) -> Vec<ToHome> {
        match message {
            ToWorker::Assign { order, replicas, .. } => {
                Job::check(order, self.network).expect("the order is the submitter's");
                let job = order.payload.id();
                self.verification.insert(job, order.payload.verification.k);
                self.run(job, replicas)
            }
            ToWorker::Sets { job, sets, commits } => self.reveal(*job, sets, commits),
            ToWorker::Close { job, tasks } => {
                let closed: BTreeSet<_> = tasks.iter().collect();
                let open = |at: &Place| at.0 != *job || !closed.contains(&at.1);
                self.commits.retain(|at, _| open(at));
                self.reveals.retain(|at, _| open(at));
                vec![]
            }
        }
    }

    fn outcome(&self, job: JobId, task: TaskIndex) -> Outcome {
        let lie = if let Manner::Liar(lie) = self.manner { lie } else { 0 };
        let end = End::Exit(u32::from(self.manner == Manner::Failing));
        Outcome { end, ..outcome_of(job, task, lie) }
    }

    pub(crate) fn salt(&self, (job, task, attempt): Place) -> Salt {
        let digest = Digest::of(
            "test salt",
            &[self.key.seed(), &job.0.to_bytes(), &task.0.to_be_bytes(), &attempt.0.to_be_bytes()],
        );
        Salt(digest.0[..16].try_into().unwrap())
    }

    fn run(&mut self, job: JobId, replicas: &[(TaskIndex, Attempt)]) -> Vec<ToHome> {
        match self.manner {
            Manner::Mute => return vec![],
            Manner::Unable(reason) => {
                let replicas = replicas.iter().map(|(t, a)| (*t, *a, reason)).collect();
                return vec![ToHome::NoResult { job, replicas }];
            }
            Manner::Honest | Manner::Failing | Manner::Liar(_) | Manner::Hider => {}
        }
        let mut said: Vec<ToHome> = vec![];
        let mut fresh = vec![];
        for (task, attempt) in replicas {
            let at = (job, *task, *attempt);
            match self.commits.get(&at) {
                Some(batch) => {
                    let again = ToHome::Committed(batch.clone());
                    if !said.contains(&again) {
                        said.push(again);
                    }
                }
                None => fresh.push(at),
            }
        }
        for chunk in fresh.chunks(LEAVES) {
            let leaf = |at: &Place| {
                let hidden = commitment_of(
                    &self.key.public(),
                    &self.salt(*at),
                    &self.outcome(job, at.1).digest(),
                );
                Commitment { task: at.1, attempt: at.2, hidden }
            };
            let leaves = chunk.iter().map(leaf).collect();
            let batch = CommitBatch::sign(job, leaves, self.network, &self.key);
            self.commits.extend(chunk.iter().map(|at| (*at, batch.clone())));
            said.push(ToHome::Committed(batch));
        }
        said
    }

    fn reveal(
        &mut self,
        job: JobId,
        sets: &[(TaskIndex, Vec<Member>)],
        commits: &[CommitBatch],
    ) -> Vec<ToHome> {
        let mut spoken = BTreeMap::new();
        for batch in commits {
            batch.check(&job, self.network).expect("batches hold");
            for leaf in &batch.leaves {
                spoken.insert((leaf.task, leaf.attempt), (batch.statement.by, leaf.hidden));
            }
        }
        let mut said: Vec<ToHome> = vec![];
        let mut leaves = vec![];
        for (task, members) in sets {
            let all = members.iter().all(|member| {
                spoken.get(&(*task, member.attempt)) == Some(&(member.node, member.hidden))
            });
            assert!(all, "a set is made of commitments that are there");
            let nodes: BTreeSet<_> = members.iter().map(|member| member.node).collect();
            assert_eq!(nodes.len(), members.len());
            assert!(members.windows(2).all(|pair| pair[0].attempt < pair[1].attempt));
            assert!(members.len() >= usize::from(self.verification[&job]), "a set is complete");
            let me = self.public();
            let mine = members.iter().find(|member| member.node == me).expect("I am in the set");
            let at = (job, *task, mine.attempt);
            let digest = set_digest(&job, *task, members);
            let before = self.shown.insert(at, digest);
            assert!(before.is_none_or(|before| before == digest), "a replica is shown one set");
            if let Some((batch, outcomes)) = self.reveals.get(&at) {
                let again = ToHome::Revealed { batch: batch.clone(), outcomes: outcomes.clone() };
                if !said.contains(&again) {
                    said.push(again);
                }
            } else if self.commits.contains_key(&at) && self.manner != Manner::Hider {
                let (salt, outcome) = (self.salt(at), self.outcome(job, *task).digest());
                let attempt = mine.attempt;
                leaves.push(Reveal { task: *task, attempt, set: digest, outcome, salt });
            }
        }
        for chunk in leaves.chunks(LEAVES) {
            let batch = RevealBatch::sign(job, chunk.to_vec(), self.network, &self.key);
            let outcomes: Vec<_> =
                batch.leaves.iter().map(|leaf| self.outcome(job, leaf.task)).collect();
            for leaf in &batch.leaves {
                let kept = (batch.clone(), outcomes.clone());
                self.reveals.insert((job, leaf.task, leaf.attempt), kept);
            }
            said.push(ToHome::Revealed { batch, outcomes });
        }
        said
    }
}
