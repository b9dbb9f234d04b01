//! The engine: programs in, results out.

use crate::{
    Config, Error, Order, Ran, known, measure,
    pool::{Cancel, Pool},
    programs::{Program, Programs},
    settings,
    task::{self, Until},
    ticker::Ticker,
};
use identity::Digest;
use protocol::{NoResult, Speed};
use std::{path::Path, sync::Arc};

/// Runs programs on threads of its own. Dropping it cancels what runs and waits for the threads.
pub struct Engine {
    runner: Arc<Runner>,
    pool: Pool,
}

/// What the threads share.
struct Runner {
    engine: wasmtime::Engine,
    programs: Programs,
    ticker: Ticker,
    task_bytes: u64,
}

impl Engine {
    /// Starts the threads. Compiled programs are kept in `cache_dir`, if there is one; it is made
    /// if it is not there, and should be this engine's alone.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Cache`], [`Error::Thread`], [`Error::Randomness`], or
    /// [`Error::Engine`] if wasmtime does not run on this machine.
    pub fn new(config: &Config, cache_dir: Option<&Path>) -> Result<Self, Error> {
        config.check()?;
        let engine = wasmtime::Engine::new(&settings::wasmtime())
            .map_err(|error| Error::Engine(format!("{error:#}")))?;
        let runner = Arc::new(Runner {
            programs: Programs::new(&engine, config, cache_dir)?,
            ticker: Ticker::start(engine.clone())?,
            engine,
            task_bytes: config.task_bytes,
        });
        let pool = Pool::start(config.threads(), config.queue, {
            let runner = runner.clone();
            move |order, cancel| runner.run(order, cancel)
        })?;
        Ok(Self { runner, pool })
    }

    /// Digest of wasmtime's version, the guest's world and every setting that results depend on:
    /// equal fingerprints and equal orders give equal results, whatever the machine.
    pub fn fingerprint() -> Digest {
        settings::fingerprint()
    }

    /// Runs an order. When the queue is full, the answer is [`NoResult::Busy`] at once. Dropping
    /// the future cancels the run: a guest stops within some milliseconds, but a program that is
    /// being compiled is compiled to the end.
    pub async fn run(&self, order: Order) -> Ran {
        self.pool.run(order).await
    }

    /// Compiles and runs a few programs whose results are known. A machine on which this fails must
    /// not run tasks: its results would be refuted. Takes some milliseconds and blocks.
    ///
    /// # Errors
    /// [`Error::KnownAnswer`], naming the program.
    pub fn self_test(&self) -> Result<(), Error> {
        known::check(|bytes, order| {
            let (program, _) = self.runner.programs.compile(bytes)?;
            let until = Until::new(Cancel::default(), order.limits.wall_ms);
            let _ticking = self.runner.ticker.ticking();
            Ok(task::run(&self.runner.engine, &program, order, &until))
        })
    }

    /// Measures what one core of this machine does, and its disk, with a file of a MiB in `dir` that
    /// is gone afterwards; without a directory the disk is left alone, and its speed is 0. Takes
    /// about half a second and blocks.
    ///
    /// # Errors
    /// [`Error::Disk`] if there is no writing to `dir`; [`Error::KnownAnswer`].
    pub fn measure(&self, dir: Option<&Path>) -> Result<Speed, Error> {
        let machine = measure::machine(dir).map_err(|source| {
            Error::Disk(dir.map(Path::to_path_buf).unwrap_or_default(), source)
        })?;
        let runner = &self.runner;
        let (program, _) = runner.programs.compile(known::program(measure::PROGRAM))?;
        let fuel_ms = measure::fuel_ms(|order| {
            let until = Until::new(Cancel::default(), order.limits.wall_ms);
            let _ticking = runner.ticker.ticking();
            task::run(&runner.engine, &program, order, &until)
        })?;
        Ok(Speed { fuel_ms, ..machine })
    }
}

impl Runner {
    /// The order's wall time begins here, and counts compiling too.
    fn run(&self, order: Order, cancel: Cancel) -> Ran {
        let until = Until::new(cancel, order.limits.wall_ms);
        let wanted = order.limits.memory_bytes.saturating_add(order.limits.output_bytes);
        if wanted > self.task_bytes {
            return Ran::NoResult(NoResult::HostOutOfMemory);
        }
        let program: Program = match self.programs.get(order.program, &order.bytes) {
            Ok(program) => program,
            Err(reason) => return Ran::NoResult(reason),
        };
        if let Some(reason) = until.reached() {
            return Ran::NoResult(reason);
        }
        let _ticking = self.ticker.ticking();
        task::run(&self.engine, &program, order, &until)
    }
}
