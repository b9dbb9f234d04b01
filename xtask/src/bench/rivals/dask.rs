//! Dask (`distributed`): a client in a warm Python process, a scheduler, a worker process for each
//! core.

use super::{Asked, Found, python};
use crate::{
    bench::{process::run, world::World},
    steps::Steps,
};
use anyhow::Context as _;
use std::time::Duration;

/// In Dask the trivial task is a Python function; the client that asks is warm, and nothing of it is
/// verified.
pub(super) const NAME: &str = "Dask, a warm client";
const PACKAGE: &str = "distributed==2026.8.0";
const LIMIT: Duration = Duration::from_secs(600);

pub(super) fn measure(world: &World, steps: &Steps, asked: Asked) -> anyhow::Result<Found> {
    let interpreter = python::with(world, steps, PACKAGE)?;
    let (how, count) = match asked {
        Asked::Single(count) => ("single", count),
        Asked::Many(count) => ("many", count),
    };
    let mut command = steps.command(interpreter);
    command.args(["-c", include_str!("dask.py"), how, &count.to_string()]);
    command.arg(world.fresh("dask")?);
    let said = run(&world.scratch, &mut command, LIMIT)?.stdout;
    let seconds: Vec<f64> = serde_json::from_str(&said).with_context(|| said.clone())?;
    let times: Result<Vec<_>, _> = seconds.into_iter().map(Duration::try_from_secs_f64).collect();
    let times = times?;
    match asked {
        Asked::Single(_) => Ok(Found::Single(times)),
        Asked::Many(_) => Ok(Found::Many(*times.first().context("no time")?)),
    }
}
