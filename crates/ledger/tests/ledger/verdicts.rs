//! What a quorum of validators finds decides; nobody else's word does.

use crate::fixture::{Polity, fair, key, lie, public, third};
use identity::Signed;
use ledger::{DisputeStatus, Effect, Refusal};
use protocol::{Cause, Height, Right, TaskIndex, Time, Tx};

/// A polity in which 104 and 105 differ about task 0.
fn disputed() -> (Polity, Signed<protocol::Job>) {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    polity.block(vec![polity.dispute(&order, 0, &[(104, fair(0)), (105, lie(0))])]);
    (polity, order)
}

fn status(polity: &Polity, order: &Signed<protocol::Job>) -> DisputeStatus {
    polity.ledger.dispute(&order.payload.id(), TaskIndex(0)).unwrap().status
}

#[test]
fn three_equal_findings_of_four_validators_are_the_verdict() {
    let (mut polity, order) = disputed();
    let (job, task) = (order.payload.id(), TaskIndex(0));
    for by in [104, 101] {
        let tx = polity.verdict(by, &order, &[(0, Some(fair(0)))]);
        assert_eq!(polity.block(vec![tx]), []);
        assert_eq!(status(&polity, &order), DisputeStatus::Open);
    }
    let last = polity.verdict(103, &order, &[(0, Some(fair(0)))]);
    let effects = polity.block(vec![last.clone()]);
    let height = Height(4);
    let [
        Effect::Found(finding),
        Effect::Sanctioned(sanction),
        Effect::RosterChanged { .. },
        Effect::Ruled { outcome, refuted, home, .. },
    ] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!((*outcome, refuted, *home), (Some(fair(0)), &vec![public(105)], public(101)));
    assert_eq!((finding.node, finding.owner), (public(105), public(5)));
    assert_eq!(finding.cause, Cause::Refuted { job, task });
    assert_eq!((finding.tx, finding.height, finding.time), (last.digest(), height, polity.time()));
    assert_eq!((sanction.owner, sanction.right, sanction.strike), (public(5), Right::Execute, 1));
    assert_eq!(sanction.until, polity.time().after_ms(10_000));
    assert_eq!(status(&polity, &order), DisputeStatus::Decided { outcome: fair(0), height });
    let record = polity.ledger.dispute(&job, task).unwrap();
    assert_eq!(record.others(fair(0)), [public(105)]);
    assert_eq!(record.rulings.len(), 3);
    assert_eq!(polity.ledger.findings().len(), 1);
}

#[test]
fn a_validator_that_ruled_otherwise_is_refuted_too() {
    let (mut polity, order) = disputed();
    let rule = |polity: &Polity, by, outcome| polity.verdict(by, &order, &[(0, Some(outcome))]);
    let txs = vec![
        rule(&polity, 101, fair(0)),
        rule(&polity, 102, lie(0)),
        rule(&polity, 103, fair(0)),
        rule(&polity, 104, fair(0)),
    ];
    let effects = polity.block(txs);
    let Some(Effect::Ruled { refuted, .. }) = effects.last() else { panic!("{effects:?}") };
    assert_eq!(refuted, &[public(105), public(102)]);
    assert!(polity.ledger.is_barred(&public(2)) && polity.ledger.is_barred(&public(5)));
    assert!(!polity.ledger.is_barred(&public(4)));
}

#[test]
fn a_claimant_that_is_a_validator_is_refuted_once() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    polity.block(vec![polity.dispute(&order, 0, &[(104, lie(0)), (105, fair(0))])]);
    let mut txs: Vec<_> =
        (101..=103).map(|by| polity.verdict(by, &order, &[(0, Some(fair(0)))])).collect();
    txs.insert(0, polity.verdict(104, &order, &[(0, Some(lie(0)))]));
    let effects = polity.block(txs);
    let Some(Effect::Ruled { refuted, .. }) = effects.last() else { panic!("{effects:?}") };
    assert_eq!(refuted, &[public(104)]);
    assert_eq!(polity.ledger.findings().len(), 1);
}

#[test]
fn the_majority_of_claims_means_nothing() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    let said = [(102, fair(0)), (103, lie(0)), (104, lie(0)), (105, lie(0))];
    polity.block(vec![polity.dispute(&order, 0, &said)]);
    let effects = polity.rule(&order, 0);
    let Some(Effect::Ruled { outcome, refuted, .. }) = effects.last() else { panic!() };
    assert_eq!((*outcome, refuted.len()), (Some(fair(0)), 3));
}

#[test]
fn the_validators_can_find_what_nobody_claims() {
    let (mut polity, order) = disputed();
    let txs = (101..=103).map(|by| polity.verdict(by, &order, &[(0, Some(third(0)))])).collect();
    let effects = polity.block(txs);
    let Some(Effect::Ruled { outcome, refuted, .. }) = effects.last() else { panic!() };
    assert_eq!((*outcome, refuted.len()), (Some(third(0)), 2));
}

#[test]
fn who_does_not_vote_does_not_rule() {
    let (polity, order) = disputed();
    for by in [105, 110] {
        let tx = polity.verdict(by, &order, &[(0, Some(fair(0)))]);
        assert_eq!(polity.refusal(tx), Some(Refusal::NotAValidator(public(by))));
    }
}

#[test]
fn a_validator_rules_once() {
    let (mut polity, order) = disputed();
    let first = polity.verdict(101, &order, &[(0, Some(fair(0)))]);
    polity.block(vec![first.clone()]);
    assert_eq!(polity.refusal(first), Some(Refusal::NothingNew));
    let second = polity.verdict(101, &order, &[(0, Some(lie(0)))]);
    assert_eq!(polity.refusal(second), Some(Refusal::NothingNew));
    // Beside a new one, an old one is passed over.
    polity.block(vec![polity.dispute(&order, 1, &[(104, fair(1)), (105, lie(1))])]);
    let both = polity.verdict(101, &order, &[(0, Some(lie(0))), (1, Some(fair(1)))]);
    polity.block(vec![both]);
    let record = |task| polity.ledger.dispute(&order.payload.id(), TaskIndex(task)).unwrap();
    assert_eq!(record(0).rulings, [(public(101), Some(fair(0)))]);
    assert_eq!(record(1).rulings, [(public(101), Some(fair(1)))]);
}

#[test]
fn rulings_about_nothing_are_refused() {
    let (mut polity, order) = disputed();
    let unknown = polity.verdict(101, &order, &[(1, Some(fair(1)))]);
    assert_eq!(polity.refusal(unknown), Some(Refusal::NothingNew));
    polity.rule(&order, 0);
    let late = polity.verdict(104, &order, &[(0, Some(lie(0)))]);
    assert_eq!(polity.refusal(late), Some(Refusal::NothingNew), "it is decided");
}

#[test]
fn one_signature_decides_several_disputes() {
    let (mut polity, order) = disputed();
    polity.block(vec![polity.dispute(&order, 1, &[(103, lie(1)), (104, fair(1))])]);
    let found = [(0, Some(fair(0))), (1, Some(fair(1)))];
    let txs = (101..=103).map(|by| polity.verdict(by, &order, &found)).collect();
    let effects = polity.block(txs);
    let ruled = effects.iter().filter(|effect| matches!(effect, Effect::Ruled { .. })).count();
    assert_eq!(ruled, 2);
    assert!(polity.ledger.is_barred(&public(3)) && polity.ledger.is_barred(&public(5)));
}

#[test]
fn a_dispute_ends_as_soon_as_no_quorum_can_be_reached() {
    type Ruling = Option<protocol::OutcomeDigest>;
    let cases: [(&str, Vec<Ruling>); 4] = [
        ("two could not run it", vec![None, None]),
        ("one could not, and two differ", vec![Some(fair(0)), None, Some(lie(0))]),
        ("three differ", vec![Some(fair(0)), Some(lie(0)), Some(third(0))]),
        ("two against two", vec![Some(fair(0)), Some(lie(0)), Some(fair(0)), Some(lie(0))]),
    ];
    for (name, rulings) in cases {
        let (mut polity, order) = disputed();
        let last = rulings.len() - 1;
        for (n, outcome) in rulings.into_iter().enumerate() {
            let tx = polity.verdict(101 + n as u8, &order, &[(0, outcome)]);
            let effects = polity.block(vec![tx]);
            let ended = matches!(status(&polity, &order), DisputeStatus::Undecided { .. });
            assert_eq!((ended, effects.len()), (n == last, usize::from(n == last)), "{name}, {n}");
        }
        assert_eq!(polity.ledger.findings(), [], "{name}: nobody is to blame");
        assert_eq!(polity.ledger.sanctions(), [], "{name}");
        // Only that it cannot be run is the filer's doing; who lies among the validators is not.
        let failures = u32::from(name == "two could not run it");
        assert_eq!(polity.ledger.failures(&public(1)), failures, "{name}");
    }
}

#[test]
fn validators_have_longer_the_more_there_is_to_decide() {
    let (mut polity, order) = disputed();
    let verdict_ms = polity.ledger.params().verdict_ms;
    polity.block(vec![polity.dispute(&order, 1, &[(103, lie(1)), (104, fair(1))])]);
    let deadline = |task| {
        let record = polity.ledger.dispute(&order.payload.id(), TaskIndex(task)).unwrap();
        record.deadline.0 - polity.ledger.tip().time.0
    };
    assert_eq!(deadline(1), verdict_ms + verdict_ms / 8);
    assert!(deadline(0) <= verdict_ms);
}

#[test]
fn one_that_cannot_run_it_does_not_stop_the_others() {
    let (mut polity, order) = disputed();
    polity.block(vec![polity.verdict(104, &order, &[(0, None)])]);
    assert_eq!(status(&polity, &order), DisputeStatus::Open);
    polity.rule(&order, 0);
    assert!(matches!(status(&polity, &order), DisputeStatus::Decided { .. }));
    assert!(!polity.ledger.is_barred(&public(4)), "not to have run it is no lie");
}

#[test]
fn at_the_deadline_a_dispute_stays_undecided_and_nobody_is_sanctioned() {
    let (mut polity, order) = disputed();
    let filed = polity.ledger.dispute(&order.payload.id(), TaskIndex(0)).unwrap().clone();
    let two: Vec<_> =
        [101, 102].map(|by| polity.verdict(by, &order, &[(0, Some(fair(0)))])).to_vec();
    polity.block(two);
    let mut in_time = Polity { genesis: polity.genesis.clone(), ledger: polity.ledger.clone() };
    let last = polity.verdict(103, &order, &[(0, Some(fair(0)))]);
    in_time.block_at(filed.deadline, vec![last.clone()]);
    assert!(matches!(status(&in_time, &order), DisputeStatus::Decided { .. }));
    assert_eq!(polity.block_at(filed.deadline, vec![]), []);
    let effects = polity.block_at(Time(filed.deadline.0 + 1), vec![]);
    let (job, task, home) = (order.payload.id(), TaskIndex(0), public(101));
    let height = polity.height();
    let ruled = Effect::Ruled { job, task, home, outcome: None, refuted: vec![], height };
    assert_eq!(effects, [ruled]);
    assert_eq!(status(&polity, &order), DisputeStatus::Undecided { height });
    assert_eq!((polity.ledger.findings(), polity.ledger.sanctions()), (&[][..], &[][..]));
    assert_eq!(polity.ledger.failures(&public(1)), 0, "silence is nobody's fault");
    assert_eq!(polity.refusal(last), Some(Refusal::NothingNew), "too late");
    let more = polity.dispute(&order, 0, &[(103, third(0)), (105, lie(0))]);
    assert_eq!(polity.refusal(more), Some(Refusal::Undecided { job, task }));
}

#[test]
fn disputes_that_fail_cost_the_right_to_file_them() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    for task in 0..3 {
        assert_eq!(polity.ledger.failures(&public(1)), task);
        let said = [(104, fair(task)), (105, lie(task))];
        polity.block(vec![polity.dispute(&order, task, &said)]);
        let effects = polity.hang(&order, task);
        assert_eq!(effects.len(), if task == 2 { 3 } else { 1 }, "{effects:?}");
    }
    let [sanction] = polity.ledger.sanctions() else { panic!("one sanction") };
    assert_eq!((sanction.owner, sanction.right, sanction.strike), (public(1), Right::Dispute, 1));
    assert_eq!(sanction.finding.cause, Cause::Unfounded { failed: 3 });
    assert_eq!(sanction.finding.node, public(101));
    assert!(!polity.ledger.may_dispute(&public(1)));
    assert!(!polity.ledger.is_barred(&public(1)), "it is drawn as before");
    assert_eq!(polity.ledger.roster().owner(&public(1)).unwrap().barred, None);
    let (owner, until) = (public(1), sanction.until);
    let said = [(104, fair(5)), (105, lie(5))];
    let refused = polity.refusal(polity.dispute(&order, 5, &said));
    assert_eq!(refused, Some(Refusal::Barred { owner, until }));
    assert_eq!(polity.refusal(polity.file(102, polity.disputed(&order, 5, &said))), None);
    let height = polity.height().next();
    let effects = polity.block_at(until, vec![]);
    assert_eq!(effects, [Effect::Released { owner, right: Right::Dispute, height }]);
    assert_eq!(polity.ledger.failures(&owner), 0, "it begins anew");
    assert_eq!(polity.refusal(polity.dispute(&order, 5, &said)), None);
}

#[test]
fn one_right_dispute_makes_up_for_those_that_failed() {
    let mut polity = Polity::new();
    let order = polity.order(2, 3);
    for task in [0, 1, 3, 4] {
        let said = [(103, fair(task)), (104, lie(task))];
        polity.block(vec![polity.dispute(&order, task, &said)]);
        polity.hang(&order, task);
        if task == 1 {
            assert_eq!(polity.ledger.failures(&public(1)), 2);
            polity.catch(&order, 2, 105);
            assert_eq!(polity.ledger.failures(&public(1)), 0);
        }
    }
    assert_eq!(polity.ledger.failures(&public(1)), 2);
    assert!(polity.ledger.may_dispute(&public(1)));
}

#[test]
fn claims_that_come_after_the_verdict_are_refuted_at_once() {
    let (mut polity, order) = disputed();
    polity.rule(&order, 0);
    let (job, task) = (order.payload.id(), TaskIndex(0));
    let equal = polity.dispute(&order, 0, &[(103, fair(0)), (104, fair(0)), (105, lie(0))]);
    assert_eq!(polity.refusal(equal), Some(Refusal::NotACandidate(public(105))));
    // Drawn before the sanction, the liar was a candidate.
    let at_draw = |said: &[_]| {
        let dispute = protocol::Dispute { drawn: Height(1), ..polity.disputed(&order, 0, said) };
        polity.file(101, dispute)
    };
    let known = at_draw(&[(103, fair(0)), (105, lie(0))]);
    assert_eq!(
        polity.refusal(known),
        Some(Refusal::NothingNew),
        "the verdict confirms the new one"
    );
    let late = at_draw(&[(103, third(0)), (104, fair(0))]);
    let effects = polity.block(vec![late.clone()]);
    let [Effect::Found(finding), Effect::Sanctioned(_), Effect::RosterChanged { .. }] =
        &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!((finding.node, finding.tx), (public(103), late.digest()));
    assert_eq!(finding.cause, Cause::Refuted { job, task });
    let record = polity.ledger.dispute(&job, task).unwrap();
    assert_eq!(record.claims.last(), Some(&(public(103), third(0))));
    assert!(record.txs.iter().any(|(tx, _)| *tx == late.digest()));
    assert_eq!(polity.refusal(late), Some(Refusal::NothingNew));
}

#[test]
fn a_verdict_cannot_be_changed_or_taken_for_another_kind() {
    let (polity, order) = disputed();
    let Tx::Verdict(mut verdicts) = polity.verdict(101, &order, &[(0, Some(fair(0)))]) else {
        panic!("it is one")
    };
    verdicts.payload.rulings[0].outcome = Some(lie(0));
    assert!(ledger::CheckedTx::new(Tx::Verdict(verdicts), polity.network()).is_err());
    let audit = Tx::Audit(polity.audit(101, &order, 0, fair(0)));
    assert_eq!(polity.refusal(audit), Some(Refusal::NotAnAuditor(key(101).public())));
}
