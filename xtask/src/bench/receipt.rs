//! The receipt of a large sweep: its size, and how long it takes to verify it with every node gone.

use super::{
    figure::{Figure, Goal, Unit},
    process,
    sample::Sample,
    sweep,
    world::{Swept, World},
};
use crate::steps::Steps;
use anyhow::Context as _;
use std::{fs, path::Path, process::Command, time::Duration};

/// How long one verification may take.
const LIMIT: Duration = Duration::from_secs(300);
/// What `polity run` calls it.
const RECEIPT: &str = "receipt.polity";

/// The bench `receipt`.
pub(crate) fn run(world: &World, _steps: &Steps) -> anyhow::Result<Vec<Figure>> {
    sweep::receipt(world)?;
    let swept = world.swept.borrow();
    let Swept { out, genesis, tasks } = swept.as_ref().context("no sweep was run")?;
    let receipt = out.join(RECEIPT);
    let size_bytes = fs::metadata(&receipt).with_context(|| receipt.display().to_string())?.len();
    let alone = world.fresh("receipt")?;
    fs::copy(&receipt, alone.join(RECEIPT))?;
    let times = world.either(10, 3);
    let whole = verify(world, out, genesis, times)?;
    let only = verify(world, &alone, genesis, times)?;
    let millis = Goal::AtMost(1_000.0);
    Ok(vec![
        Figure::new(format!("receipt of {tasks} tasks, 2of3"))
            .with("", size_bytes as f64, Unit::Bytes)
            .goal("", Goal::AtMost(4e6)),
        Figure::new(format!("`polity verify` offline, receipt of {tasks} tasks and its outputs"))
            .times(&whole)
            .goal("p50", millis)
            .note(format!("{times} times")),
        Figure::new(format!("`polity verify` offline, receipt of {tasks} tasks alone"))
            .times(&only)
            .goal("p50", millis)
            .note(format!("{times} times")),
    ])
}

/// Process start to exit.
fn verify(world: &World, dir: &Path, genesis: &Path, times: u64) -> anyhow::Result<Sample> {
    let mut taken = Vec::new();
    for _ in 0..times {
        let mut command = Command::new(&world.polity);
        command.arg("verify").arg(dir).arg("--genesis").arg(genesis);
        taken.push(process::run(&world.scratch, &mut command, LIMIT)?.took);
    }
    Sample::of_times(&taken)
}
