//! The bytes of every input, pinned: the log of the cluster is made of them, and what an earlier
//! version wrote is read by a later one. They change only on request: set `UPDATE_GOLDEN=1`, and say
//! why in a commit of its own. An input that is new, or a field that may be missing, is a line more.

use crate::{
    worker::{Manner::Honest, outcome_of},
    world::{World, key},
};
use identity::{Digest, Signed, canonical};
use objects::{Cid, Codec};
use protocol::{
    Agreements, Attempt, CommitBatch, Commits, Height, NoResult, Profile, RevealBatch, Reveals,
    Roster, TaskIndex, Time, Verification,
};
use std::fmt::Write;
use work::{Config, Input, Quota, Reservation, Window};

/// The same one for the same tasks.
fn order() -> Signed<protocol::Job> {
    let mut world = World::with(&[Honest; 2], &[0, 1], Config::default());
    world.order(2, Verification { k: 2, n: 2 })
}

/// What a node said, without leaves: `protocol` pins the bytes of batches.
fn said() -> (CommitBatch, RevealBatch) {
    let (job, by, root) = (order().payload.id(), key(1, 1), Digest([2; 32]));
    let network = order().payload.network;
    let (commits, reveals) = (Commits { job, count: 0, root }, Reveals { job, count: 0, root });
    (
        CommitBatch { statement: Signed::new(commits, network, &by), leaves: Vec::new() },
        RevealBatch { statement: Signed::new(reveals, network, &by), leaves: Vec::new() },
    )
}

/// One of each.
fn inputs() -> Vec<Input> {
    let (order, (batch, revealed)) = (order(), said());
    let (job, task, node) = (order.payload.id(), TaskIndex(1), key(1, 1).public());
    let (height, beacon, tx) = (Height(7), Digest([3; 32]), Digest([4; 32]));
    let roster = Roster::default();
    let agreements = Agreements {
        order: order.clone(),
        drawn: height,
        commits: Vec::new(),
        reveals: Vec::new(),
        tasks: Vec::new(),
    };
    let reservation = Reservation {
        submitter: node,
        cpus: 2,
        memory_bytes: 1 << 30,
        gpus: 1,
        nodes: [node].into(),
        from: Time(1_000),
        until: Time(2_000),
    };
    let window = Window { from: Time(1_000), until: Time(2_000) };
    let replica = (task, Attempt(2), NoResult::MissingObject);
    vec![
        Input::Roster { height, roster: roster.clone() },
        Input::Submit { order: order.clone(), drawn: height, beacon },
        Input::Seal { order: order.clone() },
        Input::Hold { order, after: vec![job] },
        Input::Drawn { job, drawn: height, beacon, roster },
        Input::Connected(node),
        Input::Disconnected(node),
        Input::Committed { node, batch },
        Input::Revealed { node, batch: revealed, outcomes: vec![outcome_of(job, task, 0)] },
        Input::NoResult { node, job, replicas: vec![replica] },
        Input::Included { job, tasks: vec![task], tx, height },
        Input::Found { agreements: Box::new(agreements), height },
        Input::RefusedByLedger { job, tx, reason: "no".into() },
        Input::Ruled { job, task, outcome: Some(outcome_of(job, task, 0).digest()) },
        Input::DisputeRefused { job, task, reason: "no".into() },
        Input::ReceiptStored { job, receipt: Cid::of(Codec::Raw, b"receipt") },
        Input::Cancel { job },
        Input::Pause { job },
        Input::Resume { job },
        Input::Profile { node, profile: Box::new(Profile::default()), rtt_ms: Some(3) },
        Input::Cordon { node, reason: Some("a fan".into()) },
        Input::Windows { node, windows: vec![window] },
        Input::Quota { submitter: node, quota: Some(Quota::default()) },
        Input::Reserve { id: "gpus".into(), reservation: Some(reservation) },
        Input::Lead,
        Input::Led { by: node },
        Input::Tick,
    ]
}

/// What the log calls an input. Whoever adds one is told here that it belongs above, too.
fn name(input: &Input) -> &'static str {
    match input {
        Input::Roster { .. } => "roster",
        Input::Submit { .. } => "submit",
        Input::Seal { .. } => "seal",
        Input::Hold { .. } => "hold",
        Input::Drawn { .. } => "drawn",
        Input::Connected(_) => "connected",
        Input::Disconnected(_) => "disconnected",
        Input::Committed { .. } => "committed",
        Input::Revealed { .. } => "revealed",
        Input::NoResult { .. } => "no_result",
        Input::Included { .. } => "included",
        Input::Found { .. } => "found",
        Input::RefusedByLedger { .. } => "refused_by_ledger",
        Input::Ruled { .. } => "ruled",
        Input::DisputeRefused { .. } => "dispute_refused",
        Input::ReceiptStored { .. } => "receipt_stored",
        Input::Cancel { .. } => "cancel",
        Input::Pause { .. } => "pause",
        Input::Resume { .. } => "resume",
        Input::Profile { .. } => "profile",
        Input::Cordon { .. } => "cordon",
        Input::Windows { .. } => "windows",
        Input::Quota { .. } => "quota",
        Input::Reserve { .. } => "reserve",
        Input::Lead => "lead",
        Input::Led { .. } => "led",
        Input::Tick => "tick",
    }
}

#[test]
fn inputs_keep_their_bytes() {
    let room = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let path = std::path::Path::new(&room).join("tests/golden/inputs.txt");
    let mut text = String::new();
    for input in inputs() {
        let bytes = canonical::encode(&input);
        // Small ones whole, so that a change can be read.
        let shown = match bytes.len() {
            0..=256 => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            _ => Digest::plain(&bytes).to_string(),
        };
        writeln!(text, "{} {} {shown}", name(&input), bytes.len()).unwrap();
        assert_eq!(canonical::decode::<Input>(&bytes, bytes.len()).unwrap(), input);
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    for (found, golden) in text.lines().zip(golden.lines()) {
        assert_eq!(found, golden);
    }
    assert_eq!(text.lines().count(), golden.lines().count());
}
