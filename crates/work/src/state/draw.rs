//! What draws the executors of a job.

use identity::{Digest, PublicKey};
use protocol::{Height, Roster};
use serde::{Deserialize, Serialize};

/// A beacon, and those among whom it draws.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draw {
    /// The block of the beacon.
    pub(crate) height: Height,
    pub(crate) beacon: Digest,
    /// Root of the roster.
    pub(crate) roster: Digest,
    /// Node and party of every seat, sorted.
    pub(crate) nodes: Vec<(PublicKey, PublicKey)>,
}

impl Draw {
    pub(crate) fn new(
        (height, beacon): (Height, Digest),
        (root, roster): (Digest, &Roster),
    ) -> Self {
        let nodes =
            roster.nodes().filter_map(|(node, _)| Some((*node, roster.party_of_node(node)?)));
        Self { height, beacon, roster: root, nodes: nodes.collect() }
    }
}
