//! Times the engine: a kernel of about a second beside bare wasmtime of the same deterministic
//! configuration, and the first run of a known program in a fresh process. `cargo xtask bench
//! execution` reads what it prints.

use bytes::Bytes;
use execution::{Config, Done, Engine, Order, Ran};
use identity::Digest;
use objects::{Cid, Codec};
use protocol::{End, Limits};
use std::{
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;
use wasmtime::{Inlining, OptLevel, Store, Strategy, WasmFeatures};

const HELP: &str = "\
engine_bench kernel COUNT
    Runs the kernel COUNT times through the engine and through bare wasmtime, in turn.
engine_bench once CACHE PROGRAM
    Runs a program once, in an engine that keeps compiled programs in CACHE.";

/// Rounds of the kernel for a first estimate.
const ESTIMATE: u64 = 2_000_000;
const TARGET: Duration = Duration::from_secs(1);

/// What goes wrong here is told and ends the program.
type Fault = Box<dyn std::error::Error>;

fn fault(text: impl Into<String>) -> Fault {
    text.into().into()
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["kernel", count] => count.parse().map_err(Fault::from).and_then(kernel),
        ["once", cache, program] => once(cache.as_ref(), program.as_ref()),
        _ => Err(fault(HELP)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// An integer and memory loop: a mixing function (Stafford's mix 13) over a MiB that it reads and
/// writes in an order that nothing can foresee.
fn source(rounds: u64) -> String {
    format!(
        r#"(module
  (memory (export "memory") 16)
  (func (export "_start") (local $left i64) (local $x i64) (local $at i32)
    (local.set $left (i64.const {rounds}))
    (loop $next
      (local.set $x (i64.add (local.get $x) (i64.const 0x9E3779B97F4A7C15)))
      (local.set $x (i64.mul
        (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 30)))
        (i64.const 0xBF58476D1CE4E5B9)))
      (local.set $x (i64.mul
        (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 27)))
        (i64.const 0x94D049BB133111EB)))
      (local.set $at (i32.and (i32.wrap_i64 (local.get $x)) (i32.const 0xFFFF8)))
      (local.set $x (i64.xor (local.get $x) (i64.load (local.get $at))))
      (i64.store (local.get $at) (local.get $x))
      (local.set $left (i64.sub (local.get $left) (i64.const 1)))
      (br_if $next (i64.ne (local.get $left) (i64.const 0))))))"#
    )
}

fn kernel(count: usize) -> Result<(), Fault> {
    let bare = Bare::new()?;
    let estimate = wat::parse_str(source(ESTIMATE))?;
    let (took, _) = bare.run(&bare.compile(&estimate)?)?;
    let rounds = ESTIMATE as f64 * TARGET.as_secs_f64() / took.as_secs_f64();
    let program = Bytes::from(wat::parse_str(source(rounds as u64))?);
    let compiled = bare.compile(&program)?;
    let ours = Ours::new(None)?;
    // The engine has compiled it then.
    let first = ours.run(&program)?.1;
    let (mut engine_ms, mut bare_ms, mut fuel) = (Vec::new(), Vec::new(), 0);
    for _ in 0..count {
        let (took, used) = bare.run(&compiled)?;
        bare_ms.push(ms(took));
        fuel = used;
        let (took, done) = ours.run(&program)?;
        engine_ms.push(ms(took));
        if done != first {
            return Err(fault("two runs of the kernel differ"));
        }
    }
    println!(
        r#"{{"engine_ms":{engine_ms:?},"bare_ms":{bare_ms:?},"engine_fuel":{},"bare_fuel":{fuel}}}"#,
        first.fuel_used
    );
    Ok(())
}

fn once(cache: &Path, program: &Path) -> Result<(), Fault> {
    let program = Bytes::from(std::fs::read(program)?);
    let start = Instant::now();
    let ours = Ours::new(Some(cache))?;
    let started = start.elapsed();
    let (took, _) = ours.run(&program)?;
    println!(r#"{{"start_ms":{},"run_ms":{}}}"#, ms(started), ms(took));
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The engine as a node has it.
struct Ours {
    engine: Engine,
    runtime: Runtime,
}

impl Ours {
    fn new(cache: Option<&Path>) -> Result<Self, Fault> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let config = Config { threads: 1, ..Config::default() };
        Ok(Self { engine: Engine::new(&config, cache)?, runtime })
    }

    fn run(&self, program: &Bytes) -> Result<(Duration, Done), Fault> {
        let order = Order {
            program: Cid::of(Codec::Raw, program),
            bytes: program.clone(),
            args: Vec::new(),
            inputs: Vec::new(),
            stdin: None,
            env: Vec::new(),
            seed: Digest([7; 32]),
            limits: Limits::default(),
        };
        let start = Instant::now();
        let ran = self.runtime.block_on(self.engine.run(order));
        let took = start.elapsed();
        match ran {
            Ran::Done(done) if done.end == End::Exit(0) => Ok((took, done)),
            other => Err(fault(format!("{other:?}"))),
        }
    }
}

/// Wasmtime with nothing around it.
struct Bare(wasmtime::Engine);

impl Bare {
    /// What results depend on is as in `settings.rs`; equal fuel shows it.
    fn new() -> Result<Self, Fault> {
        let mut config = wasmtime::Config::new();
        config
            .strategy(Strategy::Cranelift)
            .cranelift_nan_canonicalization(true)
            .relaxed_simd_deterministic(true)
            .consume_fuel(true)
            .compiler_inlining(Inlining::No)
            .epoch_interruption(true)
            .cranelift_opt_level(OptLevel::Speed);
        config.wasm_features(WasmFeatures::THREADS, false);
        Ok(Self(wasmtime::Engine::new(&config)?))
    }

    fn compile(&self, program: &[u8]) -> Result<wasmtime::Module, Fault> {
        Ok(wasmtime::Module::new(&self.0, program)?)
    }

    /// From a new store to the end: what a task needs at least.
    fn run(&self, program: &wasmtime::Module) -> Result<(Duration, u64), Fault> {
        let fuel = Limits::default().fuel;
        let start = Instant::now();
        let mut store = Store::new(&self.0, ());
        store.set_fuel(fuel)?;
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = wasmtime::Instance::new(&mut store, program, &[])?;
        instance.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ())?;
        Ok((start.elapsed(), fuel - store.get_fuel()?))
    }
}
