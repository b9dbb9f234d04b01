//! The bytes of every noun, pinned. They change only with a new version of the noun: set
//! `UPDATE_GOLDEN=1`, and say why in a commit of its own.

#![allow(clippy::unwrap_used)]

mod fixture;
#[path = "decoders/kept.rs"]
mod kept;

use data_encoding::HEXLOWER;
use fixture::disputed::{
    TASK, accusation, audit, contradictions, decided, dispute, evidence, evidence_of_verdict,
    finding, replica, sanction, verdict,
};
use fixture::{
    admission, agreements, body, certificate, genesis, header, key, network, order, outcome, part,
    receipt, say, table,
};
use identity::{Digest, Signed, canonical};
use protocol::{
    About, Agreed, Attempt, Axis, Block, ChainReply, ChainRequest, Contradiction, Height,
    Introduction, JobEvent, Member, NoResult, Profile, Proof, Range, Ruled, Seconding, Speed, Step,
    TaskIndex, TaskSpec, TaskTable, Time, ToHome, ToWorker, Tx, Unsettled,
};
use serde::Serialize;
use std::fmt::Write;

fn line<T: Serialize>(text: &mut String, name: &str, value: &T) {
    let bytes = canonical::encode(value);
    let digest = HEXLOWER.encode(Digest::plain(&bytes).as_bytes());
    // Small ones whole, so that a change can be read.
    let shown = if bytes.len() <= 512 { HEXLOWER.encode(&bytes) } else { "-".into() };
    writeln!(text, "{name} {} {digest} {shown}", bytes.len()).unwrap();
}

fn nouns() -> String {
    let mut text = String::new();
    let job = order().payload.id();
    let said = say(0, &[(102, outcome(0)), (103, outcome(0))]);
    let seconding = Seconding { owner: key(5).public() };
    let seconding = Signed::new(seconding, network(), &key(2));
    let tx = Tx::Agree(Box::new(agreements()));
    let block = Block {
        header: header(4, Digest([6; 32]), std::slice::from_ref(&tx)),
        txs: vec![tx.clone()],
    };
    let own = certificate(&block.header, &[0, 1, 2]);
    let members = vec![Member {
        node: key(102).public(),
        attempt: Attempt(0),
        hidden: said.commits[0].leaves[0].hidden,
    }];
    let t = &mut text;
    line(t, "founder", &genesis().founders[0]);
    line(t, "genesis", &genesis());
    line(t, "network", &network());
    line(t, "admission", &admission());
    line(t, "seconding", &seconding);
    line(t, "job", &order());
    line(t, "job id", &job);
    line(t, "table", &table());
    line(t, "table of a grid", &grid());
    line(t, "outcome", &outcome(0));
    line(t, "commit batch", &said.commits[0]);
    line(t, "reveal batch", &said.reveals[0]);
    line(t, "agreements", &agreements());
    line(t, "tx admit", &Tx::Admit(Box::new(admission())));
    line(t, "tx second", &Tx::Second(seconding));
    line(t, "tx agree", &tx);
    line(t, "header", &block.header);
    line(t, "block", &block);
    line(t, "certificate", &own);
    line(t, "part", &part());
    line(t, "body", &body());
    line(t, "receipt", &receipt());
    line(
        t,
        "assign",
        &ToWorker::Assign {
            order: order(),
            drawn: Height(3),
            replicas: vec![(TaskIndex(0), Attempt(1))],
        },
    );
    line(
        t,
        "sets",
        &ToWorker::Sets { job, sets: vec![(TaskIndex(0), members)], commits: said.commits.clone() },
    );
    line(t, "close", &ToWorker::Close { job, tasks: vec![TaskIndex(0)] });
    line(t, "committed", &ToHome::Committed(said.commits[0].clone()));
    line(
        t,
        "revealed",
        &ToHome::Revealed { batch: said.reveals[0].clone(), outcomes: vec![outcome(0)] },
    );
    line(
        t,
        "no result",
        &ToHome::NoResult { job, replicas: vec![(TaskIndex(0), Attempt(0), NoResult::WallTime)] },
    );
    line(t, "ask blocks", &ChainRequest::Blocks { from: Height(3) });
    line(t, "ask to order", &ChainRequest::Submit(Box::new(tx)));
    line(t, "blocks", &ChainReply::Blocks { head: Height(4), blocks: vec![(block, Some(own))] });
    line(t, "taken", &ChainReply::Taken);
    line(t, "refused", &ChainReply::Refused("no".into()));
    let (engine, clock) = (Digest([4; 32]), Time(1_000));
    let about = About { version: "0.1.0".into(), engine, height: Height(4), clock };
    line(t, "about", &about);
    line(t, "introduction", &Introduction { about, profile: Some(profile()) });
    line(t, "event", &JobEvent::Final { tasks: vec![TaskIndex(1)], height: Height(4) });
    disputed(t);
    protected(t);
    text
}

/// A table whose tasks are computed.
fn grid() -> TaskTable {
    let range = Range { first: 0, step: 5, count: 1_000, scale: 1, width: 0 };
    let axes = vec![
        Axis { names: vec!["x".into()], steps: vec![Step::Range(range)] },
        Axis {
            names: vec!["y".into(), "z".into()],
            steps: vec![Step::Row(vec!["a".into(), "b".into()])],
        },
    ];
    let row = TaskSpec { name: String::new(), inputs: Vec::new(), stdin: None, params: Vec::new() };
    TaskTable::grid(vec!["{x}".into()], vec![row], axes)
}

fn profile() -> Signed<Profile> {
    let profile = Profile {
        labels: [("zone".to_string(), "north".to_string())].into(),
        arch: "x86_64".into(),
        cores: 8,
        memory_bytes: 16 << 30,
        disk_bytes: 1 << 40,
        gpus: vec!["one".into()],
        speed: Some(Speed { mflops: 900, memory_mib_s: 5_000, disk_mib_s: 70, fuel_ms: 9 }),
        price: 3,
        at: Time(1_000),
    };
    Signed::new(profile, network(), &key(102))
}

/// A task of which one replica was given by score.
fn agreed_first() -> Agreed {
    let mut agreed = agreements().tasks.remove(1);
    agreed.first = Some(key(104).public());
    agreed
}

/// What is said when outcomes differ.
fn disputed(t: &mut String) {
    let (job, found) = (order().payload.id(), outcome(2));
    let one = replica(104, &found);
    line(t, "commit quote", &one.commit());
    line(t, "reveal quote", &one.reveal());
    line(t, "claim", &one.claim());
    line(t, "audit", &audit(102, &found));
    line(t, "dispute", &dispute());
    line(t, "verdicts", &verdict(101, Some(&found)));
    line(t, "decided", &decided());
    for (name, contradiction, cause) in contradictions(104) {
        if let Contradiction::Votes(pair) = &contradiction {
            line(t, "vote", &pair.first);
            line(t, "vote pair", pair);
        }
        line(t, &format!("contradiction {name}"), &contradiction);
        line(t, &format!("cause {name}"), &cause);
    }
    let (_, contradiction, _) = contradictions(104).remove(0);
    let accusation = accusation(102, 104, contradiction.clone());
    line(t, "accusation", &accusation);
    line(t, "evidence contradiction", &evidence(Proof::Contradiction(Box::new(contradiction))));
    line(t, "evidence verdict", &evidence_of_verdict());
    line(t, "ruled", &Ruled { task: TASK, outcome: found.digest(), claims: vec![one.claim()] });
    line(t, "finding", &finding());
    line(t, "sanction", &sanction());
    line(t, "agreed first", &agreed_first());
    line(t, "tx order", &Tx::Order(Box::new(order())));
    line(t, "tx dispute", &Tx::Dispute(Box::new(dispute())));
    line(t, "tx verdict", &Tx::Verdict(Box::new(verdict(101, Some(&found)))));
    line(t, "tx accuse", &Tx::Accuse(Box::new(accusation)));
    line(t, "tx audit", &Tx::Audit(audit(102, &found)));
    for why in [Unsettled::Dissent, Unsettled::Undecided, Unsettled::Refuted] {
        line(t, "unsettled", &why);
    }
    line(t, "event drawn", &JobEvent::Drawn { drawn: Height(5) });
    line(t, "event disputed", &JobEvent::Disputed { task: TASK });
    let refuted = vec![key(104).public()];
    let outcome = Some(found.digest());
    line(t, "event ruled", &JobEvent::Ruled { task: TASK, outcome, refuted });
    let verification = order().payload.verification;
    let admitted = |drawn| JobEvent::Admitted { job, tasks: 3, drawn, verification };
    line(t, "event admitted", &admitted(Some(Height(3))));
    line(t, "event sealed", &admitted(None));
    line(t, "event held", &JobEvent::Held { after: vec![job] });
    line(t, "unsettled", &Unsettled::After(job));
}

/// What is said of protected objects.
fn protected(t: &mut String) {
    line(t, "groups", &kept::groups());
    line(t, "manifest", &kept::manifest());
    line(t, "placement", &kept::placement());
    kept::requests().iter().for_each(|request| line(t, "keep request", request));
    kept::replies().iter().for_each(|reply| line(t, "keep reply", reply));
}

#[test]
fn the_bytes_of_every_noun_are_those_of_the_golden_file() {
    // Asked at run time: checkouts may share what was built.
    let room = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let path = std::path::Path::new(&room).join("tests/golden/nouns.txt");
    let found = nouns();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    for (found, golden) in found.lines().zip(golden.lines()) {
        assert_eq!(found, golden);
    }
    assert_eq!(found.lines().count(), golden.lines().count());
}
