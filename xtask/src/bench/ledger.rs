//! Signed transactions through four validators, as a node submits them: many keys, over real
//! connections, until they are final.

use super::{
    figure::{Figure, Goal, Unit},
    process,
    society::Society,
    world::World,
};
use crate::steps::Steps;
use anyhow::{Context as _, ensure};
use serde::Deserialize;
use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// See `crates/node/examples/ledger_load`.
pub(crate) const EXAMPLE: (&str, &str) = ("node", "ledger_load");
const VALIDATORS: usize = 4;
/// How long one load may take.
const LIMIT_S: u64 = 120;
const FOUND: Duration = Duration::from_secs(60);
/// The goals.
const RATE: f64 = 8_000.0;
const FINALITY_MS: f64 = 500.0;
const GAP_MS: f64 = 2_000.0;

/// One load.
#[derive(Clone, Copy)]
struct Load {
    what: &'static str,
    kind: &'static str,
    owners: u32,
    /// In a second; 0 for as many as are taken.
    rate: u64,
    /// So many, or for so many seconds if there is a rate.
    amount: u64,
    /// Whether a validator dies on the way.
    kill: bool,
}

const LOADS: [Load; 6] = [
    Load { what: "flat out", kind: "order", owners: 100, rate: 0, amount: 80_000, kill: false },
    Load { what: "at the goal", kind: "order", owners: 100, rate: 8_000, amount: 10, kill: false },
    Load { what: "at an eighth", kind: "order", owners: 100, rate: 1_000, amount: 15, kill: false },
    Load { what: "flat out", kind: "order", owners: 1_000, rate: 0, amount: 40_000, kill: false },
    Load { what: "flat out", kind: "agree", owners: 100, rate: 0, amount: 20_000, kill: false },
    Load {
        what: "a validator killed",
        kind: "order",
        owners: 100,
        rate: 500,
        amount: 20,
        kill: true,
    },
];

/// What the example prints.
#[derive(Deserialize)]
struct Report {
    count: u64,
    size_bytes: f64,
    #[serde(rename = "final")]
    finals: u64,
    rate: f64,
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
    gap_ms: f64,
    blocks: u64,
    refused: u64,
}

/// The bench `ledger`.
pub(crate) fn run(world: &World, _steps: &Steps) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for load in LOADS {
        figures.push(measure(world, load)?);
    }
    Ok(figures)
}

/// Each load has a polity of its own: what an earlier one left would count.
fn measure(world: &World, load: Load) -> anyhow::Result<Figure> {
    let program = world.example(EXAMPLE.1)?;
    let dir = world.fresh("ledger")?;
    let (owners, validators) = (load.owners.to_string(), VALIDATORS.to_string());
    let mut found = Command::new(&program);
    found.arg("found").arg(&dir).args([&owners, &validators]);
    process::run(&world.scratch, &mut found, FOUND)?;
    let homes: Vec<_> = (1..=VALIDATORS).map(|n| dir.join(format!("owner-{n}"))).collect();
    let mut society = Society::up(world, &homes, dir.join("genesis.polity"))?;
    let amount = world.either(load.amount, (load.amount / 4).max(4));
    let count = if load.rate == 0 { amount } else { load.rate * amount };
    let mut command = Command::new(&program);
    command.arg("load").arg(&dir).args([&owners, &validators]).arg(load.kind);
    command.args([count, load.rate, LIMIT_S].map(|number| number.to_string()));
    let half = Duration::from_secs(amount / 2);
    let report = watch(&mut command, &world.scratch.join("stderr"), || {
        if load.kill {
            thread::sleep(half);
            society.nodes[VALIDATORS - 1].kill()?;
        }
        Ok(())
    })?;
    Ok(figure(load, &report))
}

fn figure(load: Load, report: &Report) -> Figure {
    let signatures = if load.kind == "order" { "orders" } else { "agreements (3 signatures)" };
    let bytes = report.size_bytes;
    let Load { what, owners, rate, .. } = load;
    let at = if rate == 0 { String::new() } else { format!(", {rate}/s asked") };
    let mut figure =
        Figure::new(format!("signed {signatures} of {bytes:.0} B, {owners} keys, {what}{at}"))
            .with("rate", report.rate, Unit::PerS);
    if let (Some(p50), Some(p95)) = (report.p50_ms, report.p95_ms) {
        figure = figure.with("finality p50", p50, Unit::Ms).with("p95", p95, Unit::Ms);
    }
    figure = figure
        .with("longest time without a block", report.gap_ms, Unit::Ms)
        .note(format!("{} in {} blocks", report.count, report.blocks));
    if report.finals < report.count {
        let lost = report.count - report.finals;
        figure = figure.note(format!("{lost} not final after {LIMIT_S} s"));
    }
    if report.refused > 0 {
        figure = figure.note(format!("{} times a pool was full", report.refused));
    }
    match (load.kill, rate) {
        (true, _) => figure.goal("longest time without a block", Goal::AtMost(GAP_MS)),
        (_, 0) => figure.goal("rate", Goal::AtLeast(RATE)),
        _ => figure.goal("p95", Goal::AtMost(FINALITY_MS)),
    }
}

/// Runs the example; `meanwhile` begins when its clock starts. It bounds itself.
fn watch(
    command: &mut Command,
    log: &Path,
    meanwhile: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Report> {
    let errors = std::fs::File::create(log)?;
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
    let mut next = || lines.next().transpose();
    let started = next()?;
    let done = match started.as_deref() {
        Some("started") => meanwhile().and_then(|()| Ok(next()?)),
        _ => Ok(None),
    };
    if done.is_err() {
        // It would go on for a while; what failed is said below.
        let _ended = child.kill();
    }
    let status = child.wait()?;
    let said = || std::fs::read_to_string(log).unwrap_or_else(|error| error.to_string());
    let report = done?.with_context(|| format!("{status}: {}", said()))?;
    ensure!(status.success(), "{status}: {}", said());
    serde_json::from_str(&report).context(report)
}
