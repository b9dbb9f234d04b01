//! Disputes and verdicts hold only as they were signed, and only if somebody disagrees.

use super::elsewhere;
use crate::fixture::{
    disputed::{
        Replica, TASK, audit, claims, dispute, other, replica, third, unsigned_dispute, verdict,
    },
    key, network, order, outcome,
};
use identity::{Digest, Signed};
use protocol::{
    Audit, Claim, Dispute, Error, Height, Job, JobId, Ruling, TaskIndex, Time, Verdicts,
    dispute_name, limits,
};

/// The dispute with a change, signed as it is then.
fn check(change: impl FnOnce(&mut Dispute)) -> Result<(), Error> {
    let mut dispute = unsigned_dispute();
    change(&mut dispute);
    Dispute::check(&Signed::new(dispute, network(), &key(101)), network()).map(drop)
}

fn other_job() -> Job {
    Job { nonce: Digest([77; 32]), ..order().payload }
}

#[test]
fn a_dispute_says_who_claims_what() {
    let claimed = Dispute::check(&dispute(), network()).unwrap();
    let (found, lie) = (outcome(2).digest(), other(2).digest());
    let executors = [(103, found), (104, lie), (105, found)];
    let executors = executors.map(|(node, outcome)| (key(node).public(), outcome)).into();
    assert_eq!(claimed.executors, executors);
    assert_eq!(claimed.auditors, [(key(102).public(), found)].into());
    assert_eq!(claimed.all().count(), 4);
    assert_eq!(check(|_| {}), Ok(()));
}

#[test]
fn nobody_can_change_a_dispute_or_take_it_elsewhere() {
    type Change = fn(&mut Signed<Dispute>);
    let changes: [(&str, Change); 5] = [
        ("drawn", |d| d.payload.drawn = Height(4)),
        ("claims", |d| drop(d.payload.claims.remove(2))),
        ("audits", |d| d.payload.audits.clear()),
        ("filer", |d| d.by = key(102).public()),
        ("signature", |d| d.signature.0[3] ^= 1),
    ];
    for (name, change) in changes {
        let mut wrong = dispute();
        change(&mut wrong);
        assert!(Dispute::check(&wrong, network()).is_err(), "{name}");
    }
    assert!(Dispute::check(&dispute(), elsewhere()).is_err());
    // Who files it vouches for nothing: the claims are checked by themselves, too.
    assert!(dispute().payload.check_claims(network()).is_ok());
    assert!(dispute().payload.check_claims(elsewhere()).is_err());
}

#[test]
fn a_dispute_in_which_nobody_disagrees_is_none() {
    let liar = key(104).public();
    assert!(check(|d| d.claims.retain(|claim| claim.node() == liar)).is_ok(), "the audit differs");
    assert!(check(|d| d.claims.retain(|claim| claim.node() != liar)).is_err());
    assert!(check(|d| d.claims.clear()).is_err(), "one audit alone");
    assert!(
        check(|d| {
            d.claims.clear();
            d.audits.clear();
        })
        .is_err(),
        "nothing at all"
    );
}

#[test]
fn an_auditor_alone_can_contradict_all_executors() {
    let by_audit = |d: &mut Dispute| {
        d.claims = claims(&[replica(103, &outcome(2)), replica(105, &outcome(2))]);
        d.audits = vec![audit(102, &other(2))];
    };
    assert_eq!(check(by_audit), Ok(()));
    assert!(
        check(|d| {
            by_audit(d);
            d.audits.clear()
        })
        .is_err()
    );
}

#[test]
fn claims_are_sorted_and_all_different() {
    assert!(check(|d| d.claims.swap(0, 1)).is_err(), "out of order");
    assert!(check(|d| d.claims.insert(1, d.claims[0].clone())).is_err(), "one claim twice");
    let twice = |d: &mut Dispute| {
        d.claims = vec![replica(104, &outcome(2)).claim(), replica(104, &other(2)).claim()];
    };
    assert!(check(twice).is_err(), "two claims of one node");
    let audits = |d: &mut Dispute| d.audits = vec![audit(102, &outcome(2)); 2];
    assert!(check(audits).is_err(), "one audit twice");
    let many = |d: &mut Dispute| {
        d.claims = claims(&(101..=170).map(|n| replica(n, &outcome(2))).collect::<Vec<_>>());
    };
    assert!(check(many).is_err(), "more claims than replicas");
    let many = |d: &mut Dispute| {
        d.audits = (101..=170).map(|n| audit(n, &outcome(2))).collect();
        d.audits.sort_by_key(|audit| audit.by);
    };
    assert!(check(many).is_err(), "more audits than replicas");
}

/// The dispute with the claim of 104 replaced.
fn with_claim(change: impl FnOnce(&mut Claim)) -> Result<(), Error> {
    check(|d| {
        let claim = d.claims.iter_mut().find(|claim| claim.node() == key(104).public());
        change(claim.unwrap());
    })
}

#[test]
fn both_statements_of_a_claim_are_of_one_replica_of_this_task() {
    let job = JobId(other_job().id().0);
    let base = replica(104, &other(2));
    let near = [
        ("another job", Replica { job, ..base }),
        ("another task", Replica { task: TaskIndex(1), ..base }),
        ("another attempt", Replica { attempt: 9, ..base }),
        ("another node", Replica { node: 102, ..base }),
        ("another salt", Replica { salt: 8, ..base }),
        ("another outcome", replica(104, &third(2))),
    ];
    assert_eq!(with_claim(|claim| *claim = base.claim()), Ok(()));
    for (name, wrong) in near {
        assert!(with_claim(|claim| claim.commit = wrong.commit()).is_err(), "commits to {name}");
        assert!(with_claim(|claim| claim.reveal = wrong.reveal()).is_err(), "reveals {name}");
    }
    let elsewhere = Replica { job, ..base };
    assert!(with_claim(|claim| *claim = elsewhere.claim()).is_err(), "all of another job");
    let elsewhere = Replica { task: TaskIndex(1), ..base };
    assert!(with_claim(|claim| *claim = elsewhere.claim()).is_err(), "all of another task");
    assert!(with_claim(|claim| claim.commit.statement.signature.0[1] ^= 1).is_err());
    assert!(with_claim(|claim| claim.reveal.statement.signature.0[1] ^= 1).is_err());
}

#[test]
fn audits_are_signed_and_about_this_task() {
    let id = order().payload.id();
    let with = |job, task| {
        let audit = Audit { job, task, outcome: outcome(2).digest() };
        check(|d| d.audits = vec![Signed::new(audit, network(), &key(102))])
    };
    assert_eq!(with(id, TASK), Ok(()));
    assert!(with(id, TaskIndex(1)).is_err());
    assert!(with(other_job().id(), TASK).is_err());
    assert!(check(|d| d.audits[0].payload.outcome = third(2).digest()).is_err());
}

#[test]
fn the_order_of_a_dispute_is_signed_and_has_the_task() {
    assert!(check(|d| d.task = TaskIndex(3)).is_err());
    assert!(check(|d| d.order.payload.seed = Digest([5; 32])).is_err(), "not signed");
    let other = |d: &mut Dispute| d.order = Signed::new(other_job(), network(), &key(1));
    assert!(check(other).is_err(), "the claims are about another job");
    let expired = |d: &mut Dispute| {
        let job = Job { expires: Time(0), ..order().payload };
        d.order = Signed::new(job, network(), &key(1));
    };
    assert!(check(expired).is_err());
}

#[test]
fn each_task_has_a_dispute_of_its_own_name() {
    let (one, two) = (order().payload.id(), other_job().id());
    let names = [(one, 0), (one, 1), (two, 0), (two, 1)]
        .map(|(job, task)| dispute_name(&job, TaskIndex(task)));
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), 4);
}

#[test]
fn verdicts_are_sorted_bounded_and_signed() {
    let id = order().payload.id();
    let ruling = |task| Ruling { job: id, task: TaskIndex(task), outcome: None };
    let check = |rulings: Vec<Ruling>| {
        let signed = Signed::new(Verdicts { rulings }, network(), &key(101));
        Verdicts::check(&signed, network())
    };
    assert!(check((0..limits::RULINGS as u32).map(ruling).collect()).is_ok());
    assert!(check((0..=limits::RULINGS as u32).map(ruling).collect()).is_err());
    assert!(check(Vec::new()).is_err());
    assert!(check(vec![ruling(1), ruling(0)]).is_err());
    assert!(check(vec![ruling(1), ruling(1)]).is_err());
    let sorted = Verdicts::sign(vec![ruling(2), ruling(1)], network(), &key(101));
    assert!(Verdicts::check(&sorted, network()).is_ok());
    assert!(Verdicts::check(&sorted, elsewhere()).is_err());
    let mut changed = sorted;
    changed.payload.rulings[0].outcome = Some(outcome(2).digest());
    assert!(Verdicts::check(&changed, network()).is_err());
}

#[test]
fn verdicts_are_asked_by_job_and_task() {
    let verdicts = verdict(101, Some(&outcome(2))).payload;
    let id = order().payload.id();
    let found = verdicts.on(&id, TASK).unwrap();
    assert_eq!(found.outcome, Some(outcome(2).digest()));
    assert_eq!(verdicts.on(&id, TaskIndex(1)).unwrap().outcome, None);
    assert_eq!(verdicts.on(&id, TaskIndex(0)), None);
    assert_eq!(verdicts.on(&other_job().id(), TASK), None);
}
