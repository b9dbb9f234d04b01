//! `polity pin` and `polity unpin`: what a node keeps for its owner.

use super::Context;
use crate::{
    connect,
    content::{ahead::Ahead, chores, place::Place, sources::Sources},
    exit::Exit,
    failure::Failure,
};
use api::{Chore, PinMode, StorageApi, USER_LABEL};
use std::sync::Arc;

const AFTER: &str = "\
What is missing is fetched from other nodes first. A pin stays until 'polity
unpin'; 'polity storage pins' lists them. What nobody pins and nothing needs is
given up by 'polity storage gc'.

Examples:
  polity pin bafy… --name first
  polity pin bafy…/data
  polity pin bafy… --from /ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…";

/// `polity pin`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct PinArgs {
    /// What: a CID, or a path below one
    #[arg(value_name = "CID[/PATH]")]
    place: Place,
    /// A name for people
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Only the block itself, without what is below it
    #[arg(long)]
    direct: bool,
    #[command(flatten)]
    from: Sources,
}

const AFTER_UNPIN: &str = "\
It stays until garbage is collected: see 'polity storage gc --dry-run'.

Examples:
  polity unpin bafy…";

/// `polity unpin`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_UNPIN)]
pub(super) struct UnpinArgs {
    /// What: a CID, or a path below one
    #[arg(value_name = "CID[/PATH]")]
    place: Place,
}

pub(super) async fn pin(args: PinArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = Arc::new(connect::node(&context.data()?)?);
    args.from.begin(&*node, args.place.root).await?;
    let root = args.place.resolve(&mut Ahead::new(node.clone())).await?.cid;
    let mode = if args.direct { PinMode::Direct } else { PinMode::Recursive };
    let pin = Chore::Pin { root, mode, name: args.name, from: args.from.peers };
    chores::told(&*node, pin, context.out).await?;
    Ok(Exit::Success)
}

pub(super) async fn unpin(args: UnpinArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = Arc::new(connect::node(&context.data()?)?);
    let root = match args.place.path.is_empty() {
        // It need not be here.
        true => args.place.root,
        false => args.place.resolve(&mut Ahead::new(node.clone())).await?.cid,
    };
    node.unpin(USER_LABEL.into(), root).await?;
    context.out.data(&root, || root.to_string())?;
    Ok(Exit::Success)
}
