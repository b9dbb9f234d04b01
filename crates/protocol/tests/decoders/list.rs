//! Every decoder of bytes and texts that come from outside, by name. The fuzzer uses this list,
//! too.
//!
//! Each may refuse what it is given, in any way but a panic. What it takes encodes to the same
//! bytes again, and can be checked without a panic.

use bytes::Bytes;
use identity::{Digest, NetworkId, PublicKey, Signed, canonical};
use objects::{Cid, Codec, DagLimits, DagWalker, DirectoryWalker, FileWalker, Node, Resolver, car};
use protocol::{
    About, Accusation, Admission, Agreements, Audit, Batched, Block, Certificate, ChainReply,
    ChainRequest, CommitBatch, Commitment, Commits, Dispute, Durability, Evidence, Finality,
    Genesis, Groups, Introduction, Job, JobEvent, Manifest, Outcome, Profile, Quote, Receipt,
    Reveal, RevealBatch, Reveals, TaskTable, ToHome, ToWorker, Tx, Verdicts, Verification,
    VotePair,
    durability::{KeepReply, KeepRequest, Placement, slot_of},
    limits,
    merkle::Inclusion,
    port::read_frame,
};
use serde::{Serialize, de::DeserializeOwned};

/// Says whether it takes some bytes; panics if it breaks its word.
pub(crate) type Decoder = fn(&[u8]) -> bool;

/// All of them.
pub(crate) const DECODERS: &[(&str, Decoder)] = &[
    ("about", noun::<About>),
    ("accusation", accusation),
    ("admission", admission),
    ("agreements", agreements),
    ("audit", audit),
    ("block", block),
    ("car", car_stream),
    ("car_v2", car_stream),
    ("certificate", certificate),
    ("chain_reply", noun::<ChainReply>),
    ("chain_request", noun::<ChainRequest>),
    ("cid", cid),
    ("commit_batch", noun::<CommitBatch>),
    ("commit_quote", quote::<Commits, Commitment>),
    ("directory", unixfs),
    ("dispute", dispute),
    ("evidence", evidence),
    ("evidence_content", evidence_content),
    ("file", unixfs),
    ("finality", noun::<Finality>),
    ("frame", frame),
    ("genesis", genesis),
    ("groups", groups),
    ("hamt_shard", hamt_shard),
    ("inclusion", inclusion),
    ("introduction", introduction),
    ("job", job),
    ("job_event", job_event),
    ("keep_reply", noun::<KeepReply>),
    ("keep_request", noun::<KeepRequest>),
    ("links", links),
    ("manifest", manifest),
    ("outcome", outcome),
    ("placement", placement),
    ("receipt", receipt),
    ("receipt_content", receipt_content),
    ("reveal_batch", noun::<RevealBatch>),
    ("reveal_quote", quote::<Reveals, Reveal>),
    ("table", table),
    ("text", text),
    ("to_home", noun::<ToHome>),
    ("to_worker", noun::<ToWorker>),
    ("tx", tx),
    ("verdicts", verdicts),
    ("vote_pair", vote_pair),
];

/// The network that statements are checked for: none that exists, so that no check can pass.
const NETWORK: NetworkId = NetworkId(Digest([9; 32]));
/// Bytes of a frame that is accepted here.
const FRAME_BYTES: usize = 1 << 16;
/// Bytes of a file that is accepted here.
const FILE_BYTES: u64 = 1 << 22;

/// Reads a noun; what can be read has one encoding.
fn read<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let value: T = canonical::decode(bytes, limits::MESSAGE_BYTES).ok()?;
    assert_eq!(canonical::encode(&value), bytes, "two encodings of one value");
    Some(value)
}

fn noun<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> bool {
    read::<T>(bytes).is_some()
}

fn accusation(bytes: &[u8]) -> bool {
    let Some(accusation) = read::<Signed<Accusation>>(bytes) else { return false };
    assert!(accusation.check(NETWORK).is_err(), "signed for another network");
    assert!(accusation.payload.check(NETWORK).is_err(), "its proof is of another network");
    true
}

fn introduction(bytes: &[u8]) -> bool {
    let Some(introduction) = read::<Introduction>(bytes) else { return false };
    if let Some(profile) = introduction.profile {
        assert!(Profile::check(&profile, NETWORK).is_err(), "signed for another network");
    }
    true
}

fn admission(bytes: &[u8]) -> bool {
    let Some(admission) = read::<Signed<Admission>>(bytes) else { return false };
    assert!(Admission::check(&admission, NETWORK).is_err(), "signed for another network");
    true
}

fn agreements(bytes: &[u8]) -> bool {
    let Some(agreements) = read::<Agreements>(bytes) else { return false };
    // Its own network, so that the check goes on to what is inside.
    let settled = agreements.check(agreements.order.payload.network);
    assert!(settled.is_err() || settled.is_ok_and(|tasks| tasks.len() == agreements.tasks.len()));
    true
}

fn audit(bytes: &[u8]) -> bool {
    let Some(audit) = read::<Signed<Audit>>(bytes) else { return false };
    assert!(audit.check(NETWORK).is_err(), "signed for another network");
    true
}

fn block(bytes: &[u8]) -> bool {
    let Ok(block) = Block::decode(bytes) else { return false };
    assert_eq!(block.encode(), bytes);
    assert_eq!(block.header.digest(), block.header.clone().digest());
    true
}

fn car_stream(bytes: &[u8]) -> bool {
    let mut reader = car::Reader::new();
    for piece in bytes.chunks(7) {
        reader.push(piece);
        loop {
            match reader.next_part() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return false,
            }
        }
    }
    reader.finish().is_ok()
}

fn links(bytes: &[u8]) -> bool {
    let bytes = Bytes::copy_from_slice(bytes);
    let of = |codec| objects::links(Cid::of(codec, &bytes), &bytes);
    assert_eq!(of(Codec::Raw), Ok(Vec::new()));
    if let Ok(found) = of(Codec::DagPb) {
        assert!(found.len() <= bytes.len() / 36);
    }
    let cid = Cid::of(Codec::DagCbor, &bytes);
    let limits = DagLimits { blocks: 100, bytes: FILE_BYTES, depth: 3 };
    let taken = DagWalker::new(cid, limits).give(cid, &bytes).is_ok();
    assert!(!taken || of(Codec::DagCbor).is_ok());
    of(Codec::DagCbor).is_ok_and(|found| found.len() <= bytes.len() / 36)
}

fn hamt_shard(bytes: &[u8]) -> bool {
    let bytes = Bytes::copy_from_slice(bytes);
    let cid = Cid::of(Codec::DagPb, &bytes);
    let mut walker = DirectoryWalker::new(cid, 1000);
    if let Ok(entries) = walker.give(cid, bytes.clone()) {
        assert!(entries.len() <= 1000);
    }
    let mut resolver = Resolver::new(cid, vec!["a".into()]).expect("a plain name");
    if resolver.give(cid, bytes.clone()).is_ok() {
        assert!(resolver.wanted().is_some() && resolver.resolved().is_none());
    }
    matches!(Node::parse(cid, bytes), Ok(Node::Shard(_)))
}

fn certificate(bytes: &[u8]) -> bool {
    let Some(certificate) = read::<Certificate>(bytes) else { return false };
    for validators in [0, 1, 4] {
        let validators = vec![PublicKey([3; 32]); validators];
        assert!(certificate.verify(NETWORK, &validators).is_err(), "by strangers");
    }
    true
}

fn cid(bytes: &[u8]) -> bool {
    let Ok(cid) = Cid::try_from(bytes) else { return false };
    assert_eq!(cid.to_bytes(), bytes);
    assert_eq!(cid.to_string().parse(), Ok(cid));
    true
}

fn dispute(bytes: &[u8]) -> bool {
    let Some(dispute) = read::<Signed<Dispute>>(bytes) else { return false };
    // Its own network, so that the check goes on to what is inside.
    let claimed = Dispute::check(&dispute, dispute.payload.order.payload.network);
    assert!(claimed.is_err() || claimed.is_ok_and(|claimed| claimed.all().count() > 1));
    true
}

fn evidence(bytes: &[u8]) -> bool {
    let Ok(evidence) = Evidence::decode(bytes) else { return false };
    assert_eq!(evidence.encode(), bytes);
    assert!(Evidence::begins(bytes));
    assert!(evidence.verify(Some(NETWORK)).is_err(), "not of the pinned network");
    evidence.verify(None).is_ok_and(|report| !report.accused.is_empty())
}

/// What is inside the file's checksum, which would refuse most damage.
fn evidence_content(bytes: &[u8]) -> bool {
    read::<Evidence>(bytes).is_some_and(|content| evidence(&content.encode()))
}

fn frame(bytes: &[u8]) -> bool {
    let mut stream = bytes;
    loop {
        match futures::executor::block_on(read_frame(&mut stream, FRAME_BYTES)) {
            Ok(Some(frame)) => assert!(frame.len() <= FRAME_BYTES),
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

fn genesis(bytes: &[u8]) -> bool {
    let Ok(genesis) = Genesis::decode(bytes) else { return false };
    assert_eq!(genesis.encode(), bytes);
    assert!(genesis.tolerated_faults() < genesis.validators.len());
    true
}

fn groups(bytes: &[u8]) -> bool {
    let Some(page) = read::<Groups>(bytes) else { return false };
    for group in &page.groups {
        assert_eq!(group.shards().count(), group.total());
    }
    page.kind == Groups::KIND
}

fn inclusion(bytes: &[u8]) -> bool {
    let Some(proof) = read::<Inclusion>(bytes) else { return false };
    assert!(proof.check(b"a leaf of no tree", &Digest([7; 32])).is_err());
    true
}

fn job(bytes: &[u8]) -> bool {
    let Some(order) = read::<Signed<Job>>(bytes) else { return false };
    assert!(Job::check(&order, NETWORK).is_err(), "signed for another network");
    Job::check(&order, order.payload.network).is_ok()
}

fn job_event(bytes: &[u8]) -> bool {
    let Ok(event) = serde_json::from_slice::<JobEvent>(bytes) else { return false };
    let text = serde_json::to_vec(&event).expect("an event has a JSON form");
    assert_eq!(serde_json::from_slice::<JobEvent>(&text).ok(), Some(event));
    true
}

fn manifest(bytes: &[u8]) -> bool {
    let Some(signed) = read::<Signed<Manifest>>(bytes) else { return false };
    assert!(Manifest::check(&signed, NETWORK).is_err(), "signed for another network");
    let manifest = &signed.payload;
    for group in [0, 1, u64::MAX] {
        assert!(manifest.data_of(group) <= manifest.durability.data());
    }
    Manifest::check(&signed, manifest.network).is_ok()
}

fn outcome(bytes: &[u8]) -> bool {
    let Some(outcome) = read::<Outcome>(bytes) else { return false };
    assert_eq!(outcome.objects().count(), outcome.outputs.len() + 2);
    outcome.check().is_ok()
}

fn placement(bytes: &[u8]) -> bool {
    let Ok(signed) = Placement::decode(bytes) else { return false };
    assert_eq!(canonical::encode(&signed), bytes);
    assert!(signed.check(NETWORK).is_err(), "signed for another network");
    assert!(!Placement::replaces(&signed, Some(&signed), signed.by), "it is no later one");
    let slots = signed.payload.slots.len();
    slots == 0 || slot_of(u64::MAX, slots, slots) < slots
}

fn quote<S, L>(bytes: &[u8]) -> bool
where
    S: Batched + DeserializeOwned,
    L: Serialize + DeserializeOwned,
{
    let Some(quote) = read::<Quote<S, L>>(bytes) else { return false };
    assert!(quote.check(NETWORK).is_err(), "signed for another network");
    true
}

fn receipt(bytes: &[u8]) -> bool {
    let Ok(receipt) = Receipt::decode(bytes) else { return false };
    assert_eq!(receipt.encode(), bytes);
    assert!(receipt.verify(Some(NETWORK)).is_err(), "not of the pinned network");
    receipt.verify(None).is_ok()
}

/// What is inside the file's checksum, which would refuse most damage.
fn receipt_content(bytes: &[u8]) -> bool {
    read::<Receipt>(bytes).is_some_and(|content| receipt(&content.encode()))
}

fn table(bytes: &[u8]) -> bool {
    let Ok(table) = TaskTable::decode(bytes) else { return false };
    assert_eq!(table.cid(), Cid::of(Codec::DagCbor, bytes));
    // There may be a million of them.
    for task in
        table.tasks().take(64).chain(table.len().checked_sub(1).and_then(|at| table.task(at)))
    {
        assert_eq!(table.args_of(&task).len(), table.args.len());
    }
    true
}

/// Whatever a person types: keys, networks, names of content, durabilities, verifications.
fn text(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(key) = text.parse::<PublicKey>() {
        assert_eq!(key.to_string().parse(), Ok(key));
        return true;
    }
    if let Ok(network) = text.parse::<NetworkId>() {
        assert_eq!(network.to_string().parse(), Ok(network));
        return true;
    }
    if let Ok(cid) = text.parse::<Cid>() {
        assert_eq!(cid.to_string().parse(), Ok(cid));
        return true;
    }
    if let Ok(durability) = text.parse::<Durability>() {
        assert_eq!(durability.to_string().parse().ok(), Some(durability));
        return true;
    }
    let Ok(verification) = text.parse::<Verification>() else { return false };
    assert_eq!(verification.to_string().parse().ok(), Some(verification));
    true
}

fn tx(bytes: &[u8]) -> bool {
    let Ok(tx) = Tx::decode(bytes) else { return false };
    assert_eq!(tx.encode(), bytes);
    true
}

fn verdicts(bytes: &[u8]) -> bool {
    let Some(verdicts) = read::<Signed<Verdicts>>(bytes) else { return false };
    assert!(Verdicts::check(&verdicts, NETWORK).is_err(), "signed for another network");
    for ruling in &verdicts.payload.rulings {
        verdicts.payload.on(&ruling.job, ruling.task);
    }
    true
}

fn vote_pair(bytes: &[u8]) -> bool {
    let Some(pair) = read::<VotePair>(bytes) else { return false };
    assert!(pair.check(NETWORK).is_err(), "signed for another network");
    true
}

fn unixfs(bytes: &[u8]) -> bool {
    let bytes = Bytes::copy_from_slice(bytes);
    for codec in [Codec::Raw, Codec::DagCbor] {
        let read = Node::parse(Cid::of(codec, &bytes), bytes.clone());
        assert_eq!(read.is_ok(), codec == Codec::Raw);
    }
    let cid = Cid::of(Codec::DagPb, &bytes);
    let mut walker = FileWalker::new(cid, FILE_BYTES);
    if walker.give(cid, bytes.clone()).is_ok() {
        assert!(walker.size_bytes().is_some_and(|size| size <= FILE_BYTES));
    }
    Node::parse(cid, bytes).is_ok()
}
