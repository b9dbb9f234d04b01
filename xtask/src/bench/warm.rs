//! One trivial task at a time, from the start of the client's process to its end.

use super::{
    figure::{Figure, Goal},
    process, rivals,
    sample::Sample,
    society::Society,
    trivial,
    world::World,
};
use crate::steps::Steps;
use std::{path::Path, time::Duration};

/// How long one task may take.
const LIMIT: Duration = Duration::from_secs(120);

/// A way to wait, and its goals: what, arguments, p50 and p95 in milliseconds.
struct Way {
    what: &'static str,
    args: [&'static str; 4],
    p50: f64,
    p95: Option<f64>,
}

impl Way {
    /// A first outcome, which nothing was compared with, may have no files yet.
    fn has_no_files(&self) -> bool {
        self.args.contains(&"outcome")
    }
}

const WAYS: [Way; 4] = [
    Way {
        what: "warm run, single, to outcome",
        args: ["--verify", "single", "--wait", "outcome"],
        p50: 30.0,
        p95: Some(65.0),
    },
    Way {
        what: "warm run, single, to agreed",
        args: ["--verify", "single", "--wait", "agreed"],
        p50: 30.0,
        p95: Some(65.0),
    },
    Way {
        what: "warm run, 2of3, to agreed",
        args: ["--verify", "2of3", "--wait", "agreed"],
        p50: 60.0,
        p95: None,
    },
    Way {
        what: "warm run, 2of3, to final",
        args: ["--verify", "2of3", "--wait", "final"],
        p50: 150.0,
        p95: Some(400.0),
    },
];

/// The bench `warm`.
pub(crate) fn run(world: &World, steps: &Steps) -> anyhow::Result<Vec<Figure>> {
    let times = world.either(100, 20);
    let mut ours = Vec::new();
    let mut without = 0;
    {
        let society = Society::start(world, 5, 4)?;
        let program = trivial::program(&world.fresh("program")?)?;
        // Every node that may be drawn has compiled the program then.
        for _ in 0..15 {
            once(world, &society, &program, &WAYS[3])?;
        }
        for way in &WAYS {
            let mut taken = Vec::new();
            for _ in 0..times {
                let (took, written) = once(world, &society, &program, way)?;
                without += u64::from(!written);
                taken.push(took);
            }
            ours.push(Sample::of_times(&taken)?);
        }
    }
    let beside = rivals::single(world, steps, times)?;
    let figures = WAYS.iter().zip(&ours).map(|(way, sample)| {
        let mut figure = Figure::new(way.what).times(sample).goal("p50", Goal::AtMost(way.p50));
        if let Some(p95) = way.p95 {
            figure = figure.goal("p95", Goal::AtMost(p95));
        }
        figure = figure.note(format!("{times} times"));
        if way.has_no_files() && without > 0 {
            figure = figure.note("without the output on the client's disk");
        }
        beside.iter().fold(figure, Figure::beside)
    });
    Ok(figures.collect())
}

/// One task with an input of its own; what it gave is checked after the clock stopped. Tells
/// whether it was there.
fn once(
    world: &World,
    society: &Society,
    program: &Path,
    way: &Way,
) -> anyhow::Result<(Duration, bool)> {
    let numbers = world.numbers(1);
    let (inputs, out) = (world.fresh("in")?, world.absent("out"));
    trivial::inputs(&inputs, numbers.clone())?;
    let name = format!("{}.bin", numbers.start);
    let mut command = society.home().polity(&["run"]);
    command.arg(program).arg("--input").arg(inputs.join(&name)).args(["--arg", &name]);
    command.args(way.args).arg("-o").arg(&out);
    let ended = process::run(&world.scratch, &mut command, LIMIT)?;
    let written = !way.has_no_files() || out.join(&name).exists();
    if written {
        trivial::check(&out, numbers)?;
    }
    Ok((ended.took, written))
}
