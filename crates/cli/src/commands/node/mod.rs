//! `polity node …`: nodes of the polity.

mod describe;
pub(super) mod list;

use super::Context;
use crate::{exit::Exit, failure::Failure};

const AFTER: &str = "\
Examples:
  polity node list                       who is there, and who is not drawn
  polity node describe                   your own node
  polity node describe 7hTqK2Lm          another one, by the end of its key";

/// `polity node`
#[derive(Debug, clap::Subcommand)]
#[command(after_help = AFTER)]
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
