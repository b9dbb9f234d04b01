//! Many trivial tasks at once, from the start of the client's process to its end.

use super::{
    figure::{Figure, Goal, Unit},
    process, rivals,
    society::Society,
    trivial,
    world::{Swept, World},
};
use crate::steps::Steps;
use std::{ops::Range, path::Path, time::Duration};

/// How long one sweep may take.
const LIMIT: Duration = Duration::from_secs(900);

const SINGLE: [&str; 2] = ["--verify", "single"];
const TWO: [&str; 2] = ["--verify", "2of3"];

/// The bench `sweep`.
pub(crate) fn run(world: &World, steps: &Steps) -> anyhow::Result<Vec<Figure>> {
    let tasks = world.either(10_000, 1_000);
    let ways = [
        ("single, to outcome", SINGLE, "outcome", 3_000.0),
        ("single, to agreed", SINGLE, "agreed", 3_000.0),
        ("single, to final", SINGLE, "final", 3_000.0),
        ("2of3, to agreed", TWO, "agreed", 1_000.0),
        ("2of3, with final receipt", TWO, "final", 1_000.0),
    ];
    let mut figures = Vec::new();
    {
        let society = Society::start(world, 5, 4)?;
        for (what, verify, wait, goal) in ways {
            let (took, written) = once(world, &society, tasks, (&verify, wait))?;
            let mut figure = Figure::new(format!("sweep of {tasks} on 5 nodes, {what}"));
            if !written {
                figure = figure.note("without the outputs on the client's disk");
            }
            let figure = figure.with("", rate(tasks, took), Unit::PerS);
            figures.push(figure.goal("", Goal::AtLeast(goal)));
        }
    }
    let beside = rivals::many(world, steps, tasks)?;
    Ok(figures.into_iter().map(|figure| beside.iter().fold(figure, Figure::beside)).collect())
}

fn rate(tasks: u64, took: Duration) -> f64 {
    tasks as f64 / took.as_secs_f64()
}

/// A sweep whose receipt is looked at: the one of the bench `sweep`, or one of its own.
pub(crate) fn receipt(world: &World) -> anyhow::Result<()> {
    if world.swept.borrow().is_none() {
        let society = Society::start(world, 5, 4)?;
        once(world, &society, world.either(10_000, 1_000), (&TWO, "final"))?;
    }
    Ok(())
}

/// Gives nodes something to do.
pub(crate) fn work(world: &World, society: &Society, tasks: u64) -> anyhow::Result<()> {
    once(world, society, tasks, (&TWO, "final")).map(drop)
}

/// One sweep; its outputs are checked after the clock stopped. Tells whether they were there: first
/// outcomes, which nothing was compared with, may have no files yet.
fn once(
    world: &World,
    society: &Society,
    tasks: u64,
    (verify, wait): (&[&str], &str),
) -> anyhow::Result<(Duration, bool)> {
    let program = trivial::program(&world.fresh("program")?)?;
    warm_up(world, society, &program)?;
    let numbers = world.numbers(tasks);
    let (inputs, out) = (world.fresh("in")?, world.absent("out"));
    trivial::inputs(&inputs, numbers.clone())?;
    let took = sweep(world, society, (&program, &inputs, &out), verify, wait)?;
    let written = wait != "outcome" || out.join(format!("{}.bin", numbers.start)).exists();
    if written {
        trivial::check(&out, numbers)?;
    }
    if wait == "final" && verify == TWO {
        let genesis = society.genesis.clone();
        world.swept.replace(Some(Swept { out, genesis, tasks }));
    }
    Ok((took, written))
}

/// Every node has compiled the program then.
fn warm_up(world: &World, society: &Society, program: &Path) -> anyhow::Result<()> {
    let numbers: Range<u64> = world.numbers(50);
    let (inputs, out) = (world.fresh("in")?, world.absent("out"));
    trivial::inputs(&inputs, numbers.clone())?;
    sweep(world, society, (program, &inputs, &out), &TWO, "final")?;
    trivial::check(&out, numbers)
}

fn sweep(
    world: &World,
    society: &Society,
    (program, inputs, out): (&Path, &Path, &Path),
    verify: &[&str],
    wait: &str,
) -> anyhow::Result<Duration> {
    let mut command = society.home().polity(&["run"]);
    command.arg(program).arg("--each").arg(inputs.join("*.bin")).args(["--arg", "{}"]);
    command.args(verify).args(["--wait", wait]).arg("-o").arg(out);
    Ok(process::run(&world.scratch, &mut command, LIMIT)?.took)
}
