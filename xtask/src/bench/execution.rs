//! What the engine costs over bare wasmtime, and how soon a restarted node runs what it knows.

use super::{
    figure::{Figure, Goal, Unit},
    process,
    sample::Sample,
    society::{Node, Society},
    trivial,
    world::World,
};
use crate::steps::Steps;
use anyhow::{Context as _, ensure};
use serde::Deserialize;
use std::{fmt::Write as _, fs, path::Path, process::Command, time::Duration};

/// See `crates/execution/examples/engine_bench.rs`.
pub(crate) const EXAMPLE: (&str, &str) = ("execution", "engine_bench");
const LIMIT: Duration = Duration::from_secs(300);
/// Functions of the program that takes a while to compile.
const FUNCTIONS: usize = 3_000;

#[derive(Deserialize)]
struct Kernel {
    engine_ms: Vec<f64>,
    bare_ms: Vec<f64>,
    engine_fuel: u64,
    bare_fuel: u64,
}

#[derive(Deserialize)]
struct Once {
    start_ms: f64,
    run_ms: f64,
}

/// The bench `execution`.
pub(crate) fn run(world: &World, _steps: &Steps) -> anyhow::Result<Vec<Figure>> {
    let mut figures = vec![kernel(world)?];
    let dir = world.fresh("program")?;
    let program = trivial::assemble(&dir, "large", &large())?;
    figures.push(alone(world, &program)?);
    figures.push(in_a_node(world, &program)?);
    Ok(figures)
}

/// The example with arguments; what it prints.
fn example<T: for<'de> Deserialize<'de>>(world: &World, args: &[&str]) -> anyhow::Result<T> {
    let mut command = Command::new(world.example(EXAMPLE.1)?);
    let said = process::run(&world.scratch, command.args(args), LIMIT)?.stdout;
    serde_json::from_str(&said).context(said)
}

fn kernel(world: &World) -> anyhow::Result<Figure> {
    let count = world.either(20, 5);
    let found: Kernel = example(world, &["kernel", &count.to_string()])?;
    // In turn, so that each pair met the same machine.
    let pairs = found.engine_ms.iter().zip(&found.bare_ms);
    let ratio = Sample::new(pairs.map(|(engine, bare)| engine / bare).collect())?;
    let (engine, bare) = (Sample::new(found.engine_ms)?, Sample::new(found.bare_ms)?);
    let (ours, theirs) = (found.engine_fuel, found.bare_fuel);
    ensure!(ours == theirs, "not the same configuration: {ours} and {theirs} of fuel");
    Ok(Figure::new("kernel of a second in the engine, over bare wasmtime")
        .with("ratio", ratio.median(), Unit::Ratio)
        .times(&engine)
        .goal("ratio", Goal::AtMost(1.05))
        .beside(&Figure::new("bare wasmtime, in turn").times(&bare))
        .note(format!("{count} times")))
}

/// The engine alone, in a fresh process.
fn alone(world: &World, program: &Path) -> anyhow::Result<Figure> {
    let cache = world.fresh("cache")?;
    let (cache, program) = (cache.to_string_lossy(), program.to_string_lossy());
    let once = || example::<Once>(world, &["once", &cache, &program]);
    let compiled = once()?;
    let times = world.either(20, 5);
    let (mut started, mut ran) = (Vec::new(), Vec::new());
    for _ in 0..times {
        let Once { start_ms, run_ms } = once()?;
        started.push(start_ms);
        ran.push(run_ms);
    }
    Ok(Figure::new("known program, fresh engine: first run")
        .times(&Sample::new(ran)?)
        .goal("p50", Goal::AtMost(50.0))
        .beside(&Figure::new("starting the engine").times(&Sample::new(started)?))
        .beside(&Figure::new("unknown program").with("p50", compiled.run_ms, Unit::Ms))
        .note(format!("{times} times")))
}

/// Nodes that know the program stop and start; then comes the first task.
fn in_a_node(world: &World, program: &Path) -> anyhow::Result<Figure> {
    let times = world.either(10, 3);
    let mut society = Society::start(world, 5, 4)?;
    let genesis = society.genesis.clone();
    let homes: Vec<_> = society.nodes.iter().map(|node| node.data.clone()).collect();
    let unknown = task(world, &society, program)?;
    // Every node that may be drawn has compiled the program then.
    for _ in 0..20 {
        task(world, &society, program)?;
    }
    let (mut warm, mut cold) = (Vec::new(), Vec::new());
    for _ in 0..times {
        warm.push(task(world, &society, program)?);
    }
    for _ in 0..times {
        society.nodes.into_iter().try_for_each(Node::stop)?;
        society = Society::up(world, &homes, genesis.clone())?;
        cold.push(task(world, &society, program)?);
    }
    let figure = taken("known program, restarted nodes: admission to the first outcome", &cold)?;
    Ok(figure
        .goal("p50", Goal::AtMost(50.0))
        .beside(&taken("the same, not restarted", &warm)?)
        .beside(&taken("unknown program", &[unknown])?)
        .note(format!("{times} times")))
}

/// What a task took: by the home's clock from its admission to the first commitment, and from the
/// start of the client's process to its end.
struct Took {
    admitted_ms: f64,
    client: Duration,
}

fn taken(what: &str, all: &[Took]) -> anyhow::Result<Figure> {
    let admitted = Sample::new(all.iter().map(|took| took.admitted_ms).collect())?;
    let client = Sample::new(all.iter().map(|took| took.client.as_secs_f64() * 1e3).collect())?;
    let figure = Figure::new(what).times(&admitted);
    Ok(figure.with("client's start to exit p50", client.median(), Unit::Ms))
}

fn task(world: &World, society: &Society, program: &Path) -> anyhow::Result<Took> {
    let dir = world.fresh("in")?;
    // An input that no task had makes it another task.
    let input = dir.join("input");
    fs::write(&input, trivial::input(world.numbers(1).start))?;
    let mut command = society.home().polity(&["run", "--verify", "single", "--wait", "outcome"]);
    command.arg(program).arg("--input").arg(&input).arg("-o").arg(world.absent("out"));
    let client = process::run(&world.scratch, &mut command, LIMIT)?.took;
    let described = society.home().ask(world, &["job", "describe", "last"])?;
    let at = |milestone: &str| {
        let time = described["times"][milestone].as_f64();
        time.with_context(|| format!("polity job describe: no times.{milestone}"))
    };
    let admitted_ms = at("first_commit")? - at("admitted")?;
    Ok(Took { admitted_ms, client })
}

/// A program of many functions, none of which it calls: what there is to compile is what counts.
fn large() -> String {
    let mut text = String::from("(module (memory (export \"memory\") 1)\n");
    for number in 0..FUNCTIONS {
        writeln!(text, "(func (param $x i64) (param $at i32) (result i64) (local $y i64)")
            .expect("a text takes all");
        for step in 0..12 {
            let constant = number * 12 + step + 1;
            writeln!(
                text,
                "(local.set $y (i64.add (i64.load (local.get $at)) (i64.mul (local.get $x) \
                 (i64.const {constant}))))\n(if (i64.eqz (local.get $y)) (then (i64.store \
                 (local.get $at) (local.get $x))))\n(local.set $x (i64.xor (local.get $x) \
                 (i64.rotl (local.get $y) (i64.const {step}))))"
            )
            .expect("a text takes all");
        }
        text.push_str("(local.get $x))\n");
    }
    text.push_str("(func (export \"_start\")))");
    text
}

#[cfg(test)]
mod tests {
    use super::large;

    #[test]
    fn the_large_program_is_one() {
        assert!(wat::parse_str(large()).expect("it assembles").len() > 500_000);
    }
}
