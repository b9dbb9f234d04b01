//! What an evidence file proves, and every way in which a false one is refused.

use super::elsewhere;
use crate::fixture::{
    admission,
    disputed::{
        TASK, claims, contradictions, decided, dispute, evidence, evidence_of_verdict, other,
        replica, third, unsigned_dispute, verdict, verdicts,
    },
    genesis, key, network, order, outcome,
};
use identity::{Digest, Signed};
use protocol::{
    Accused, Admission, Cause, Decided, Dispute, Evidence, EvidenceError, Proof, TaskIndex,
    TaskSpec, TaskTable, Warning,
};

fn of(change: impl FnOnce(&mut Decided)) -> Evidence {
    let mut decided = decided();
    change(&mut decided);
    evidence(Proof::Verdict(Box::new(decided)))
}

fn refusal(change: impl FnOnce(&mut Decided)) -> EvidenceError {
    of(change).verify(Some(network())).unwrap_err()
}

fn sign(dispute: Dispute) -> Signed<Dispute> {
    Signed::new(dispute, network(), &key(101))
}

/// Node and owner of each of these, in the order of the nodes.
fn nodes(numbers: &[u8]) -> Vec<(identity::PublicKey, identity::PublicKey)> {
    let node = |n: &u8| (key(*n).public(), key(*n - 100).public());
    let mut nodes: Vec<_> = numbers.iter().map(node).collect();
    nodes.sort();
    nodes
}

#[test]
fn a_contradiction_of_each_kind_convinces_a_stranger() {
    for (name, contradiction, cause) in contradictions(104) {
        let evidence = evidence(Proof::Contradiction(Box::new(contradiction)));
        let bytes = evidence.encode();
        assert!(Evidence::begins(&bytes));
        assert_eq!(Evidence::decode(&bytes).unwrap(), evidence, "{name}");
        let report = evidence.verify(Some(network())).unwrap();
        let (node, owner) = (key(104).public(), key(4).public());
        assert_eq!(report.accused, [Accused { node, owner, cause, claimed: None }], "{name}");
        assert_eq!((report.verdict, report.confirmed, report.warnings), (None, vec![], vec![]));
    }
}

#[test]
fn a_verdict_convinces_a_stranger_of_who_lied_and_who_did_not() {
    let evidence = evidence_of_verdict();
    assert_eq!(Evidence::decode(&evidence.encode()).unwrap(), evidence);
    let report = evidence.verify(Some(network())).unwrap();
    let (job, task) = (order().payload.id(), TASK);
    let accused = Accused {
        node: key(104).public(),
        owner: key(4).public(),
        cause: Cause::Refuted { job, task },
        claimed: Some(other(2).digest()),
    };
    assert_eq!(report.accused, [accused]);
    assert_eq!(report.verdict, Some((job, task, outcome(2).digest())));
    let mut confirmed = report.confirmed;
    confirmed.sort();
    assert_eq!(confirmed, nodes(&[102, 103, 105]));
    assert_eq!(report.network, network());
}

#[test]
fn a_validator_that_found_something_else_is_named_beside_the_claimants() {
    let evidence = of(|d| d.verdicts.push(verdict(104, Some(&third(2)))));
    let report = evidence.verify(Some(network())).unwrap();
    let said: Vec<_> = report.accused.iter().map(|one| (one.node, one.claimed)).collect();
    let liar = key(104).public();
    assert_eq!(said, [(liar, Some(other(2).digest())), (liar, Some(third(2).digest()))]);
    // Who ruled as it claimed is named once.
    let same = of(|d| d.verdicts.push(verdict(104, Some(&other(2)))));
    assert_eq!(same.verify(Some(network())).unwrap().accused.len(), 1);
}

#[test]
fn the_validators_can_find_that_everybody_lied() {
    let report = of(|d| {
        d.verdicts = (102..=104).map(|node| verdict(node, Some(&third(2)))).collect();
    })
    .verify(Some(network()))
    .unwrap();
    assert_eq!((report.accused.len(), report.confirmed.len()), (4, 0));
}

#[test]
fn several_filings_of_one_dispute_name_everybody() {
    let mut first = unsigned_dispute();
    first.claims = claims(&[replica(103, &outcome(2)), replica(104, &other(2))]);
    first.audits.clear();
    let mut second = unsigned_dispute();
    second.claims = claims(&[replica(102, &third(2)), replica(103, &outcome(2))]);
    let evidence = of(|d| d.disputes = vec![sign(first), sign(second)]);
    let report = evidence.verify(Some(network())).unwrap();
    let mut accused: Vec<_> = report.accused.iter().map(|a| (a.node, a.owner)).collect();
    accused.sort();
    assert_eq!(accused, nodes(&[102, 104]));
    assert!(report.confirmed.contains(&nodes(&[103])[0]));
}

#[test]
fn a_reader_that_pins_nothing_is_told_so() {
    let report = evidence_of_verdict().verify(None).unwrap();
    assert_eq!(report.warnings, [Warning::Unpinned]);
}

#[test]
fn evidence_of_another_network_is_refused() {
    let refused = evidence_of_verdict().verify(Some(elsewhere())).unwrap_err();
    assert_eq!(refused, EvidenceError::OtherNetwork { pinned: elsewhere(), found: network() });
    let mut forged = evidence_of_verdict();
    forged.genesis.validators.truncate(1);
    let refused = forged.verify(Some(network())).unwrap_err();
    assert!(matches!(refused, EvidenceError::OtherNetwork { .. }), "{refused}");
    assert!(forged.verify(None).is_err(), "nothing in it was signed for that network");
}

#[test]
fn fewer_than_a_quorum_is_no_verdict() {
    assert_eq!(refusal(|d| drop(d.verdicts.pop())), EvidenceError::NoVerdict);
    assert_eq!(refusal(|d| d.verdicts.clear()), EvidenceError::NoVerdict);
    let twice = refusal(|d| d.verdicts[2] = d.verdicts[1].clone());
    assert_eq!(twice, EvidenceError::NoVerdict, "one validator counts once");
    let split = refusal(|d| d.verdicts[2] = verdict(103, Some(&other(2))));
    assert_eq!(split, EvidenceError::NoVerdict, "they must have found the same");
    let silent = refusal(|d| d.verdicts[2] = verdict(103, None));
    assert_eq!(silent, EvidenceError::NoVerdict, "who could not run it found nothing");
    assert!(of(|d| d.verdicts.push(verdict(104, None))).verify(Some(network())).is_ok());
    assert!(of(|d| d.verdicts.push(verdict(104, Some(&other(2))))).verify(None).is_ok());
}

#[test]
fn verdicts_of_strangers_do_not_count() {
    // Node 105 is admitted and does not vote; 77 is nobody.
    for stranger in [105, 77] {
        let refused = refusal(|d| d.verdicts[2] = verdict(stranger, Some(&outcome(2))));
        assert!(matches!(refused, EvidenceError::Part(_)), "{refused}");
        let refused = refusal(|d| d.verdicts.push(verdict(stranger, Some(&outcome(2)))));
        assert!(matches!(refused, EvidenceError::Part(_)), "{refused}");
    }
    let forged = refusal(|d| d.verdicts[0].by = key(104).public());
    assert!(matches!(forged, EvidenceError::Part(_)), "{forged}");
}

#[test]
fn a_verdict_of_another_task_decides_nothing() {
    let about = |task: u32| {
        let other = |node: u8| {
            let mut said = verdict(node, Some(&outcome(2))).payload;
            said.rulings.retain(|ruling| ruling.task == TASK);
            said.rulings[0].task = TaskIndex(task);
            Signed::new(said, network(), &key(node))
        };
        of(|d| d.verdicts = (101..=103).map(other).collect()).verify(Some(network()))
    };
    assert!(about(2).is_ok());
    assert_eq!(about(0).unwrap_err(), EvidenceError::NoVerdict);
}

#[test]
fn a_verdict_that_refutes_nobody_is_no_evidence() {
    // Both say what the validators found; the dispute itself is refused, as nobody disagrees.
    let mut agreed = unsigned_dispute();
    agreed.claims = claims(&[replica(103, &outcome(2)), replica(105, &outcome(2))]);
    let refused = refusal(|d| d.disputes = vec![sign(agreed)]);
    assert!(matches!(refused, EvidenceError::Part(_)), "{refused}");
}

#[test]
fn a_stranger_cannot_be_accused() {
    let mut unvouched = evidence_of_verdict();
    unvouched.vouchers.clear();
    let refused = unvouched.verify(Some(network())).unwrap_err();
    assert_eq!(refused, EvidenceError::Unvouched(key(105).public()));
    for (name, contradiction, cause) in contradictions(105) {
        let with = |vouchers| Evidence {
            genesis: genesis(),
            vouchers,
            proof: Proof::Contradiction(Box::new(contradiction.clone())),
        };
        let alone = with(Vec::new()).verify(Some(network())).unwrap_err();
        let vouched = with(vec![admission()]).verify(Some(network()));
        if matches!(cause, Cause::Votes { .. } | Cause::Verdicts { .. }) {
            let expected = EvidenceError::NoValidator(key(105).public());
            assert_eq!((alone, vouched.unwrap_err()), (expected.clone(), expected), "{name}");
        } else {
            assert_eq!(alone, EvidenceError::Unvouched(key(105).public()), "{name}");
            assert_eq!(vouched.unwrap().accused[0].owner, key(5).public(), "{name}");
        }
    }
}

#[test]
fn a_voucher_that_does_not_hold_is_refused() {
    let mut forged = evidence_of_verdict();
    forged.vouchers[0].payload.voucher.payload.owner = key(1).public();
    let refused = forged.verify(Some(network())).unwrap_err();
    assert!(matches!(refused, EvidenceError::Part(_)), "{refused}");
}

/// Owner 5 takes in a node that consents, whosever it was.
fn adopted(node: u8) -> Signed<Admission> {
    let mut adopted = admission();
    let said = &mut adopted.payload;
    said.voucher.payload.node = key(node).public();
    said.voucher = Signed::new(said.voucher.payload.clone(), network(), &key(5));
    said.consent = Signed::new(said.consent.payload.clone(), network(), &key(node));
    Signed::new(adopted.payload, network(), &key(200))
}

#[test]
fn the_liars_own_consent_does_not_give_it_another_owner() {
    assert_eq!(adopted(105), admission());
    for vouchers in [vec![admission(), adopted(104)], vec![admission(), admission()]] {
        let evidence = Evidence { vouchers, ..evidence_of_verdict() };
        let refused = evidence.verify(Some(network())).unwrap_err();
        assert!(matches!(refused, EvidenceError::Part(_)), "{refused}");
    }
}

#[test]
fn the_table_is_the_one_that_was_ordered() {
    assert_eq!(refusal(|d| d.table.args.clear()), EvidenceError::Table);
    let changed = |change: fn(&mut Vec<TaskSpec>)| {
        refusal(|d| {
            let mut rows = d.table.rows().to_vec();
            change(&mut rows);
            d.table = TaskTable::of(d.table.args.clone(), rows);
        })
    };
    assert_eq!(changed(|rows| rows.swap(0, 1)), EvidenceError::Table);
    let bad = changed(|rows| rows[0].name = "../x".into());
    assert!(matches!(bad, EvidenceError::Part(_)), "{bad}");
}

#[test]
fn disputes_are_about_one_task_of_one_order() {
    assert_eq!(refusal(|d| d.disputes.clear()), EvidenceError::Tasks);
    let mut elsewhere = unsigned_dispute();
    elsewhere.task = TaskIndex(1);
    let refused = refusal(|d| d.disputes.push(sign(elsewhere)));
    assert_eq!(refused, EvidenceError::Tasks);
    let mut other = unsigned_dispute();
    let mut job = order().payload;
    job.nonce = Digest([77; 32]);
    other.order = Signed::new(job, network(), &key(1));
    let refused = refusal(|d| d.disputes.push(sign(other)));
    assert_eq!(refused, EvidenceError::Tasks);
    let mut changed = dispute();
    changed.payload.claims.pop();
    let refused = refusal(|d| d.disputes.push(changed));
    assert!(matches!(refused, EvidenceError::Part(_)), "{refused}");
}

#[test]
fn a_contradiction_that_proves_nothing_is_no_evidence() {
    let one = replica(104, &outcome(2));
    let same = protocol::Contradiction::Commits { first: one.commit(), second: one.commit() };
    let refused =
        evidence(Proof::Contradiction(Box::new(same))).verify(Some(network())).unwrap_err();
    assert!(matches!(refused, EvidenceError::Part(_)), "{refused}");
}

#[test]
fn a_file_that_is_cut_or_changed_is_refused_at_every_byte() {
    let bytes = evidence_of_verdict().encode();
    for at in 0..bytes.len() {
        assert!(Evidence::decode(&bytes[..at]).is_err(), "cut after {at}");
        let mut wrong = bytes.clone();
        wrong[at] ^= 1 << (at % 8);
        assert!(Evidence::decode(&wrong).is_err(), "byte {at}");
    }
    assert!(Evidence::decode(&[&bytes[..], b"x"].concat()).is_err());
    assert!(!Evidence::begins(b"POLITYR1"));
}

/// The checksum catches accidents; whoever means harm computes it anew.
fn no_byte_can_change(evidence: &Evidence) {
    let bytes = evidence.encode();
    let end = bytes.len() - 32;
    for at in 0..end {
        let mut wrong = bytes[..end].to_vec();
        wrong[at] ^= 1 << (at % 8);
        let digest = Digest::plain(&wrong);
        wrong.extend(digest.as_bytes());
        let refused = Evidence::decode(&wrong).and_then(|read| read.verify(Some(network())));
        assert!(refused.is_err(), "byte {at}");
    }
}

#[test]
fn a_verdict_with_a_changed_byte_is_refused_under_a_right_checksum() {
    assert_eq!(verdicts().len(), 3, "no vote can be spared");
    no_byte_can_change(&evidence_of_verdict());
}

#[test]
fn a_contradiction_with_a_changed_byte_is_refused_under_a_right_checksum() {
    for (_, contradiction, _) in contradictions(104) {
        no_byte_can_change(&Evidence {
            genesis: genesis(),
            vouchers: Vec::new(),
            proof: Proof::Contradiction(Box::new(contradiction)),
        });
    }
}
