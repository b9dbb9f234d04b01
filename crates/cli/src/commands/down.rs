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
that needs it does. Your own node is stopped where it was started (Ctrl-C,
systemctl stop polity), or with --data and its directory.

Exit codes:
  0    it has stopped
  121  it has work that no other machine of yours goes on with, and --force was
       not given
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
    let (data, own) = match named.whose() {
        Whose::Own => (DataDir::embedded()?, Some(named)),
        _ => (named, None),
    };
    let Some(Run { process, .. }) = background::running(&data)?.map(|(_, run)| run) else {
        return Err(nothing_to_stop(&data, own.as_ref())?);
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
        let run = if jobs == 1 { "runs" } else { "run" };
        return Err(Failure::new(Exit::Refused, format!("{running} {run} on this node"))
            .next("see them with: polity job list; stop it all the same: polity down --force"));
    }
    background::stop(&process)?;
    let pid = process.pid;
    let whole = serde_json::json!({ "pid": pid, "data": data.root(), "jobs": jobs });
    context.out.data(&whole, String::new)?;
    context.out.say(format!("The node (pid {pid}) has stopped."));
    if jobs > 0 {
        let go = if jobs == 1 { "goes" } else { "go" };
        context.out.say(format!("{running} {go} on when it starts again."));
    }
    Ok(Exit::Success)
}

/// No such node runs. If a person's own one does, that is said.
fn nothing_to_stop(data: &DataDir, own: Option<&DataDir>) -> Result<Failure, Failure> {
    let none = Failure { next: None, ..connect::none(data) };
    let Some(own) = own else { return Ok(none) };
    let Some((_, Run { process, .. })) = background::running(own)? else { return Ok(none) };
    let (dir, pid) = (own.root().display(), process.pid);
    let said = format!("{none}; your own node, in {dir}, runs (pid {pid})");
    Ok(Failure::new(none.exit, said).next(format!(
        "stop that one where it was started (Ctrl-C, systemctl stop polity), or with: polity down \
         --data {dir}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_own_node_that_runs_is_named_with_the_way_to_stop_it() {
        let dir = tempfile::tempdir().unwrap();
        let background = DataDir::at(dir.path().join("background"));
        let own = DataDir::at(dir.path().join("own"));
        own.create().unwrap();
        let none = nothing_to_stop(&background, Some(&own)).unwrap();
        assert_eq!(none.message, connect::none(&background).message);
        assert_eq!(none.next, None, "who stops a node does not start one");

        // As if this process were that node.
        own.set_api("127.0.0.1:1".parse().unwrap(), "token").unwrap();
        let runs = nothing_to_stop(&background, Some(&own)).unwrap();
        assert_eq!(runs.exit, Exit::NoNode);
        assert!(runs.message.contains(&format!("runs (pid {})", std::process::id())));
        let next = runs.next.unwrap();
        assert!(next.ends_with(&format!("polity down --data {}", own.root().display())), "{next}");
    }
}
