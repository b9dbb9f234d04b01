//! A directory of this machine, put into the store and spread over other nodes.

use super::{
    blocks::{self, Take},
    chores, send,
    tree::Tree,
};
use crate::{failure::Failure, out::Out, threads::Threads};
use api::{Chore, NodeApi};
use protocol::Durability;
use std::{path::Path, sync::Arc};

/// Puts what lies below a path, spreads it, and says its CID and what may be lost.
pub(crate) async fn spread(
    node: Arc<impl NodeApi>,
    path: &Path,
    durability: Durability,
    out: Out,
) -> Result<(), Failure> {
    let tree = Tree::list(path)?;
    let make = move |take: &Take<'_>| blocks::of_tree(&tree, &Threads::of_this_machine(), take);
    let (named, _) = send::produced(node.clone(), make).await?;
    let chore = Chore::Protect { root: named.cid, durability };
    let spread = chores::quiet(&*node, chore).await?;
    out.say(format!("{} is {}", path.display(), named.cid));
    out.say(chores::shown(&spread));
    chores::short_of(&spread, durability, named.cid).iter().for_each(|line| out.say(line));
    Ok(())
}
