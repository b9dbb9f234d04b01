//! What a receipt proves, and every way in which a false one is refused.

#![allow(clippy::unwrap_used)]

mod fixture;

use fixture::{
    admission, agreements, body, certificate, genesis, header, key, network, order, outcome, part,
    receipt,
};
use identity::{Digest, NetworkId, Signed};
use protocol::{
    Agreed, Agreements, Attempt, Body, CertificateError, Error, Job, Receipt, ReceiptError,
    TaskIndex, Tx, Unsettled, Verification, Warning, draw::Skip, draw::SkipReason, limits,
    merkle::Inclusion, port::Crew,
};

fn refusal(change: impl FnOnce(&mut Body)) -> ReceiptError {
    let mut body = body();
    change(&mut body);
    let receipt = Receipt::seal(body, network(), &key(101));
    let refused = receipt.verify(Some(network()));
    assert_eq!(receipt.verify_with(Some(network()), &Backwards), refused, "in any order");
    refused.unwrap_err()
}

/// Does the last piece first.
struct Backwards;

impl Crew for Backwards {
    fn each(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        (0..count).rev().for_each(work);
    }
}

/// The same, with the agreements put into a block that was certified for them.
fn refusal_of(change: impl FnOnce(&mut Agreements)) -> ReceiptError {
    refusal(|body| {
        let part = &mut body.parts[0];
        change(&mut part.agreements);
        let txs = [Tx::Agree(Box::new(part.agreements.clone()))];
        part.header = header(4, Digest([6; 32]), &txs);
        part.inclusion = Inclusion::of(&[txs[0].encode()], 0).unwrap();
        part.finality.above = Vec::new();
        part.finality.certificate = certificate(&part.header, &[0, 1, 2]);
    })
}

#[test]
fn a_receipt_says_who_agreed_on_what_and_where_it_was_accepted() {
    let receipt = receipt();
    let bytes = receipt.encode();
    assert_eq!(Receipt::decode(&bytes).unwrap(), receipt);
    assert_eq!(Receipt::decode_with(&bytes, &Backwards).unwrap(), receipt);
    let report = receipt.verify(Some(network())).unwrap();
    assert_eq!(receipt.verify_with(Some(network()), &Backwards).unwrap(), report);
    assert_eq!((report.settled.len(), report.unsettled.len()), (2, 1));
    let first = &report.settled[&TaskIndex(0)];
    let executors = [(key(102), key(2)), (key(105), key(5))];
    let expected = executors.map(|(node, owner)| (node.public(), owner.public()));
    assert_eq!(first.executors, expected);
    assert_eq!(first.outcome, outcome(0).digest());
    assert_eq!(report.warnings, []);
    assert_eq!(receipt.verify(None).unwrap().warnings, [Warning::Unpinned]);
}

#[test]
fn every_single_bit_flip_is_refused() {
    let bytes = receipt().encode();
    for bit in 0..bytes.len() * 8 {
        let mut wrong = bytes.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        let read = Receipt::decode(&wrong);
        assert!(read.is_err(), "bit {bit}");
    }
}

/// The checksum catches accidents; whoever means harm computes it anew. One bit of every byte,
/// because each costs some fifty signatures to refuse. What can be read all the same is written in
/// the same way again: a receipt has one file, also if it does not hold.
#[test]
fn a_flip_with_a_new_checksum_is_refused() {
    let bytes = receipt().encode();
    let end = bytes.len() - 32;
    let mut read = 0;
    for at in 0..end {
        let mut wrong = bytes[..end].to_vec();
        wrong[at] ^= 1 << (at % 8);
        let digest = Digest::plain(&wrong);
        wrong.extend(digest.as_bytes());
        let Ok(receipt) = Receipt::decode(&wrong) else { continue };
        assert!(receipt.encode() == wrong, "byte {at}");
        assert!(receipt.verify(Some(network())).is_err(), "byte {at}");
        read += 1;
    }
    assert!(read > end / 4, "keys, digests and signatures can be read, whatever they are: {read}");
}

#[test]
fn one_wrong_signature_among_many_is_found_and_named() {
    let signature = |error: ReceiptError| match error {
        ReceiptError::Part(Error::Identity(identity::Error::Signature { domain, by })) => {
            (domain, by)
        }
        other => panic!("{other}"),
    };
    for at in 0..agreements().commits.len() {
        let by = agreements().commits[at].statement.by.to_string();
        let change = |a: &mut Agreements| a.commits[at].statement.signature.0[40] ^= 1;
        assert_eq!(signature(refusal_of(change)), ("commits", by));
        let by = agreements().reveals[at].statement.by.to_string();
        let change = |a: &mut Agreements| a.reveals[at].statement.signature.0[3] ^= 1;
        assert_eq!(signature(refusal_of(change)), ("reveals", by));
    }
    let refused = refusal(|body| {
        body.parts[0].finality.certificate.signatures[1].1.0[7] ^= 1;
    });
    let wrong = matches!(
        refused,
        ReceiptError::Part(Error::Certificate(CertificateError::Signature { signer: 1, .. }))
    );
    assert!(wrong, "{refused}");
}

#[test]
fn a_cut_receipt_is_refused_at_any_length() {
    let bytes = receipt().encode();
    for length in 0..bytes.len() {
        assert!(Receipt::decode(&bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn the_genesis_in_the_file_is_not_trusted() {
    let other = NetworkId(Digest([1; 32]));
    let refused = receipt().verify(Some(other)).unwrap_err();
    assert_eq!(refused, ReceiptError::OtherNetwork { pinned: other, found: network() });
    let forged = refusal(|body| body.genesis.validators.truncate(1));
    assert!(matches!(forged, ReceiptError::OtherNetwork { .. }), "{forged}");
}

#[test]
fn a_quorum_is_of_the_pinned_validators_and_each_counts_once() {
    let with = |signers: &[usize]| {
        refusal(|body| {
            let part = &mut body.parts[0];
            part.finality.certificate = certificate(&part.finality.above[0], signers);
        })
    };
    let certificate = |error: ReceiptError| match error {
        ReceiptError::Part(Error::Certificate(error)) => error,
        other => panic!("{other}"),
    };
    let short = certificate(with(&[0, 1]));
    assert!(matches!(short, CertificateError::Quorum { .. }), "{short}");
    let twice = certificate(with(&[0, 1, 1]));
    assert!(matches!(twice, CertificateError::Order(_)), "{twice}");
}

#[test]
fn the_proof_of_another_transaction_is_refused() {
    let refused = refusal(|body| {
        let part = &mut body.parts[0];
        let txs = [Tx::Admit(Box::new(admission())), Tx::Agree(Box::new(agreements()))];
        let leaves: Vec<_> = txs.iter().map(Tx::encode).collect();
        part.inclusion = Inclusion::of(&leaves, 0).unwrap();
    });
    assert!(matches!(refused, ReceiptError::Part(Error::Proof(_))), "{refused}");
}

#[test]
fn a_certificate_of_another_block_is_refused() {
    let refused = refusal(|body| body.parts[0].finality.above.clear());
    assert!(matches!(refused, ReceiptError::Part(Error::Invalid { .. })), "{refused}");
    let refused = refusal(|body| body.parts[0].finality.above[0].parent = Digest([1; 32]));
    assert!(matches!(refused, ReceiptError::Part(Error::Invalid { .. })), "{refused}");
}

#[test]
fn another_home_cannot_seal() {
    let refused = Receipt::seal(body(), network(), &key(102)).verify(Some(network()));
    assert_eq!(refused.unwrap_err(), ReceiptError::Seal);
    let mut receipt = receipt();
    receipt.body.unsettled[0].1 = Unsettled::Expired;
    assert_eq!(receipt.verify(Some(network())).unwrap_err(), ReceiptError::Seal);
}

#[test]
fn outcomes_tables_and_orders_are_those_that_were_signed() {
    let refused = refusal(|body| body.outcomes[1].fuel += 1);
    assert_eq!(refused, ReceiptError::Outcome(TaskIndex(1)));
    let refused = refusal(|body| body.table.args.clear());
    assert_eq!(refused, ReceiptError::Table);
    let refused = refusal(|body| {
        let mut job = body.order.payload.clone();
        job.seed = Digest([9; 32]);
        body.order = Signed::new(job, network(), &key(1));
    });
    assert_eq!(refused, ReceiptError::OtherJob(0));
    let refused = refusal(|body| {
        body.outcomes.pop();
    });
    assert_eq!(refused, ReceiptError::Surplus);
}

#[test]
fn every_task_is_mentioned_once() {
    let refused = refusal(|body| body.unsettled.clear());
    assert_eq!(refused, ReceiptError::Coverage(TaskIndex(2)));
    let refused = refusal(|body| body.unsettled.push((TaskIndex(1), Unsettled::Expired)));
    assert_eq!(refused, ReceiptError::Coverage(TaskIndex(1)));
    let refused = refusal(|body| body.unsettled.push((TaskIndex(3), Unsettled::Expired)));
    assert_eq!(refused, ReceiptError::Coverage(TaskIndex(3)));
    let refused = refusal(|body| body.parts.push(part()));
    assert_eq!(refused, ReceiptError::Coverage(TaskIndex(0)));
}

#[test]
fn a_disagreement_is_shown_and_not_only_said() {
    let refused = refusal(|body| {
        body.dissent.pop();
    });
    assert_eq!(refused, ReceiptError::NoDissent(TaskIndex(2)));
}

#[test]
fn an_executor_that_nobody_vouches_for_is_refused() {
    let refused = refusal(|body| body.vouchers.clear());
    assert_eq!(refused, ReceiptError::Unvouched(key(105).public()));
}

#[test]
fn agreements_hold_only_as_they_were_signed() {
    assert!(agreements().check(network()).is_ok());
    type Change = fn(&mut Agreements);
    let changes: [(&str, Change); 10] = [
        ("a first one that did not run it", |a| a.tasks[0].first = Some(key(104).public())),
        ("a missing commitment", |a| drop(a.commits.remove(0))),
        ("a missing reveal", |a| drop(a.reveals.remove(0))),
        ("a batch twice", |a| a.commits.push(a.commits[0].clone())),
        ("another outcome", |a| a.tasks[0].outcome = outcome(1).digest()),
        ("no set", |a| a.tasks[0].sets.clear()),
        ("a set of one", |a| a.tasks[0].sets = vec![vec![Attempt(0)]]),
        ("a task outside the table", |a| a.tasks[1].task = TaskIndex(3)),
        ("tasks out of order", |a| a.tasks.reverse()),
        ("an agreeing node that was skipped", |a| {
            let node = key(102).public();
            a.tasks[0].skipped = vec![Skip { node, reason: SkipReason::Busy }];
        }),
    ];
    for (name, change) in changes {
        let mut wrong = agreements();
        change(&mut wrong);
        assert!(wrong.check(network()).is_err(), "{name}");
        assert!(matches!(refusal_of(change), ReceiptError::Part(_)), "{name}");
    }
    let empty: fn(&mut Agreements) = |a| a.tasks = Vec::<Agreed>::new();
    assert!(matches!(refusal_of(empty), ReceiptError::Part(_)));
}

#[test]
fn two_replicas_of_one_owner_are_not_two_owners() {
    // A second machine of owner 2, vouched for by its invitation.
    let mut founders = genesis().founders;
    founders.sort_by_key(|founder| founder.by);
    let refused = refusal(|body| {
        let voucher = &mut body.vouchers[0];
        let mut said = voucher.payload.voucher.payload.clone();
        said.owner = key(2).public();
        voucher.payload.voucher = Signed::new(said, network(), &key(2));
        let consent = protocol::Consent { owner: key(2).public() };
        voucher.payload.consent = Signed::new(consent, network(), &key(105));
        *voucher = Signed::new(voucher.payload.clone(), network(), &key(200));
    });
    assert_eq!(refused, ReceiptError::Owners(TaskIndex(0)));
}

#[test]
fn a_receipt_says_which_replica_was_given_by_score() {
    let mut chosen = body();
    let part = &mut chosen.parts[0];
    part.agreements.tasks[1].first = Some(key(104).public());
    let txs = [Tx::Agree(Box::new(part.agreements.clone()))];
    part.header = header(4, Digest([6; 32]), &txs);
    part.inclusion = Inclusion::of(&[txs[0].encode()], 0).unwrap();
    part.finality.above = Vec::new();
    part.finality.certificate = certificate(&part.header, &[0, 1, 2]);
    let receipt = Receipt::seal(chosen, network(), &key(101));
    let bytes = receipt.encode();
    assert_eq!(Receipt::decode(&bytes).unwrap(), receipt);
    let report = receipt.verify(Some(network())).unwrap();
    let firsts: Vec<_> = report.settled.values().map(|task| task.first).collect();
    assert_eq!(firsts, [None, Some(key(104).public())]);
}

#[test]
fn a_job_whose_receipt_could_not_be_read_is_refused_before_anything_runs() {
    let sized = |tasks: u32, k: u16| {
        let mut job = order().payload;
        job.tasks = tasks;
        job.verification = Verification { k, n: k };
        Job::check(&Signed::new(job, network(), &key(1)), network())
    };
    assert_eq!(sized(limits::TASKS, 3), Ok(()));
    assert_eq!(sized(100_000, limits::REPLICAS), Ok(()));
    let refused = sized(limits::TASKS, limits::REPLICAS).unwrap_err().to_string();
    assert!(refused.contains("64 replicas") && refused.contains("171196"), "{refused}");
    assert_eq!(sized(171_196, limits::REPLICAS), Ok(()));
}
