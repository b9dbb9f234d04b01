//! `polity job cancel`: takes a job back.

use super::super::Context;
use crate::{connect, exit::Exit, failure::Failure, job::select, text};
use api::{JobState, NodeApi};
use protocol::TaskIndex;
use serde_json::json;

const AFTER: &str = "\
What is final stays final, and what was agreed on still goes to the ledger; all
other tasks end as cancelled. There is a receipt, as of every job.

Examples:
  polity job cancel last
  polity job cancel abcd1234";

/// `polity job cancel`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(in crate::commands) struct Args {
    /// The job: its id, the beginning or end of its id, or last
    #[arg(value_name = "ID|last")]
    job: String,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let job = select::job(&node, &args.job).await?;
    let short = text::short(job);
    let before = node.job(job, TaskIndex(0)).await?.summary;
    if before.state == JobState::Finished {
        return Err(Failure::new(Exit::Refused, format!("job {short} is finished already"))
            .next(format!("fetch its results with: polity job get {short}")));
    }
    node.cancel(job).await?;
    let whole = json!({ "job": job, "tasks": before.tasks, "agreed": before.agreed });
    context.out.data(&whole, String::new)?;
    let given_up = before.tasks.saturating_sub(before.agreed + before.unsettled);
    context.out.say(match given_up {
        0 => {
            format!("Job {short} is cancelled, but all its tasks are agreed on: they become final.")
        }
        _ => {
            let given_up = text::plural(given_up as usize, "task");
            format!("Job {short} is cancelled: {given_up} will not be agreed on.")
        }
    });
    Ok(Exit::Success)
}
