//! What the worker signs: many outcomes under one signature when many are ready.

use super::{
    Conduct, Replica,
    replicas::{Replicas, Revealed},
};
use crate::post::{Mail, Post};
use identity::{Digest, NetworkId, PublicKey, SecretKey};
use protocol::{
    CommitBatch, Commitment, JobId, Outcome, Reveal, RevealBatch, Salt, ToHome, limits,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};
use tokio::{sync::mpsc, task::JoinSet};

/// Commitments that wait for one home while the one before is under way.
const WAITING: usize = 4096;
/// Statements under one signature: all of them go into a transaction together.
const BATCH: usize = 64;
/// Bytes of outcomes in one message.
const OUTCOMES_BYTES: usize = limits::MESSAGE_BYTES / 2;

/// The salt of a replica: derived from the node's key, so that a restart repeats the commitment.
pub(super) fn salt(key: &SecretKey, replica: &Replica) -> Salt {
    let digest = Digest::of(
        "polity salt",
        &[
            key.seed(),
            &replica.job.0.to_bytes(),
            &replica.task.0.to_be_bytes(),
            &replica.attempt.0.to_be_bytes(),
        ],
    );
    let mut salt = [0; 16];
    salt.copy_from_slice(&digest.as_bytes()[..16]);
    Salt(salt)
}

struct Waiting {
    job: JobId,
    commitment: Commitment,
}

/// Signs and sends commitments and reveals.
pub(super) struct Speaker {
    post: Post,
    network: NetworkId,
    key: SecretKey,
    conduct: Arc<dyn Conduct>,
    replicas: Arc<Mutex<Replicas>>,
    homes: Mutex<HashMap<PublicKey, mpsc::Sender<Waiting>>>,
    tasks: Mutex<JoinSet<()>>,
}

impl Speaker {
    pub(super) fn new(
        post: Post,
        network: NetworkId,
        (key, conduct): (SecretKey, Arc<dyn Conduct>),
        replicas: Arc<Mutex<Replicas>>,
    ) -> Self {
        let (homes, tasks) = (Mutex::default(), Mutex::new(JoinSet::new()));
        Self { post, network, key, conduct, replicas, homes, tasks }
    }

    /// Commits to an outcome, together with all that are ready when the home can take the next
    /// batch.
    pub(super) async fn commit(&self, home: PublicKey, job: JobId, commitment: Commitment) {
        let queue = self.queue(home);
        if queue.send(Waiting { job, commitment }).await.is_err() {
            tracing::debug!(%job, "a commitment was dropped: the node is stopping");
        }
    }

    fn queue(&self, home: PublicKey) -> mpsc::Sender<Waiting> {
        let mut homes = self.homes.lock().expect("nobody panics while holding the homes");
        let queue = homes.entry(home).or_insert_with(|| {
            let (sender, receiver) = mpsc::channel(WAITING);
            let (post, replicas) = (self.post.clone(), self.replicas.clone());
            let (network, key, conduct) = (self.network, self.key.clone(), self.conduct.clone());
            let mut tasks = self.tasks.lock().expect("nobody panics while spawning");
            tasks.spawn(async move {
                let voice = (network, &key, conduct.as_ref());
                commit_to(home, &post, voice, &replicas, receiver).await;
            });
            sender
        });
        queue.clone()
    }

    /// Signs reveals, in as many batches as their outcomes need.
    pub(super) fn sign_reveals(
        &self,
        job: JobId,
        mut pairs: Vec<(Reveal, Outcome)>,
    ) -> Vec<Arc<Revealed>> {
        pairs.sort_by_key(|(reveal, _)| (reveal.task, reveal.attempt));
        let mut pairs = pairs.into_iter().peekable();
        let mut batches = Vec::new();
        while pairs.peek().is_some() {
            let (mut leaves, mut outcomes, mut size_bytes) = (Vec::new(), Vec::new(), 0);
            while leaves.len() < BATCH && size_bytes < OUTCOMES_BYTES {
                let Some((leaf, outcome)) = pairs.next() else { break };
                size_bytes += identity::canonical::encode(&outcome).len();
                leaves.push(leaf);
                outcomes.push(outcome);
            }
            let batch = RevealBatch::sign(job, leaves, self.network, &self.key);
            batches.push(Arc::new(Revealed { batch, outcomes }));
        }
        batches
    }

    /// Sends reveals.
    pub(super) async fn reveal(&self, home: PublicKey, revealed: &Revealed) {
        let (batch, outcomes) = (revealed.batch.clone(), revealed.outcomes.clone());
        let message = ToHome::Revealed { batch, outcomes };
        self.post.send(home, Mail::Home(Box::new(message))).await;
    }
}

/// Sends batches to one home, one after the other: what is ready meanwhile is the next batch.
async fn commit_to(
    home: PublicKey,
    post: &Post,
    (network, key, conduct): (NetworkId, &SecretKey, &dyn Conduct),
    replicas: &Mutex<Replicas>,
    mut queue: mpsc::Receiver<Waiting>,
) {
    let mut ready = Vec::new();
    while queue.recv_many(&mut ready, BATCH).await > 0 {
        // A batch says each commitment once, in order, or nobody takes it.
        let mut by_job: HashMap<JobId, BTreeMap<_, Commitment>> = HashMap::new();
        for Waiting { job, commitment } in ready.drain(..) {
            let place = (commitment.task, commitment.attempt);
            by_job.entry(job).or_default().insert(place, commitment);
        }
        for (job, leaves) in by_job {
            let leaves = leaves.into_values().collect();
            let batch = Arc::new(CommitBatch::sign(job, leaves, network, key));
            replicas.lock().expect("nobody panics while holding the replicas").committed(&batch);
            let message = ToHome::Committed(batch.as_ref().clone());
            if !post.deliver(home, Mail::Home(Box::new(message))).await {
                tracing::debug!(%job, home = %home.short(), "commitments were not delivered");
            }
            if let Some(other) = conduct.commits_again(&batch.leaves) {
                let other = CommitBatch::sign(job, other, network, key);
                post.send(home, Mail::Home(Box::new(ToHome::Committed(other)))).await;
            }
        }
    }
}
