//! `polity cluster add`: the line that one more machine of yours joins with.

use super::super::{Context, invite};
use crate::{exit::Exit, failure::Failure, text};
use std::time::Duration;

const AFTER: &str = "\
The line is a secret: whoever has it can join, once, until it expires.

Examples:
  polity cluster add --lifetime 1h | ssh box polity up --join -";

/// `polity cluster add`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(in crate::commands) struct Args {
    /// How long the line is good
    #[arg(long, value_name = "T", default_value = "1d", value_parser = text::duration)]
    lifetime: Duration,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    invite::run(invite::Args::mine(args.lifetime), context).await
}
