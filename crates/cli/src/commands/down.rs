//! `polity down`: stops the node in the background, or the one of `--data`; never another one.

use super::Context;
use crate::{
    background, connect,
    data::{DataDir, Run, Whose},
    exit::Exit,
    failure::Failure,
    text,
};

const AFTER: &str = "\
Nothing is lost: jobs go on when the node starts again, which the next command
that needs it does.

Exit codes:
  0    it has stopped
  121  it has work, and --force was not given
  122  no such node runs

Examples:
  polity down
  polity down --force
  polity down --data /srv/polity";

/// `polity down`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// Even if jobs run
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    // A person's own node is stopped where it was started, or by its name.
    let named = context.own_data()?;
    let data = if named.whose() == Whose::Own { DataDir::embedded()? } else { named };
    let Some(Run { process, .. }) = background::running(&data)?.map(|(_, run)| run) else {
        return Err(connect::none(&data));
    };
    let jobs = match background::jobs_running(&data).await {
        Ok(jobs) => jobs,
        // One that does not answer is stopped only if that is said.
        Err(failure) if !args.force => {
            return Err(failure.next("to stop it all the same: polity down --force"));
        }
        Err(_) => 0,
    };
    let running = text::plural(jobs, "job");
    if jobs > 0 && !args.force {
        return Err(Failure::new(Exit::Refused, format!("{running} run on this node"))
            .next("see them with: polity job list; stop it all the same: polity down --force"));
    }
    background::stop(&process)?;
    let pid = process.pid;
    let whole = serde_json::json!({ "pid": pid, "data": data.root(), "jobs": jobs });
    context.out.data(&whole, String::new)?;
    context.out.say(format!("The node (pid {pid}) has stopped."));
    if jobs > 0 {
        context.out.say(format!("{running} go on when it starts again."));
    }
    Ok(Exit::Success)
}
