//! The worker: takes replicas, runs them, commits, and reveals when it is shown the whole set.

mod conduct;
mod execute;
mod keeper;
mod replicas;
mod speak;
mod sworn;
#[cfg(test)]
mod tests;
mod turns;
mod withheld;

pub(crate) use conduct::{Conduct, Honest};
pub(crate) use execute::{Execution, Executor, describe};
pub(crate) use sworn::{Oath, Sworn};
pub(crate) use withheld::Withheld;

use crate::{
    chain::Chain,
    post::{Letter, Mail, Post},
};
use identity::{PublicKey, SecretKey, Signed};
use protocol::{
    Attempt, CommitBatch, Height, Job, JobId, Member, NoResult, Roster, TaskIndex, ToHome,
    ToWorker, limits,
    port::{Clock, Offence, Streams},
};
use replicas::{Opening, Place, Replicas, Revealed};
use speak::Speaker;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::{sync::mpsc, task::JoinSet};
use turns::Turns;

/// Replicas that wait to be run, of all submitters together; more are answered with
/// [`NoResult::Busy`].
const WAITING: usize = 16 * 1024;
/// Assignments of which the inputs are fetched at once, half of them of one submitter at most: whose
/// inputs come slowly does not keep others waiting.
const LOADING: usize = 16;
/// Assignments that wait for that, of all submitters together.
const ASSIGNED: usize = 32;
/// Replicas that are on their way at once, from reading inputs to storing outputs. The engine runs
/// as many of them at a time as it has threads for; the others wait for the disk.
const ON_THE_WAY: usize = 64;

/// One replica to run.
#[derive(Clone)]
pub(crate) struct Replica {
    pub(crate) order: Arc<Signed<Job>>,
    pub(crate) job: JobId,
    pub(crate) task: TaskIndex,
    pub(crate) attempt: Attempt,
    /// Who asked for it: the job's home, or whoever leads its cluster by now.
    pub(crate) home: PublicKey,
}

impl Replica {
    fn place(&self) -> Place {
        (self.job, self.task, self.attempt)
    }
}

/// What the worker needs of the node.
pub(crate) struct Parts {
    pub(crate) key: SecretKey,
    pub(crate) chain: Chain,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) streams: Arc<dyn Streams>,
    pub(crate) post: Post,
    pub(crate) executor: Arc<Executor>,
    pub(crate) conduct: Arc<dyn Conduct>,
    pub(crate) sworn: Arc<Sworn>,
    pub(crate) withheld: Arc<Withheld>,
}

struct Worker {
    parts: Parts,
    replicas: Arc<Mutex<Replicas>>,
    /// Replicas of one assignment.
    loading: Turns<Vec<Replica>>,
    waiting: Turns<Replica>,
    speaker: Speaker,
}

/// Runs the worker until its letters end.
pub(crate) async fn run(parts: Parts, mut letters: mpsc::Receiver<Letter<ToWorker>>) {
    let (loading, waiting) = (Turns::new(ASSIGNED, LOADING / 2), Turns::new(WAITING, ON_THE_WAY));
    let replicas = Arc::new(Mutex::new(Replicas::new(parts.key.public(), parts.sworn.clone())));
    let (post, key) = (parts.post.clone(), parts.key.clone());
    let voice = (key, parts.conduct.clone());
    let speaker = Speaker::new(post, parts.chain.network(), voice, replicas.clone());
    let worker = Arc::new(Worker { parts, replicas, loading, waiting, speaker });
    let mut tasks = JoinSet::new();
    for _ in 0..LOADING {
        let worker = worker.clone();
        tasks.spawn(async move {
            loop {
                let (replicas, _turn) = worker.loading.next().await;
                worker.load(replicas).await;
            }
        });
    }
    for _ in 0..ON_THE_WAY {
        let worker = worker.clone();
        tasks.spawn(async move {
            loop {
                let (replica, _turn) = worker.waiting.next().await;
                worker.execute(replica).await;
            }
        });
    }
    while let Some(letter) = letters.recv().await {
        worker.handle(letter.from, letter.message).await;
        // The sender may be gone by now.
        let _gone = letter.done.send(());
    }
    tasks.shutdown().await;
}

impl Worker {
    async fn handle(&self, from: PublicKey, message: ToWorker) {
        match message {
            ToWorker::Assign { order, drawn, replicas } => {
                self.assign(from, order, drawn, replicas).await;
            }
            ToWorker::Sets { job, sets, commits } => self.reveal(from, job, sets, commits).await,
            ToWorker::Close { job, tasks } => {
                let roster = self.roster();
                let acts_for = |home: &PublicKey| acts_for(&roster, &from, home);
                let blocks = self.lock().close(acts_for, &job, &tasks);
                self.parts.withheld.withdraw(&blocks);
            }
        }
    }

    /// Takes replicas of an order that this node checked itself.
    async fn assign(
        &self,
        from: PublicKey,
        order: Signed<Job>,
        drawn: Height,
        replicas: Vec<(TaskIndex, Attempt)>,
    ) {
        let job = order.payload.id();
        if let Err(reason) = self.admit(from, &order) {
            tracing::info!(%job, home = %from.short(), reason, "order refused");
            // A stranger is owed no answer.
            if self.parts.chain.admits(&from) {
                let refused = replicas.into_iter().map(|(t, a)| (t, a, NoResult::Refused));
                self.decline(from, job, refused.collect()).await;
            }
            return;
        }
        tracing::debug!(%job, %drawn, replicas = replicas.len(), "assigned");
        let order = Arc::new(order);
        let mut fresh = Vec::new();
        for (task, attempt) in replicas {
            let replica = Replica { order: order.clone(), job, task, attempt, home: from };
            let known = self.lock().known(&replica.place(), from);
            match known {
                // The home forgot, or never heard: say it again.
                Some(Some(batch)) => {
                    let answer = ToHome::Committed(batch.as_ref().clone());
                    self.parts.post.send(from, Mail::Home(Box::new(answer))).await;
                    continue;
                }
                Some(None) => continue,
                None => self.lock().expect_result(replica.place(), from),
            }
            fresh.push(replica);
        }
        let Some(submitter) = fresh.first().map(|replica| replica.order.by) else { return };
        if let Err(full) = self.loading.push(submitter, fresh) {
            self.turn_away(from, job, full).await;
        }
    }

    /// There is too much to do for these.
    async fn turn_away(&self, home: PublicKey, job: JobId, replicas: Vec<Replica>) {
        if replicas.is_empty() {
            return;
        }
        let busy = replicas.iter().map(|replica| {
            self.lock().forget(&replica.place());
            (replica.task, replica.attempt, NoResult::Busy)
        });
        self.decline(home, job, busy.collect()).await;
    }

    /// Says that there is no result of these, so many in one message as a home reads.
    async fn decline(
        &self,
        home: PublicKey,
        job: JobId,
        replicas: Vec<(TaskIndex, Attempt, NoResult)>,
    ) {
        for share in replicas.chunks(limits::BATCH_LEAVES) {
            let answer = ToHome::NoResult { job, replicas: share.to_vec() };
            self.parts.post.send(home, Mail::Home(Box::new(answer))).await;
        }
    }

    /// Fetches what an assignment needs, many inputs in one request, and lines its replicas up.
    async fn load(&self, replicas: Vec<Replica>) {
        let Some(first) = replicas.first() else { return };
        let (job, order, home) = (first.job, first.order.clone(), first.home);
        let tasks: Vec<_> = replicas.iter().map(|replica| replica.task).collect();
        if let Err(reason) = self.parts.executor.prefetch((job, &order.payload), &tasks, home).await
        {
            // Each replica finds out what exactly it lacks.
            tracing::debug!(%job, ?reason, "not everything could be fetched ahead");
        }
        let mut busy = Vec::new();
        for replica in replicas {
            if let Err(full) = self.waiting.push(order.by, replica) {
                busy.push(full);
            }
        }
        self.turn_away(home, job, busy).await;
    }

    /// The worker's own gate: it trusts no home.
    fn admit(&self, from: PublicKey, order: &Signed<Job>) -> Result<(), &'static str> {
        let ledger = self.parts.chain.ledger();
        Job::check(order, self.parts.chain.network()).map_err(|error| {
            self.parts.streams.penalise(from, Offence::BadSignature);
            let job = order.payload.id();
            tracing::debug!(%job, %error, "order does not hold");
            "it does not hold"
        })?;
        let roster = ledger.roster();
        if !acts_for(roster, &from, &order.payload.home) {
            return Err("it was sent by a node of another owner than its home's");
        }
        if roster.node(&from).is_none() || roster.owner(&order.by).is_none() {
            return Err("its home or its submitter is not admitted");
        }
        if order.payload.expires <= self.parts.clock.now() {
            return Err("it has expired");
        }
        Ok(())
    }

    async fn execute(&self, replica: Replica) {
        let Some(needed) = self.lock().begin(&replica.place()) else { return };
        if !self.parts.conduct.answers() {
            return;
        }
        let executed = tokio::select! {
            executed = self.parts.conduct.execute(&replica, &self.parts.executor) => executed,
            // A program that runs for a job that was cancelled ends here.
            _closed = needed => return,
        };
        match executed {
            Ok(Execution { outcome, hidden_blocks }) => {
                let salt = speak::salt(&self.parts.key, &replica);
                let committed = self.lock().ran(
                    &replica.place(),
                    &replica.order.payload,
                    outcome,
                    salt,
                    hidden_blocks,
                );
                match committed {
                    Ok((home, commitment)) => {
                        self.speaker.commit(home, replica.job, commitment).await;
                    }
                    Err(blocks) => self.parts.withheld.withdraw(&blocks),
                }
            }
            Err(reason) => {
                let home = self.lock().forget(&replica.place()).unwrap_or(replica.home);
                let declined = vec![(replica.task, replica.attempt, reason)];
                self.decline(home, replica.job, declined).await;
            }
        }
    }

    /// Reveals what the home has shown the complete set for.
    async fn reveal(
        &self,
        from: PublicKey,
        job: JobId,
        sets: Vec<(TaskIndex, Vec<Member>)>,
        commits: Vec<CommitBatch>,
    ) {
        let network = self.parts.chain.network();
        if commits.iter().any(|batch| batch.check(&job, network).is_err()) {
            return self.parts.streams.penalise(from, Offence::BadSignature);
        }
        let me = self.parts.key.public();
        let ledger = self.parts.chain.ledger();
        let acts_for = |home: &PublicKey| acts_for(ledger.roster(), &from, home);
        let shown = replicas::Shown::new(&commits);
        let (mut fresh, mut public) = (Vec::new(), Vec::new());
        let mut repeated: Vec<Arc<Revealed>> = Vec::new();
        // Whatever the home repeats: one batch says each reveal once, or nobody takes it.
        let sets: BTreeMap<_, _> = sets.into_iter().collect();
        for (task, members) in &sets {
            if !shown.holds(*task, members, ledger.roster()) {
                self.parts.streams.penalise(from, Offence::Malformed);
                continue;
            }
            for member in members.iter().filter(|member| member.node == me) {
                let place = (job, *task, member.attempt);
                match self.lock().open(acts_for, &place, &member.hidden, members) {
                    Some(Opening::New { reveal, outcome, blocks }) => {
                        fresh.push(self.parts.conduct.reveals(reveal, *outcome));
                        public.extend(blocks);
                    }
                    Some(Opening::Repeated(said))
                        if !repeated.iter().any(|other| Arc::ptr_eq(other, &said)) =>
                    {
                        repeated.push(said);
                    }
                    Some(Opening::Repeated(_)) | None => {}
                }
            }
        }
        self.parts.withheld.release(&public);
        for revealed in self.speaker.sign_reveals(job, fresh) {
            self.lock().revealed(&revealed);
            repeated.push(revealed);
        }
        for revealed in repeated {
            self.speaker.reveal(from, &revealed).await;
        }
    }

    fn roster(&self) -> Arc<Roster> {
        self.parts.chain.ledger().roster().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Replicas> {
        self.replicas.lock().expect("nobody panics while holding the replicas")
    }
}

/// Whether a node may act as the home of a job: it is the home, or leads its cluster, of which all
/// members are one owner's.
fn acts_for(roster: &Roster, node: &PublicKey, home: &PublicKey) -> bool {
    let owner = |node: &PublicKey| roster.node(node).map(|record| record.owner);
    node == home || (owner(node).is_some() && owner(node) == owner(home))
}
