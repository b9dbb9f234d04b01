//! `polity cluster add`: the line that one more machine of yours joins with.

use super::super::{Context, invite};
use crate::{connect, exit::Exit, failure::Failure, text};
use api::{ClusterApi, ClusterChange};
use identity::PublicKey;
use std::time::Duration;

const AFTER: &str = "\
The line is a secret: whoever has it can join, once, until it expires.

Examples:
  polity cluster add --lifetime 1h | ssh box polity up --join -
  polity cluster add z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";

/// `polity cluster add`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(in crate::commands) struct Args {
    /// A machine that was removed: it may join again, with an empty directory
    #[arg(value_name = "KEY")]
    node: Option<PublicKey>,
    /// How long the line is good
    #[arg(long, value_name = "T", default_value = "1d", value_parser = text::duration)]
    lifetime: Duration,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    if let Some(node) = args.node {
        connect::node(&context.data()?)?.manage(ClusterChange::LetIn { node }).await?;
    }
    invite::run(invite::Args::mine(args.lifetime), context).await
}
