//! `polity storage`: what a node keeps, and the chores of its store.

mod pins;
mod status;
mod whereabouts;

use super::Context;
use crate::{connect, content::chores, exit::Exit, failure::Failure, text};
use api::Chore;
use objects::Cid;
use protocol::Durability;

const AFTER: &str = "\
Examples:
  polity storage status
  polity storage pins --label user
  polity storage gc --dry-run --grace 0s
  polity storage verify
  polity storage protect bafy… 4+2     any 4 of 6 nodes are enough
  polity storage where bafy…";

/// `polity storage …`
#[derive(Debug, clap::Subcommand)]
#[command(after_help = AFTER)]
pub(super) enum Command {
    /// Say how much there is, and how it is
    Status,
    /// List what is pinned, by whom, since when
    Pins(pins::Args),
    /// Read every block and check it
    #[command(alias = "scrub")]
    Verify,
    /// Give up what nobody pins and nothing needs
    Gc {
        /// Only say what would be given up
        #[arg(long)]
        dry_run: bool,
        /// Keep what was put so lately: 0s is nothing, a day is usual
        #[arg(long, value_name = "TIME", value_parser = grace)]
        grace: Option<u64>,
    },
    /// Fetch again from other nodes what is damaged
    Repair,
    /// Spread content over other nodes, so that it outlives some of them
    Protect {
        /// The content
        #[arg(value_name = "CID")]
        object: Cid,
        /// How: 4+2 is any 4 of 6 shards, x3 is three whole copies
        #[arg(value_name = "DURABILITY", default_value = "4+2")]
        durability: Durability,
    },
    /// Say which nodes hold the shards of content that was spread
    Where(whereabouts::Args),
}

pub(super) async fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    let spread = match &command {
        Command::Protect { object, durability } => Some((*durability, *object)),
        _ => None,
    };
    let chore = match command {
        Command::Status => return status::run(context).await,
        Command::Pins(args) => return pins::run(args, context).await,
        Command::Verify => Chore::Verify,
        Command::Gc { dry_run, grace } => Chore::Collect { dry_run, grace_ms: grace },
        Command::Repair => Chore::Repair,
        Command::Protect { object, durability } => Chore::Protect { root: object, durability },
        Command::Where(args) => return whereabouts::run(args, context).await,
    };
    let node = connect::node(&context.data()?)?;
    let report = chores::told(&node, chore, context.out).await?;
    let short = spread.and_then(|(wish, object)| chores::short_of(&report, wish, object));
    short.iter().for_each(|line| context.out.say(line));
    Ok(chores::exit(&report))
}

/// A duration in milliseconds, which may be none.
fn grace(text: &str) -> Result<u64, String> {
    match text {
        "0" | "0s" => Ok(0),
        text => text::duration(text).map(text::ms),
    }
}
