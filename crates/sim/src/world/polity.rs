//! The owners, nodes and genesis of a simulated polity.

use super::{Plan, truth};
use identity::{Digest, NetworkId, PublicKey, SecretKey, Signed};
use objects::{Cid, Codec};
use protocol::{Founder, Genesis, Job, Limits, Params, Placement, TaskSpec, TaskTable, Time};

/// How long the results of a job count.
pub(super) const LIFETIME_MS: u64 = 600_000;

/// Keys and genesis. Node `i` belongs to owner `i`.
#[derive(Debug)]
pub struct Polity {
    /// The founding document.
    pub genesis: Genesis,
    /// Secret keys of the owners.
    pub owners: Vec<SecretKey>,
    /// Secret keys of their nodes.
    pub nodes: Vec<SecretKey>,
}

impl Polity {
    /// Founds a polity of so many owners with one node each, the first of which validate.
    ///
    /// # Panics
    /// If that is no genesis: more validators than owners, or parameters that make no sense.
    pub fn found(owners: usize, validators: usize, params: Params, founded: Time) -> Self {
        let key = |kind: &str, n: usize| {
            let seed = Digest::of("polity sim key", &[kind.as_bytes(), &(n as u64).to_be_bytes()]);
            SecretKey::from_seed(seed.0)
        };
        let nodes: Vec<_> = (0..owners).map(|n| key("node", n)).collect();
        let owners: Vec<_> = (0..owners).map(|n| key("owner", n)).collect();
        let found = |(n, (owner, node)): (usize, (&SecretKey, &SecretKey))| {
            let name = format!("owner {n}");
            let founder = Founder { node: node.public(), name, addresses: Vec::new() };
            Signed::new(founder, NetworkId::FOUNDING, owner)
        };
        let founders = owners.iter().zip(&nodes).enumerate().map(found).collect();
        let genesis = Genesis::found("sim".into(), founded, founders, validators, params)
            .expect("the founders make a genesis");
        Self { genesis, owners, nodes }
    }

    /// The network's name.
    pub fn network(&self) -> NetworkId {
        self.genesis.network()
    }

    /// The place of a node.
    pub(super) fn place(&self, node: &PublicKey) -> Option<usize> {
        self.nodes.iter().position(|key| key.public() == *node)
    }

    /// The secret key of a node.
    pub(super) fn secret(&self, key: &PublicKey) -> Option<&SecretKey> {
        self.nodes.iter().find(|secret| secret.public() == *key)
    }

    /// The order of a plan, by the owner of its home, and its table.
    pub(super) fn order(
        &self,
        number: usize,
        plan: &Plan,
        issued: Time,
    ) -> (Signed<Job>, TaskTable) {
        let spec = |n: u32| TaskSpec {
            name: format!("{n}.csv"),
            inputs: Vec::new(),
            stdin: None,
            params: Vec::new(),
        };
        let tasks = (0..plan.tasks).map(spec).collect();
        let table = TaskTable::of(vec!["{}".into()], tasks);
        let nonce: &[&[u8]] = if number == 0 { &[] } else { &[&(number as u64).to_be_bytes()] };
        let job = Job {
            network: self.network(),
            home: self.nodes[plan.home].public(),
            program: Cid::of(Codec::Raw, b"a program"),
            table: table.cid(),
            tasks: plan.tasks,
            seed: Digest::of("polity sim seed", &[]),
            limits: Limits { wall_ms: 5_000, ..Limits::default() },
            placement: if plan.sealed { Placement::Sealed } else { Placement::Fast },
            verification: plan.verification,
            issued,
            expires: issued.after_ms(LIFETIME_MS),
            engine: truth::engine(),
            nonce: Digest::of("polity sim nonce", nonce),
            terms: plan.terms.clone(),
        };
        (Signed::new(job, self.network(), &self.owners[plan.home]), table)
    }
}
