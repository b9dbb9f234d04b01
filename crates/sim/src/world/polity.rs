//! The owners, nodes and genesis of a simulated polity.

use identity::{Digest, NetworkId, PublicKey, SecretKey, Signed};
use objects::{Cid, Codec};
use protocol::{
    Founder, Genesis, Job, Limits, Params, Placement, TaskSpec, TaskTable, Time, Verification,
};

/// Validators of a simulated polity.
const VALIDATORS: usize = 4;

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
    /// Founds a polity of so many owners with one node each, four of which validate.
    ///
    /// # Panics
    /// With fewer than four owners.
    pub fn found(owners: usize, founded: Time) -> Self {
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
        let genesis =
            Genesis::found("sim".into(), founded, founders, VALIDATORS, Params::default())
                .expect("four founders make a genesis");
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

    /// The secret key of a validator.
    pub(super) fn validator(&self, key: &PublicKey) -> Option<&SecretKey> {
        self.nodes.iter().find(|secret| secret.public() == *key)
    }

    /// An order of the first owner to its node, and its table.
    pub(super) fn order(
        &self,
        tasks: u32,
        verification: Verification,
        issued: Time,
    ) -> (Signed<Job>, TaskTable) {
        let spec = |n: u32| TaskSpec { name: format!("{n}.csv"), inputs: Vec::new(), stdin: None };
        let table = TaskTable { args: vec!["{}".into()], tasks: (0..tasks).map(spec).collect() };
        let job = Job {
            network: self.network(),
            home: self.nodes[0].public(),
            program: Cid::of(Codec::Raw, b"a program"),
            table: table.cid(),
            tasks,
            seed: Digest::of("polity sim seed", &[]),
            limits: Limits { wall_ms: 5_000, ..Limits::default() },
            placement: Placement::Fast,
            verification,
            issued,
            expires: issued.after_ms(600_000),
            nonce: Digest::of("polity sim nonce", &[]),
        };
        (Signed::new(job, self.network(), &self.owners[0]), table)
    }
}
