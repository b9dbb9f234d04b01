//! The transactions: each of another owner than the one before, none like another.

use crate::polity::{Polity, now};
use anyhow::{Context, bail};
use bytes::Bytes;
use identity::{Digest, NetworkId, SecretKey, Signed, canonical};
use objects::{Cid, Codec};
use protocol::{
    Agreed, Agreements, Attempt, ChainRequest, CommitBatch, Commitment, Distinct, Genesis, Height,
    Job, Limits, Member, NodeRecord, OutcomeDigest, OwnerRecord, Placement, Reveal, RevealBatch,
    Roster, Salt, TaskIndex, Tx, Verification, beacon, commitment_of, draw, set_digest,
};
use std::{collections::BTreeMap, str::FromStr};

/// How long the jobs live.
const LIFETIME_MS: u64 = 3_600_000;

/// Which transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A sealed order: one signature.
    Order,
    /// What one executor gave for one task of an order: three signatures.
    Agree,
}

impl FromStr for Kind {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> anyhow::Result<Self> {
        match text {
            "order" => Ok(Self::Order),
            "agree" => Ok(Self::Agree),
            other => bail!("{other} is neither order nor agree"),
        }
    }
}

/// Whoever signs.
struct Signers {
    network: NetworkId,
    beacon: Digest,
    roster: Roster,
    owners: Vec<SecretKey>,
    /// By public key.
    nodes: BTreeMap<identity::PublicKey, SecretKey>,
    homes: Vec<identity::PublicKey>,
    run: Digest,
}

/// The requests that submit so many transactions, ready to be sent.
pub(crate) fn make(
    polity: &Polity,
    genesis: &Genesis,
    kind: Kind,
    count: usize,
) -> anyhow::Result<Vec<Bytes>> {
    let signers = Signers::new(polity, genesis)?;
    (0..count).map(|number| signers.request(kind, number)).collect()
}

/// The number that a transaction was made with.
pub(crate) fn number_of(tx: &Tx) -> Option<usize> {
    let order = match tx {
        Tx::Order(order) => order,
        Tx::Agree(agreements) => &agreements.order,
        _ => return None,
    };
    let bytes = order.payload.nonce.as_bytes().first_chunk::<8>()?;
    usize::try_from(u64::from_be_bytes(*bytes)).ok()
}

impl Signers {
    fn new(polity: &Polity, genesis: &Genesis) -> anyhow::Result<Self> {
        let mut roster = Roster::new(Distinct::Owners);
        for founder in &genesis.founders {
            let name = founder.payload.name.clone();
            let record =
                OwnerRecord { name, sponsor: None, seconds: Default::default(), barred: None };
            roster.set_owner(founder.by, record);
            let record = NodeRecord { owner: founder.by, since: Height(0) };
            roster.set_node(founder.payload.node, record);
        }
        let nodes: Vec<_> = (1..=polity.owners).map(|number| polity.node(number)).collect();
        Ok(Self {
            network: genesis.network(),
            beacon: beacon::of_genesis(genesis),
            roster,
            owners: (1..=polity.owners).map(|number| polity.owner(number)).collect(),
            homes: nodes.iter().map(SecretKey::public).collect(),
            nodes: nodes.into_iter().map(|key| (key.public(), key)).collect(),
            // The same polity may be loaded again.
            run: Digest::of("polity load", &[&now()?.0.to_be_bytes()]),
        })
    }

    fn request(&self, kind: Kind, number: usize) -> anyhow::Result<Bytes> {
        let order = self.order(kind, number)?;
        let tx = match kind {
            Kind::Order => Tx::Order(Box::new(order)),
            Kind::Agree => Tx::Agree(Box::new(self.agreements(order)?)),
        };
        Ok(canonical::encode(&ChainRequest::Submit(Box::new(tx))).into())
    }

    fn order(&self, kind: Kind, number: usize) -> anyhow::Result<Signed<Job>> {
        let at = number % self.owners.len();
        let mut nonce = self.run;
        nonce.0[..8].copy_from_slice(&u64::try_from(number)?.to_be_bytes());
        let issued = now()?;
        let job = Job {
            network: self.network,
            // The first ones run, and would look for what they are the home of.
            home: *self.homes.last().context("no owner")?,
            program: Cid::of(Codec::Raw, b"program"),
            table: Cid::of(Codec::DagCbor, b"table"),
            tasks: 1,
            engine: Digest([1; 32]),
            seed: Digest([2; 32]),
            limits: Limits::default(),
            placement: match kind {
                Kind::Order => Placement::Sealed,
                Kind::Agree => Placement::Fast,
            },
            verification: Verification::SINGLE,
            issued,
            expires: issued.after_ms(LIFETIME_MS),
            nonce,
            terms: protocol::Terms::default(),
        };
        Ok(Signed::new(job, self.network, &self.owners[at]))
    }

    /// The executor is whom the first beacon draws.
    fn agreements(&self, order: Signed<Job>) -> anyhow::Result<Agreements> {
        let (id, task, attempt) = (order.payload.id(), TaskIndex(0), Attempt(0));
        let drawn = draw::candidates(&self.beacon, &id, task, &self.roster);
        let node = drawn.first().context("nobody is drawn")?.node;
        let key = self.nodes.get(&node).context("a node without a key")?;
        let (salt, outcome) = (Salt([7; 16]), OutcomeDigest(order.payload.nonce));
        let hidden = commitment_of(&node, &salt, &outcome);
        let set = set_digest(&id, task, &[Member { node, attempt, hidden }]);
        let commit = Commitment { task, attempt, hidden };
        let reveal = Reveal { task, attempt, set, outcome, salt };
        Ok(Agreements {
            order,
            drawn: Height(0),
            commits: vec![CommitBatch::sign(id, vec![commit], self.network, key)],
            reveals: vec![RevealBatch::sign(id, vec![reveal], self.network, key)],
            tasks: vec![Agreed {
                task,
                outcome,
                sets: vec![vec![attempt]],
                skipped: Vec::new(),
                decided: false,
                first: None,
            }],
        })
    }
}
