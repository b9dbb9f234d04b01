//! `polity vouch`: your word for an owner that somebody else invited.

use super::Context;
use crate::{
    connect,
    exit::Exit,
    failure::Failure,
    pick::{Kind, pick},
};
use api::NodeApi;
use identity::PublicKey;

const AFTER: &str = "\
An owner that was invited counts as one with whoever invited it, until a second
owner vouches for it. Then both can run replicas of the same task. Vouch for
people whom you know to be somebody else; there is no way back.

Examples:
  polity node list                      owners, and whom they count as
  polity vouch 7hTqK2Lm";

/// `polity vouch`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// The owner: its key, or the beginning or end of it
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
    const OWNERS: Kind = Kind { one: "owner", several: "owners", list: "polity node list --json" };
    if let Ok(owner) = text.parse() {
        return Ok(owner);
    }
    pick(text, &OWNERS, node.nodes().await?.into_iter().map(|node| node.owner))
}
