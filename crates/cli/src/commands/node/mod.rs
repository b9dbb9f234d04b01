//! `polity node …`: nodes of the polity.

mod describe;
mod list;

use super::Context;
use crate::{exit::Exit, failure::Failure};

/// `polity node`
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List every admitted node
    List,
    /// Say everything about your node, or what it knows of another one
    Describe(describe::Args),
}

pub(super) async fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::List => list::run(context).await,
        Command::Describe(args) => describe::run(args, context).await,
    }
}
