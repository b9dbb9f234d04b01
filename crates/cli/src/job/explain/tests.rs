//! Sentences, from facts that are made up. What makes the facts is tested where they are made.

use super::*;
use api::{
    AboutInfo, AuditCount, Cap, Factors, JobSummary, JobTimes, Misfit, Place, ReplicaDetail,
    ReplicaState, Step, TaskState, Trouble,
};
use api::{DisputeState, TaskDetail};
use identity::{Digest, NetworkId, PublicKey, SecretKey, Signed};
use objects::{Cid, Codec};
use protocol::{
    Attempt, Distinct, End, Height, Job, JobId, Limits, NoResult, OutcomeDigest, Placement,
    TaskIndex, Verification,
    draw::{Skip, SkipReason},
};

const NOW: u64 = 1_000_000;

fn key(n: u8) -> PublicKey {
    PublicKey([n; 32])
}

/// Nodes 1 to 4 of owners 11 to 14, all validators; the last is not connected.
fn nodes() -> Vec<NodeInfo> {
    let node = |n: u8| NodeInfo {
        node: key(n),
        owner: key(n + 10),
        owner_name: format!("owner {n}"),
        party: key(n + 10),
        barred_until: None,
        lost: Vec::new(),
        validator: true,
        connected: n < 4,
        addresses: Vec::new(),
        about: None,
        profile: None,
        rtt_ms: None,
        load: None,
    };
    (1..=4).map(node).collect()
}

fn status() -> Status {
    Status {
        node: key(1),
        owner: key(11),
        network: NetworkId(Digest([2; 32])),
        network_name: "test".into(),
        version: "0.1.0".into(),
        addresses: Vec::new(),
        validator: true,
        admitted: true,
        validators: 4,
        height: Height(41),
        head_time: Time(NOW - 2_000),
        clock: Time(NOW),
        peers: 2,
        parties: 3,
        fingerprint: Digest([5; 32]),
        job_lifetime_ms: 86_400_000,
        distinct: Distinct::Owners,
        heartbeat_ms: 60_000,
        reserve_bytes: 0,
        totals: Default::default(),
    }
}

fn detail(state: TaskState, dispute: Option<DisputeState>) -> JobDetail {
    let (network, cid) = (NetworkId(Digest([2; 32])), Cid::of(Codec::Raw, b""));
    let order = Job {
        network,
        home: key(1),
        program: cid,
        table: Cid::of(Codec::DagCbor, b""),
        tasks: 1,
        seed: Digest([3; 32]),
        engine: Digest([5; 32]),
        limits: Limits::default(),
        placement: Placement::Fast,
        verification: Verification { k: 2, n: 3 },
        issued: Time(1),
        expires: Time(86_400_000),
        nonce: Digest([4; 32]),
        terms: protocol::Terms::default(),
    };
    let task = TaskDetail {
        task: TaskIndex(0),
        name: "a.csv".into(),
        state,
        replicas: Vec::new(),
        skipped: Vec::new(),
        awaited: Vec::new(),
        retry: None,
        began: Some(Time(NOW - 5_000)),
        agreed: None,
        fuel: None,
        dispute,
    };
    JobDetail {
        summary: JobSummary {
            job: JobId(cid),
            submitter: key(11),
            issued: Time(1),
            state: JobState::Running,
            tasks: 1,
            agreed: 0,
            settled: 0,
            unsettled: 0,
            receipt: None,
            priority: Default::default(),
            deadline: None,
            paused: false,
            running: 0,
        },
        order: Signed::new(order, network, &SecretKey::from_seed([1; 32])),
        ordered: None,
        after: Vec::new(),
        drawn: Some(Height(3)),
        audits: AuditCount::default(),
        times: JobTimes::default(),
        offered: None,
        troubles: Vec::new(),
        missing: Vec::new(),
        tasks: vec![task],
        placing: Default::default(),
    }
}

fn waiting() -> JobDetail {
    let mut detail = detail(TaskState::Waiting { why: "too few nodes".into() }, None);
    detail.tasks[0].skipped = vec![Skip { node: key(4), reason: SkipReason::Offline }];
    detail
}

fn replica(n: u8, state: ReplicaState) -> ReplicaDetail {
    ReplicaDetail {
        attempt: Attempt(u16::from(n)),
        node: key(n),
        state,
        since: Some(Time(NOW - 3_000)),
        due: Some(Time(NOW + 9_000)),
        no_result: None,
    }
}

fn said(detail: &JobDetail, nodes: &[NodeInfo]) -> Said {
    Facts::new(detail, nodes, &status()).task(&detail.tasks[0])
}

#[track_caller]
fn holds(said: &Said, facts: &[&str], next: Option<&str>) {
    for fact in facts {
        assert!(said.text.contains(fact), "{fact} in {said:?}");
    }
    let told = said.next.as_deref();
    match next {
        Some(next) => assert!(told.is_some_and(|told| told.contains(next)), "{next} in {said:?}"),
        None => assert_eq!(told, None),
    }
}

#[test]
fn a_task_without_candidates_says_who_is_there_who_is_away_and_who_is_sanctioned() {
    let mut nodes = nodes();
    nodes[1].barred_until = Some(Time(NOW + 60_000));
    let facts = [
        "2 different owners must agree, and of 4 owners 2 are there (owner 1, owner 3).",
        "Not connected: owner 4.",
        "owner 2 is not drawn until 1970-01-01T00:17:40Z (in 60.0 s).",
        "(owner owner 4): not connected.",
    ];
    let mut waiting = waiting();
    waiting.tasks[0].replicas = vec![replica(1, ReplicaState::Committed)];
    holds(&said(&waiting, &nodes), &facts, Some("polity up"));
    nodes.iter_mut().for_each(|node| node.connected = true);
    holds(&said(&waiting, &nodes), &["in 60.0 s"], Some("polity ledger sanctions"));
}

/// A job that waits: with these nodes fitting or not.
fn queued(places: Vec<Place>) -> JobDetail {
    let mut detail = detail(TaskState::Waiting { why: "others come first".into() }, None);
    detail.tasks[0].began = None;
    detail.placing.nodes = places;
    detail
}

fn passed(n: u8, misfit: Misfit) -> Place {
    Place { node: key(n), factors: None, score: None, misfit: Some(misfit) }
}

fn scored(n: u8, score: u32) -> Place {
    let factors = Some(Factors { speed: 900, load: 800, history: 1_000, ..Factors::default() });
    Place { node: key(n), factors, score: Some(score), misfit: None }
}

#[test]
fn a_paused_job_says_so_and_how_it_goes_on() {
    let mut detail = queued(Vec::new());
    detail.summary.paused = true;
    let job = Facts::new(&detail, &nodes(), &status()).job();
    holds(&job, &["Paused: nobody new", "0 of 1 task ended"], Some("polity job resume"));
    holds(&said(&detail, &nodes()), &["Nobody was asked yet. Paused"], Some("job resume"));
}

#[test]
fn a_job_that_waits_for_others_says_how_many_and_what_makes_room() {
    let mut detail = queued(Vec::new());
    detail.placing.ahead = Some(3);
    detail.placing.wait_ms = Some(90_000);
    let facts = [
        "In the queue 3 jobs go before it: its priority is normal.",
        "never starves. Its next task is expected to begin in 90.0 s.",
    ];
    holds(&said(&detail, &nodes()), &facts, Some("polity job pause JOB"));
    let job = Facts::new(&detail, &nodes(), &status()).job();
    holds(&job, &["Running: 0 of 1 task final", facts[0]], Some("polity job pause JOB"));
    detail.placing.ahead = Some(0);
    let first = said(&detail, &nodes());
    holds(&first, &["other tasks of this job come first"], None);
}

#[test]
fn a_submitter_with_enough_at_work_is_told_how_much_that_is() {
    let mut detail = queued(Vec::new());
    detail.placing.capped = Some(Cap { replicas: 65_536, allowed: 65_536 });
    let facts = ["has 65,536 replicas at work and may have 65,536"];
    holds(&said(&detail, &nodes()), &facts, Some("polity job cancel JOB"));
}

#[test]
fn a_deadline_that_is_past_is_said() {
    let mut detail = queued(Vec::new());
    detail.order.payload.terms.deadline = Some(Time(NOW - 60_000));
    holds(&said(&detail, &nodes()), &["Its deadline 1970-01-01T00:15:40Z is past"], None);
}

#[test]
fn who_does_not_fit_is_named_with_the_reason_and_a_way_out() {
    let disk = Misfit::Cordoned { reason: "new disk".into() };
    for (misfit, fact, next) in [
        (disk, "Cordoned (new disk): …", Some("polity node uncordon")),
        (Misfit::Window, "Looked after by their owners now, or soon: …", None),
        (
            Misfit::Label { name: "zone".into() },
            "Without the label zone=north: …",
            Some("labels = { zone"),
        ),
        (Misfit::Gpus, "Fewer than 2 GPUs: …", Some("ask for less")),
        (Misfit::Cpus, "Fewer than 8 cores: …", Some("ask for less")),
        (Misfit::Disk, "Less than 1.0 GiB free on their disks: …", Some("ask for less")),
        (Misfit::Far, "Further away than 20 ms: …", Some("ask for less")),
        (Misfit::Class, "May not see internal data: …", Some("--owner NAME")),
        (Misfit::Unknown, "Have not said what they are: …", Some("polity node describe")),
        (Misfit::Offline, "Not connected: …", Some("polity up")),
        (Misfit::Silent, "Stopped answering: …", Some("polity doctor")),
        (Misfit::Busy, "Busy with as much as they may be given: …", None),
    ] {
        let mut detail = queued(vec![scored(1, 700), passed(2, misfit.clone()), passed(3, misfit)]);
        let needs = &mut detail.order.payload.terms.needs;
        needs.labels.insert("zone".into(), "north".into());
        (needs.cpus, needs.gpus, needs.disk_bytes) = (8, 2, 1 << 30);
        (needs.near_ms, needs.class) = (Some(20), protocol::Class::Internal);
        let facts = ["Of 3 nodes 1 can be given tasks of it now.", fact, "(owner owner 2)"];
        holds(&said(&detail, &nodes()), &facts, next);
        detail.order.payload.verification.k = 1;
        assert_eq!(said(&detail, &nodes()).next, None, "one is enough");
    }
}

#[test]
fn every_factor_of_every_node_is_shown_with_its_weight() {
    let mut detail = queued(vec![scored(1, 712), passed(4, Misfit::Arch)]);
    let weights =
        Factors { speed: 300, load: 250, history: 200, latency: 100, locality: 100, price: 50 };
    detail.placing.weights = Some(weights);
    detail.order.payload.terms.needs.arch = Some("aarch64".into());
    let (nodes, status) = (nodes(), status());
    let table = Facts::new(&detail, &nodes, &status).nodes_table();
    for part in ["SCORE", "(weight)", "300", "712", "900", "is passed over: not aarch64"] {
        assert!(table.contains(part), "{part} in {table}");
    }
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    detail.placing.nodes.clear();
    assert!(Facts::new(&detail, &nodes, &status).nodes_table().contains("No node was looked at"));
}

#[test]
fn somebody_who_joined_after_the_draw_is_named_so() {
    let mut nodes = nodes();
    nodes[3].connected = true;
    nodes.push(NodeInfo { node: key(5), party: key(15), connected: true, ..nodes[3].clone() });
    let facts = ["Not among those drawn for it:", "admitted later"];
    let mut waiting = waiting();
    waiting.tasks[0].replicas = (1..=3).map(|n| replica(n, ReplicaState::Committed)).collect();
    holds(&said(&waiting, &nodes), &facts, Some("polity run"));
}

#[test]
fn what_nodes_said_instead_of_a_result_is_said_with_what_helps() {
    let cases = [
        (NoResult::BadProgram, "the program is none that it can run", Some("wasm32-wasip1")),
        (NoResult::OtherEngine, "another engine than the order names", Some("polity doctor")),
        (NoResult::WallTime, "it took longer than 10 min", Some("--wall")),
        (NoResult::HostFailure, "no room, or its store failed", Some("polity doctor")),
        (NoResult::HostOutOfMemory, "no memory left", Some("--memory")),
        (NoResult::StackOverflow, "stack ran out", Some("nests less deeply")),
        (NoResult::Refused, "does not accept the order", Some("polity doctor")),
        (NoResult::MissingObject, "could not have the program or an input", None),
    ];
    for (reason, fact, next) in cases {
        let mut detail = detail(TaskState::Running, None);
        let lost = ReplicaDetail { no_result: Some(reason), ..replica(2, ReplicaState::Lost) };
        detail.tasks[0].replicas = vec![replica(1, ReplicaState::Committed), lost];
        let skip = match reason {
            NoResult::Refused | NoResult::OtherEngine => SkipReason::Refused,
            _ => SkipReason::NoResult,
        };
        detail.tasks[0].skipped = vec![Skip { node: key(2), reason: skip }];
        holds(&said(&detail, &nodes()), &["Passed over were", "(owner owner 2)", fact], next);
    }
}

#[test]
fn what_is_lost_at_the_home_is_named() {
    let mut detail = detail(TaskState::Running, None);
    let reason = Some(NoResult::MissingObject);
    let lost = ReplicaDetail { no_result: reason, ..replica(2, ReplicaState::Lost) };
    detail.tasks[0].replicas = vec![lost];
    detail.tasks[0].skipped = vec![Skip { node: key(2), reason: SkipReason::NoResult }];
    detail.missing = vec![detail.order.payload.program, Cid::of(Codec::Raw, b"input")];
    let facts = ["This node, its home, has lost the program", "and 1 more."];
    holds(&said(&detail, &nodes()), &facts, Some("order it again, with all its files"));
}

#[test]
fn replicas_are_told_apart_by_what_they_said_and_how_long_they_are_waited_for() {
    let mut detail = detail(TaskState::Running, None);
    detail.tasks[0].replicas = vec![
        replica(1, ReplicaState::Committed),
        replica(4, ReplicaState::Assigned),
        replica(3, ReplicaState::Lost),
    ];
    detail.tasks[0].awaited = vec![key(2)];
    let facts = [
        "It runs, 2of3: 2 different owners must agree.",
        "(owner owner 4), not connected now, asked 3.0 s ago",
        "(who says nothing until 1970-01-01T00:16:49Z (in 9.0 s) counts as lost)",
        "committed: …",
        "next, as soon as it has done others of this node's: …",
    ];
    holds(&said(&detail, &nodes()), &facts, None);
    assert!(!said(&detail, &nodes()).text.contains("owner 3"));
}

#[test]
fn what_waits_for_the_ledger_says_whether_it_stands_and_who_is_missing() {
    let mut detail = detail(TaskState::Agreed { end: End::Exit(0) }, None);
    detail.offered = Some(Time(NOW - 4_000));
    let on = ["(exit 0)", "offered to the validators 4.0 s ago", "block here, 41, is 2.0 s old"];
    holds(&said(&detail, &nodes()), &on, None);
    detail.troubles =
        vec![Trouble { step: Step::Publish, at: Time(NOW - 500), reason: "pool full".into() }];
    let failed = ["The last try, 500 ms ago, failed: pool full."];
    holds(&said(&detail, &nodes()), &failed, Some("polity doctor"));

    let mut few = nodes();
    few[2].connected = false;
    let stands = [
        "The ledger stands: a block needs 3 of the 4 validators, and this node sees 2, itself",
        "Away: owner 3, owner 4.",
    ];
    holds(&said(&detail, &few), &stands, Some("polity up"));
}

#[test]
fn a_sealed_order_says_what_it_waits_for() {
    let mut detail = waiting();
    let order = Job { placement: Placement::Sealed, ..detail.order.payload.clone() };
    detail.order = Signed::new(order, NetworkId(Digest([2; 32])), &SecretKey::from_seed([1; 32]));
    detail.drawn = None;
    holds(&said(&detail, &nodes()), &["waits to be put on the ledger", "41, is 2.0 s old"], None);
    detail.ordered = Some(Height(7));
    let facts = ["since height 7: it waits for the beacon of height 8"];
    holds(&said(&detail, &nodes()), &facts, None);
}

#[test]
fn a_job_that_is_held_names_the_others() {
    let mut detail = waiting();
    detail.drawn = None;
    let other = JobId(Cid::of(Codec::Raw, b"other"));
    detail.after = vec![other];
    let short = text::short(other);
    let job = Facts::new(&detail, &nodes(), &status()).job();
    let next = format!("polity job explain {short}");
    holds(&job, &[&format!("Held until job {short} has ended well")], Some(&next));
    assert_eq!(said(&detail, &nodes()), job);
}

#[test]
fn a_dispute_says_how_far_it_is() {
    let open = DisputeState::Open {
        opened: Height(5),
        deadline: Time(0),
        rulings: 1,
        quorum: 3,
        validators: 4,
    };
    let disputed = |state| detail(TaskState::Disputed, Some(state));
    let facts =
        ["Outcomes differ. A dispute is open since height 5: 1 of 4 validators have ruled, and 3 \
         must find the same until 1970-01-01T00:00:00Z (block time)."];
    holds(&said(&disputed(open.clone()), &nodes()), &facts, Some("polity ledger disputes"));
    let mut few = nodes();
    few[2].connected = false;
    holds(&said(&disputed(open), &few), &["The ledger stands"], Some("polity up"));
    let refused = DisputeState::Filed { refused: Some("too many are open".into()) };
    holds(&said(&disputed(refused), &nodes()), &["did not take the dispute: too many"], Some(""));
    let filed = DisputeState::Filed { refused: None };
    holds(&said(&disputed(filed), &nodes()), &["waits for a block", "41, is 2.0 s old"], None);
}

#[test]
fn a_task_that_ended_says_what_it_rests_on_or_why_not() {
    let outcome = OutcomeDigest(Digest([1; 32]));
    let decided = DisputeState::Decided { outcome, height: Some(Height(8)), refuted: vec![key(2)] };
    let end = TaskState::Final { end: End::Exit(0), height: Height(9), decided: true };
    let facts = [
        "Final on a verdict of the validators at height 9 (exit 0).",
        "A verdict at height 8 refutes …",
    ];
    holds(&said(&detail(end, Some(decided)), &nodes()), &facts, Some("polity ledger evidence"));
    let failed = TaskState::Final { end: End::Exit(3), height: Height(9), decided: false };
    holds(&said(&detail(failed, None), &nodes()), &["exit 3"], Some("polity job logs"));
    let undecided = DisputeState::Undecided { height: None };
    let ends = [
        (Unsettled::Undecided, Some(undecided), "nobody is sanctioned", Some("ledger disputes")),
        (Unsettled::Expired, None, "It was good until 1970-01-02T00:00:00Z.", Some("--timeout")),
        (Unsettled::NoCandidates, None, "of 4 owners 3 are there", Some("polity up")),
        (Unsettled::Cancelled, None, "Cancelled.", None),
        (Unsettled::After(JobId(Cid::of(Codec::Raw, b""))), None, "It was job", Some("explain")),
    ];
    for (why, dispute, expected, next) in ends {
        let detail = detail(TaskState::Unsettled { why }, dispute);
        holds(&said(&detail, &nodes()), &[expected], next);
    }
}

#[test]
fn a_job_that_ended_says_how_and_what_there_is_to_have() {
    let ended = |state: TaskState, settled| {
        let mut detail = detail(state, None);
        detail.summary.state = JobState::Finished;
        (detail.summary.settled, detail.summary.unsettled) = (settled, 1 - settled);
        Facts::new(&detail, &nodes(), &status()).job()
    };
    let end = |end| TaskState::Final { end, height: Height(9), decided: false };
    let get = Some("polity job get");
    holds(&ended(end(End::Exit(0)), 1), &["1 of 1 task final, and all ended with exit 0"], get);
    holds(&ended(end(End::Exit(3)), 1), &["1 of them did not end with exit 0"], get);
    let unsettled = |why| TaskState::Unsettled { why };
    holds(&ended(unsettled(Unsettled::Cancelled), 0), &["Cancelled: 0 of 1 task"], get);
    holds(&ended(unsettled(Unsettled::Expired), 0), &["0 of 1 task final, 1 not agreed"], get);
}

#[test]
fn a_receipt_that_cannot_be_written_says_why() {
    let end = TaskState::Final { end: End::Exit(0), height: Height(9), decided: false };
    let mut detail = detail(end, None);
    (detail.summary.agreed, detail.summary.settled) = (1, 1);
    detail.troubles =
        vec![Trouble { step: Step::Receipt, at: Time(NOW), reason: "the disk is full".into() }];
    let job = Facts::new(&detail, &nodes(), &status()).job();
    let facts = ["the receipt is being written", "failed: the disk is full."];
    holds(&job, &facts, Some("polity doctor"));
}

#[test]
fn clocks_and_engines_that_are_off_are_said() {
    let about = |n: u8, engine: u8, ahead_ms: i64| {
        let mut node = nodes()[usize::from(n) - 1].clone();
        node.connected = true;
        node.about = Some(AboutInfo {
            version: "0.2.0".into(),
            engine: Digest([engine; 32]),
            height: Height(41),
            ahead_ms,
            within_ms: 3,
            at: Time(NOW),
        });
        node
    };
    let own = nodes()[0].clone();
    let mut detail = waiting();
    let job = |detail: &JobDetail, nodes: &[NodeInfo]| Facts::new(detail, nodes, &status()).job();
    // The clock of one other, and another engine there.
    let nodes = [own.clone(), about(2, 5, 0), about(3, 5, 7_200_000), about(4, 6, 0)];
    assert!(!job(&detail, &nodes).text.contains("clock"), "most agree with this one");
    let refuse = |n| Skip { node: key(n), reason: SkipReason::Refused };
    detail.tasks[0].skipped = vec![refuse(3), refuse(4)];
    detail.tasks[0].replicas = (1..=2).map(|n| replica(n, ReplicaState::Committed)).collect();
    let odd = ["its clock is 2 h ahead of this one", "has version 0.2.0 and another engine"];
    holds(&said(&detail, &nodes), &odd, None);
    // Its own clock.
    let nodes = [own, about(2, 5, 7_200_000), about(3, 5, 7_200_100), about(4, 5, 0)];
    let behind = ["The clock of this machine is 2 h behind those of others: set it."];
    holds(&job(&detail, &nodes), &behind, Some("polity doctor"));
    // The engine that the order names.
    let order = Job { engine: Digest([9; 32]), ..detail.order.payload.clone() };
    detail.order = Signed::new(order, NetworkId(Digest([2; 32])), &SecretKey::from_seed([1; 32]));
    let engine = ["The order names another engine", "of 3 other nodes that told what they have, 0"];
    holds(&job(&detail, &nodes), &engine, Some("polity run"));
}

#[test]
fn tasks_of_which_the_same_is_to_be_said_are_said_together_whatever_their_times() {
    let mut detail = detail(TaskState::Running, None);
    let mut silent = detail.tasks[0].clone();
    silent.replicas = vec![replica(2, ReplicaState::Assigned)];
    let mut later = silent.clone();
    later.replicas[0].due = Some(Time(NOW + 90_000));
    let mut failed = detail.tasks[0].clone();
    failed.state = TaskState::Unsettled { why: Unsettled::NoCandidates };
    detail.tasks = vec![later, failed, silent];
    let (nodes, status) = (nodes(), status());
    let facts = Facts::new(&detail, &nodes, &status);
    let groups = facts.groups();
    let sizes: Vec<_> = groups.iter().map(|(tasks, _)| tasks.len()).collect();
    assert_eq!(sizes, [1, 2], "what needs attention comes first");
    assert!(groups[1].1.text.contains("(in 9.0 s)"), "{:?}", groups[1].1);
}
