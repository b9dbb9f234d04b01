//! Whatever is sent, in whatever order: what is proposed applies everywhere to the same roots, a
//! snapshot is the whole state, and the books balance.

use crate::fixture::{Polity, agree, fair, key, lie, public, third};
use identity::{Digest, Signed, canonical};
use ledger::{CheckedTx, DisputeStatus, Effect, Ledger};
use proptest::{collection::vec, prelude::*};
use protocol::{
    Cause, Height, InvitationKind, Job, OutcomeDigest, Placement, Right, Seconding, Time, Tx,
    draw::SkipReason,
};
use std::collections::BTreeSet;

/// Tasks that are spoken of.
const TASKS: u32 = 3;
/// Orders: two fast ones, two sealed ones.
const ORDERS: u8 = 4;

/// Something that somebody sends. Most of it is refused most of the time.
#[derive(Clone, Debug)]
enum Sent {
    Order { order: u8 },
    Agree { order: u8, task: u32, age: u64 },
    Decided { order: u8, task: u32, by: u8, skipped: u8 },
    Dispute { order: u8, task: u32, by: u8, said: Vec<(u8, u8)>, audit: Option<(u8, u8)> },
    Verdict { by: u8, order: u8, found: Vec<Option<u8>> },
    Audit { by: u8, order: u8, task: u32, outcome: u8 },
    Accuse { by: u8, against: u8, order: u8, kind: usize, about: u8 },
    Admit { machine: bool, sponsor: u8, owner: u8, node: u8 },
    Second { by: u8, owner: u8 },
}

/// Nodes 101 to 107, of which the last two may come later.
fn node() -> impl Strategy<Value = u8> {
    101u8..108
}

fn sent() -> impl Strategy<Value = Sent> {
    let order = || 0..ORDERS;
    let task = || 0..TASKS;
    // One outcome is more likely than the others, so that there are verdicts.
    let outcome = || prop_oneof![12 => Just(0u8), 1 => Just(1), 1 => Just(2)];
    let ruling = || prop_oneof![12 => outcome().prop_map(Some), 1 => Just(None)];
    prop_oneof![
        1 => order().prop_map(|order| Sent::Order { order }),
        2 => (order(), task(), 0u64..4)
            .prop_map(|(order, task, age)| Sent::Agree { order, task, age }),
        1 => (order(), task(), node(), node())
            .prop_map(|(order, task, by, skipped)| Sent::Decided { order, task, by, skipped }),
        3 => (
            order(), task(), node(), vec((node(), 0u8..3), 1..4),
            proptest::option::weighted(0.2, (node(), 0u8..3)),
        )
            .prop_map(|(order, task, by, said, audit)| {
                Sent::Dispute { order, task, by, said, audit }
            }),
        8 => (101u8..106, order(), vec(ruling(), TASKS as usize))
            .prop_map(|(by, order, found)| Sent::Verdict { by, order, found }),
        2 => (node(), order(), task(), outcome())
            .prop_map(|(by, order, task, outcome)| Sent::Audit { by, order, task, outcome }),
        1 => (node(), node(), order(), 0usize..5, node())
            .prop_map(|(by, against, order, kind, about)| {
                Sent::Accuse { by, against, order, kind, about }
            }),
        1 => (any::<bool>(), 1u8..8, 5u8..8, 105u8..108)
            .prop_map(|(machine, sponsor, owner, node)| {
                Sent::Admit { machine, sponsor, owner, node }
            }),
        1 => (1u8..8, 1u8..8).prop_map(|(by, owner)| Sent::Second { by, owner }),
    ]
}

fn outcome(task: u32, n: u8) -> OutcomeDigest {
    [fair(task), lie(task), third(task)][usize::from(n)]
}

fn order(polity: &Polity, n: u8) -> Signed<Job> {
    polity.order_with(|job| {
        job.nonce = Digest([n; 32]);
        job.placement = if n < 2 { Placement::Fast } else { Placement::Sealed };
        // They expire one after another while the test goes on.
        job.expires = Time(6_000 + 6_000 * u64::from(n));
    })
}

/// What was sent, if it has the form of a transaction at all.
fn tx(polity: &Polity, sent: &Sent) -> Tx {
    let of = |n: &u8| order(polity, *n);
    match sent {
        Sent::Order { order } => Tx::Order(Box::new(of(order))),
        Sent::Agree { order, task, age } => {
            let drawn = Height(polity.height().0.saturating_sub(*age));
            agree(polity.agreed_at(&of(order), &[*task], drawn))
        }
        Sent::Decided { order, task, by, skipped } => {
            let at = (*task, polity.height());
            let said = [(*by, fair(*task)), (*skipped, lie(*task))];
            polity.decided(&of(order), at, &said, &[(*skipped, SkipReason::Refuted)])
        }
        Sent::Dispute { order, task, by, said, audit } => {
            let said: Vec<_> = said.iter().map(|(node, n)| (*node, outcome(*task, *n))).collect();
            let mut dispute = polity.disputed(&of(order), *task, &said);
            dispute.audits.extend(
                audit.map(|(node, n)| polity.audit(node, &of(order), *task, outcome(*task, n))),
            );
            polity.file(*by, dispute)
        }
        Sent::Verdict { by, order, found } => {
            let find = |(task, n): (u32, &Option<u8>)| (task, n.map(|n| outcome(task, n)));
            let found: Vec<_> = (0..TASKS).zip(found).map(find).collect();
            polity.verdict(*by, &of(order), &found)
        }
        Sent::Audit { by, order, task, outcome: n } => {
            Tx::Audit(polity.audit(*by, &of(order), *task, outcome(*task, *n)))
        }
        Sent::Accuse { by, against, order, kind, about } => {
            let (contradiction, _) = polity.contradictions(*about, &of(order)).remove(*kind);
            polity.accuse(*by, *against, contradiction)
        }
        Sent::Admit { machine, sponsor, owner, node } => {
            let kind = if *machine { InvitationKind::Machine } else { InvitationKind::Owner };
            polity.admission(kind, *sponsor, if *machine { *sponsor } else { *owner }, *node)
        }
        Sent::Second { by, owner } => {
            let seconding = Seconding { owner: public(*owner) };
            Tx::Second(Signed::new(seconding, polity.network(), &key(*by)))
        }
    }
}

/// What holds after every block.
fn check_books(ledger: &Ledger, effects: &[Effect], told: &mut (usize, usize)) {
    let now = ledger.tip().time;
    for sanction in ledger.sanctions() {
        match sanction.released {
            None => assert!(sanction.until > now, "{sanction:?} should have ended by {now}"),
            Some(height) => assert!(height <= ledger.tip().height),
        }
    }
    // Every beginning and every end of a sanction was told.
    let count = |of: fn(&Effect) -> bool| effects.iter().filter(|effect| of(effect)).count();
    told.0 += count(|effect| matches!(effect, Effect::Sanctioned(_)));
    told.1 += count(|effect| matches!(effect, Effect::Released { .. }));
    let released = ledger.sanctions().iter().filter(|s| s.released.is_some()).count();
    assert_eq!(*told, (ledger.sanctions().len(), released));
    for (owner, record) in ledger.roster().owners() {
        let of = |right: Right| {
            let is_active = |s: &&protocol::Sanction| {
                s.owner == *owner && s.right == right && s.released.is_none()
            };
            ledger.sanctions().iter().filter(is_active).collect::<Vec<_>>()
        };
        assert!(of(Right::Dispute).len() <= 1 && of(Right::Execute).len() <= 1);
        assert_eq!(record.barred, of(Right::Execute).first().map(|sanction| sanction.until));
        assert_eq!(ledger.is_barred(owner), record.barred.is_some());
        assert_eq!(ledger.may_dispute(owner), of(Right::Dispute).is_empty());
        assert!(ledger.failures(owner) < ledger.params().failed_disputes);
        let open = ledger.disputes().filter(|record| record.is_open() && record.filer == *owner);
        assert!(open.count() <= ledger.params().open_disputes as usize);
    }
    let held = |job, task| {
        let cause = Cause::Refuted { job, task };
        ledger.findings().iter().filter(|finding| finding.cause == cause).count()
    };
    for record in ledger.disputes() {
        let distinct: BTreeSet<_> = record.claims.iter().map(|(node, _)| node).collect();
        assert_eq!(distinct.len(), record.claims.len());
        let distinct: BTreeSet<_> = record.rulings.iter().map(|(by, _)| by).collect();
        assert_eq!(distinct.len(), record.rulings.len());
        let refuted = match record.status {
            DisputeStatus::Decided { outcome, .. } => record.others(outcome).len(),
            DisputeStatus::Open | DisputeStatus::Undecided { .. } => 0,
        };
        assert_eq!(held(record.job, record.task), refuted, "{record:?}");
    }
}

/// Which kinds of things happened, so that the test is known to reach them.
fn kinds(effects: &[Effect], seen: &mut BTreeSet<&'static str>) {
    seen.extend(effects.iter().map(|effect| match effect {
        Effect::Settled { .. } => "settled",
        Effect::Ordered { .. } => "ordered",
        Effect::Disputed { .. } => "disputed",
        Effect::Ruled { outcome: Some(_), .. } => "decided",
        Effect::Ruled { outcome: None, .. } => "undecided",
        Effect::Sanctioned(_) => "sanctioned",
        Effect::Released { .. } => "released",
        Effect::Unfounded { .. } => "unfounded",
        Effect::Audited { .. } => "audited",
        Effect::Found(_) => "found",
        Effect::RosterChanged { .. } | Effect::NodeAdmitted { .. } => "admitted",
        Effect::Broken(_) => "broken",
    }));
}

/// One block after another, each of what was sent to its proposer, some time after the last.
fn run(blocks: &[(u64, u8, Vec<Sent>)]) -> BTreeSet<&'static str> {
    let mut polity = Polity::with(|params| {
        params.sanctions_ms = vec![2_000, 4_000];
        params.verdict_ms = 2_500;
        (params.audit_per_mille, params.auditors) = (700, 2);
        (params.open_disputes, params.failed_disputes) = (4, 2);
    });
    let (mut seen, mut told) = (BTreeSet::new(), (0, 0));
    for (ms, proposer, sent) in blocks {
        let candidates: Vec<_> = sent
            .iter()
            .filter_map(|sent| CheckedTx::new(tx(&polity, sent), polity.network()).ok())
            .collect();
        let now = polity.time().after_ms(*ms);
        let secret = key(101 + proposer);
        let (block, refused) = polity.ledger.propose(&secret, now, &candidates);
        assert!(refused.len() + block.txs.len() <= candidates.len());
        for (digest, _) in &refused {
            assert!(candidates.iter().any(|checked| checked.digest() == *digest));
        }
        // Whoever starts from a snapshot has the same state, proposes the same and tells the same.
        let bytes = canonical::encode(&polity.ledger);
        let snapshot: Ledger = canonical::decode(&bytes, usize::MAX).unwrap();
        assert_eq!(snapshot, polity.ledger);
        assert_eq!(snapshot.propose(&secret, now, &candidates), (block.clone(), refused));
        let (next, effects) = polity.ledger.apply_final(&block).unwrap();
        assert_eq!(snapshot.apply_final(&block).unwrap(), (next.clone(), effects.clone()));
        assert_eq!(next.tip().state_root, block.header.state_root);
        // Verdicts may rule about a task that is disputed only later.
        let once = |tx: &&Tx| !matches!(tx, Tx::Verdict(_));
        for tx in block.txs.iter().filter(once) {
            let again = CheckedTx::new(tx.clone(), polity.network()).unwrap();
            assert!(next.check_tx(&again).is_err(), "{tx:?} applies twice");
        }
        check_books(&next, &effects, &mut told);
        kinds(&effects, &mut seen);
        polity.ledger = next;
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_sent_the_books_balance_everywhere(
        blocks in vec((1u64..1_200, 0u8..4, vec(sent(), 0..10)), 1..25),
    ) {
        run(&blocks);
    }
}

#[test]
fn what_is_sent_at_random_reaches_every_kind_of_event() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let blocks = vec((1u64..700, 0u8..4, vec(sent(), 10..20)), 30..31);
    let mut seen = BTreeSet::new();
    for _ in 0..4 {
        seen.append(&mut run(&blocks.new_tree(&mut runner).unwrap().current()));
    }
    let expected = [
        "admitted",
        "audited",
        "decided",
        "disputed",
        "found",
        "ordered",
        "released",
        "sanctioned",
        "settled",
        "undecided",
        "unfounded",
    ];
    assert_eq!(seen, expected.into());
}
