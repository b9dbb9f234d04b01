//! A whole polity on one thread: the real minds of every node, faked hands, virtual time.
//!
//! Every node has a ledger and follows the chain; the first one is the home of a job and has a
//! `Work`. Messages take seeded time and may be lost, nodes crash and come back, the home too: its
//! `Work` is then what a snapshot of it gives. A run ends with a receipt, which is verified.

mod chain;
mod describe;
mod polity;
mod random;
mod receipt;
mod setting;
mod trace;
mod worker;

pub use polity::Polity;
pub use random::Random;
pub use setting::{Nature, Setting};
pub use trace::Trace;

use chain::Chain;
use identity::canonical;
use ledger::Ledger;
use objects::{Cid, Codec};
use protocol::{
    Agreements, Height, JobEvent, JobId, Machine, Receipt, Report, TaskIndex, TaskTable, Time,
    ToHome, ToWorker, Tx,
};
use std::collections::{BTreeMap, BTreeSet};
use work::{Config, Effect, Input, Work};
use worker::{Deed, Place, Worker};

/// When every world begins.
const BEGIN: Time = Time(1_800_000_000_000);
/// From a transaction that waits to the next block.
const BLOCK_MS: u64 = 100;
/// How long a worker gathers commitments.
const GATHER_MS: u64 = 5;
/// Events of one run, at most.
const MOST_EVENTS: usize = 1_000_000;

/// Something that happens at its time.
enum Event {
    Submit,
    Cancel,
    Tick,
    ToWorker { to: usize, life: u32, message: ToWorker },
    ToHome { from: usize, life: u32, message: ToHome },
    Ran { node: usize, life: u32, place: Place },
    Commit { node: usize, life: u32 },
    Publish(Box<Agreements>),
    MakeBlock,
    Final { node: usize, height: Height },
    Refused { tx: Box<Tx>, reason: String },
    Crash(usize),
    Restart(usize),
    Disconnected(usize),
    Connected(usize),
    Stored(Cid),
}

/// How a run ended.
#[derive(Debug)]
pub struct Ending {
    /// The job's receipt.
    pub receipt: Receipt,
    /// What it says, verified against the genesis.
    pub report: Report,
    /// Everything that happened.
    pub trace: Trace,
}

/// A polity, the job that is run in it, and everything on its way.
pub struct World {
    setting: Setting,
    random: Random,
    polity: Polity,
    chain: Chain,
    workers: Vec<Worker>,
    work: Work,
    job: Option<(JobId, TaskTable)>,
    now: Time,
    number: u64,
    events: BTreeMap<(Time, u64), Event>,
    block_due: bool,
    tick_at: Option<Time>,
    /// What the home was told is final: never twice, never another outcome.
    agreed: BTreeSet<TaskIndex>,
    trace: Trace,
    /// The last receipt that the home wrote.
    written: Option<(Receipt, Report)>,
    /// The receipt that it stored.
    ending: Option<(Receipt, Report)>,
}

impl World {
    /// A world before its first event.
    pub fn new(setting: Setting) -> Self {
        let polity = Polity::found(setting.natures.len(), BEGIN);
        let ledger = Ledger::genesis(&polity.genesis);
        let worker = |(key, nature): (&identity::SecretKey, &Nature)| {
            Worker::new(key.clone(), ledger.clone(), *nature)
        };
        let workers = polity.nodes.iter().zip(&setting.natures).map(worker).collect();
        let work = Work::new(Config::default(), polity.nodes[0].public(), polity.network());
        let mut world = Self {
            random: Random::new(setting.seed),
            chain: Chain::new(&polity),
            workers,
            work,
            job: None,
            now: BEGIN,
            number: 0,
            events: BTreeMap::new(),
            block_due: false,
            tick_at: None,
            agreed: BTreeSet::new(),
            trace: Trace::default(),
            written: None,
            ending: None,
            polity,
            setting,
        };
        world.begin();
        world
    }

    /// Runs until the receipt is stored.
    ///
    /// # Panics
    /// If something happens that must not; the seed is printed.
    pub fn run(mut self) -> Ending {
        for _ in 0..MOST_EVENTS {
            if let Some((receipt, report)) = self.ending.take() {
                return Ending { receipt, report, trace: std::mem::take(&mut self.trace) };
            }
            let ((at, _), event) = self.events.pop_first().expect("a job ends before its events");
            self.now = self.now.max(at);
            self.happen(event);
            self.watch_time();
        }
        panic!("the job does not end");
    }

    fn begin(&mut self) {
        let roster = self.workers[0].ledger.roster().as_ref().clone();
        self.tell(Input::Roster { height: Height(0), roster });
        self.tell(Input::Lead);
        for node in 1..self.workers.len() {
            let after_ms = self.random.between(1, 20) + self.setting.natures[node].late_ms;
            self.after(after_ms, Event::Connected(node));
        }
        self.after(30, Event::Submit);
        if let Some(after_ms) = self.setting.cancel_ms {
            self.after(30 + after_ms, Event::Cancel);
        }
        for (node, nature) in self.setting.natures.clone().into_iter().enumerate() {
            if let Some((at_ms, gone_ms)) = nature.crash {
                self.after(30 + at_ms, Event::Crash(node));
                self.after(30 + at_ms + gone_ms, Event::Restart(node));
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Submit => self.submit(),
            Event::Cancel if !self.workers[0].up => self.after(100, Event::Cancel),
            Event::Cancel => {
                if let Some(job) = self.job.as_ref().map(|(job, _)| *job) {
                    self.tell(Input::Cancel { job });
                }
            }
            Event::Tick => {
                self.tick_at = None;
                let due = self.work.next_deadline().is_some_and(|at| at <= self.now);
                if due && self.workers[0].up {
                    self.tell(Input::Tick);
                }
            }
            Event::ToWorker { to, life, message } => self.hear(to, life, &message),
            Event::ToHome { from, life, message } => self.answer(from, life, message),
            Event::Ran { node, life, place } => {
                let worker = &mut self.workers[node];
                if worker.life == life && worker.ran(place) {
                    self.after(GATHER_MS, Event::Commit { node, life });
                }
            }
            Event::Commit { node, life } => {
                if self.workers[node].life == life {
                    let said = self.workers[node].commit();
                    said.into_iter().for_each(|message| self.say(node, message));
                }
            }
            Event::Publish(agreements) => self.publish(agreements),
            Event::MakeBlock => self.make_block(),
            Event::Final { node, height } => self.follow(node, height),
            Event::Refused { tx, reason } => self.refuse(&tx, reason),
            Event::Crash(node) => self.crash(node),
            Event::Restart(node) => self.restart(node),
            Event::Disconnected(node) => {
                let gone = self.polity.nodes[node].public();
                if !self.workers[node].up && self.workers[0].up {
                    self.tell(Input::Disconnected(gone));
                }
            }
            Event::Connected(node) => {
                let comes = BEGIN.after_ms(self.setting.natures[node].late_ms);
                if self.now >= comes && self.workers[node].up && self.workers[0].up {
                    self.note(format_args!("n{node} connected"));
                    let node = self.polity.nodes[node].public();
                    self.tell(Input::Connected(node));
                }
            }
            Event::Stored(receipt) => {
                if let Some((job, _)) = self.job.as_ref().filter(|_| self.workers[0].up) {
                    let job = *job;
                    self.tell(Input::ReceiptStored { job, receipt });
                }
            }
        }
    }

    fn submit(&mut self) {
        let Setting { tasks, verification, .. } = self.setting;
        let (order, table) = self.polity.order(tasks, verification, self.now);
        self.job = Some((order.payload.id(), table));
        let tip = self.workers[0].ledger.tip();
        let (drawn, beacon) = (tip.height, tip.beacon);
        self.tell(Input::Submit { order, drawn, beacon });
    }

    /// One entry of the home's log.
    fn tell(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.work.step(self.now, input, &mut effects);
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send { to, message } => {
                let Some(to) = self.polity.place(&to) else { return };
                self.note(format_args!("home > n{to} {}", describe::to_worker(&message)));
                let life = self.workers[to].life;
                self.deliver(to, Event::ToWorker { to, life, message });
            }
            Effect::Publish(agreements) => {
                self.note(format_args!("home publishes {}", describe::agreements(&agreements)));
                let after_ms = self.random.between(1, 10);
                self.after(after_ms, Event::Publish(agreements));
            }
            Effect::Keep { outcome, from, .. } => assert!(
                outcome.check().is_ok() && !from.is_empty(),
                "what is kept is an outcome that somebody has"
            ),
            Effect::Event { event, .. } => {
                if let JobEvent::Agreed { outcome, .. } = &event {
                    assert!(self.agreed.insert(outcome.task), "a task is agreed on once");
                }
                let name = |node: &identity::PublicKey| match self.polity.place(node) {
                    Some(place) => format!("n{place}"),
                    None => node.short(),
                };
                let text = describe::event(&event, name);
                self.note(format_args!("* {text}"));
                if matches!(event, JobEvent::Finished { .. }) {
                    self.ending = self.written.take();
                }
            }
            Effect::Finished { .. } => self.write_receipt(),
            Effect::Refused { error, .. } => panic!("an empty home has room: {error}"),
        }
    }

    /// Puts a message of the home, or to it, on its way. What a node says to itself does not get
    /// lost.
    fn deliver(&mut self, other: usize, event: Event) {
        let lost = other != 0 && self.random.chance(self.setting.loss_percent);
        let after_ms = if other == 0 { 1 } else { self.random.between(1, 12) };
        if lost {
            self.note(format_args!("~ a message between home and n{other} is lost"));
        } else {
            self.after(after_ms, event);
        }
    }

    fn hear(&mut self, to: usize, life: u32, message: &ToWorker) {
        let worker = &mut self.workers[to];
        if !worker.up || worker.life != life {
            return;
        }
        for deed in worker.hear(message, self.now, &mut self.random) {
            match deed {
                Deed::Say(message) => self.say(to, message),
                Deed::Run(place, run_ms) => {
                    self.after(run_ms, Event::Ran { node: to, life, place });
                }
            }
        }
    }

    fn say(&mut self, from: usize, message: ToHome) {
        self.note(format_args!("n{from} > home {}", describe::to_home(&message)));
        let life = self.workers[0].life;
        self.deliver(from, Event::ToHome { from, life, message });
    }

    /// What reaches a home that crashed meanwhile is lost.
    fn answer(&mut self, from: usize, life: u32, message: ToHome) {
        if !self.workers[0].up || self.workers[0].life != life {
            return;
        }
        let network = self.polity.network();
        let node = self.polity.nodes[from].public();
        let input = match message {
            ToHome::Committed(batch) => {
                let job = batch.statement.payload.job;
                assert!(batch.check(&job, network).is_ok(), "workers sign what holds");
                Input::Committed { node, batch }
            }
            ToHome::Revealed { batch, outcomes } => {
                let job = batch.statement.payload.job;
                assert!(batch.check(&job, network).is_ok(), "workers sign what holds");
                Input::Revealed { node, batch, outcomes }
            }
            ToHome::NoResult { job, replicas } => Input::NoResult { node, job, replicas },
        };
        self.tell(input);
    }

    fn publish(&mut self, agreements: Box<Agreements>) {
        self.chain.submit(Tx::Agree(agreements), self.polity.network());
        self.want_block();
    }

    fn want_block(&mut self) {
        if !self.block_due && !self.chain.is_idle() {
            self.block_due = true;
            self.after(BLOCK_MS, Event::MakeBlock);
        }
    }

    fn make_block(&mut self) {
        self.block_due = false;
        let up: BTreeSet<_> =
            self.workers.iter().filter(|w| w.up).map(|w| w.key.public()).collect();
        let made = self.chain.make_block(&self.polity, self.now, |key| up.contains(key));
        for (tx, refusal) in made.refused {
            let reason = refusal.to_string();
            self.after(1, Event::Refused { tx: Box::new(tx), reason });
        }
        if let Some(height) = made.height {
            let txs = self.chain.made(height).map_or(0, |made| made.block.txs.len());
            self.note(format_args!("= block {height} with {txs} transactions is final"));
            for node in 0..self.workers.len() {
                let after_ms = self.random.between(1, 20);
                self.after(after_ms, Event::Final { node, height });
            }
        }
        self.want_block();
    }

    /// A node learns of a final block, and reads all that it missed.
    fn follow(&mut self, node: usize, height: Height) {
        let mut settled = Vec::new();
        let worker = &mut self.workers[node];
        while worker.up && worker.ledger.tip().height < height {
            let next = worker.ledger.tip().height.next();
            let made = self.chain.made(next).expect("final blocks are there");
            let applied = worker.ledger.apply(&made.block, &made.checked);
            let (ledger, news) = applied.expect("a final block applies everywhere");
            worker.ledger = ledger;
            settled.extend(news);
        }
        for change in settled {
            if let ledger::Effect::Settled { job, tasks, tx, height, .. } = change
                && node == 0
            {
                self.tell(Input::Included { job, tasks, tx, height });
            }
        }
    }

    fn refuse(&mut self, tx: &Tx, reason: String) {
        self.note(format_args!("= refused: {reason}"));
        // A home that is away publishes again when it is back, and is told again.
        if let Some((job, _)) = self.job.as_ref().filter(|_| self.workers[0].up) {
            let job = *job;
            self.tell(Input::RefusedByLedger { job, tx: tx.digest(), reason });
        }
    }

    fn crash(&mut self, node: usize) {
        self.note(format_args!("! n{node} crashes"));
        self.workers[node].crash();
        if node != 0 {
            let after_ms = self.random.between(1, 400);
            self.after(after_ms, Event::Disconnected(node));
        }
    }

    fn restart(&mut self, node: usize) {
        self.note(format_args!("! n{node} is back"));
        self.workers[node].up = true;
        let height = self.chain.height();
        if node != 0 {
            self.follow(node, height);
            let after_ms = self.random.between(1, 50);
            return self.after(after_ms, Event::Connected(node));
        }
        let snapshot = canonical::encode(&self.work);
        self.work = canonical::decode(&snapshot, snapshot.len()).expect("a snapshot can be read");
        self.tell(Input::Lead);
        self.follow(0, height);
        for other in 1..self.workers.len() {
            let after_ms = self.random.between(1, 50);
            self.after(after_ms, Event::Connected(other));
        }
    }

    fn after(&mut self, after_ms: u64, event: Event) {
        self.number += 1;
        self.events.insert((self.now.after_ms(after_ms), self.number), event);
    }

    /// Wakes the home when its next deadline comes.
    fn watch_time(&mut self) {
        let Some(at) = self.work.next_deadline().filter(|_| self.workers[0].up) else { return };
        if self.tick_at.is_none_or(|before| at < before) {
            self.tick_at = Some(at);
            self.after(at.since_ms(self.now), Event::Tick);
        }
    }

    fn note(&mut self, text: std::fmt::Arguments<'_>) {
        self.trace.line(BEGIN, self.now, text);
    }
}

/// Whoever looks for a fault needs the seed.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}\nsetting: {:?}", self.trace, self.setting);
        }
    }
}

/// The name under which a receipt is stored.
fn name_of(receipt: &Receipt) -> Cid {
    Cid::of(Codec::Raw, &receipt.encode())
}
