//! Who is admitted: owners, their nodes, and which owners count as one.

use crate::{Distinct, Height, Time, pairs};
use identity::{Digest, PublicKey, canonical};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

/// What the ledger knows of an owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnerRecord {
    /// What it calls itself; no proof of anything.
    pub name: String,
    /// Who invited it; none for founders.
    pub sponsor: Option<PublicKey>,
    /// Owners other than the sponsor that vouched for it.
    pub seconds: BTreeSet<PublicKey>,
    /// Until when it is not drawn, while it is not (block time). The block that is not before that
    /// time takes it away.
    pub barred: Option<Time>,
}

/// What the ledger knows of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeRecord {
    /// Whose node it is.
    pub owner: PublicKey,
    /// The block that admitted it; 0 for founders.
    pub since: Height,
}

/// All admitted owners and nodes at some height.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    #[serde(with = "pairs")]
    owners: BTreeMap<PublicKey, OwnerRecord>,
    #[serde(with = "pairs")]
    nodes: BTreeMap<PublicKey, NodeRecord>,
    #[serde(default, skip_serializing_if = "Distinct::is_usual")]
    distinct: Distinct,
    #[serde(skip)]
    drawn: Drawn,
}

/// The parties that are drawn, with their nodes: found when first asked for, and again after a
/// change. It follows from the rest, so it is no part of what a roster is.
#[derive(Debug, Default)]
struct Drawn(OnceLock<BTreeMap<PublicKey, Vec<PublicKey>>>);

impl Clone for Drawn {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Drawn {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Drawn {}

impl Roster {
    /// Nobody yet.
    pub fn new(distinct: Distinct) -> Self {
        Self { distinct, ..Self::default() }
    }

    /// The record of an owner.
    pub fn owner(&self, owner: &PublicKey) -> Option<&OwnerRecord> {
        self.owners.get(owner)
    }

    /// The record of a node.
    pub fn node(&self, node: &PublicKey) -> Option<&NodeRecord> {
        self.nodes.get(node)
    }

    /// All owners.
    pub fn owners(&self) -> impl Iterator<Item = (&PublicKey, &OwnerRecord)> {
        self.owners.iter()
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = (&PublicKey, &NodeRecord)> {
        self.nodes.iter()
    }

    /// Adds or replaces an owner.
    pub fn set_owner(&mut self, owner: PublicKey, record: OwnerRecord) {
        self.drawn = Drawn::default();
        self.owners.insert(owner, record);
    }

    /// Adds a node.
    pub fn set_node(&mut self, node: PublicKey, record: NodeRecord) {
        self.drawn = Drawn::default();
        self.nodes.insert(node, record);
    }

    /// Adds a second owner's word for `owner`; false if there is no such owner.
    pub fn second(&mut self, owner: &PublicKey, by: PublicKey) -> bool {
        self.drawn = Drawn::default();
        self.owners.get_mut(owner).map(|record| record.seconds.insert(by)).is_some()
    }

    /// Whom an owner counts as: itself, or its sponsor's party until a second owner, which is not
    /// of the sponsor's party, vouched. Owners that one owner sponsored are one party.
    pub fn party(&self, owner: &PublicKey) -> PublicKey {
        let mut at = *owner;
        // Sponsors were admitted before those they sponsor, so this ends; the bound is a guard.
        for _ in 0..=self.owners.len() {
            match self.owners.get(&at) {
                Some(OwnerRecord { sponsor: Some(sponsor), seconds, .. }) if seconds.is_empty() => {
                    at = *sponsor;
                }
                _ => break,
            }
        }
        at
    }

    /// The party of a node's owner; where nodes are told apart, the node itself.
    pub fn party_of_node(&self, node: &PublicKey) -> Option<PublicKey> {
        let record = self.nodes.get(node)?;
        Some(match self.distinct {
            Distinct::Owners => self.party(&record.owner),
            Distinct::Nodes => *node,
        })
    }

    /// Parties that are not drawn, because an owner that counts to them is sanctioned. Else whoever
    /// is sanctioned could sponsor another owner and go on.
    pub fn barred_parties(&self) -> BTreeSet<PublicKey> {
        let is_barred = |record: &OwnerRecord| record.barred.is_some();
        match self.distinct {
            Distinct::Owners => {
                let barred = self.owners.iter().filter(|(_, record)| is_barred(record));
                barred.map(|(owner, _)| self.party(owner)).collect()
            }
            Distinct::Nodes => {
                let owner = |record: &NodeRecord| self.owners.get(&record.owner);
                let barred = self.nodes.iter().filter(|(_, r)| owner(r).is_some_and(is_barred));
                barred.map(|(node, _)| *node).collect()
            }
        }
    }

    /// Parties that are drawn, with their nodes.
    pub(crate) fn drawn_parties(&self) -> impl Iterator<Item = (&PublicKey, &Vec<PublicKey>)> {
        let find = || {
            let barred = self.barred_parties();
            let mut parties: BTreeMap<PublicKey, Vec<PublicKey>> = BTreeMap::new();
            for node in self.nodes.keys() {
                let Some(party) = self.party_of_node(node) else { continue };
                if !barred.contains(&party) {
                    parties.entry(party).or_default().push(*node);
                }
            }
            parties
        };
        self.drawn.0.get_or_init(find).iter()
    }

    /// Until when a party is not drawn: as long as one of its owners is barred.
    pub fn barred_until(&self, party: &PublicKey) -> Option<Time> {
        let theirs = self.owners.iter().filter(|(owner, _)| match self.distinct {
            Distinct::Owners => self.party(owner) == *party,
            Distinct::Nodes => self.nodes.get(party).is_some_and(|record| record.owner == **owner),
        });
        theirs.filter_map(|(_, record)| record.barred).max()
    }

    /// Bars an owner until a time, or not any more; false if there is no such owner.
    pub fn bar(&mut self, owner: &PublicKey, until: Option<Time>) -> bool {
        self.drawn = Drawn::default();
        self.owners.get_mut(owner).map(|record| record.barred = until).is_some()
    }

    /// How many different parties have a node that can be drawn.
    pub fn parties(&self) -> usize {
        let barred = self.barred_parties();
        let parties: BTreeSet<_> =
            self.nodes.keys().filter_map(|node| self.party_of_node(node)).collect();
        parties.difference(&barred).count()
    }

    /// A digest of everything above.
    pub fn root(&self) -> Digest {
        Digest::of("polity roster", &[&canonical::encode(self)])
    }
}
