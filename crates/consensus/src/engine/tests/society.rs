//! Our own application under the engine: the ledger of a founded polity, and work for it.

use super::{
    mind::{Character, Mind},
    world::{Cast, World},
};
use crate::{Settings, tests::Chain};
use identity::{Digest, NetworkId, PublicKey, SecretKey, Signed};
use ledger::Ledger;
use objects::{Cid, Codec};
use protocol::{
    Accusation, Admission, Block, Consent, Contradiction, Founder, Genesis, Invitation,
    InvitationKind, Job, Limits, Params, Placement, Seconding, Time, Tx, Verification, VotePair,
    Voucher,
};
use std::sync::Arc;

/// Owners that each run one validator, in the order of the validators.
pub(super) struct Society {
    pub(super) genesis: Genesis,
    owners: Vec<SecretKey>,
    pub(super) nodes: Vec<SecretKey>,
}

/// A key that differs from that of any other name and number.
fn secret(name: &str, number: u64) -> SecretKey {
    SecretKey::from_seed(Digest::of(name, &[&number.to_be_bytes()]).0)
}

impl Society {
    pub(super) fn found(validators: usize) -> Arc<Self> {
        let mut nodes: Vec<_> = (0..validators as u64).map(|n| secret("a node", n)).collect();
        nodes.sort_by_key(SecretKey::public);
        let owners: Vec<_> = (0..validators as u64).map(|n| secret("an owner", n)).collect();
        let founder = |(owner, node): (&SecretKey, &SecretKey)| {
            let name = format!("founder of {}", node.public().short());
            let founder = Founder { node: node.public(), name, addresses: Vec::new() };
            Signed::new(founder, NetworkId::FOUNDING, owner)
        };
        let founders = owners.iter().zip(&nodes).map(founder).collect();
        let params = Params::default();
        let genesis = Genesis::found("liars".into(), Time(1), founders, validators, params);
        Arc::new(Self { genesis: genesis.expect("a genesis"), owners, nodes })
    }

    /// Validators with the real ledger, each with its character.
    pub(super) fn cast(self: &Arc<Self>, character: impl Fn(usize) -> Character + 'static) -> Cast {
        let (network, header) = (self.clone(), Ledger::genesis(&self.genesis).tip().clone());
        Cast {
            settings: Settings::of(&self.genesis),
            keys: self.nodes.clone(),
            chain: Box::new(move |key| Chain::after(key.public(), header.clone())),
            app: Box::new(move |place, chain| {
                let key = network.nodes[place].clone();
                Arc::new(Mind::new(&network.genesis, key, chain, character(place)))
            }),
            tongues: Vec::new(),
            twins: Vec::new(),
        }
    }

    /// Honest validators with the real ledger.
    pub(super) fn honest(self: &Arc<Self>) -> Cast {
        self.cast(|_| Character::default())
    }

    pub(super) fn owner(&self, place: usize) -> PublicKey {
        self.owners[place].public()
    }

    /// The owner of this place lets a new owner in, whose key follows from its number.
    pub(super) fn admission(&self, sponsor: usize, number: u64) -> Tx {
        let sponsor = &self.owners[sponsor];
        let (owner, node) = (secret("a new owner", number), secret("a new node", number));
        let (one_time, network) = (secret("an invitation", number), self.genesis.network());
        let kind = InvitationKind::Owner;
        let expires = Time(self.genesis.params.invitation_lifetime_ms);
        let invitation = Invitation { kind, key: one_time.public(), expires };
        let name = format!("owner {number}");
        let voucher = Voucher { owner: owner.public(), node: node.public(), name };
        let admission = Admission {
            invitation: Signed::new(invitation, network, sponsor),
            voucher: Signed::new(voucher, network, &owner),
            consent: Signed::new(Consent { owner: owner.public() }, network, &node),
        };
        Tx::Admit(Box::new(Signed::new(admission, network, &one_time)))
    }

    /// Another one vouches for the owner of [`Society::admission`].
    pub(super) fn seconding(&self, by: usize, number: u64) -> Tx {
        let by = &self.owners[by];
        let owner = secret("a new owner", number).public();
        Tx::Second(Signed::new(Seconding { owner }, self.genesis.network(), by))
    }

    /// The first owner's order of a job that is drawn with the beacon of the block after it.
    pub(super) fn sealed_order(&self, number: u64) -> Tx {
        let network = self.genesis.network();
        let job = Job {
            network,
            home: self.nodes[0].public(),
            program: Cid::of(Codec::Raw, b"program"),
            table: Cid::of(Codec::DagCbor, b"table"),
            tasks: 4,
            engine: Digest::of("an engine", &[]),
            seed: Digest::of("a seed", &[&number.to_be_bytes()]),
            limits: Limits::default(),
            placement: Placement::Sealed,
            verification: Verification { k: 2, n: 3 },
            issued: Time(1),
            expires: Time(self.genesis.params.job_lifetime_ms),
            nonce: Digest::of("a nonce", &[&number.to_be_bytes()]),
            terms: protocol::Terms::default(),
        };
        Tx::Order(Box::new(Signed::new(job, network, &self.owners[0])))
    }

    /// A validator takes what the engine handed over to the ledger.
    pub(super) fn accusation(&self, by: usize, pair: VotePair) -> Tx {
        let (against, contradiction) = (pair.first.by, Contradiction::Votes(pair));
        let accusation = Accusation { against, contradiction, issued: Time(1) };
        let signed = Signed::new(accusation, self.genesis.network(), &self.nodes[by]);
        Tx::Accuse(Box::new(signed))
    }

    /// The ledger after final blocks, by nobody's word but theirs.
    pub(super) fn replay<'a>(&self, blocks: impl IntoIterator<Item = &'a Block>) -> Ledger {
        blocks.into_iter().fold(Ledger::genesis(&self.genesis), |ledger, block| {
            ledger.apply_final(block).expect("final blocks apply").0
        })
    }
}

/// The honest let owners in and vouch for them, by transactions that are submitted at one of them
/// and waited for at all.
pub(super) async fn work(
    world: &World,
    society: &Society,
    honest: &[usize],
    numbers: std::ops::Range<u64>,
) {
    for number in numbers {
        let at = |turn: usize| honest[(number as usize + turn) % honest.len()];
        let digest = world.seats[at(0)].submit_tx(society.admission(at(1), number));
        world.have(honest, digest).await;
        let digest = world.seats[at(1)].submit_tx(society.seconding(at(2), number));
        world.have(honest, digest).await;
    }
}

/// All but these, of four.
pub(super) fn others(liars: &[usize]) -> Vec<usize> {
    (0..4).filter(|place| !liars.contains(place)).collect()
}
