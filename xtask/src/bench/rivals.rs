//! What somebody would pick instead, measured beside us: HyperQueue and Dask, on this machine, in
//! the same run. A bench goes on without those that cannot be had.

mod dask;
mod hyperqueue;
mod python;

use super::{
    figure::{Figure, Unit},
    sample::Sample,
    world::World,
};
use crate::steps::Steps;
use hyperqueue::Process;
use std::time::Duration;

/// What one of them needed.
enum Found {
    /// For one task, again and again.
    Single(Vec<Duration>),
    /// For many at once.
    Many(Duration),
}

/// What is asked of one of them.
#[derive(Clone, Copy)]
enum Asked {
    /// So many tasks, one after the other.
    Single(u64),
    /// So many tasks at once.
    Many(u64),
}

/// One trivial task at a time.
pub(crate) fn single(world: &World, steps: &Steps, times: u64) -> anyhow::Result<Vec<Figure>> {
    let asked = Asked::Single(times);
    Ok(vec![
        hyperqueue(world, steps, asked, Process::Copy)?,
        figure(dask::NAME, asked, dask::measure(world, steps, asked))?,
    ])
}

/// Many trivial tasks at once.
pub(crate) fn many(world: &World, steps: &Steps, tasks: u64) -> anyhow::Result<Vec<Figure>> {
    let asked = Asked::Many(tasks);
    Ok(vec![
        hyperqueue(world, steps, asked, Process::Copy)?,
        hyperqueue(world, steps, asked, Process::True)?,
        figure(dask::NAME, asked, dask::measure(world, steps, asked))?,
    ])
}

fn hyperqueue(
    world: &World,
    steps: &Steps,
    asked: Asked,
    process: Process,
) -> anyhow::Result<Figure> {
    figure(process.name(), asked, hyperqueue::measure(world, steps, (asked, process)))
}

/// A rival that fails does not fail the bench: its line says that it is not there.
fn figure(name: &str, asked: Asked, found: anyhow::Result<Found>) -> anyhow::Result<Figure> {
    match (asked, found) {
        (_, Ok(Found::Single(times))) => Ok(Figure::new(name).times(&Sample::of_times(&times)?)),
        (Asked::Many(tasks) | Asked::Single(tasks), Ok(Found::Many(took))) => {
            Ok(Figure::new(name).with("", tasks as f64 / took.as_secs_f64(), Unit::PerS))
        }
        (_, Err(error)) => {
            eprintln!("{name}: {error:#}");
            Ok(Figure::new(name))
        }
    }
}
