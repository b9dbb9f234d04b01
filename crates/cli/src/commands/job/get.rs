//! `polity job get`: results and receipt of a job, waiting for them if need be.

use super::{
    super::{Context, EXIT_CODES},
    conclude,
};
use crate::{
    connect,
    exit::Exit,
    failure::Failure,
    job::{
        course::Wait,
        fetch,
        follow::Patience,
        order,
        results::{self, Results},
        select,
    },
};
use api::NodeApi;
use protocol::TaskIndex;
use std::path::PathBuf;

/// `polity job get`
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(in crate::commands) struct Args {
    /// The job: its id, the end of its id, or last
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
    let detail = node.job(job, TaskIndex(0)).await?;
    let ordered = &detail.order.payload;
    let table = fetch::table(&node, ordered.table).await?;
    let dir = args.output.unwrap_or_else(|| results::usual_dir("job", &job));
    let results = Results::open(dir, &job, table, ordered.limits.output_bytes)?;
    let events = node.events(job).await?;
    let patience = Patience { wait: args.wait, timeout: None };
    conclude(&node, &genesis, job, events, &results, patience, context.out).await
}
