//! Nodes that lie: jobs end with right results, and whoever lied is named, and nobody else.

#![allow(clippy::unwrap_used)]

mod society;

use api::{DisputeInfo, DisputeState, EvidenceInfo, SanctionInfo};
use identity::{PublicKey, SecretKey, Signed};
use protocol::{
    Cause, Job, Params, Right,
    draw::{Skip, SkipReason},
};
use society::{Node, brisk, door::Door, found, inputs, now, polity, program, until, up_all};
use std::{collections::BTreeSet, fs, path::Path};

/// Jobs after which every liar must have met somebody honest.
const JOBS: usize = 8;
/// Every replica is drawn: how fast a node found itself while others started beside it must not decide
/// whether it is given anything.
const DRAWN: &str =
    "weights = { speed = 0, load = 0, history = 0, latency = 0, locality = 0, price = 0 }\n";

/// The key of an owner, as the society founds it.
fn owner(n: u8) -> PublicKey {
    SecretKey::from_seed([n; 32]).public()
}

/// The key of that owner's node.
fn node(n: u8) -> PublicKey {
    SecretKey::from_seed([100 + n; 32]).public()
}

/// Where people may look on.
fn demonstration() -> Params {
    Params { demonstration: true, ..brisk() }
}

/// Five owners of whom the first four vote; these misbehave so.
fn society(dir: &Path, params: Params, liars: &[(u8, &str)]) -> Vec<Node> {
    let homes = found(dir, 5, 4, params);
    for (n, home) in (1..).zip(&homes) {
        let how = liars.iter().find(|(liar, _)| *liar == n);
        let how = how.map(|(_, how)| format!("misbehave = \"{how}\"\n")).unwrap_or_default();
        fs::write(home.join("config.toml"), format!("{how}[work]\n{DRAWN}")).unwrap();
    }
    let mut nodes = up_all(dir, &homes);
    nodes.iter_mut().for_each(|node| node.ready(5));
    nodes
}

fn misbehave(home: &Path, how: &str) {
    fs::write(home.join("config.toml"), format!("misbehave = \"{how}\"\n")).unwrap();
}

/// Runs all inputs once; every result must be right, and the receipt must hold.
fn sweep(dir: &Path, home: &Node, verify: &str, out: &str) {
    let run =
        ["run", "copy.wasm", "--fresh", "--each", "in/*.txt", "--arg", "{}", "--verify", verify];
    let said = home.polity(&[&run[..], &["-o", out]].concat());
    assert_eq!(said.code, Some(0), "{}\n{}\n{}", said.out, said.err, home.log());
    for input in fs::read_dir(dir.join("in")).unwrap() {
        let input = input.unwrap();
        let output = dir.join(out).join(input.file_name());
        assert_eq!(fs::read(&output).unwrap(), fs::read(input.path()).unwrap(), "{output:?}");
    }
    polity(dir, &["verify", out, "--genesis", "genesis.polity"]).ok();
}

fn sanctions(home: &Node) -> Vec<SanctionInfo> {
    serde_json::from_value(home.polity(&["ledger", "sanctions", "--json"]).ok().json()).unwrap()
}

fn evidence(home: &Node) -> Vec<EvidenceInfo> {
    serde_json::from_value(home.polity(&["ledger", "evidence", "--json"]).ok().json()).unwrap()
}

fn disputes(home: &Node) -> Vec<DisputeInfo> {
    serde_json::from_value(home.polity(&["ledger", "disputes", "--json"]).ok().json()).unwrap()
}

/// The owners that lost a right.
fn named(home: &Node, right: Right) -> BTreeSet<PublicKey> {
    let lost = sanctions(home).into_iter().filter(|info| info.sanction.right == right);
    lost.map(|info| info.sanction.owner).collect()
}

/// All disputes, at a moment when none is open: audits of what is final may open further ones.
fn all_decided(home: &Node) -> Vec<DisputeInfo> {
    let open = |info: &DisputeInfo| {
        matches!(info.state, DisputeState::Open { .. } | DisputeState::Filed { .. })
    };
    until("all disputes to be decided", || {
        let disputes = disputes(home);
        (!disputes.iter().any(open)).then_some(disputes)
    })
}

/// Runs jobs until all these owners are named; waits until nothing is disputed any more. Nobody
/// else may be named.
fn sweep_until_named(dir: &Path, home: &Node, verify: &str, liars: &[u8]) {
    let liars: BTreeSet<_> = liars.iter().map(|n| owner(*n)).collect();
    for round in 0..JOBS {
        sweep(dir, home, verify, &format!("out-{round}"));
        all_decided(home);
        let named = named(home, Right::Execute);
        assert!(named.is_subset(&liars), "{:?}", sanctions(home));
        if named == liars {
            return;
        }
    }
    panic!("{:?}\n{:?}\n{}", sanctions(home), disputes(home), home.log());
}

/// Everything that is proven is proven against these, and convinces a stranger.
fn check_evidence(dir: &Path, home: &Node, liars: &[u8]) {
    let guilty: BTreeSet<_> = liars.iter().map(|n| node(*n)).collect();
    let all = evidence(home);
    let accused: BTreeSet<_> = all.iter().map(|info| info.finding.node).collect();
    assert_eq!(accused, guilty, "{all:?}");
    for liar in &guilty {
        let info = all.iter().find(|info| info.finding.node == *liar).unwrap();
        let file = format!("{liar}.polity");
        home.polity(&["ledger", "evidence", &info.id.to_string(), "-o", &file]).ok();
        let verify = ["verify", &file, "--genesis", "genesis.polity", "--json"];
        let said = polity(dir, &verify).ok().json();
        let named = said["accused"].as_array().unwrap();
        assert!(named.iter().any(|one| one["node"] == liar.to_string()), "{said}");
        if matches!(info.finding.cause, Cause::Refuted { .. }) {
            let again = ["--rerun", "--program", "copy.wasm", "--inputs", "in"];
            polity(dir, &[&verify[..], &again].concat()).ok();
        }
    }
}

#[test]
fn wrong_and_copied_outcomes_are_refuted_by_a_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    program(dir);
    inputs(dir, 30);
    let nodes = society(dir, demonstration(), &[(4, "wrong-result"), (5, "copied")]);
    sweep_until_named(dir, &nodes[0], "2of3", &[4, 5]);
    check_evidence(dir, &nodes[0], &[4, 5]);
}

#[test]
fn two_commitments_and_a_reveal_that_opens_nothing_prove_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    program(dir);
    inputs(dir, 20);
    let liars = [(4, "two-commitments"), (5, "unopened-reveal")];
    let nodes = society(dir, demonstration(), &liars);
    sweep_until_named(dir, &nodes[1], "2of3", &[4, 5]);
    check_evidence(dir, &nodes[1], &[4, 5]);
    let causes: Vec<_> = evidence(&nodes[1]).into_iter().map(|info| info.finding).collect();
    let did = |n: u8, what: fn(&Cause) -> bool| {
        causes.iter().any(|finding| finding.node == node(n) && what(&finding.cause))
    };
    assert!(did(4, |cause| matches!(cause, Cause::Commits { .. })), "{causes:?}");
    assert!(did(5, |cause| matches!(cause, Cause::Opening { .. })), "{causes:?}");
}

#[test]
fn two_who_collude_against_one_are_both_refuted_and_the_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    program(dir);
    inputs(dir, 60);
    let params = Params { audit_per_mille: 1000, ..demonstration() };
    let nodes = society(dir, params, &[(4, "colluding"), (5, "colluding")]);
    sweep_until_named(dir, &nodes[0], "2of3", &[4, 5]);
    check_evidence(dir, &nodes[0], &[4, 5]);
    // Whenever honest replicas disagreed, whoever colluded is refuted, both if both did.
    let both = BTreeSet::from([node(4), node(5)]);
    let mut outvoted = 0;
    for dispute in all_decided(&nodes[0]) {
        let DisputeState::Decided { refuted, .. } = &dispute.state else {
            panic!("{dispute:?}");
        };
        let refuted: BTreeSet<_> = refuted.iter().copied().collect();
        let claimed = dispute.claims.iter().map(|claim| claim.node).collect::<BTreeSet<_>>();
        let guilty = claimed.intersection(&both).copied().collect::<BTreeSet<_>>();
        assert!(refuted.is_superset(&guilty) && refuted.is_subset(&both), "{dispute:?}");
        outvoted += usize::from(guilty == both);
    }
    assert!(outvoted > 0, "{:?}", disputes(&nodes[0]));
}

#[test]
fn who_lies_where_nobody_compares_is_found_by_an_audit_and_who_is_slow_is_only_slow() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    program(dir);
    inputs(dir, 12);
    let params = Params { audit_per_mille: 1000, ..demonstration() };
    let nodes = society(dir, params, &[(4, "slow"), (5, "selective")]);
    sweep_until_named(dir, &nodes[0], "single", &[5]);
    check_evidence(dir, &nodes[0], &[5]);
}

#[test]
fn who_accuses_falsely_may_not_accuse_any_more_and_who_is_silent_is_only_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    program(dir);
    inputs(dir, 40);
    let homes = found(dir, 5, 4, demonstration());
    misbehave(&homes[3], "false-accuser");
    misbehave(&homes[4], "silent");
    // The lease is what a silent node costs; a person waits for longer.
    let hasty = format!("[work]\nlease_ms = 500\n{DRAWN}");
    fs::write(homes[0].join("config.toml"), hasty).unwrap();
    let mut nodes = up_all(dir, &homes[..4]);
    nodes.iter_mut().for_each(|node| node.ready(4));
    // The first job brings program and inputs to the home; the second one has a short wall time.
    sweep(dir, &nodes[0], "2of3", "before");
    nodes.extend(up_all(dir, &homes[4..]));
    nodes.iter_mut().for_each(|node| node.ready(5));
    let door = Door::of(&homes[0]);
    let first = door.receipt(door.jobs()[0].job).body.order.payload;
    let mut limits = first.limits;
    limits.wall_ms = 1_000;
    let issued = now();
    let expires = issued.after_ms(600_000);
    let nonce = identity::Digest([1; 32]);
    let job = Job { limits, issued, expires, nonce, ..first };
    let (id, network) = (job.id(), job.network);
    door.submit(Signed::new(job, network, &SecretKey::from_seed([1; 32])));
    until("the job of the silent node to end", || {
        let all = door.jobs();
        let job = all.iter().find(|job| job.job == id)?;
        (job.state == api::JobState::Finished).then_some(())
    });
    nodes[0].polity(&["job", "get", &id.to_string(), "-o", "fetched"]).ok();
    for n in 0..40 {
        let input = fs::read(dir.join(format!("in/{n}.txt"))).unwrap();
        assert_eq!(fs::read(dir.join(format!("fetched/{n}.txt"))).unwrap(), input, "{n}");
    }
    polity(dir, &["verify", "fetched", "--genesis", "genesis.polity"]).ok();
    let parts = door.receipt(id).body.parts;
    let mut passed_over = parts.iter().flat_map(|part| &part.agreements.tasks);
    let silent = Skip { node: node(5), reason: SkipReason::Lost };
    assert!(passed_over.any(|task| task.skipped.contains(&silent)), "nobody waited for it");

    until("the false accuser to lose its right", || {
        (!sanctions(&nodes[1]).is_empty()).then_some(())
    });
    assert_eq!(named(&nodes[1], Right::Dispute), BTreeSet::from([owner(4)]));
    assert!(named(&nodes[1], Right::Execute).is_empty(), "{:?}", sanctions(&nodes[1]));
    assert!(evidence(&nodes[1]).is_empty(), "{:?}", evidence(&nodes[1]));
}

#[test]
fn a_node_misbehaves_only_where_that_was_agreed_on() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let homes = found(dir, 1, 1, brisk());
    misbehave(&homes[0], "wrong-result");
    let said = up_all(dir, &homes).remove(0).failed();
    assert!(said.contains("demonstration") && said.contains("config.toml"), "{said}");
    misbehave(&homes[0], "wrong-results");
    let said = up_all(dir, &homes).remove(0).failed();
    assert!(said.contains("wrong-results"), "{said}");
}

#[test]
fn a_validator_that_never_proposes_spoils_or_censors_stops_nobody() {
    for how in ["forfeiter", "spoiler", "censor"] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        program(dir);
        inputs(dir, 4);
        let nodes = society(dir, demonstration(), &[(4, how)]);
        // Whoever is censored is among them.
        for (n, home) in nodes.iter().enumerate().take(3) {
            sweep(dir, home, "2of2", &format!("out-{n}"));
        }
        assert!(sanctions(&nodes[0]).is_empty(), "{how}: {:?}", sanctions(&nodes[0]));
        assert!(evidence(&nodes[0]).is_empty(), "{how}");
    }
}

#[test]
fn a_home_that_shows_different_sets_or_none_harms_only_its_own_jobs() {
    for how in ["two-sets", "withholding"] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        program(dir);
        inputs(dir, 4);
        let nodes = society(dir, demonstration(), &[(5, how)]);
        // Its own job ends too, with what could be agreed on until it expired.
        let run =
            ["run", "copy.wasm", "--fresh", "--each", "in/*.txt", "--arg", "{}", "--timeout", "5s"];
        let said = nodes[4].polity(&[&run[..], &["--verify", "2of2", "-o", "cheated"]].concat());
        assert!(said.code.is_some(), "{}", said.err);
        for (n, home) in nodes.iter().enumerate().take(2) {
            sweep(dir, home, "2of2", &format!("out-{n}"));
        }
        assert!(sanctions(&nodes[0]).is_empty(), "{how}: {:?}", sanctions(&nodes[0]));
        assert!(disputes(&nodes[0]).is_empty(), "{how}: {:?}", disputes(&nodes[0]));
    }
}
