//! A whole polity on one thread: the real minds of every node, faked hands, virtual time.
//!
//! Every node has a ledger and follows the chain; some are homes of jobs and have a `Work`.
//! Messages take seeded time and may be lost, nodes crash and come back, groups of them are cut off
//! from each other, and some lie. A run ends when every job of an honest home has a receipt, which
//! is verified, and the ledger has no open end.

mod blocks;
mod book;
mod chain;
mod check;
mod describe;
mod desk;
mod faults;
mod home;
mod node;
mod polity;
mod receipt;
mod setting;
mod tally;
mod trace;
pub(crate) mod truth;
mod worker;

pub(crate) use node::claims_in;
pub use polity::Polity;
pub use setting::{Cordon, Nature, Plan, Setting, Split};
pub use tally::Tally;
pub use trace::Trace;

use crate::Random;
use book::Book;
use chain::Chain;
use desk::{At, Desk};
use identity::{PublicKey, SecretKey};
use ledger::Ledger;
use node::{Home, Node};
use objects::Cid;
use protocol::{
    Height, JobId, OutcomeDigest, Receipt, Report, TaskTable, Time, ToHome, ToWorker, Tx,
};
use std::collections::{BTreeMap, BTreeSet};
use work::{Config, Input, Work};
use worker::{Place, Worker};

/// When every world begins.
const BEGIN: Time = Time(1_800_000_000_000);
/// When the time of plans, crashes and partitions begins.
const FIRST_MS: u64 = 30;
/// From a transaction that waits to the next block.
const BLOCK_MS: u64 = 100;
/// How long a worker gathers commitments.
const GATHER_MS: u64 = 5;
/// Lines that are printed when something goes wrong.
const TOLD: usize = 60;
/// Events of one run, at most.
const MOST_EVENTS: usize = 1_000_000;
/// How long after its submission, and after the last fault, a job of an honest home may take. A
/// replica that is lost costs 15 s, or 30 s once it was shown a set, and several may be lost one
/// after the other.
pub const BOUND_MS: u64 = 400_000;
/// How long after that everything else may take: rulings, audits, and the longest sanction.
const QUIET_MS: u64 = 300_000;

/// Something that happens at its time.
#[expect(clippy::large_enum_variant, reason = "most are the large one")]
enum Event {
    Submit(usize),
    Cancel(usize),
    Pause(usize, bool),
    Cordon { node: usize, on: bool },
    Tick(usize),
    ToWorker { home: usize, to: usize, life: u32, message: ToWorker },
    ToHome { home: usize, from: usize, life: u32, message: ToHome },
    Ran { node: usize, life: u32, place: Place },
    Commit { node: usize, life: u32 },
    Submitted { from: usize, tx: Box<Tx> },
    MakeBlock,
    Heartbeat(Height),
    Final { node: usize, height: Height },
    Review { node: usize, life: u32 },
    Reran { node: usize, life: u32, at: At },
    Crash(usize),
    Restart(usize),
    Cut(usize),
    Heal(usize),
    Disconnected { home: usize, node: usize },
    Connected { home: usize, node: usize },
    Stored { home: usize, job: JobId, receipt: Cid },
}

/// A job that was submitted.
struct Ordered {
    plan: Plan,
    table: TaskTable,
}

/// A task that is final.
struct Settled {
    outcome: OutcomeDigest,
    executors: Vec<PublicKey>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ending {
    /// The receipt of every job that ended, and what it says, verified against the genesis.
    pub receipts: Vec<(Receipt, Report)>,
    /// What went wrong, and what came of it.
    pub tally: Tally,
    /// Everything that happened.
    pub trace: Trace,
}

impl Ending {
    /// What the receipt of the first job says.
    ///
    /// # Panics
    /// If its home lied, and it never ended.
    pub fn report(&self) -> &Report {
        &self.receipts.first().expect("a job ended").1
    }
}

/// A polity, its jobs, and everything on its way.
pub struct World {
    setting: Setting,
    random: Random,
    polity: Polity,
    chain: Chain,
    nodes: Vec<Node>,
    jobs: BTreeMap<JobId, Ordered>,
    /// Jobs of honest homes that have not ended, and when they were submitted.
    waiting: BTreeMap<JobId, Time>,
    /// Plans that were not submitted yet.
    unsubmitted: usize,
    now: Time,
    number: u64,
    events: BTreeMap<(Time, u64), Event>,
    block_due: bool,
    /// Whether the next block is made although it is empty.
    overdue: bool,
    /// Whether anything changed since the last attempt to make a block.
    fresh: bool,
    /// Which partitions there are now.
    cuts: BTreeSet<usize>,
    settled: BTreeMap<At, Settled>,
    book: Book,
    tally: Tally,
    trace: Trace,
    receipts: Vec<(Receipt, Report)>,
}

impl World {
    /// A world before its first event.
    pub fn new(setting: Setting) -> Self {
        let polity =
            Polity::found(setting.natures.len(), setting.validators, setting.params.clone(), BEGIN);
        let ledger = Ledger::genesis(&polity.genesis);
        let homes: BTreeSet<_> = setting.plans.iter().map(|plan| plan.home).collect();
        let nodes = (0..setting.natures.len())
            .map(|place| Node {
                key: polity.nodes[place].clone(),
                owner: polity.owners[place].clone(),
                nature: setting.natures[place].clone(),
                up: true,
                life: 0,
                ledger: ledger.clone(),
                worker: Worker::default(),
                desk: Desk::default(),
                home: homes.contains(&place).then(|| {
                    let key = polity.nodes[place].public();
                    Home::new(Work::new(Config::default(), key, polity.network()))
                }),
                friends: friends(&setting, &polity, place),
                leaked: BTreeMap::new(),
            })
            .collect();
        let mut world = Self {
            random: Random::new(setting.seed),
            chain: Chain::new(&polity),
            nodes,
            jobs: BTreeMap::new(),
            waiting: BTreeMap::new(),
            unsubmitted: setting.plans.len(),
            now: BEGIN,
            number: 0,
            events: BTreeMap::new(),
            block_due: false,
            overdue: false,
            fresh: false,
            cuts: BTreeSet::new(),
            settled: BTreeMap::new(),
            book: Book::default(),
            tally: Tally::default(),
            trace: Trace::default(),
            receipts: Vec::new(),
            polity,
            setting,
        };
        world.begin();
        world
    }

    /// Runs until every job of an honest home has ended and the ledger has no open end.
    ///
    /// # Panics
    /// If something happens that must not; the seed is printed.
    pub fn run(mut self) -> Ending {
        for _ in 0..MOST_EVENTS {
            let ((at, _), event) = self.events.pop_first().expect("a run ends before its events");
            self.now = self.now.max(at);
            let may_end = matches!(
                event,
                Event::Final { .. }
                    | Event::Stored { .. }
                    | Event::Reran { .. }
                    | Event::Review { .. }
                    | Event::Restart(_)
                    | Event::Heal(_)
            );
            self.happen(event);
            self.watch_time();
            if may_end && self.is_quiet() {
                return self.end();
            }
        }
        panic!("the run does not end");
    }

    fn end(mut self) -> Ending {
        self.check_end();
        let (receipts, trace) =
            (std::mem::take(&mut self.receipts), std::mem::take(&mut self.trace));
        let mut tally = std::mem::take(&mut self.tally);
        tally.virtual_ms = self.now.since_ms(BEGIN);
        Ending { receipts, tally, trace }
    }

    fn begin(&mut self) {
        let homes: Vec<_> =
            (0..self.nodes.len()).filter(|place| self.nodes[*place].home.is_some()).collect();
        for home in homes {
            self.tell_roster(home);
            self.tell(home, Input::Lead);
            for node in (0..self.nodes.len()).filter(|node| *node != home) {
                let (key, profile) = (self.polity.nodes[node].public(), Box::default());
                let rtt_ms = Some(2 * node as u32);
                self.tell(home, Input::Profile { node: key, profile, rtt_ms });
            }
            for node in (0..self.nodes.len()).filter(|node| *node != home) {
                let after_ms = self.random.between(1, 20) + self.setting.natures[node].late_ms;
                self.after(after_ms, Event::Connected { home, node });
            }
        }
        for (number, plan) in self.setting.plans.clone().into_iter().enumerate() {
            self.after(FIRST_MS + plan.at_ms, Event::Submit(number));
            if let Some(after_ms) = plan.cancel_ms {
                self.after(FIRST_MS + plan.at_ms + after_ms, Event::Cancel(number));
            }
            if let Some((after_ms, for_ms)) = plan.pause_ms {
                let at_ms = FIRST_MS + plan.at_ms + after_ms;
                self.after(at_ms, Event::Pause(number, true));
                self.after(at_ms + for_ms, Event::Pause(number, false));
            }
        }
        for (node, nature) in self.setting.natures.clone().into_iter().enumerate() {
            if let Some((at_ms, gone_ms)) = nature.crash {
                self.after(FIRST_MS + at_ms, Event::Crash(node));
                self.after(FIRST_MS + at_ms + gone_ms, Event::Restart(node));
            }
        }
        for Cordon { node, at_ms, for_ms } in self.setting.cordons.clone() {
            self.after(FIRST_MS + at_ms, Event::Cordon { node, on: true });
            self.after(FIRST_MS + at_ms + for_ms, Event::Cordon { node, on: false });
        }
        for (number, split) in self.setting.splits.clone().into_iter().enumerate() {
            self.after(FIRST_MS + split.at_ms, Event::Cut(number));
            self.after(FIRST_MS + split.at_ms + split.for_ms, Event::Heal(number));
        }
        self.after(self.setting.params.heartbeat_ms, Event::Heartbeat(Height(0)));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Submit(plan) => self.submit_plan(plan),
            Event::Cancel(plan) => self.cancel(plan),
            Event::Pause(plan, on) => self.pause(plan, on),
            Event::Cordon { node, on } => self.cordon(node, on),
            Event::Tick(home) => self.tick(home),
            Event::ToWorker { home, to, life, message } => self.hear(home, to, life, &message),
            Event::ToHome { home, from, life, message } => self.answer(home, from, life, message),
            Event::Ran { node, life, place } => {
                let lives = self.nodes[node].life == life;
                if lives && self.nodes[node].worker.ran(place) {
                    self.after(GATHER_MS, Event::Commit { node, life });
                }
            }
            Event::Commit { node, life } => {
                if self.nodes[node].life == life {
                    let said = self.nodes[node].acting().commit();
                    said.into_iter().for_each(|message| self.say(node, message));
                }
            }
            Event::Submitted { from, tx } => self.submitted(from, *tx),
            Event::MakeBlock => self.make_block(),
            Event::Heartbeat(height) => {
                if self.chain.height() == height {
                    self.overdue = true;
                    self.want_block();
                }
            }
            Event::Final { node, height } => self.follow(node, height),
            Event::Review { node, life } => {
                if self.nodes[node].life == life {
                    self.nodes[node].desk.reviewing = false;
                    self.review(node);
                }
            }
            Event::Reran { node, life, at } => {
                if self.nodes[node].life == life {
                    self.reran(node, at);
                }
            }
            Event::Crash(node) => self.crash(node),
            Event::Restart(node) => self.restart(node),
            Event::Cut(split) => self.cut(split),
            Event::Heal(split) => self.heal(split),
            Event::Disconnected { home, node } => self.disconnected(home, node),
            Event::Connected { home, node } => self.connected(home, node),
            Event::Stored { home, job, receipt } => {
                if self.nodes[home].up {
                    self.tell(home, Input::ReceiptStored { job, receipt });
                }
            }
        }
    }

    /// The short name of a node.
    fn name(&self, node: &PublicKey) -> String {
        match self.polity.place(node) {
            Some(place) => format!("n{place}"),
            None => node.short(),
        }
    }

    /// What a home is called: there is one, or it needs its number.
    fn home_name(&self, home: usize) -> String {
        let homes = self.nodes.iter().filter(|node| node.home.is_some()).count();
        if homes == 1 { "home".into() } else { format!("home {home}") }
    }

    fn after(&mut self, after_ms: u64, event: Event) {
        self.number += 1;
        self.events.insert((self.now.after_ms(after_ms), self.number), event);
    }

    fn note(&mut self, text: std::fmt::Arguments<'_>) {
        self.trace.line(BEGIN, self.now, text);
    }
}

/// Keys of those that a node lies together with.
fn friends(setting: &Setting, polity: &Polity, place: usize) -> Vec<SecretKey> {
    let joins = |place: usize| setting.natures[place].liar.is_some_and(|k| k.has_accomplices());
    let others = (0..setting.natures.len()).filter(|other| *other != place && joins(*other));
    others.filter(|_| joins(place)).map(|other| polity.nodes[other].clone()).collect()
}

/// Whoever looks for a fault needs the seed. The whole story is long, and told with `SIM_SEED` only.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let lines = self.trace.lines();
            let whole = std::env::var_os("SIM_SEED").is_some();
            let from = if whole { 0 } else { lines.len().saturating_sub(TOLD) };
            lines[from..].iter().for_each(|line| eprintln!("{line}"));
            eprintln!("setting: {:?}\nseed {}", self.setting, self.setting.seed);
        }
    }
}
