//! A home, its workers, a ledger, and whatever is on the way between them.

use crate::{
    ledger::Ledger,
    worker::{Manner, Worker},
};
use identity::{Digest, NetworkId, PublicKey, SecretKey, Signed};
use objects::{Cid, Codec};
use protocol::{
    Agreements, Height, Job, JobEvent, JobId, Limits, Machine, NodeRecord, OwnerRecord, Placement,
    Roster, TaskIndex, Time, ToHome, ToWorker, Tx, Unsettled, Verification,
};
use std::collections::{BTreeMap, VecDeque};
use work::{Config, Effect, Input, TaskStatus, Work};

/// Something on its way.
#[derive(Clone, Debug)]
pub(crate) enum Letter {
    ToWorker(PublicKey, ToWorker),
    ToHome(PublicKey, ToHome),
    ToLedger(Box<Agreements>),
    FromLedger(Input),
}

pub(crate) struct World {
    pub(crate) network: NetworkId,
    pub(crate) roster: Roster,
    pub(crate) beacon: Digest,
    pub(crate) workers: BTreeMap<PublicKey, Worker>,
    pub(crate) up: BTreeMap<PublicKey, bool>,
    pub(crate) work: Work,
    pub(crate) ledger: Ledger,
    pub(crate) now: Time,
    pub(crate) letters: VecDeque<Letter>,
    pub(crate) events: Vec<(JobId, JobEvent)>,
    pub(crate) finished: Vec<JobId>,
    pub(crate) refused: Vec<JobId>,
    pub(crate) kept: BTreeMap<(JobId, TaskIndex), Vec<PublicKey>>,
    pub(crate) steps: usize,
    /// Steps a second copy, restored from a snapshot, beside the home.
    pub(crate) shadow: Option<Work>,
    submitter: SecretKey,
    jobs: u8,
}

pub(crate) fn key(kind: u8, n: u8) -> SecretKey {
    let mut seed = [kind; 32];
    seed[0] = n;
    SecretKey::from_seed(seed)
}

pub(crate) const LIFETIME_MS: u64 = 1_000_000;
pub(crate) const WALL_MS: u64 = 5_000;

impl World {
    /// One worker for each owner; the first is the home.
    pub(crate) fn new(manners: &[Manner]) -> Self {
        let owners: Vec<u8> = (0..manners.len() as u8).collect();
        Self::with(manners, &owners, Config::default())
    }

    /// `owners` names the owner of each worker.
    pub(crate) fn with(manners: &[Manner], owners: &[u8], config: Config) -> Self {
        let network = NetworkId(Digest([7; 32]));
        let mut roster = Roster::default();
        let mut workers = BTreeMap::new();
        for (n, (manner, owner)) in (0..).zip(manners.iter().zip(owners)) {
            let worker = Worker::new(key(2, n), *manner, network);
            let owner = key(1, *owner).public();
            let record =
                OwnerRecord { name: "o".into(), sponsor: None, seconds: Default::default() };
            roster.set_owner(owner, record);
            roster.set_node(worker.public(), NodeRecord { owner, since: Height(0) });
            workers.insert(worker.public(), worker);
        }
        let me = key(2, 0).public();
        let mut world = Self {
            network,
            roster: roster.clone(),
            beacon: Digest([3; 32]),
            up: workers.keys().map(|node| (*node, *node == me)).collect(),
            workers,
            work: Work::new(config, me, network),
            ledger: Ledger::new(network),
            now: Time(1_000_000),
            letters: VecDeque::new(),
            events: vec![],
            finished: vec![],
            refused: vec![],
            kept: BTreeMap::new(),
            steps: 0,
            shadow: None,
            submitter: key(1, 0),
            jobs: 0,
        };
        world.step(Input::Roster { height: world.ledger.height, roster });
        world.step(Input::Lead);
        world
    }

    pub(crate) fn me(&self) -> PublicKey {
        key(2, 0).public()
    }

    pub(crate) fn connect_all(&mut self) {
        let nodes: Vec<_> = self.workers.keys().copied().collect();
        nodes.into_iter().for_each(|node| self.connect(node));
    }

    pub(crate) fn connect(&mut self, node: PublicKey) {
        self.up.insert(node, true);
        self.step(Input::Connected(node));
    }

    pub(crate) fn disconnect(&mut self, node: PublicKey) {
        self.up.insert(node, false);
        self.letters.retain(|letter| match letter {
            Letter::ToWorker(to, _) | Letter::ToHome(to, _) => *to != node,
            Letter::ToLedger(_) | Letter::FromLedger(_) => true,
        });
        self.step(Input::Disconnected(node));
    }

    pub(crate) fn order(&mut self, tasks: u32, verification: Verification) -> Signed<Job> {
        self.jobs += 1;
        let job = Job {
            network: self.network,
            home: self.me(),
            program: Cid::of(Codec::Raw, b"program"),
            table: Cid::of(Codec::DagCbor, b"table"),
            tasks,
            seed: Digest([5; 32]),
            limits: Limits { wall_ms: WALL_MS, ..Limits::default() },
            placement: Placement::Fast,
            verification,
            issued: self.now,
            expires: self.now.after_ms(LIFETIME_MS),
            engine: Digest([1; 32]),
            nonce: Digest([self.jobs; 32]),
        };
        Signed::new(job, self.network, &self.submitter)
    }

    pub(crate) fn submit(&mut self, tasks: u32, verification: &str) -> JobId {
        let order = self.order(tasks, verification.parse().unwrap());
        let job = order.payload.id();
        self.step(Input::Submit { order, drawn: self.ledger.height, beacon: self.beacon });
        job
    }

    pub(crate) fn step(&mut self, input: Input) {
        self.steps += 1;
        let mut effects = vec![];
        self.work.step(self.now, input.clone(), &mut effects);
        if let Some(shadow) = &mut self.shadow {
            let mut others = vec![];
            shadow.step(self.now, input, &mut others);
            assert_eq!(effects, others, "a restored home goes on in the same way");
        }
        for effect in effects {
            match effect {
                Effect::Send { to, message } => {
                    assert!(self.up[&to], "only connected nodes are spoken to");
                    let size_bytes = identity::canonical::encode(&message).len();
                    assert!(size_bytes <= protocol::limits::MESSAGE_BYTES);
                    self.letters.push_back(Letter::ToWorker(to, message));
                }
                Effect::Publish(agreements) => {
                    self.letters.push_back(Letter::ToLedger(agreements));
                }
                Effect::Keep { job, outcome, from } => {
                    assert!(!from.is_empty());
                    self.kept.insert((job, outcome.task), from);
                }
                Effect::Event { job, event } => self.events.push((job, event)),
                Effect::Finished { job } => self.finished.push(job),
                Effect::Refused { job, .. } => self.refused.push(job),
            }
        }
    }

    pub(crate) fn deliver(&mut self, letter: Letter) {
        match letter {
            Letter::ToWorker(to, message) => {
                if self.up[&to] {
                    let answers = self.workers.get_mut(&to).unwrap().hear(&message);
                    let letters = answers.into_iter().map(|answer| Letter::ToHome(to, answer));
                    self.letters.extend(letters);
                }
            }
            Letter::ToHome(node, ToHome::Committed(batch)) => {
                self.step(Input::Committed { node, batch });
            }
            Letter::ToHome(node, ToHome::Revealed { batch, outcomes }) => {
                self.step(Input::Revealed { node, batch, outcomes });
            }
            Letter::ToHome(node, ToHome::NoResult { job, replicas }) => {
                self.step(Input::NoResult { node, job, replicas });
            }
            Letter::ToLedger(agreements) => {
                let job = agreements.order.payload.id();
                let tasks = agreements.tasks.iter().map(|agreed| agreed.task).collect();
                self.ledger.order(&agreements, &self.roster, &self.beacon);
                let tx = Tx::Agree(agreements).digest();
                let height = self.ledger.accepted[&tx];
                let input = Input::Included { job, tasks, tx, height };
                self.letters.push_back(Letter::FromLedger(input));
            }
            Letter::FromLedger(input) => self.step(input),
        }
    }

    /// Delivers everything that is on its way, and what follows from it.
    pub(crate) fn settle(&mut self) {
        let mut delivered = 0;
        while let Some(letter) = self.letters.pop_front() {
            self.deliver(letter);
            delivered += 1;
            assert!(delivered < 200_000, "messages go round in circles");
        }
    }

    /// Lets time pass until the next thing is due.
    pub(crate) fn tick(&mut self) {
        let at = self.work.next_deadline().expect("something is due");
        self.now = self.now.max(at);
        self.step(Input::Tick);
    }

    /// Lets time pass until then.
    pub(crate) fn tick_until(&mut self, until: Time) {
        let mut ticks = 0;
        while let Some(at) = self.work.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.step(Input::Tick);
            self.settle();
            ticks += 1;
            assert!(ticks < 10_000, "time does not pass");
        }
        self.now = self.now.max(until);
    }

    /// Settles, lets time pass where it must, and stores the receipt.
    pub(crate) fn finish(&mut self, job: JobId) {
        self.settle();
        let mut ticks = 0;
        while !self.finished.contains(&job) {
            self.tick();
            self.settle();
            ticks += 1;
            assert!(
                ticks < 20_000,
                "job does not end: {:?}",
                self.work.job(&job).unwrap().progress()
            );
        }
        self.check_end(job);
    }

    /// What must hold of a finished job.
    pub(crate) fn check_end(&self, job: JobId) {
        let record = self.work.job(&job).expect("a finished job is kept until it is stored");
        assert!(record.is_finished(), "{:?}", record.progress());
        let outcomes: Vec<_> = record.outcomes().collect();
        let unsettled = record.unsettled();
        assert_eq!(outcomes.len() + unsettled.len(), record.order().payload.tasks as usize);
        let progress = record.progress();
        assert_eq!(
            (progress.settled as usize, progress.unsettled as usize),
            (outcomes.len(), unsettled.len())
        );
        assert_eq!((progress.waiting, progress.running, progress.agreed), (0, 0, 0));
        for outcome in outcomes {
            let said = self.ledger.finals.get(&(job, outcome.task));
            assert_eq!(said, Some(&outcome.digest()), "final is what the ledger has");
            assert!(self.kept.contains_key(&(job, outcome.task)), "outputs are kept");
        }
        for (task, _) in &unsettled {
            assert_eq!(self.ledger.finals.get(&(job, *task)), None, "task {task}");
        }
        let included = record.included();
        let tasks: usize = included.iter().map(|part| part.agreements.tasks.len()).sum();
        assert_eq!(tasks, progress.settled as usize);
        for part in &included {
            assert_eq!(self.ledger.accepted[&part.tx], part.height);
            let tx = Tx::Agree(Box::new(part.agreements.clone()));
            assert_eq!(tx.digest(), part.tx, "the receipt holds what was published");
        }
        let dissent = record.dissent();
        for (task, why) in &unsettled {
            let said = dissent.iter().flat_map(|batch| &batch.leaves);
            let outcomes: std::collections::BTreeSet<_> =
                said.filter(|leaf| leaf.task == *task).map(|leaf| leaf.outcome.0).collect();
            assert!(*why != Unsettled::Dissent || outcomes.len() > 1, "dissent shows");
        }
    }

    pub(crate) fn store(&mut self, job: JobId) {
        self.step(Input::ReceiptStored { job, receipt: Cid::of(Codec::Raw, b"receipt") });
    }

    pub(crate) fn status(&self, job: JobId, task: u32) -> TaskStatus<'_> {
        self.work.job(&job).unwrap().status(TaskIndex(task)).unwrap()
    }

    pub(crate) fn is_final(&self, job: JobId, task: u32) -> bool {
        matches!(self.status(job, task), TaskStatus::Final(..))
    }

    pub(crate) fn why(&self, job: JobId, task: u32) -> Option<Unsettled> {
        match self.status(job, task) {
            TaskStatus::Unsettled(why) => Some(why.clone()),
            _ => None,
        }
    }

    /// The candidates of a task in their order.
    pub(crate) fn walk(&self, job: JobId, task: u32) -> Vec<PublicKey> {
        protocol::draw::candidates(&self.beacon, &job, TaskIndex(task), &self.roster)
            .into_iter()
            .map(|candidate| candidate.node)
            .collect()
    }
}
