//! The stripped binary, and how long a clean release build takes.

use super::{
    figure::{Figure, Goal, Unit},
    world::World,
};
use crate::steps::Steps;
use anyhow::{Context as _, ensure};
use std::{fs, time::Instant};

/// The bench `size`.
pub(crate) fn run(world: &World, _steps: &Steps) -> anyhow::Result<Vec<Figure>> {
    let size_bytes = fs::metadata(&world.polity)?.len();
    let figure = Figure::new("the stripped binary").with("", size_bytes as f64, Unit::Bytes);
    Ok(vec![figure.goal("", Goal::AtMost(60e6))])
}

/// The bench `build`, which only runs when it is named: from nothing, with the sources of all
/// dependencies on this machine.
pub(crate) fn build(world: &World, steps: &Steps) -> anyhow::Result<Vec<Figure>> {
    let fetched = steps.cargo("fetch --locked").status().context("cargo fetch")?;
    ensure!(fetched.success(), "cargo fetch: {fetched}");
    let mut build = steps.cargo("build --locked --release --package node --bin polity");
    build.arg("--target-dir").arg(world.fresh("target")?);
    let start = Instant::now();
    let status = build.status().context("cargo build")?;
    ensure!(status.success(), "cargo build: {status}");
    let minutes = start.elapsed().as_secs_f64() / 60.0;
    let figure = Figure::new("clean release build").with("", minutes, Unit::Minutes);
    Ok(vec![figure.goal("", Goal::AtMost(12.0))])
}
