//! `polity run`: a program, once, for each file, or for each combination of parameters.

use super::{
    Context, EXIT_CODES, block_on,
    ordering::{Source, Wish, order},
    wishes::{Place, Tasks, Terms, Wishes},
};
use crate::{
    data::DataDir,
    exit::Exit,
    failure::Failure,
    job::{
        order::{self, Plan},
        results,
    },
    launch::Launch,
    out::Out,
};
use protocol::{Limits, Verification};
use std::path::{Path, PathBuf};

/// `polity run`
#[derive(Debug, clap::Args)]
#[command(after_help = after())]
pub(super) struct Args {
    #[command(flatten)]
    wishes: Wishes,
    #[command(flatten)]
    ways: Ways,
}

#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "This time")]
struct Ways {
    /// Run everything, also what is known already or runs already
    #[arg(long)]
    fresh: bool,
    /// Check everything and order nothing
    #[arg(long)]
    dry_run: bool,
    /// Write the job file that this command line amounts to, and go on
    #[arg(long, value_name = "JOB.toml")]
    save: Option<PathBuf>,
}

fn after() -> String {
    format!(
        "\
Results are written as they become final:
  DIR/PATH           what a single task wrote to /out/PATH
  DIR/TASK           of a sweep, if the task wrote one file named as itself
  DIR/TASK/PATH      of a sweep, everything else
  DIR/.polity        what tasks printed: stdout/TASK and stderr/TASK
  DIR/receipt.polity the proof; check it with: polity verify DIR

What is known already, of the same program, input, seed, limits and engine, is
not computed again: its receipt is fetched and checked. A job that was ordered
before and still runs is followed. --fresh runs all.

Ctrl-C leaves the job running; the same command follows it again.

{EXIT_CODES}

Examples:
  polity run sweep.wasm --each 'data/*.csv' -o out/
  polity run fit.wasm --each 'data/*.csv' --arg /in/{{}} --collect all.csv
  find data -name '*.csv' -print0 | polity run fit.wasm --each - --null
  polity run sim.wasm --param x=1..10,y=a,b --arg=--x={{x}} --arg=--y={{y}}
  polity run sim.wasm --param-file cases.csv --collect all.csv=result.csv \\
    --collect-header
  polity run roll.wasm --array 20 --seed mine
  polity run fit.wasm --input a.csv b.csv --arg --seed=7 --verify 3of5
  polity run fit.wasm --each 'data/*.csv' --save fit.toml --dry-run
  polity run fit.toml --fuel 5G --after last
  polity run sim.wasm --array 5000 --priority low --deadline 12h
  polity run train.wasm --gpus 1 --label zone=north --class internal"
    )
}

impl Args {
    /// A sweep as the demo runs it.
    pub(super) fn sweep(
        program: PathBuf,
        each: Vec<String>,
        verify: Verification,
        output: PathBuf,
    ) -> Self {
        let tasks = Tasks { each, ..Tasks::default() };
        let terms = Terms { verify: Some(verify), ..Terms::default() };
        let place = Place { output: Some(output), ..Place::default() };
        Self { wishes: Wishes { program, tasks, terms, place }, ways: Ways::default() }
    }

    /// Where the program is.
    pub(super) fn program(&self) -> &Path {
        &self.wishes.program
    }
}

pub(super) fn run(mut args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    args.wishes = args.wishes.resolved()?;
    let plan = check(&args, context.launch)?;
    if let Some(path) = &args.ways.save {
        args.wishes.save(path)?;
        context.out.say(format!("Written: {}", path.display()));
    }
    if context.out.json && args.wishes.place.collect.iter().any(|one| one.file().is_none()) {
        return Err(Failure::usage("--collect - and --json both want stdout"));
    }
    for name in plan.table.not_filled() {
        context.out.say(format!("{{{name}}} stays as it is: no parameter is called {name}"));
    }
    block_on(give(args, plan, &context.data()?, context.out))
}

/// Everything that can be checked without a node.
pub(super) fn check(args: &Args, launch: &dyn Launch) -> Result<Plan, Failure> {
    let Wishes { program: path, tasks, terms, place } = &args.wishes;
    let program = order::read_program(path)?;
    launch.inspect(&program).map_err(|reason| {
        Failure::usage(format!("{}: {reason}", path.display()))
            .next("programs are WASI commands: rustc --target wasm32-wasip1, or wasm32-wasip2")
    })?;
    place.collect.iter().try_for_each(|collect| collect.check(place.output.as_deref()))?;
    let mut tasks = tasks.clone();
    let inputs = tasks.inputs()?;
    let limits = terms.limits(Limits::default());
    let seed = order::seed(tasks.seed.as_deref());
    let plan = Plan::of(program, tasks.args, inputs, limits, seed)?;
    if let Some(dir) = &place.output {
        results::check(dir, &plan.run())?;
    }
    Ok(plan)
}

/// Orders what is not known, and waits.
pub(super) async fn give(
    args: Args,
    plan: Plan,
    data: &DataDir,
    out: Out,
) -> Result<Exit, Failure> {
    let Args { wishes: Wishes { program, terms, place, .. }, ways } = args;
    let source = if ways.fresh { Source::Fresh } else { Source::Known };
    let called = stem(&program);
    order(Wish { plan, terms, place, called, source, dry_run: ways.dry_run }, data, out).await
}

/// A short plain name of a program, for a directory.
fn stem(program: &Path) -> String {
    let stem = program.file_stem().unwrap_or_default().to_string_lossy();
    let plain: String =
        stem.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    if plain.is_empty() { "job".into() } else { plain }
}
