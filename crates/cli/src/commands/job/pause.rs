//! `polity job pause` and `polity job resume`: nobody new is given a task of a job for a while.

use super::super::Context;
use crate::{connect, exit::Exit, failure::Failure, job::select, text};
use api::{JobState, JobSummary, NodeApi};
use protocol::{JobId, TaskIndex};
use serde_json::json;

const AFTER_PAUSE: &str = "\
What runs goes on, and is agreed on; nobody new is given a task. The order's
expiry counts all the while. It goes on with: polity job resume

Examples:
  polity job pause last
  polity job pause abcd1234";

const AFTER_RESUME: &str = "\
Examples:
  polity job resume last
  polity job resume abcd1234";

/// `polity job pause`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_PAUSE)]
pub(in crate::commands) struct PauseArgs {
    /// The job: its id, the beginning or end of its id, or last
    #[arg(value_name = "ID|last")]
    job: String,
}

/// `polity job resume`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_RESUME)]
pub(in crate::commands) struct ResumeArgs {
    /// The job: its id, the beginning or end of its id, or last
    #[arg(value_name = "ID|last")]
    job: String,
}

pub(super) async fn pause(args: PauseArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let (job, before) = switch(&args.job, true, context).await?;
    let short = text::short(job);
    let left = before.tasks.saturating_sub(before.agreed + before.unsettled + before.running);
    let left = text::plural(left as usize, "task");
    context.out.say(format!("Job {short} is paused: {left} wait. Go on with:"));
    context.out.say(format!("  polity job resume {short}"));
    Ok(Exit::Success)
}

pub(super) async fn resume(args: ResumeArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let (job, before) = switch(&args.job, false, context).await?;
    let said = if before.paused { "goes on" } else { "was not paused" };
    context.out.say(format!("Job {} {said}.", text::short(job)));
    Ok(Exit::Success)
}

/// Pauses a job or lets it go on. Gives what it was before.
async fn switch(
    text: &str,
    on: bool,
    context: &Context<'_>,
) -> Result<(JobId, JobSummary), Failure> {
    let node = connect::node(&context.data()?)?;
    let job = select::job(&node, text).await?;
    let before = node.job(job, TaskIndex(u32::MAX)).await?.summary;
    let short = text::short(job);
    if before.state == JobState::Finished {
        return Err(Failure::new(Exit::Refused, format!("job {short} is finished already"))
            .next(format!("fetch its results with: polity job get {short}")));
    }
    node.pause(job, on).await?;
    context.out.data(&json!({ "job": job, "paused": on }), String::new)?;
    Ok((job, before))
}
