//! From a replica to its outcome: fetch, run, store.

use super::{Replica, Withheld, keeper::Keeper};
use bytes::Bytes;
use execution::{Done, Engine, Order, Ran};
use identity::{PublicKey, Signed};
use objects::{Block, Cid};
use protocol::{Job, JobId, NoResult, Outcome, Output, Speed, TaskIndex, TaskTable};
use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex},
};
use storage::{Store, exchange::Fetcher};
use tokio::sync::Semaphore;
use tracing::Instrument;

/// Jobs whose program and table are kept in memory.
const JOBS: usize = 8;
/// The largest input file.
const INPUT_BYTES: u64 = 1 << 30;
/// Inputs that are in memory at once, in KiB: what is more waits.
const INPUTS_KIB: u32 = 2 << 20;

/// An outcome, and the blocks that were written for it and are held back.
pub(crate) struct Execution {
    pub(crate) outcome: Outcome,
    pub(crate) hidden_blocks: Vec<Cid>,
}

/// Runs replicas on this node.
pub(crate) struct Executor {
    engine: Engine,
    fetcher: Fetcher,
    keeper: Keeper,
    recent: Mutex<VecDeque<(JobId, Arc<Prepared>)>>,
    /// Room for inputs, in KiB.
    room: Semaphore,
}

/// What all tasks of a job share.
struct Prepared {
    program: Bytes,
    table: TaskTable,
}

impl Executor {
    pub(crate) fn new(
        engine: Engine,
        store: Store,
        fetcher: Fetcher,
        withheld: Arc<Withheld>,
    ) -> Self {
        let keeper = Keeper::start(store, withheld);
        let (recent, room) = (Mutex::default(), Semaphore::new(INPUTS_KIB as usize));
        Self { engine, fetcher, keeper, recent, room }
    }

    /// What one core of this machine does, and the disk of `dir`, if there is room. Blocks.
    ///
    /// # Errors
    /// What [`Engine::measure`] says.
    pub(crate) fn measure(&self, dir: Option<&Path>) -> Result<Speed, execution::Error> {
        self.engine.measure(dir)
    }

    /// Fetches program, table, and the first block of every input of some tasks. Most inputs have
    /// no other.
    ///
    /// # Errors
    /// [`NoResult::MissingObject`] if something could not be had yet.
    pub(crate) async fn prefetch(
        &self,
        (id, job): (JobId, &Job),
        tasks: &[TaskIndex],
        asks: PublicKey,
    ) -> Result<(), NoResult> {
        let from = [asks, job.home];
        let span = tracing::info_span!("prefetch", job = %id);
        let prepared = self.prepare((id, job), &from).instrument(span).await?;
        let specs = tasks.iter().filter_map(|task| prepared.table.task_of(*task));
        let roots: Vec<Cid> = specs
            .flat_map(|spec| {
                let inputs = spec.inputs.iter().map(|input| input.cid);
                inputs.chain(spec.stdin).collect::<Vec<_>>()
            })
            .collect();
        let fetched = self.fetcher.fetch_all(&roots, &from).await;
        fetched.map_err(|_| NoResult::MissingObject)
    }

    /// Runs a replica to its end.
    ///
    /// # Errors
    /// Why there is no result.
    pub(crate) async fn outcome(&self, replica: &Replica) -> Result<Execution, NoResult> {
        let span = tracing::info_span!("replica", job = %replica.job, task = %replica.task);
        self.outcome_of(replica).instrument(span).await
    }

    async fn outcome_of(&self, replica: &Replica) -> Result<Execution, NoResult> {
        let job = &replica.order.payload;
        let done = self.run((replica.job, job), replica.task, &[replica.home, job.home]).await?;
        let (outcome, blocks) = describe(replica.job, replica.task, &done);
        match self.keeper.keep(blocks).await {
            Ok(hidden_blocks) => Ok(Execution { outcome, hidden_blocks }),
            Err(error) => {
                tracing::error!(%error, "outputs cannot be kept");
                Err(NoResult::HostFailure)
            }
        }
    }

    /// Runs a task again, with what it needs from any of these peers. Nothing is kept of what it
    /// wrote.
    ///
    /// # Errors
    /// Why there is no result.
    pub(crate) async fn rerun(
        &self,
        order: &Signed<Job>,
        task: TaskIndex,
        from: &[PublicKey],
    ) -> Result<Outcome, NoResult> {
        let id = order.payload.id();
        let span = tracing::info_span!("rerun", job = %id, %task);
        let done = self.run((id, &order.payload), task, from).instrument(span).await?;
        Ok(describe(id, task, &done).0)
    }

    async fn run(
        &self,
        (id, job): (JobId, &Job),
        task: TaskIndex,
        from: &[PublicKey],
    ) -> Result<Done, NoResult> {
        if job.engine != Engine::fingerprint() {
            return Err(NoResult::OtherEngine);
        }
        let prepared = self.prepare((id, job), from).await?;
        let spec = prepared.table.task_of(task).ok_or(NoResult::MissingObject)?;
        let kib = spec.inputs.iter().map(|input| input.size_bytes / 1024 + 1).sum::<u64>();
        let kib = u32::try_from(kib).unwrap_or(INPUTS_KIB).min(INPUTS_KIB);
        let _room = self.room.acquire_many(kib).await.map_err(|_| NoResult::Cancelled)?;
        let mut inputs = Vec::with_capacity(spec.inputs.len());
        for input in &spec.inputs {
            inputs.push((input.name.clone(), self.file(input.cid, from).await?));
        }
        let stdin = match spec.stdin {
            Some(cid) => Some(self.file(cid, from).await?),
            None => None,
        };
        let order = Order {
            program: job.program,
            bytes: prepared.program.clone(),
            args: prepared.table.args_of(&spec),
            inputs,
            stdin,
            env: spec.params.clone(),
            seed: prepared.table.seed_of(&job.seed, &spec),
            limits: job.limits,
        };
        match self.engine.run(order).await {
            Ran::Done(done) => Ok(done),
            Ran::NoResult(reason) => Err(reason),
        }
    }

    /// Program and table, from the last jobs or from peers.
    async fn prepare(
        &self,
        (id, job): (JobId, &Job),
        from: &[PublicKey],
    ) -> Result<Arc<Prepared>, NoResult> {
        let known = {
            let recent = self.recent.lock().expect("nobody panics while holding jobs");
            recent.iter().find(|(job, _)| *job == id).map(|(_, found)| found.clone())
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let program = self.file(job.program, from).await?;
        let table = self.block(job.table, from).await?;
        let table = TaskTable::decode(&table).map_err(|error| {
            tracing::info!(job = %id, %error, "the task table is refused");
            NoResult::Refused
        })?;
        let prepared = Arc::new(Prepared { program, table });
        let mut recent = self.recent.lock().expect("nobody panics while holding jobs");
        recent.push_front((id, prepared.clone()));
        recent.truncate(JOBS);
        Ok(prepared)
    }

    /// A whole file, from here or from peers.
    async fn file(&self, root: Cid, from: &[PublicKey]) -> Result<Bytes, NoResult> {
        self.fetcher.read_file(root, from, INPUT_BYTES).await.map_err(|error| {
            tracing::info!(%root, %error, "cannot be had from anybody who was asked");
            NoResult::MissingObject
        })
    }

    /// One block, from here or from peers.
    async fn block(&self, cid: Cid, from: &[PublicKey]) -> Result<Bytes, NoResult> {
        self.fetcher.fetch(cid, from).await.map_err(|error| {
            tracing::info!(%cid, %error, "cannot be had from anybody who was asked");
            NoResult::MissingObject
        })
    }
}

/// What a task gave, and the blocks of what it wrote.
pub(crate) fn describe(job: JobId, task: TaskIndex, done: &Done) -> (Outcome, Vec<Block>) {
    let mut blocks: Vec<Block> = Vec::new();
    let mut outputs = Vec::with_capacity(done.outputs.len());
    for (path, bytes) in &done.outputs {
        let (root, made) = objects::file(bytes);
        blocks.extend(made);
        outputs.push(Output { path: path.clone(), cid: root.cid, size_bytes: root.size_bytes });
    }
    let (stdout, made) = objects::file(&done.stdout);
    blocks.extend(made);
    let (stderr, made) = objects::file(&done.stderr);
    blocks.extend(made);
    let outcome = Outcome {
        job,
        task,
        end: done.end,
        fuel: done.fuel_used,
        fingerprint: Engine::fingerprint(),
        outputs,
        stdout: stdout.cid,
        stderr: stderr.cid,
    };
    (outcome, blocks)
}
