//! From a replica to its outcome: fetch, run, store.

use super::{Replica, Withheld, keeper::Keeper};
use bytes::Bytes;
use execution::{Done, Engine, Order, Ran};
use identity::{PublicKey, Signed};
use objects::{Block, Cid, Codec};
use protocol::{
    Job, JobId, NoResult, Outcome, Output, Speed, TaskIndex, TaskSpec, TaskTable, limits,
};
use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use storage::{
    Store,
    exchange::{FetchError, Fetcher},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument;

/// Jobs whose program and table are kept in memory.
const JOBS: usize = 8;
/// The largest file that is read.
const INPUT_BYTES: u64 = 1 << 30;
/// Inputs that are in memory at once, in KiB: what is more waits, and a task that needs more is refused.
const INPUTS_KIB: u32 = 2 << 20;
/// Programs that are in memory at once, in KiB.
const PROGRAMS_KIB: u32 = 1 << 20;
/// Pause before programs that are in memory are looked at again for one that nobody runs.
const AGAIN: Duration = Duration::from_secs(1);
/// How long it may take to have what a task needs: by then a gigabyte is here over a slow line, and who
/// gives more slowly than that only holds a place that others wait for.
const FETCHING: Duration = Duration::from_secs(600);

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
    /// Room for programs, in KiB.
    programs: Arc<Semaphore>,
}

/// What all tasks of a job share.
struct Prepared {
    program: Bytes,
    table: TaskTable,
    _room: OwnedSemaphorePermit,
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
        let programs = Arc::new(Semaphore::new(PROGRAMS_KIB as usize));
        Self { engine, fetcher, keeper, recent, room, programs }
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
        let prepared = in_time(self.prepare((id, job), &from)).instrument(span).await?;
        let specs = tasks.iter().filter_map(|task| prepared.table.task_of(*task));
        let roots: Vec<Cid> = specs.flat_map(|spec| roots_of(&spec)).collect();
        in_time(self.first_blocks(&roots, &from)).await
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
        let prepared = in_time(self.prepare((id, job), from)).await?;
        let spec = prepared.table.task_of(task).ok_or(NoResult::MissingObject)?;
        let kib = in_time(self.bring(&spec, from)).await?;
        let _room = self.room.acquire_many(kib).await.map_err(|_| NoResult::Cancelled)?;
        let (inputs, stdin) = in_time(self.read(&spec, from)).await?;
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
        if let Some(known) = self.known(&id) {
            return Ok(known);
        }
        let size_bytes = self.bring_file(job.program, from, INPUT_BYTES).await?;
        let room = self.program_room(size_bytes).await?;
        if let Some(known) = self.known(&id) {
            // Another task of this job was faster.
            return Ok(known);
        }
        let program = self.file(job.program, from, size_bytes).await?;
        let table = self.block(job.table, from).await?;
        let table = TaskTable::decode(&table).map_err(|error| {
            tracing::info!(job = %id, %error, "the task table is refused");
            NoResult::Refused
        })?;
        let prepared = Arc::new(Prepared { program, table, _room: room });
        let mut recent = self.recent();
        recent.push_front((id, prepared.clone()));
        recent.truncate(JOBS);
        Ok(prepared)
    }

    fn recent(&self) -> MutexGuard<'_, VecDeque<(JobId, Arc<Prepared>)>> {
        self.recent.lock().expect("nobody panics while holding jobs")
    }

    fn known(&self, id: &JobId) -> Option<Arc<Prepared>> {
        self.recent().iter().find(|(job, _)| job == id).map(|(_, found)| found.clone())
    }

    /// Room for a program, if need be in the place of those that were needed longest ago.
    async fn program_room(&self, size_bytes: u64) -> Result<OwnedSemaphorePermit, NoResult> {
        let kib = kib_of(size_bytes, PROGRAMS_KIB)?;
        loop {
            if let Ok(room) = self.programs.clone().try_acquire_many_owned(kib) {
                return Ok(room);
            }
            if self.recent().pop_back().is_some() {
                continue;
            }
            // One that runs gives its room back, or becomes one that was needed once.
            let waiting = self.programs.clone().acquire_many_owned(kib);
            if let Ok(room) = tokio::time::timeout(AGAIN, waiting).await {
                return room.map_err(|_| NoResult::Cancelled);
            }
        }
    }

    /// Has everything here that a task reads, and gives the room that it takes in memory, in KiB.
    /// Nothing of it is in memory yet: who gives slowly takes no room from others.
    async fn bring(&self, spec: &TaskSpec, from: &[PublicKey]) -> Result<u32, NoResult> {
        let claimed = spec.inputs.iter().map(|input| input.size_bytes);
        let claimed = claimed.fold(0, |sum: u64, size_bytes| sum.saturating_add(size_bytes));
        kib_of(claimed, INPUTS_KIB)?;
        self.first_blocks(&roots_of(spec), from).await?;
        for input in spec.inputs.iter().filter(|input| is_many(&input.cid)) {
            self.bring_file(input.cid, from, input.size_bytes).await?;
        }
        let stdin = match spec.stdin {
            Some(cid) if is_many(&cid) => self.bring_file(cid, from, INPUT_BYTES).await?,
            Some(_) => limits::BLOB_BYTES as u64,
            None => 0,
        };
        kib_of(claimed.saturating_add(stdin), INPUTS_KIB)
    }

    /// Reads what a task reads. An input of another size than the table says is refused: by what the
    /// table says there is room for it.
    async fn read(&self, spec: &TaskSpec, from: &[PublicKey]) -> Result<Read, NoResult> {
        let mut inputs = Vec::with_capacity(spec.inputs.len());
        for input in &spec.inputs {
            let bytes = self.file(input.cid, from, input.size_bytes).await?;
            if bytes.len() as u64 != input.size_bytes {
                tracing::info!(root = %input.cid, claimed = input.size_bytes, bytes = bytes.len(),
                    "an input of another size than its table says is refused");
                return Err(NoResult::Refused);
            }
            inputs.push((input.name.clone(), bytes));
        }
        let stdin = match spec.stdin {
            Some(cid) => Some(self.file(cid, from, INPUT_BYTES).await?),
            None => None,
        };
        Ok((inputs, stdin))
    }

    /// Has the first block of some files here: most have no other.
    async fn first_blocks(&self, roots: &[Cid], from: &[PublicKey]) -> Result<(), NoResult> {
        self.fetcher.fetch_all(roots, from).await.map_err(|_| NoResult::MissingObject)
    }

    /// Has a whole file here, and gives its size.
    async fn bring_file(
        &self,
        root: Cid,
        from: &[PublicKey],
        limit_bytes: u64,
    ) -> Result<u64, NoResult> {
        let fetched = self.fetcher.fetch_file(root, from, limit_bytes.min(INPUT_BYTES)).await;
        fetched.map_err(|error| not_had(root, &error))
    }

    /// A whole file, from here or from peers.
    async fn file(
        &self,
        root: Cid,
        from: &[PublicKey],
        limit_bytes: u64,
    ) -> Result<Bytes, NoResult> {
        let read = self.fetcher.read_file(root, from, limit_bytes.min(INPUT_BYTES)).await;
        read.map_err(|error| not_had(root, &error))
    }

    /// One block, from here or from peers.
    async fn block(&self, cid: Cid, from: &[PublicKey]) -> Result<Bytes, NoResult> {
        self.fetcher.fetch(cid, from).await.map_err(|error| not_had(cid, &error))
    }
}

/// Inputs by their names, and stdin.
type Read = (Vec<(String, Bytes)>, Option<Bytes>);

/// Whether a file has more than one block.
fn is_many(root: &Cid) -> bool {
    root.codec() != Codec::Raw
}

fn roots_of(spec: &TaskSpec) -> Vec<Cid> {
    spec.inputs.iter().map(|input| input.cid).chain(spec.stdin).collect()
}

/// Room in KiB, if there is so much at all.
fn kib_of(size_bytes: u64, most: u32) -> Result<u32, NoResult> {
    let kib = u32::try_from(size_bytes / 1024 + 1).ok().filter(|kib| *kib <= most);
    kib.ok_or_else(|| {
        tracing::info!(size_bytes, "a task that needs more than there is room for is refused");
        NoResult::Refused
    })
}

/// Why a file is not here: nobody gave it, or it is not what its order says.
fn not_had(root: Cid, error: &FetchError) -> NoResult {
    match error {
        FetchError::Content(_) | FetchError::TooLarge { .. } => {
            tracing::info!(%root, %error, "an object is refused");
            NoResult::Refused
        }
        _ => {
            tracing::info!(%root, %error, "an object cannot be had from anybody who was asked");
            NoResult::MissingObject
        }
    }
}

async fn in_time<T>(fetching: impl Future<Output = Result<T, NoResult>>) -> Result<T, NoResult> {
    tokio::time::timeout(FETCHING, fetching).await.unwrap_or_else(|_| {
        tracing::info!("an object did not come in time");
        Err(NoResult::MissingObject)
    })
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
