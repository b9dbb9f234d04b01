//! `polity job get`: results and receipt of a job, waiting for them if need be.

use super::{
    super::{Context, EXIT_CODES},
    Whole, conclude,
};
use crate::{
    connect,
    exit::Exit,
    failure::Failure,
    job::{
        course::Wait,
        fetch,
        follow::{Followed, Patience},
        known,
        manifest::Manifest,
        order,
        results::{self, Results},
        select,
    },
    verify::Pins,
};
use api::NodeApi;
use protocol::{Placement, TaskIndex};
use std::path::PathBuf;

/// `polity job get`
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(in crate::commands) struct Args {
    /// The job: its id, the beginning or end of its id, or last
    #[arg(value_name = "ID|last", default_value = "last")]
    job: String,
    /// Where results go: empty, new, or where this job's results are already
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// How far to wait
    #[arg(long, value_enum, default_value_t = Wait::Final)]
    wait: Wait,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let data = context.data()?;
    let node = connect::node(&data)?;
    let genesis = order::pinned(&data, &node.status().await?)?;
    let job = select::job(&node, &args.job).await?;
    // No tasks are wanted: there are none from here on.
    let detail = node.job(job, TaskIndex(u32::MAX)).await?;
    let ordered = &detail.order.payload;
    let table = fetch::table(&node, ordered.table).await?;
    let dir = args.output.unwrap_or_else(|| results::usual_dir("job", job));
    let run = order::run_of(&ordered.program, &ordered.table, &ordered.seed);
    let alone = Manifest { run, tasks: table.len(), known: Vec::new() };
    let results = Results::of_job(dir, &job, alone, ordered.limits.output_bytes)?;
    let known = known::kept(&results, &Pins::one(genesis.network(), "data directory"))?;
    let events = node.events(job).await?;
    let sealed = ordered.placement == Placement::Sealed;
    let all = table.clone();
    let followed = Followed { job, table, sealed, events };
    let whole = Whole {
        table: &all,
        known,
        receipt: None,
        shows: None,
        results: &results,
        collect: &[],
        header: false,
        quiet: false,
    };
    let patience = Patience { wait: args.wait, timeout: None };
    conclude(&node, &genesis, whole, Some(followed), patience, context.out).await
}
