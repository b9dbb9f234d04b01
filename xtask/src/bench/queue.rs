//! What the queue costs by itself: the mind of a home, without disk and network.

use super::{
    figure::{Figure, Goal, Unit},
    process,
    sample::Sample,
    world::World,
};
use crate::steps::Steps;
use anyhow::{Context as _, ensure};
use serde::Deserialize;
use std::{process::Command, time::Duration};

/// The example of `work` that does it.
pub(crate) const EXAMPLE: (&str, &str) = ("work", "queue_bench");
const LIMIT: Duration = Duration::from_secs(300);

/// What the example prints.
#[derive(Deserialize)]
struct Report {
    what: String,
    ms: Vec<f64>,
    mib: f64,
}

/// The bench `queue`.
pub(crate) fn run(world: &World, _steps: &Steps) -> anyhow::Result<Vec<Figure>> {
    let mut command = Command::new(world.example(EXAMPLE.1)?);
    let said = process::run(&world.scratch, &mut command, LIMIT)?.stdout;
    let reports = serde_json::Deserializer::from_str(&said).into_iter::<Report>();
    let reports: Vec<_> = reports.collect::<Result<_, _>>().context("queue_bench")?;
    ensure!(reports.len() == 3, "queue_bench measures three things, not {}", reports.len());
    reports.iter().map(figure).collect()
}

fn figure(report: &Report) -> anyhow::Result<Figure> {
    let sample = Sample::new(report.ms.clone())?;
    let times = report.ms.len();
    if report.what == "admission" {
        let each = report.mib * f64::from(1 << 20) / times as f64;
        return Ok(Figure::new("a job of 1,000,000 tasks is taken, with 1,000 nodes")
            .with("longest", sample.percentile(100), Unit::Ms)
            .goal("longest", Goal::AtMost(1_000.0))
            .with("memory", each, Unit::Memory)
            .goal("memory", Goal::AtMost(f64::from(50 << 20)))
            .note(format!("{times} times")));
    }
    let what = format!("decision, 1,000 nodes, 100,000 tasks that wait, {}", report.what);
    Ok(Figure::new(what)
        .with("p50", sample.median(), Unit::Ms)
        .with("p99", sample.percentile(99), Unit::Ms)
        .goal("p99", Goal::AtMost(1.0))
        .note(format!("{times} times")))
}
