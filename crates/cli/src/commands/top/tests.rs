//! What is drawn, on a terminal that is none.

use super::{
    facts::{Answer, Facts},
    plain,
    view::{Key, View},
};
use api::{ClusterInfo, JobState, JobSummary, MemberInfo, NodeInfo, NodeLoad, Status, Totals};
use identity::{Digest, NetworkId, PublicKey};
use objects::{Cid, Codec};
use protocol::{Distinct, Height, JobId, Priority, Profile, Time};
use ratatui::{Terminal, backend::TestBackend};
use std::collections::BTreeMap;

const NOW: u64 = 1_795_219_200_000;

fn key(n: u8) -> PublicKey {
    PublicKey([n; 32])
}

fn node(n: u8, used: u32, fuel_ms: u64) -> NodeInfo {
    let load = NodeLoad { used, slots: 16, fuel_ms: Some(fuel_ms), ..NodeLoad::default() };
    let zone = if n.is_multiple_of(2) { "south" } else { "north" };
    let labels = [("zone".to_string(), zone.to_string())].into();
    NodeInfo {
        node: key(n),
        owner: key(n + 10),
        owner_name: format!("Owner {n}"),
        party: key(n + 10),
        barred_until: None,
        lost: Vec::new(),
        validator: true,
        connected: n != 3,
        addresses: Vec::new(),
        about: None,
        profile: Some(Profile { labels, ..Profile::default() }),
        rtt_ms: Some(u64::from(n)),
        load: Some(load),
    }
}

fn job(n: u8, priority: Priority, settled: u32) -> JobSummary {
    JobSummary {
        job: JobId(Cid::of(Codec::Raw, &[n])),
        submitter: key(1),
        issued: Time(NOW - 1_000 * u64::from(n)),
        state: JobState::Running,
        tasks: 1_000_000,
        agreed: settled,
        settled,
        unsettled: 2,
        receipt: None,
        priority,
        deadline: (n == 2).then_some(Time(NOW + 3_600_000)),
        paused: n == 3,
        running: if n == 1 { 9 } else { 0 },
    }
}

fn answer(at: u64, settled: u32) -> Answer {
    let mut nodes = vec![node(1, 2, 400_000), node(2, 9, 250_000), node(3, 0, 900_000)];
    let cordoned = nodes[1].load.as_mut().unwrap();
    cordoned.cordon = Some("new disk".into());
    let status = Status {
        node: key(1),
        owner: key(11),
        network: NetworkId(Digest([2; 32])),
        network_name: "lab".into(),
        version: "0.1.0".into(),
        addresses: Vec::new(),
        validator: true,
        admitted: true,
        validators: 4,
        height: Height(1_234),
        head_time: Time(at - 1_500),
        clock: Time(at),
        peers: 2,
        parties: 3,
        fingerprint: Digest([5; 32]),
        job_lifetime_ms: 86_400_000,
        distinct: Distinct::Owners,
        heartbeat_ms: 60_000,
        reserve_bytes: 0,
        totals: Totals { jobs: 3, paused: 1, queued: [0, 3, 999_000, 0, 5], running: 9, agreed: 2 },
    };
    let jobs = vec![
        job(1, Priority::Normal, settled),
        job(2, Priority::High, 0),
        job(3, Priority::Background, 0),
    ];
    let member = |n: u8| MemberInfo {
        node: key(n),
        votes: true,
        connected: n != 3,
        labels: BTreeMap::new(),
        has: Some(9),
        silent_ms: Some(20),
        running: 0,
        cordon: None,
        windows: Vec::new(),
    };
    let cluster = ClusterInfo {
        id: "id".into(),
        name: "home".into(),
        node: key(1),
        current: false,
        leader: Some(key(1)),
        term: 2,
        last: 9,
        committed: 9,
        applied: 9,
        snapshot: 0,
        at_rest: true,
        left_behind: None,
        members: (1..=3).map(member).collect(),
        cordons: BTreeMap::new(),
        usual_quota: None,
        quotas: Vec::new(),
        reservations: BTreeMap::new(),
    };
    Answer { status, nodes, jobs, unknown: None, cluster }
}

/// Three seconds, in which more and more was done.
fn facts() -> Facts {
    let mut facts = Facts::default();
    for (second, settled) in [0, 100, 350, 1_350].into_iter().enumerate() {
        facts.take(answer(NOW + 1_000 * second as u64, settled));
    }
    facts
}

fn shown(view: &mut View, facts: &Facts, (width, height): (u16, u16)) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view.draw(frame, facts)).unwrap();
    let buffer = terminal.backend().buffer();
    let row = |y: u16| -> String { (0..width).map(|x| buffer[(x, y)].symbol()).collect() };
    (0..height).map(|y| row(y).trim_end().to_string()).collect()
}

#[test]
fn everything_fits_into_the_smallest_usual_terminal() {
    let lines = shown(&mut View::default(), &facts(), (80, 24));
    let expected = include_str!("golden.txt");
    let got = lines.join("\n") + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/commands/top/golden.txt");
        std::fs::write(path, &got).unwrap();
        return;
    }
    assert_eq!(got, expected);
}

#[test]
fn any_size_is_drawn() {
    let (facts, mut view) = (facts(), View::default());
    for size in [(1, 1), (20, 5), (40, 12), (200, 60)] {
        assert_eq!(shown(&mut view, &facts, size).len(), usize::from(size.1));
        shown(&mut view, &Facts::default(), size);
    }
}

#[test]
fn tasks_in_a_second_are_counted_from_one_answer_to_the_next() {
    let facts = facts();
    assert_eq!(facts.rates().collect::<Vec<_>>(), [100_000, 250_000, 1_000_000]);
    assert_eq!(facts.throughput(), ("1,000.0".into(), "1,000.0".into()));
    // A job that is forgotten takes nothing back.
    let mut later = facts.clone();
    let mut rest = answer(NOW + 5_000, 0);
    rest.jobs.clear();
    later.take(rest);
    assert_eq!(later.throughput(), ("0.0".into(), "1,000.0".into()));
}

#[test]
fn keys_move_and_sort() {
    let (facts, mut view) = (facts(), View::default());
    let first = |view: &mut View| shown(view, &facts, (80, 24))[9].clone();
    assert!(first(&mut view).contains("cordoned"), "the one with most to do");
    view.press(Key::Sort, &facts);
    assert!(first(&mut view).contains("400 M/s"), "the fastest that is there");
    view.press(Key::Sort, &facts);
    assert!(first(&mut view).contains("Owner 1"));
    view.press(Key::Down, &facts);
    assert!(first(&mut view).contains("Owner 2"));
    view.press(Key::PageDown, &facts);
    assert!(first(&mut view).contains("Owner 3"), "the last one stays");
    view.press(Key::Home, &facts);
    view.press(Key::Other, &facts);
    view.press(Key::Down, &facts);
    let lines = shown(&mut view, &facts, (80, 24));
    assert!(lines[9].contains("Owner 1") && !lines[14..].iter().any(|line| line.contains("high")));
}

#[test]
fn a_node_that_does_not_answer_is_said() {
    let mut facts = facts();
    facts.lose("connection refused".into());
    let lines = shown(&mut View::default(), &facts, (120, 24));
    assert!(lines[23].contains("the node does not answer"), "{lines:?}");
    facts.take(answer(NOW + 9_000, 1_350));
    assert!(shown(&mut View::default(), &facts, (120, 24))[23].starts_with("q leave"));
}

#[test]
fn without_a_leader_everything_else_is_shown() {
    let unknown = |at| Answer {
        jobs: Vec::new(),
        unknown: Some("nobody leads the cluster".into()),
        ..answer(at, 0)
    };
    let mut facts = facts();
    facts.take(unknown(NOW + 5_000));
    let lines = shown(&mut View::default(), &facts, (120, 24));
    assert!(lines[23].starts_with("jobs are those of ") && lines[23].ends_with("the cluster"));
    assert!(lines[14..].iter().any(|line| line.contains("high")), "those that were seen last");
    assert_eq!(facts.rates().len(), 3, "nothing is known of what was done meanwhile");
    facts.take(answer(NOW + 9_000, 1_350));
    assert_eq!(facts.trouble(), None);
    let mut first = Facts::default();
    first.take(unknown(NOW));
    assert!(plain::text(&first).ends_with("\njobs are not known: nobody leads the cluster\n"));
    assert!(plain::text(&first).contains("cordoned"));
    assert!(first.json()["jobs"].is_null() && first.json()["nodes"].is_array());
}

#[test]
fn for_pipes_it_is_plain_text() {
    let text = plain::text(&facts());
    for part in [
        "lab · node",
        "queue: critical 0, high 3, normal 999,000, low 0, background 5",
        "cordoned",
        "paused",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100 && !line.contains('\x1b')));
    let mut idle = Facts::default();
    let mut none = answer(NOW, 0);
    none.jobs.clear();
    idle.take(none);
    assert!(plain::text(&idle).ends_with("no job is under way\n"));
}
