//! What is listed fits a terminal of eighty columns, however long the names are.

use super::super::{
    job::list as jobs,
    ledger::{block, disputes, evidence, sanctions},
    node::list as nodes,
};
use api::{
    ClaimInfo, DisputeInfo, DisputeState, EvidenceInfo, FinalBlock, JobState, JobSummary,
    LostRight, NodeInfo, SanctionInfo,
};
use identity::{Digest, NetworkId, PublicKey, SecretKey, Signed};
use objects::{Cid, Codec};
use protocol::{
    Admission, Attempt, Block, Cause, Consent, Finding, Header, Height, Invitation, InvitationKind,
    JobId, Right, Sanction, TaskIndex, Time, Tx, Voucher, limits,
};

/// A name of as many characters as there may be, none of them wide.
fn long_name() -> String {
    let name = "Laboratory of names that nobody can remember ".repeat(6);
    name[..limits::NAME_BYTES].to_string()
}

fn key(n: u8) -> PublicKey {
    SecretKey::from_seed([n; 32]).public()
}

fn job() -> JobId {
    JobId(Cid::of(Codec::Raw, b"job"))
}

fn fits(what: &str, shown: &str) {
    assert!(shown.lines().count() > 1, "{what} shows nothing");
    for line in shown.lines() {
        assert!(line.chars().count() <= 80, "{what}: {line}");
    }
}

fn finding() -> Finding {
    Finding {
        node: key(1),
        owner: key(2),
        cause: Cause::Opening { job: job(), task: TaskIndex(u32::MAX), attempt: Attempt(9) },
        tx: Digest([3; 32]),
        height: Height(u64::MAX >> 20),
        time: Time(1_900_000_000_000),
    }
}

#[test]
fn jobs() {
    let summary = JobSummary {
        job: job(),
        submitter: key(1),
        issued: Time(1_900_000_000_000),
        state: JobState::Finished,
        tasks: 1_000_000,
        agreed: 1_000_000,
        settled: 1_000_000,
        unsettled: 1_000_000,
        receipt: None,
        priority: Default::default(),
        deadline: None,
        paused: false,
        running: 0,
    };
    fits("job list", &jobs::table(&[summary]));
}

#[test]
fn nodes() {
    let node = |lost: Vec<LostRight>| NodeInfo {
        node: key(1),
        owner: key(2),
        owner_name: long_name(),
        party: key(3),
        barred_until: Some(Time(1_900_000_000_000)),
        lost,
        validator: true,
        connected: true,
        addresses: Vec::new(),
        about: None,
        profile: None,
        rtt_ms: None,
        load: None,
    };
    let lost = LostRight { right: Right::Execute, until: Time(1_900_000_000_000) };
    fits("node list", &nodes::table(&[node(Vec::new()), node(vec![lost])]));
}

#[test]
fn disputes() {
    let claim = |n: u8| ClaimInfo {
        node: key(n),
        owner: key(n + 1),
        owner_name: long_name(),
        outcome: None,
    };
    let refuted: Vec<_> = (0..12).map(key).collect();
    let dispute = DisputeInfo {
        id: Digest([1; 32]),
        job: job(),
        task: TaskIndex(999_999),
        filer: key(1),
        opened: Height(9_999_999_999),
        after_final: true,
        claims: (0..12).map(claim).collect(),
        rulings: (12..20).map(claim).collect(),
        state: DisputeState::Decided {
            outcome: protocol::OutcomeDigest(Digest([2; 32])),
            refuted,
            height: Some(Height(9_999_999_999)),
        },
    };
    fits("ledger disputes", &disputes::table(&[dispute]));
}

#[test]
fn evidence() {
    let info = EvidenceInfo { id: Digest([1; 32]), finding: finding(), owner_name: long_name() };
    fits("ledger evidence", &evidence::table(&[info]));
}

#[test]
fn sanctions() {
    let sanction = Sanction {
        owner: key(1),
        right: Right::Dispute,
        finding: finding(),
        strike: u32::MAX,
        until: Time(1_900_000_000_000),
        released: Some(Height(9_999_999_999)),
    };
    let info = SanctionInfo { sanction, owner_name: long_name(), evidence: Some(Digest([1; 32])) };
    fits("ledger sanctions", &sanctions::table(&[info]));
}

#[test]
fn transactions_of_a_block() {
    let network = NetworkId(Digest([7; 32]));
    let (sponsor, once) = (SecretKey::from_seed([1; 32]), SecretKey::from_seed([2; 32]));
    let invitation =
        Invitation { kind: InvitationKind::Owner, key: once.public(), expires: Time(1) };
    let voucher = Voucher { owner: key(3), node: key(4), name: long_name() };
    let admission = Admission {
        invitation: Signed::new(invitation, network, &sponsor),
        voucher: Signed::new(voucher, network, &SecretKey::from_seed([3; 32])),
        consent: Signed::new(Consent { owner: key(3) }, network, &SecretKey::from_seed([4; 32])),
    };
    let tx = Tx::Admit(Box::new(Signed::new(admission, network, &once)));
    let header = Header {
        network,
        height: Height(9_999_999_999),
        parent: Digest([1; 32]),
        time: Time(1_900_000_000_000),
        proposer: Some(key(1)),
        beacon: Digest([2; 32]),
        beacon_proof: Vec::new(),
        tx_root: Digest([3; 32]),
        state_root: Digest([4; 32]),
        validators: Digest([5; 32]),
    };
    let digest = tx.digest().to_string();
    let shown = block::show(&FinalBlock { block: Block { header, txs: vec![tx] }, finality: None });
    fits("ledger block", &shown);
    assert!(shown.lines().any(|line| line == digest), "the digest is whole");
}
