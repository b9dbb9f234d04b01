//! Peers of IPFS that a person names, and fetching from them into a node's store.

use super::chores;
use crate::{failure::Failure, out::Out};
use api::{Chore, NodeApi, PinMode};
use objects::Cid;

/// Whom the node asks first.
#[derive(Debug, clap::Args)]
pub(crate) struct Sources {
    /// Ask this peer of IPFS first; may be given several times
    #[arg(long = "from", value_name = "PEER")]
    pub(crate) peers: Vec<String>,
}

impl Sources {
    /// Tells the node about the peers, and answers whether it needs nobody: it has the root, and
    /// nobody was named.
    pub(crate) async fn begin(&self, node: &impl NodeApi, root: Cid) -> Result<bool, Failure> {
        if self.peers.is_empty() {
            return Ok(node.has(vec![root]).await? == [true]);
        }
        let (mode, from) = (PinMode::Direct, self.peers.clone());
        chores::quiet(node, Chore::Fetch { root, mode, from }).await?;
        Ok(false)
    }

    /// Has the node fetch all of something.
    pub(crate) async fn fetch(
        &self,
        node: &impl NodeApi,
        root: Cid,
        out: Out,
    ) -> Result<(), Failure> {
        let (mode, from) = (PinMode::Recursive, self.peers.clone());
        chores::watched(node, Chore::Fetch { root, mode, from }, out).await.map(drop)
    }
}
