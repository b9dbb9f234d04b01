//! `polity vouch`: your word for an owner that somebody else invited.

use super::Context;
use crate::{connect, exit::Exit, failure::Failure};
use api::NodeApi;
use identity::PublicKey;
use std::collections::BTreeSet;

const AFTER: &str = "\
An owner that was invited counts as one with whoever invited it, until a second
owner vouches for it. Then both can run replicas of the same task. Vouch for
people whom you know to be somebody else; there is no way back.

Examples:
  polity node list                      owners, and whom they count as
  polity vouch 7hTqK2Lm";

const LIST: &str = "see which there are with: polity node list --json";

/// `polity vouch`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// The owner: its key, or the end of it
    #[arg(value_name = "OWNER")]
    owner: String,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let owner = select(&node, &args.owner).await?;
    let tx = node.second(owner).await?;
    let whole = serde_json::json!({ "owner": owner, "tx": tx });
    context.out.data(&whole, || tx.to_string())?;
    context.out.say(format!("…{} counts as its own owner from now on.", owner.short()));
    Ok(Exit::Success)
}

async fn select(node: &impl NodeApi, text: &str) -> Result<PublicKey, Failure> {
    if let Ok(owner) = text.parse() {
        return Ok(owner);
    }
    let nodes = node.nodes().await?;
    let owners: BTreeSet<_> = nodes.iter().map(|node| node.owner).collect();
    let mut found = owners.into_iter().filter(|owner| owner.to_string().ends_with(text));
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => {
            Err(Failure::usage(format!("several owners end in '{text}'")).next(LIST))
        }
        (None, _) => Err(Failure::usage(format!("no owner ends in '{text}'")).next(LIST)),
    }
}
