//! A block applies as a whole, everywhere to the same roots, or not at all.

use crate::fixture::{Polity, agree, fair, key, lie, third};
use identity::{Digest, NetworkId};
use ledger::{CheckedTx, Effect, Error, Ledger, Refusal};
use proptest::prelude::*;
use protocol::{
    Agreements, Block, Height, InvitationKind, Machine, NamedTx, Placement, TaskIndex, Time, Tx,
    beacon, draw, draw::SkipReason,
};
use std::sync::Arc;

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

fn copy(polity: &Polity) -> Polity {
    Polity { genesis: polity.genesis.clone(), ledger: polity.ledger.clone() }
}

/// The state's root after a block of one transaction each.
fn roots(polity: &Polity, txs: [Option<Tx>; 2]) -> [Digest; 2] {
    txs.map(|tx| {
        let mut polity = copy(polity);
        polity.block(tx.into_iter().collect());
        polity.ledger.tip().state_root
    })
}

#[test]
fn the_state_root_covers_every_part_of_the_state() {
    let polity = Polity::new();
    let order = polity.order(2, 3);
    let said = |outcome| [(104, fair(1)), (105, outcome)];
    let nodes = polity.candidates(&order.payload.id(), 0, Height(0));
    // The same outcome by other executors: only who may audit it differs.
    let executors = |skipped: Option<u8>| {
        let mut left = nodes.iter().filter(|node| Some(**node) != skipped);
        let said = [(); 2].map(|()| (*left.next().unwrap(), fair(0)));
        let skipped: Vec<_> = skipped.map(|node| (node, SkipReason::Offline)).into_iter().collect();
        agree(polity.agreement(&order, (0, Height(0)), &said, &skipped))
    };
    let sealed = polity.order_with(|job| job.placement = Placement::Sealed);
    let pairs = [
        ("disputes", [lie(1), third(1)].map(|o| Some(polity.dispute(&order, 1, &said(o))))),
        ("audits", [None, Some(nodes[0])].map(|skipped| Some(executors(skipped)))),
        ("orders", [None, Some(Tx::Order(Box::new(sealed)))]),
        ("standing", [None, Some(polity.slander(102, 104, &order, 0))]),
        ("jobs", [0, 1].map(|task| Some(agree(polity.agreed(&order, &[task]))))),
        ("roster", [None, Some(polity.admission(InvitationKind::Machine, 1, 1, 106))]),
    ];
    for (part, txs) in pairs {
        let [one, other] = roots(&polity, txs);
        assert_ne!(one, other, "{part}");
    }
}

#[test]
fn a_failed_accusation_leaves_nothing_in_the_state_when_it_expires() {
    let mut one = Polity::with(|params| params.job_lifetime_ms = 20_000);
    let order = one.order_with(|job| job.expires = Time(15_000));
    let mut other = copy(&one);
    one.block(vec![one.slander(102, 104, &order, 0)]);
    other.block(vec![]);
    for polity in [&mut one, &mut other] {
        // A right one makes up for it.
        polity.block(vec![polity.accuse(102, 105, polity.commits(105, &order, 1))]);
    }
    assert_ne!(one.ledger.tip().state_root, other.ledger.tip().state_root);
    for polity in [&mut one, &mut other] {
        polity.block_at(Time(21_001), vec![]);
    }
    assert_eq!(one.ledger.tip().state_root, other.ledger.tip().state_root);
}

#[test]
fn a_proposer_cannot_draw_with_the_beacon_of_its_own_block() {
    let polity = Polity::new();
    let order = polity.order(2, 3);
    let next = polity.height().next();
    let before = polity.ledger.tip().beacon;
    let (_, beacon) = beacon::contribute(&key(101), polity.network(), &before, next);
    let id = order.payload.id();
    let choose =
        |task| draw::walk(&draw::candidates(&beacon, &id, task, polity.ledger.roster()), &[], 2);
    let agreements = Agreements { drawn: next, ..polity.agreed_by(&order, &[0], choose) };
    let tx = polity.checked(agree(agreements));
    let now = polity.time().after_ms(1);
    let (block, refused) = polity.ledger.propose(&key(101), now, [&tx]);
    assert_eq!((block.txs, refused, block.header.beacon), (vec![], vec![], beacon));
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
        for task in 0..8 {
            let is_final = polity.ledger.is_final(&order.payload.id(), TaskIndex(task));
            prop_assert_eq!(is_final, settled.contains(&task));
        }
    }
}

#[test]
fn a_block_is_bounded_by_what_it_costs_to_check() {
    let polity = Polity::new();
    let order = |n: u64| {
        polity.order_with(|job| {
            job.placement = Placement::Sealed;
            job.nonce = Digest::of("nonce", &[&n.to_be_bytes()]);
        })
    };
    let checked: Vec<_> =
        (0..4_500).map(|n| polity.checked(Tx::Order(Box::new(order(n))))).collect();
    let (block, refused) = polity.ledger.propose(&key(101), Time(5_000), &checked);
    assert_eq!((block.txs.len(), refused.len()), (4_000, 0));
    assert!(polity.ledger.apply(&block, &checked[..4_000]).is_ok());
    let mut more = block;
    more.txs.push(checked[4_000].tx().clone());
    more.header.tx_root = Block::tx_root(&more.txs);
    let refused = polity.ledger.apply(&more, &checked[..=4_000]).unwrap_err();
    assert_eq!(refused, Error::Effort(Height(1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn many_transactions_are_checked_as_each_alone(
        kinds in proptest::collection::vec((0u8..4, any::<bool>()), 0..24),
    ) {
        let polity = Polity::new();
        let tx = |(n, (kind, spoiled)): (usize, &(u8, bool))| {
            let nonce = Digest::of("nonce", &[&n.to_be_bytes()]);
            let mut order = polity.order_with(|job| job.nonce = nonce);
            let mut agreed = polity.agreed(&order, &[0]);
            if *spoiled {
                order.signature.0[40] ^= 1;
                agreed.reveals[0].statement.signature.0[3] ^= 1;
            }
            let tx = if *kind == 0 { agree(agreed) } else { Tx::Order(Box::new(order)) };
            Arc::new(NamedTx::new(tx))
        };
        let txs: Vec<_> = kinds.iter().enumerate().map(tx).collect();
        let many = CheckedTx::many(&txs, polity.network());
        let each = txs.iter().map(|tx| CheckedTx::new(tx.tx().clone(), polity.network()));
        prop_assert_eq!(many, each.collect::<Vec<_>>());
    }
}
