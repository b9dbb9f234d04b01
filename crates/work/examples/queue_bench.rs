//! What the queue costs: a job of a million tasks at its admission, and one decision with a thousand
//! nodes and a hundred thousand tasks that wait.
//!
//! Run by `cargo xtask bench queue`: prints one value for each, as JSON.

#![allow(clippy::unwrap_used)]

use identity::{Digest, NetworkId, PublicKey, SecretKey, Signed};
use objects::{Cid, Codec};
use protocol::{
    Attempt, CommitBatch, Commitment, End, Height, Job, JobId, Limits, Machine, Member, NodeRecord,
    Outcome, OwnerRecord, Placement, Priority, Reveal, RevealBatch, Roster, Salt, TaskIndex, Terms,
    Time, ToWorker, Verification, commitment_of, set_digest,
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};
use work::{Config, Effect, Input, Work};

const NODES: u32 = 1_000;
const JOBS: u32 = 100;
const TASKS: u32 = 1_000;
const DECISIONS: usize = 20_000;
/// As many as are taken.
const JOBS_OF_A_MILLION: u32 = 4;
const NETWORK: NetworkId = NetworkId(Digest([7; 32]));
const NOW: Time = Time(1_000_000);

/// What one measurement found.
#[derive(Serialize)]
struct Report {
    what: &'static str,
    /// How long each took, in milliseconds.
    ms: Vec<f64>,
    /// What it added to the memory of this process.
    mib: u64,
}

fn main() {
    say(&admission());
    for (what, k, owners) in [("one owner, single", 1, 1), ("1,000 owners, 2of2", 2, NODES)] {
        let before = rss_mib();
        let mut home = Home::new(owners);
        home.fill(k);
        let ms = home.decide().into_iter().map(ms).collect();
        say(&Report { what, ms, mib: rss_mib().saturating_sub(before) });
    }
}

fn say(report: &Report) {
    println!("{}", serde_json::to_string(report).unwrap());
}

/// How long it takes to take a job of a million tasks, and what it adds to this process.
fn admission() -> Report {
    let mut home = Home::new(1);
    let before = rss_mib();
    let took = (0..JOBS_OF_A_MILLION).map(|_| {
        let order = home.order(1_000_000, 1, Priority::Normal);
        home.submit(order)
    });
    let ms = took.map(ms).collect();
    Report { what: "admission", ms, mib: rss_mib().saturating_sub(before) }
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}

/// Memory of this process.
fn rss_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) >> 10
}

struct Home {
    work: Work,
    keys: BTreeMap<PublicKey, SecretKey>,
    submitters: Vec<SecretKey>,
    jobs: u32,
    me: PublicKey,
    /// What was given out and is not done.
    given: VecDeque<(PublicKey, JobId, TaskIndex, Attempt)>,
    shown: VecDeque<(PublicKey, JobId, TaskIndex, Vec<Member>)>,
}

fn key(kind: u8, n: u32) -> SecretKey {
    let mut seed = [kind; 32];
    seed[..4].copy_from_slice(&n.to_be_bytes());
    SecretKey::from_seed(seed)
}

impl Home {
    fn new(owners: u32) -> Self {
        let mut roster = Roster::default();
        for n in 0..owners {
            let record = OwnerRecord {
                name: "o".into(),
                sponsor: None,
                seconds: Default::default(),
                barred: None,
            };
            roster.set_owner(key(1, n).public(), record);
        }
        let nodes: Vec<_> = (0..NODES).map(|n| key(2, n)).collect();
        for (n, node) in (0..).zip(&nodes) {
            let owner = key(1, n % owners).public();
            roster.set_node(node.public(), NodeRecord { owner, since: Height(0) });
        }
        let me = nodes[0].public();
        let config = Config { node_tasks: 4, open_tasks: 8_192, ..Config::default() };
        let mut home = Self {
            work: Work::new(config, me, NETWORK),
            keys: nodes.iter().map(|node| (node.public(), node.clone())).collect(),
            submitters: (0..8).map(|n| key(3, n)).collect(),
            jobs: 0,
            me,
            given: VecDeque::new(),
            shown: VecDeque::new(),
        };
        home.step(Input::Roster { height: Height(1), roster });
        home.step(Input::Led { by: me });
        for node in &nodes {
            home.step(Input::Connected(node.public()));
        }
        home
    }

    fn order(&mut self, tasks: u32, k: u16, priority: Priority) -> Signed<Job> {
        self.jobs += 1;
        let job = Job {
            network: NETWORK,
            home: self.me,
            program: Cid::of(Codec::Raw, &[(self.jobs % 7) as u8]),
            table: Cid::of(Codec::DagCbor, b"table"),
            tasks,
            seed: Digest([5; 32]),
            limits: Limits::default(),
            placement: Placement::Fast,
            verification: Verification { k, n: k },
            issued: NOW,
            expires: NOW.after_ms(1_000_000),
            engine: Digest([1; 32]),
            nonce: Digest::of("nonce", &[&self.jobs.to_be_bytes()]),
            terms: Terms { priority, ..Terms::default() },
        };
        let submitter = &self.submitters[self.jobs as usize % self.submitters.len()];
        Signed::new(job, NETWORK, submitter)
    }

    fn submit(&mut self, order: Signed<Job>) -> Duration {
        self.step(Input::Submit { order, drawn: Height(2), beacon: Digest([3; 32]) })
    }

    fn fill(&mut self, k: u16) {
        for n in 0..JOBS as usize {
            let order = self.order(TASKS, k, Priority::ALL[n % Priority::ALL.len()]);
            self.submit(order);
        }
    }

    /// A step of the mind, and how long it took.
    fn step(&mut self, input: Input) -> Duration {
        let mut effects = Vec::new();
        let start = Instant::now();
        self.work.step(NOW, input, &mut effects);
        let took = start.elapsed();
        for effect in effects {
            let Effect::Send { to, message } = effect else { continue };
            match message {
                ToWorker::Assign { order, replicas, .. } => {
                    let job = order.payload.id();
                    self.given.extend(replicas.into_iter().map(|(t, a)| (to, job, t, a)));
                }
                ToWorker::Sets { job, sets, .. } => {
                    self.shown.extend(sets.into_iter().map(|(t, members)| (to, job, t, members)));
                }
                ToWorker::Close { .. } => {}
            }
        }
        took
    }

    /// Nodes commit and reveal, one replica after the other: every commitment frees a slot. Gives how
    /// long those took.
    fn decide(&mut self) -> Vec<Duration> {
        let mut times = Vec::with_capacity(DECISIONS);
        while times.len() < DECISIONS {
            while let Some((node, job, task, members)) = self.shown.pop_front() {
                self.reveal(node, job, task, &members);
            }
            let Some(given) = self.given.pop_front() else { break };
            times.push(self.commit(given));
        }
        times
    }

    fn commit(&mut self, given: (PublicKey, JobId, TaskIndex, Attempt)) -> Duration {
        let (node, job, task, attempt) = given;
        let outcome = outcome_of(job, task).digest();
        let hidden = commitment_of(&node, &salt(task), &outcome);
        let leaves = vec![Commitment { task, attempt, hidden }];
        let batch = CommitBatch::sign(job, leaves, NETWORK, &self.keys[&node]);
        self.step(Input::Committed { node, batch })
    }

    fn reveal(&mut self, node: PublicKey, job: JobId, task: TaskIndex, members: &[Member]) {
        let outcome = outcome_of(job, task);
        let own = members.iter().find(|member| member.node == node).unwrap();
        let set = set_digest(&job, task, members);
        let (attempt, digest) = (own.attempt, outcome.digest());
        let leaves = vec![Reveal { task, attempt, outcome: digest, salt: salt(task), set }];
        let batch = RevealBatch::sign(job, leaves, NETWORK, &self.keys[&node]);
        self.step(Input::Revealed { node, batch, outcomes: vec![outcome] });
    }
}

fn salt(task: TaskIndex) -> Salt {
    Salt([task.0 as u8; 16])
}

fn outcome_of(job: JobId, task: TaskIndex) -> Outcome {
    let file = Cid::of(Codec::Raw, &task.0.to_be_bytes());
    Outcome {
        job,
        task,
        end: End::Exit(0),
        fuel: 1_000,
        fingerprint: Digest([1; 32]),
        outputs: vec![],
        stdout: file,
        stderr: file,
    }
}
