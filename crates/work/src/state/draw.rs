//! What draws the executors of a job.

use super::Seat;
use identity::{Digest, PublicKey};
use protocol::{Height, Roster};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

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
    /// Those of them that could not be drawn, because their party was sanctioned then. None if all
    /// replicas are drawn: then it follows from the walk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) barred: Option<BTreeSet<Seat>>,
}

impl Draw {
    pub(crate) fn new(
        (height, beacon): (Height, Digest),
        (root, roster): (Digest, &Roster),
        scored: bool,
    ) -> Self {
        let nodes: Vec<_> = roster
            .nodes()
            .filter_map(|(node, _)| Some((*node, roster.party_of_node(node)?)))
            .collect();
        let parties = roster.barred_parties();
        let barred = (0..).map(Seat).zip(&nodes).filter(|(_, (_, party))| parties.contains(party));
        let barred = scored.then(|| barred.map(|(seat, _)| seat).collect());
        Self { height, beacon, roster: root, nodes, barred }
    }
}
