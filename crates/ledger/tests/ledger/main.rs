//! What applies and what does not, on blocks with real keys and signatures.

#![allow(clippy::unwrap_used)]

use identity::{Digest, NetworkId, PublicKey, SecretKey, Signed};
use ledger::{CheckedTx, Effect, Error, Ledger, Refusal};
use objects::{Cid, Codec};
use proptest::prelude::*;
use protocol::{
    Admission, Agreed, Agreements, Attempt, Block, CommitBatch, Commitment, Consent, Founder,
    Genesis, Height, Invitation, InvitationKind, Job, Limits, Machine, Member, OutcomeDigest,
    Params, Placement, Reveal, RevealBatch, Salt, Seconding, TaskIndex, Time, Tx, Verification,
    Voucher, commitment_of, draw, set_digest,
};

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

/// Owners have keys 1 to 5, their nodes 101 to 105; the first four nodes vote.
struct Polity {
    genesis: Genesis,
    ledger: Ledger,
}

impl Polity {
    fn new() -> Self {
        let founder = |n: u8| {
            let payload = Founder {
                node: key(100 + n).public(),
                name: format!("owner {n}"),
                addresses: Vec::new(),
            };
            Signed::new(payload, NetworkId::FOUNDING, &key(n))
        };
        let founders = (1..=5).map(founder).collect();
        let genesis =
            Genesis::found("test".into(), Time(1_000), founders, 4, Params::default()).unwrap();
        let ledger = Ledger::genesis(&genesis);
        Self { genesis, ledger }
    }

    fn network(&self) -> NetworkId {
        self.genesis.network()
    }

    fn checked(&self, tx: Tx) -> CheckedTx {
        CheckedTx::new(tx, self.network()).unwrap()
    }

    /// Puts transactions on the ledger, all of which must apply.
    fn block(&mut self, txs: Vec<Tx>) -> Vec<Effect> {
        let checked: Vec<_> = txs.into_iter().map(|tx| self.checked(tx)).collect();
        let now = self.ledger.tip().time.after_ms(100);
        let (block, refused) = self.ledger.propose(&key(101), now, &checked);
        assert_eq!(refused, []);
        assert_eq!(block.txs.len(), checked.len());
        let mut effects = Vec::new();
        self.ledger.step(now, block, &mut effects);
        effects
    }

    fn refusal(&self, tx: Tx) -> Option<Refusal> {
        self.ledger.check_tx(&self.checked(tx)).err()
    }

    fn order(&self, k: u16, n: u16) -> Signed<Job> {
        let job = Job {
            network: self.network(),
            home: key(101).public(),
            program: Cid::of(Codec::Raw, b"program"),
            table: Cid::of(Codec::DagCbor, b"table"),
            tasks: 8,
            seed: Digest([1; 32]),
            limits: Limits::default(),
            placement: Placement::Fast,
            verification: Verification { k, n },
            issued: Time(1_000),
            expires: Time(100_000),
            engine: Digest([3; 32]),
            nonce: Digest([2; 32]),
        };
        Signed::new(job, self.network(), &key(1))
    }

    fn secret_of(&self, node: &PublicKey) -> SecretKey {
        (100..=150).map(key).find(|key| key.public() == *node).unwrap()
    }

    /// Agreement of the nodes that the draw gives.
    fn agreed(&self, order: &Signed<Job>, tasks: &[u32]) -> Agreements {
        let drawn = self.ledger.tip().height;
        let (id, k) = (order.payload.id(), usize::from(order.payload.verification.k));
        let choose = |task: TaskIndex| {
            let beacon = self.ledger.beacon_at(drawn).unwrap();
            draw::walk(&draw::candidates(beacon, &id, task, self.ledger.roster()), &[], k)
        };
        self.agreed_by(order, tasks, choose)
    }

    fn agreed_by(
        &self,
        order: &Signed<Job>,
        tasks: &[u32],
        choose: impl Fn(TaskIndex) -> Vec<PublicKey>,
    ) -> Agreements {
        let id = order.payload.id();
        let (mut commits, mut reveals, mut agreed) = (Vec::new(), Vec::new(), Vec::new());
        for task in tasks.iter().map(|task| TaskIndex(*task)) {
            let nodes = choose(task);
            let outcome = OutcomeDigest(Digest::of("outcome", &[&task.0.to_be_bytes()]));
            let salt = Salt([7; 16]);
            let hidden = commitment_of(&salt, &outcome);
            let attempts: Vec<_> = (0..nodes.len()).map(|n| Attempt(n as u16)).collect();
            let members: Vec<_> = nodes
                .iter()
                .zip(&attempts)
                .map(|(node, attempt)| Member { node: *node, attempt: *attempt, hidden })
                .collect();
            let set = set_digest(&id, task, &members);
            for member in &members {
                let secret = self.secret_of(&member.node);
                let attempt = member.attempt;
                let leaf = Commitment { task, attempt, hidden };
                commits.push(CommitBatch::sign(id, vec![leaf], self.network(), &secret));
                let leaf = Reveal { task, attempt, set, outcome, salt };
                reveals.push(RevealBatch::sign(id, vec![leaf], self.network(), &secret));
            }
            let (sets, skipped) = (vec![attempts], Vec::new());
            agreed.push(Agreed { task, outcome, sets, skipped, decided: false });
        }
        commits.sort_by_key(|batch| batch.statement.payload.root);
        reveals.sort_by_key(|batch| batch.statement.payload.root);
        let drawn = self.ledger.tip().height;
        Agreements { order: order.clone(), drawn, commits, reveals, tasks: agreed }
    }

    /// `sponsor` lets `owner` in with `node`.
    fn admission(&self, kind: InvitationKind, sponsor: u8, owner: u8, node: u8) -> Tx {
        let one_time = key(200 + node % 50);
        let network = self.network();
        let expires = Time(50_000);
        let invitation = Invitation { kind, key: one_time.public(), expires };
        let voucher = Voucher {
            owner: key(owner).public(),
            node: key(node).public(),
            name: format!("owner {owner}"),
        };
        let by = if kind == InvitationKind::Owner { key(owner) } else { one_time.clone() };
        let consent = Consent { owner: key(owner).public() };
        let admission = Admission {
            invitation: Signed::new(invitation, network, &key(sponsor)),
            voucher: Signed::new(voucher, network, &by),
            consent: Signed::new(consent, network, &key(node)),
        };
        Tx::Admit(Box::new(Signed::new(admission, network, &one_time)))
    }
}

fn agree(agreements: Agreements) -> Tx {
    Tx::Agree(Box::new(agreements))
}

#[test]
fn agreed_tasks_are_final_once() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    let tx = agree(polity.agreed(&order, &[0, 3]));
    let effects = polity.block(vec![tx.clone()]);
    let [Effect::Settled { tasks, height, home, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((tasks.len(), *height, *home), (2, Height(1), key(101).public()));
    assert!(polity.ledger.is_final(&order.payload.id(), TaskIndex(3)));
    assert!(!polity.ledger.is_final(&order.payload.id(), TaskIndex(1)));
    assert!(matches!(polity.refusal(tx), Some(Refusal::Final { .. })));
    let overlapping = agree(polity.agreed(&order, &[1, 3]));
    assert!(matches!(polity.refusal(overlapping), Some(Refusal::Final { .. })));
}

#[test]
fn executors_that_were_not_drawn_are_refused() {
    let polity = Polity::new();
    let order = polity.order(2, 3);
    let drawn = polity.agreed(&order, &[0]);
    let by = |nodes: [u8; 2]| {
        agree(polity.agreed_by(&order, &[0], |_| nodes.map(|n| key(n).public()).to_vec()))
    };
    let fair: Vec<_> = drawn.commits.iter().map(|batch| batch.statement.by).collect();
    for nodes in [[101, 102], [101, 103], [104, 105], [102, 105]] {
        let same = nodes.iter().all(|n| fair.contains(&key(*n).public()));
        let refused = polity.refusal(by(nodes));
        assert_eq!(refused.is_none(), same, "{nodes:?}: {refused:?}");
    }
}

#[test]
fn an_expired_order_and_a_stranger_are_refused() {
    let mut polity = Polity::new();
    let mut order = polity.order(1, 1).payload;
    order.expires = Time(1_050);
    let order = Signed::new(order, polity.network(), &key(1));
    let tx = agree(polity.agreed(&order, &[0]));
    assert_eq!(polity.refusal(tx.clone()), None);
    polity.block(Vec::new());
    assert!(matches!(polity.refusal(tx), Some(Refusal::Expired { .. })));
    let order = Signed::new(polity.order(1, 1).payload, polity.network(), &key(77));
    let tx = agree(polity.agreed(&order, &[0]));
    assert_eq!(polity.refusal(tx), Some(Refusal::NotAnOwner(key(77).public())));
}

#[test]
fn an_order_that_lives_too_long_is_refused() {
    let polity = Polity::new();
    let mut order = polity.order(1, 1).payload;
    order.expires = order.issued.after_ms(Params::default().job_lifetime_ms + 1);
    let order = Signed::new(order, polity.network(), &key(1));
    let tx = agree(polity.agreed(&order, &[0]));
    assert!(matches!(polity.refusal(tx), Some(Refusal::Lifetime { .. })));
}

#[test]
fn a_beacon_of_the_future_cannot_draw() {
    let polity = Polity::new();
    let order = polity.order(1, 1);
    let mut agreements = polity.agreed(&order, &[0]);
    agreements.drawn = Height(1);
    assert_eq!(polity.refusal(agree(agreements)), Some(Refusal::Drawn(Height(1))));
}

#[test]
fn an_invitation_lets_one_in_once() {
    let mut polity = Polity::new();
    let tx = polity.admission(InvitationKind::Owner, 1, 6, 106);
    let effects = polity.block(vec![tx.clone()]);
    assert!(effects.contains(&Effect::RosterChanged { height: Height(1) }));
    let roster = polity.ledger.roster().clone();
    assert_eq!(roster.node(&key(106).public()).unwrap().owner, key(6).public());
    assert_eq!(
        roster.party(&key(6).public()),
        key(1).public(),
        "a sponsored owner is its sponsor's"
    );
    assert_eq!(polity.refusal(tx), Some(Refusal::Spent));
    let again = polity.admission(InvitationKind::Owner, 1, 6, 107);
    assert_eq!(polity.refusal(again), Some(Refusal::Admitted(key(6).public())));
    let machine = polity.admission(InvitationKind::Machine, 2, 2, 108);
    polity.block(vec![machine]);
    assert_eq!(polity.ledger.roster().node(&key(108).public()).unwrap().owner, key(2).public());
}

#[test]
fn a_stranger_cannot_invite() {
    let polity = Polity::new();
    let tx = polity.admission(InvitationKind::Owner, 90, 6, 106);
    assert_eq!(polity.refusal(tx), Some(Refusal::NotAnOwner(key(90).public())));
}

#[test]
fn a_second_owner_makes_a_sponsored_one_its_own_party() {
    let mut polity = Polity::new();
    polity.block(vec![polity.admission(InvitationKind::Owner, 1, 6, 106)]);
    let second = |by: u8| {
        Tx::Second(Signed::new(Seconding { owner: key(6).public() }, polity.network(), &key(by)))
    };
    for by in [1, 6] {
        assert!(matches!(polity.refusal(second(by)), Some(Refusal::Seconding { .. })), "{by}");
    }
    let tx = second(2);
    polity.block(vec![tx]);
    let party = polity.ledger.roster().party(&key(6).public());
    assert_eq!(party, key(6).public());
    let before = polity.ledger.roster_at(Height(1)).unwrap();
    assert_eq!(before.party(&key(6).public()), key(1).public(), "draws of block 1 see block 1");
}

#[test]
fn a_draw_uses_the_roster_of_its_block() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    let tx = agree(polity.agreed(&order, &[0, 1, 2, 3, 4, 5, 6, 7]));
    polity.block(vec![polity.admission(InvitationKind::Machine, 1, 1, 106)]);
    polity.block(vec![polity.admission(InvitationKind::Machine, 2, 2, 107)]);
    assert_eq!(polity.refusal(tx), None);
}

fn next_block(polity: &Polity) -> Block {
    let order = polity.order(2, 3);
    let tx = polity.checked(agree(polity.agreed(&order, &[0])));
    polity.ledger.propose(&key(102), Time(5_000), [&tx]).0
}

#[test]
fn every_field_of_a_header_matters() {
    let polity = Polity::new();
    let good = next_block(&polity);
    assert!(polity.ledger.apply_final(&good).is_ok());
    type Change = fn(&mut Block);
    let changes: [(&str, Change); 10] = [
        ("network", |b| b.header.network = NetworkId(Digest([9; 32]))),
        ("height", |b| b.header.height = Height(2)),
        ("parent", |b| b.header.parent = Digest([9; 32])),
        ("time", |b| b.header.time = Time(1_000)),
        ("no proposer", |b| b.header.proposer = None),
        ("another proposer", |b| b.header.proposer = Some(key(101).public())),
        ("beacon", |b| b.header.beacon = Digest([9; 32])),
        ("beacon proof", |b| b.header.beacon_proof[40] ^= 1),
        ("state root", |b| b.header.state_root = Digest([9; 32])),
        ("transactions", |b| b.txs.clear()),
    ];
    for (name, change) in changes {
        let mut bad = good.clone();
        change(&mut bad);
        assert!(polity.ledger.apply_final(&bad).is_err(), "{name}");
    }
}

#[test]
fn a_block_with_a_transaction_that_does_not_apply_does_not_apply() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    let tx = agree(polity.agreed(&order, &[0]));
    polity.block(vec![tx.clone()]);
    let (mut block, _) = polity.ledger.propose(&key(101), Time(9_000), []);
    block.txs = vec![tx];
    block.header.tx_root = Block::tx_root(&block.txs);
    let refused = polity.ledger.apply_final(&block).unwrap_err();
    assert!(matches!(refused, Error::Tx { refusal: Refusal::Final { .. }, .. }), "{refused}");
}

#[test]
fn an_old_block_changes_nothing_and_a_wrong_one_stops_the_node() {
    let mut polity = Polity::new();
    let block = next_block(&polity);
    let mut effects = Vec::new();
    polity.ledger.step(Time(0), block.clone(), &mut effects);
    let (before, told) = (polity.ledger.clone(), effects.len());
    polity.ledger.step(Time(0), block.clone(), &mut effects);
    assert_eq!((&polity.ledger, effects.len()), (&before, told));
    let mut gap = block;
    gap.header.height = Height(3);
    polity.ledger.step(Time(0), gap, &mut effects);
    assert!(matches!(effects.last(), Some(Effect::Broken(_))));
}

#[test]
fn a_proposal_leaves_out_what_does_not_apply_and_says_so() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    let tx = agree(polity.agreed(&order, &[0]));
    let twice = [polity.checked(tx.clone()), polity.checked(tx)];
    let (block, refused) = polity.ledger.propose(&key(101), Time(2_000), &twice);
    assert_eq!((block.txs.len(), refused.len()), (1, 1));
    let mut effects = Vec::new();
    polity.ledger.step(Time(0), block, &mut effects);
    assert_eq!(polity.ledger.tip().height, Height(1));
}

#[test]
fn the_state_survives_its_encoding() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    let tx = agree(polity.agreed(&order, &[0, 1]));
    polity.block(vec![tx, polity.admission(InvitationKind::Owner, 1, 6, 106)]);
    let bytes = identity::canonical::encode(&polity.ledger);
    let back: Ledger = identity::canonical::decode(&bytes, usize::MAX).unwrap();
    assert_eq!(back, polity.ledger);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is proposed applies, on every replica to the same roots, and each task once.
    #[test]
    fn proposals_always_apply(picks in proptest::collection::vec((0u32..8, 0u8..4), 1..12)) {
        let mut polity = Polity::new();
        let mut replica = polity.ledger.clone();
        let order = polity.order(2, 3);
        let mut settled = std::collections::BTreeSet::new();
        for (task, proposer) in picks {
            let tx = polity.checked(agree(polity.agreed(&order, &[task])));
            let now = polity.ledger.tip().time.after_ms(10);
            let (block, refused) = polity.ledger.propose(&key(101 + proposer), now, [&tx]);
            prop_assert_eq!(block.txs.len() + refused.len(), 1);
            prop_assert_eq!(settled.insert(task), refused.is_empty());
            let (mut effects, mut same) = (Vec::new(), Vec::new());
            polity.ledger.step(now, block.clone(), &mut effects);
            replica.step(Time(0), block, &mut same);
            prop_assert_eq!(&effects, &same);
            prop_assert_eq!(polity.ledger.tip(), replica.tip());
        }
        prop_assert_eq!(polity.ledger.settled_tasks(), settled.len() as u64);
    }
}
