//! `polity key …`: your keys.

pub(super) mod reach;
mod show;

use super::Context;
use crate::{exit::Exit, failure::Failure};

const AFTER: &str = "\
Examples:
  polity key show
  polity key show --name 'Lab A' --listen 4870";

/// `polity key`
#[derive(Debug, clap::Subcommand)]
#[command(after_help = AFTER)]
pub(super) enum Command {
    /// Print your keys, and the line that founding takes
    Show(show::Args),
}

pub(super) fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::Show(args) => show::run(args, context),
    }
}
