//! `polity job …`: jobs of your node.

mod cancel;
mod conclude;
mod describe;
mod explain;
mod get;
pub(super) mod list;
mod logs;
mod pause;

pub(super) use conclude::{Whole, conclude};

use super::Context;
use crate::{exit::Exit, failure::Failure};

const AFTER: &str = "\
A job is named by its id, by the beginning or end of its id, or as 'last'.

Examples:
  polity job list
  polity job explain                     why the last job waits
  polity job logs last 17.csv --stderr   what one of its tasks printed
  polity job get 4fzxk2ua -o out/        results and receipt of another one";

/// `polity job`
#[derive(Debug, clap::Subcommand)]
#[command(after_help = AFTER)]
pub(super) enum Command {
    /// List jobs, latest first
    List,
    /// Show a job on a page: who, when, how far, and what is slow or failed
    Describe(describe::Args),
    /// Say in a sentence or two why a job, or a task of it, is where it is
    Explain(explain::Args),
    /// Print what tasks printed, as soon as it is agreed on
    Logs(logs::Args),
    /// Fetch results and receipt, waiting for them
    #[command(alias = "follow")]
    Get(get::Args),
    /// Give nobody new a task of a job, for a while
    Pause(pause::PauseArgs),
    /// Let a paused job go on
    Resume(pause::ResumeArgs),
    /// Take a job back: what is not agreed on ends as cancelled
    Cancel(cancel::Args),
}

pub(super) async fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::List => list::run(context).await,
        Command::Describe(args) => describe::run(args, context).await,
        Command::Explain(args) => explain::run(args, context).await,
        Command::Logs(args) => logs::run(args, context).await,
        Command::Get(args) => get::run(args, context).await,
        Command::Pause(args) => pause::pause(args, context).await,
        Command::Resume(args) => pause::resume(args, context).await,
        Command::Cancel(args) => cancel::run(args, context).await,
    }
}
