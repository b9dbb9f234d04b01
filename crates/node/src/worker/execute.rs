//! From a replica to its outcome: fetch, run, store.

use super::{Replica, Withheld};
use bytes::Bytes;
use execution::{Done, Engine, Order, Ran};
use identity::PublicKey;
use objects::{Block, Cid};
use protocol::{
    JobId, NoResult, Outcome, Output, TaskTable,
    port::{BlobError, Blobs},
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};
use storage::{Store, exchange::Fetcher};

/// Jobs whose program and table are kept in memory.
const JOBS: usize = 8;
/// The largest input file.
const INPUT_BYTES: u64 = 1 << 30;

/// An outcome, and the blocks that were written for it and are held back.
pub(crate) struct Execution {
    pub(crate) outcome: Outcome,
    pub(crate) hidden_blocks: Vec<Cid>,
}

/// Runs replicas on this node.
pub(crate) struct Executor {
    engine: Engine,
    store: Store,
    fetcher: Fetcher,
    withheld: Arc<Withheld>,
    recent: Mutex<VecDeque<(JobId, Arc<Prepared>)>>,
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
        Self { engine, store, fetcher, withheld, recent: Mutex::default() }
    }

    /// Runs a replica to its end.
    ///
    /// # Errors
    /// Why there is no result.
    pub(crate) async fn outcome(&self, replica: &Replica) -> Result<Execution, NoResult> {
        let job = &replica.order.payload;
        if job.engine != Engine::fingerprint() {
            return Err(NoResult::OtherEngine);
        }
        let prepared = self.prepare(replica).await?;
        let spec = prepared.table.tasks.get(replica.task.0 as usize);
        let spec = spec.ok_or(NoResult::MissingObject)?;
        let mut inputs = Vec::with_capacity(spec.inputs.len());
        for input in &spec.inputs {
            inputs.push((input.name.clone(), self.file(input.cid, job.home).await?));
        }
        let stdin = match spec.stdin {
            Some(cid) => Some(self.file(cid, job.home).await?),
            None => None,
        };
        let order = Order {
            program: job.program,
            bytes: prepared.program.clone(),
            args: prepared.table.args_of(spec),
            inputs,
            stdin,
            seed: job.seed,
            task: replica.task,
            limits: job.limits,
        };
        match self.engine.run(order).await {
            Ran::Done(done) => self.keep(replica, done).await.map_err(|error| {
                tracing::error!(%error, "outputs cannot be kept");
                NoResult::HostFailure
            }),
            Ran::NoResult(reason) => Err(reason),
        }
    }

    /// Program and table, from the last jobs or from their home.
    async fn prepare(&self, replica: &Replica) -> Result<Arc<Prepared>, NoResult> {
        let known = {
            let recent = self.recent.lock().expect("nobody panics while holding jobs");
            recent.iter().find(|(job, _)| *job == replica.job).map(|(_, found)| found.clone())
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let job = &replica.order.payload;
        let program = self.file(job.program, job.home).await?;
        let table = self.block(job.table, job.home).await?;
        let table = TaskTable::decode(&table).map_err(|error| {
            tracing::info!(job = %replica.job, %error, "the task table is refused");
            NoResult::Refused
        })?;
        let prepared = Arc::new(Prepared { program, table });
        let mut recent = self.recent.lock().expect("nobody panics while holding jobs");
        recent.push_front((replica.job, prepared.clone()));
        recent.truncate(JOBS);
        Ok(prepared)
    }

    /// A whole file, from here or from the home.
    async fn file(&self, root: Cid, home: PublicKey) -> Result<Bytes, NoResult> {
        self.fetcher.read_file(root, &[home], INPUT_BYTES).await.map_err(|error| {
            tracing::info!(%root, %error, "cannot be had from the home");
            NoResult::MissingObject
        })
    }

    /// One block, from here or from the home.
    async fn block(&self, cid: Cid, home: PublicKey) -> Result<Bytes, NoResult> {
        self.fetcher.fetch(cid, &[home]).await.map_err(|error| {
            tracing::info!(%cid, %error, "cannot be had from the home");
            NoResult::MissingObject
        })
    }

    /// Stores what the program wrote, durably, and describes it.
    async fn keep(&self, replica: &Replica, done: Done) -> Result<Execution, BlobError> {
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
            job: replica.job,
            task: replica.task,
            end: done.end,
            fuel: done.fuel_used,
            fingerprint: Engine::fingerprint(),
            outputs,
            stdout: stdout.cid,
            stderr: stderr.cid,
        };
        let cids: Vec<Cid> = blocks.iter().map(|block| block.cid).collect();
        let known = self.store.has(cids.clone()).await?;
        let hidden_blocks: Vec<Cid> =
            cids.into_iter().zip(known).filter(|(_, known)| !known).map(|(cid, _)| cid).collect();
        // Held back before they exist: no peer can ask in between.
        self.withheld.hold(&hidden_blocks);
        let blobs = blocks.into_iter().map(|block| (block.cid, block.bytes)).collect();
        if let Err(error) = self.store.put(blobs).await {
            self.withheld.release(&hidden_blocks);
            return Err(error);
        }
        Ok(Execution { outcome, hidden_blocks })
    }
}
