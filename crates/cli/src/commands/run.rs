//! `polity run`: a program, once or for each file.

use super::{Context, EXIT_CODES, block_on, job::conclude};
use crate::{
    connect,
    data::DataDir,
    exit::Exit,
    failure::Failure,
    job::{
        course::Wait,
        follow::Patience,
        inputs, order,
        order::{Home, Plan},
        results::{self, Results},
        upload,
    },
    launch::Launch,
    out::Out,
    text,
};
use api::{NodeApi, Submission};
use objects::CHUNK_BYTES;
use protocol::{Limits, Placement, Verification};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// `polity run`
#[derive(Debug, clap::Args)]
#[command(after_help = after())]
pub(super) struct Args {
    /// A WASI command: a module (preview 1) or a component (0.2). It sees /in (read-only) and
    /// /out, nothing else
    #[arg(value_name = "PROGRAM.wasm")]
    program: PathBuf,
    /// One task for each file that matches; {} in an argument is the file's name
    #[arg(long, value_name = "GLOB", num_args = 1.., conflicts_with = "input")]
    each: Vec<String>,
    /// Files for one task; - is stdin
    #[arg(long, value_name = "FILE", num_args = 1..)]
    input: Vec<PathBuf>,
    /// An argument of the program
    #[arg(long = "arg", value_name = "A", allow_hyphen_values = true)]
    args: Vec<String>,
    /// How many must agree: single, 2of3, … Usually 2of3 if three owners are there
    #[arg(long, value_name = "single|KofN")]
    verify: Option<Verification>,
    /// How nodes are drawn: fast, or sealed, one more block with nothing to grind
    #[arg(long, value_name = "fast|sealed", default_value_t = Placement::Fast)]
    placement: Placement,
    /// Where results go; empty or new. Usually a new directory here
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// How far to wait
    #[arg(long, value_enum, default_value_t = Wait::Final)]
    wait: Wait,
    /// When the job expires: 90s, 10m, 2h. Usually a day
    #[arg(long, value_name = "T", value_parser = text::duration)]
    timeout: Option<Duration>,
    /// Work that one task may do: about one unit for each instruction
    #[arg(long, value_name = "N", value_parser = text::count)]
    fuel: Option<u64>,
    /// Memory that one task may use: 64M, 2G
    #[arg(long, value_name = "M", value_parser = text::bytes)]
    memory: Option<u64>,
    /// How long one task may take on a node, before it is tried elsewhere: 30s, 10m. Usually 10m
    #[arg(long, value_name = "T", value_parser = text::duration)]
    wall: Option<Duration>,
    /// Check everything and order nothing
    #[arg(long)]
    dry_run: bool,
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

Ctrl-C leaves the job running.

{EXIT_CODES}

Examples:
  polity run sweep.wasm --each 'data/*.csv' -o out/
  polity run fit.wasm --input a.csv b.csv --arg --seed=7 --verify 3of5
  polity run fit.wasm --each 'data/*.csv' --dry-run"
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
        Self {
            program,
            each,
            input: Vec::new(),
            args: Vec::new(),
            verify: Some(verify),
            placement: Placement::Fast,
            output: Some(output),
            wait: Wait::Final,
            timeout: None,
            fuel: None,
            memory: None,
            wall: None,
            dry_run: false,
        }
    }

    /// Where the program is.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    fn limits(&self) -> Limits {
        let usual = Limits::default();
        Limits {
            fuel: self.fuel.unwrap_or(usual.fuel),
            memory_bytes: self.memory.unwrap_or(usual.memory_bytes),
            wall_ms: self.wall.map_or(usual.wall_ms, text::ms),
            ..usual
        }
    }
}

pub(super) fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let plan = check(&args, context.launch)?;
    block_on(order(args, plan, &context.data()?, context.out))
}

/// Everything that can be checked without a node.
pub(super) fn check(args: &Args, launch: &dyn Launch) -> Result<Plan, Failure> {
    let program = order::read_program(&args.program)?;
    launch.inspect(&program).map_err(|reason| {
        Failure::usage(format!("{}: {reason}", args.program.display()))
            .next("programs are WASI commands: rustc --target wasm32-wasip1, or wasm32-wasip2")
    })?;
    let drafts = if args.each.is_empty() {
        vec![inputs::single(&args.input)?]
    } else {
        inputs::sweep(&args.each)?
    };
    if let Some(dir) = &args.output {
        results::check_empty(dir)?;
    }
    Plan::of(program, args.args.clone(), drafts, args.limits())
}

/// Orders and waits.
pub(super) async fn order(
    args: Args,
    plan: Plan,
    data: &DataDir,
    out: Out,
) -> Result<Exit, Failure> {
    let node = connect::node(data)?;
    let home = Home::of(data, node.status().await?)?;
    let (verification, how) = order::verification(args.verify, home.status.parties, home.status.distinct)?;
    out.say(format!(
        "{}, {}, verification {how}, placement {}",
        text::plural(plan.table.tasks.len(), "task"),
        text::size(plan.size_bytes()),
        args.placement,
    ));
    let order = plan.sign(&home, verification, args.placement, args.timeout)?;
    let job = order.payload.id();
    let missing = upload::missing(&plan, &node).await?;
    if args.dry_run {
        return describe(&plan, verification, args.placement, missing.len(), out);
    }
    let program = stem(&args.program);
    let dir = args.output.unwrap_or_else(|| results::usual_dir(&program, &job));
    let results = Results::open(dir, &job, plan.table.clone(), plan.limits.output_bytes)?;
    let submission = Submission { order, after: Vec::new(), blobs: upload::blobs(plan, missing) };
    let events = match node.submit(submission).await {
        Ok(events) => events,
        Err(error) => {
            results.abandon();
            return Err(error.into());
        }
    };
    out.say(format!("job {job}"));
    let patience = Patience { wait: args.wait, timeout: args.timeout };
    conclude(&node, &home.genesis, job, events, &results, patience, out).await
}

fn describe(
    plan: &Plan,
    verification: Verification,
    placement: Placement,
    missing: usize,
    out: Out,
) -> Result<Exit, Failure> {
    let tasks: Vec<_> = plan
        .table
        .tasks
        .iter()
        .map(|task| serde_json::json!({ "name": task.name, "args": plan.table.args_of(task) }))
        .collect();
    let whole = serde_json::json!({
        "program": plan.program,
        "table": plan.table_block.cid,
        "verification": verification.to_string(),
        "placement": placement,
        "limits": plan.limits,
        "tasks": tasks,
        "blocks_to_send": missing,
    });
    out.data(&whole, || plan.table.tasks.iter().map(|task| format!("{}\n", task.name)).collect())?;
    let most = text::size((missing * CHUNK_BYTES) as u64);
    out.say(format!("{} to send, {most} at most", text::plural(missing, "block")));
    out.say("Nothing was ordered: this was a dry run.");
    Ok(Exit::Success)
}

/// A short plain name of a program, for a directory.
fn stem(program: &Path) -> String {
    let stem = program.file_stem().unwrap_or_default().to_string_lossy();
    let plain: String =
        stem.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    if plain.is_empty() { "job".into() } else { plain }
}
