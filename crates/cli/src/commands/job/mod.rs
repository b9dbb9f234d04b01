//! `polity job …`: jobs of your node.

mod conclude;
mod describe;
mod explain;
mod get;
mod list;
mod logs;

pub(super) use conclude::conclude;

use super::Context;
use crate::{exit::Exit, failure::Failure};

/// `polity job`
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List jobs, latest first
    List,
    /// Say everything about a job: its tasks, where they run, why they wait
    Describe(describe::Args),
    /// Say in a sentence why a job, or a task of it, is where it is
    Explain(explain::Args),
    /// Print what tasks printed
    Logs(logs::Args),
    /// Fetch results and the receipt, waiting for them if need be
    Get(get::Args),
}

pub(super) async fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::List => list::run(context).await,
        Command::Describe(args) => describe::run(args, context).await,
        Command::Explain(args) => explain::run(args, context).await,
        Command::Logs(args) => logs::run(args, context).await,
        Command::Get(args) => get::run(args, context).await,
    }
}
