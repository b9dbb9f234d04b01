//! Power that goes at random moments: nothing that was acknowledged is lost or done twice.

use super::{
    load::{Ended, Load},
    record::Record,
    society::{GUARD, Node, brisk, door::Door, found, inputs, polity, program, until, up_all},
};
use api::JobState;
use sim::Random;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// Nodes, of which all but the last one vote.
const NODES: u8 = 5;
/// How long a node runs under load before it dies, at most, and how long it stays dead.
const LIFE_MS: u64 = 1_500;
const DEATH_MS: u64 = 1_500;
/// How long a node that dies while it starts has had, at most.
const START_MS: u64 = 1_000;
/// One of so many starts is cut short.
const STILLBORN: u64 = 4;
const LOOK: Duration = Duration::from_millis(10);

/// A number from the environment: `cargo xtask soak` asks for more than the usual run.
fn number(name: &str, usual: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(usual, |text| text.parse().unwrap_or_else(|e| panic!("{name}={text}: {e}")))
}

#[test]
fn any_node_may_die_at_any_moment_and_every_acknowledged_job_ends_once() {
    let (kills, seed) = (number("POLITY_SOAK_KILLS", 8), number("POLITY_SOAK_SEED", 1));
    eprintln!("{kills} kills, seed {seed}");
    // A soak that fails is looked at: it leaves its directories where it was told to.
    let kept = std::env::var_os("POLITY_SOAK_DIR").map(PathBuf::from);
    let temporary = tempfile::tempdir().unwrap();
    let dir = kept.as_deref().unwrap_or(temporary.path());
    program(dir);
    inputs(dir, 3);
    let homes = found(dir, NODES, usize::from(NODES) - 1, brisk());
    let mut nodes = up_all(dir, &homes);
    nodes.iter_mut().for_each(|node| node.ready(NODES.into()));

    let mut storm = Storm::new(dir, &homes, nodes, seed);
    while storm.kills < kills {
        storm.strike(kills);
    }
    storm.calm();
    let nodes = std::mem::take(&mut storm.nodes);
    let doors: Vec<_> = homes.iter().map(|home| Door::of(home)).collect();
    let told = judge(dir, &homes, &doors, &storm.load.ended);
    eprintln!("{kills} kills; {told}");
    for node in &nodes {
        let log = node.as_ref().unwrap().log();
        assert!(!log.contains("panicked at"), "{log}");
    }
}

/// Nodes under load, one of which is dead now and then.
struct Storm {
    homes: Vec<PathBuf>,
    nodes: Vec<Option<Node>>,
    away: Option<usize>,
    load: Load,
    random: Random,
    kills: u64,
}

impl Storm {
    fn new(dir: &Path, homes: &[PathBuf], nodes: Vec<Node>, seed: u64) -> Self {
        Self {
            homes: homes.to_vec(),
            nodes: nodes.into_iter().map(Some).collect(),
            away: None,
            load: Load::new(dir, homes, seed),
            random: Random::new(!seed),
            kills: 0,
        }
    }

    /// Keeps the load going until `is_enough`.
    #[track_caller]
    fn until(&mut self, what: &str, mut is_enough: impl FnMut(&mut Self) -> bool) {
        let end = Instant::now() + GUARD;
        while !is_enough(self) {
            self.load.go_on(self.away);
            let late = Instant::now() >= end;
            assert!(!late, "waited too long for {what}; waiting:\n{}", self.load.waiting());
            thread::sleep(LOOK);
        }
    }

    /// Keeps the load going for a while. The moment is what the test is about.
    fn pause(&mut self, time: Duration) {
        let end = Instant::now() + time;
        self.until("a moment", |_| Instant::now() >= end);
    }

    /// Kills a node that has something to lose, once or more, and waits until it is back: never
    /// is a second one away.
    fn strike(&mut self, kills: u64) {
        let before = self.load.acknowledged();
        self.until("jobs", |storm| storm.load.acknowledged() > before);
        let life = self.random.ms(0, LIFE_MS);
        self.pause(life);
        let victim = self.random.place(self.nodes.len());
        loop {
            let node = self.nodes[victim].take().expect("only one is away at a time");
            self.away = Some(victim);
            let data = node.kill();
            self.kills += 1;
            let death = self.random.ms(0, DEATH_MS);
            self.pause(death);
            self.nodes[victim] = Some(Node::up(&data, &[], None));
            let again = self.random.below(STILLBORN) == 0 && self.kills < kills;
            if !again {
                break;
            }
            let start = self.random.ms(0, START_MS);
            self.pause(start);
        }
        let others = self.homes.iter().enumerate().filter(|(index, _)| *index != victim);
        let height = others.map(|(_, home)| Door::of(home).head()).max().expect("there are others");
        self.until("the node that died to be back", |storm| {
            let node = storm.nodes[victim].as_mut().expect("it was started again");
            node.status().is_some_and(|status| {
                status["admitted"] == true
                    && status["parties"].as_u64() == Some(NODES.into())
                    && status["height"].as_u64() >= Some(height.0)
            })
        });
        self.away = None;
    }

    /// Lets everything end that was begun.
    fn calm(&mut self) {
        let end = Instant::now() + GUARD;
        while !self.load.is_over() {
            self.load.look();
            let late = Instant::now() >= end;
            assert!(!late, "these jobs do not end:\n{}", self.load.waiting());
            thread::sleep(LOOK);
        }
    }
}

/// Holds every job against the ledger, and tells how they ended.
fn judge(dir: &Path, homes: &[PathBuf], doors: &[Door], ended: &[Ended]) -> String {
    let network = cli::data::read_genesis(&dir.join("genesis.polity")).unwrap().network();
    // Also the jobs of those who never heard that they were admitted end.
    let jobs_of = |door: &Door| {
        until("all jobs to end", || {
            let jobs = door.jobs();
            jobs.iter().all(|job| job.state == JobState::Finished).then_some(jobs)
        })
    };
    let jobs: Vec<_> = doors.iter().map(jobs_of).collect();
    let record = Record::of_all(doors);
    assert_eq!(record.repeated(), [], "final more than once");
    let mut unsettled: BTreeMap<String, usize> = BTreeMap::new();
    let (mut acknowledged, mut settled) = (0, 0);
    for Ended { home, job, code, said } in ended {
        let Some(job) = job else { continue };
        acknowledged += 1;
        assert!(jobs[*home].iter().any(|summary| summary.job == *job), "{job} is lost: {said}");
        let receipt = doors[*home].receipt(*job);
        let report = receipt.verify(Some(network)).unwrap_or_else(|e| panic!("{job}: {e}"));
        assert_eq!(report.job, *job);
        for (task, found) in &report.settled {
            assert_eq!(record.final_at(*job, *task), [found.height], "{job} {task}");
        }
        for (task, why) in &report.unsettled {
            assert_eq!(record.final_at(*job, *task), [], "{job} {task}: {why:?}");
            *unsettled.entry(format!("{why:?}")).or_default() += 1;
        }
        settled += report.settled.len();
        // Who waited was told; who gave up waiting gets it now.
        if *code != Some(0) {
            let home = homes[*home].to_string_lossy();
            let (id, out) = (job.to_string(), format!("again-{job}"));
            let again = polity(dir, &["job", "get", &id, "-o", &out, "--data", &home]);
            let expected = if report.unsettled.is_empty() { 0 } else { 120 };
            assert_eq!(again.code, Some(expected), "{again:?}\nat first {code:?}: {said}");
        }
    }
    let refused = ended.len() - acknowledged;
    assert!(settled > 0);
    format!(
        "{acknowledged} jobs acknowledged, {refused} not; {settled} tasks final in {} blocks, not \
         final: {unsettled:?}",
        record.blocks()
    )
}
