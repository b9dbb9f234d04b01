//! A home, its workers, a ledger, and whatever is on the way between them.

use crate::{
    ledger::Ledger,
    worker::{Manner, Worker},
};
use identity::{Digest, NetworkId, PublicKey, SecretKey, Signed};
use objects::{Cid, Codec};
use protocol::{
    Agreements, Contradiction, Dispute, Height, Job, JobEvent, JobId, Limits, Machine, NodeRecord,
    OutcomeDigest, OwnerRecord, Placement, Roster, TaskIndex, Terms, Time, ToHome, ToWorker, Tx,
    Unsettled, Verification, draw,
};
use std::collections::{BTreeMap, VecDeque};
use work::{Config, Effect, Input, TaskStatus, Weights, Work};

/// Something on its way.
#[derive(Clone, Debug)]
pub(crate) enum Letter {
    ToWorker(PublicKey, ToWorker),
    ToHome(PublicKey, ToHome),
    ToLedger(Box<Agreements>),
    Order(JobId),
    Draw(JobId),
    Dispute(Box<Dispute>),
    FromLedger(Input),
}

pub(crate) struct World {
    pub(crate) network: NetworkId,
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
    pub(crate) disputes: Vec<Dispute>,
    pub(crate) accused: Vec<Contradiction>,
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
const TWO_OF_THREE: Verification = Verification { k: 2, n: 3 };
pub(crate) const WALL_MS: u64 = 5_000;

impl World {
    /// One worker for each owner; the first is the home.
    pub(crate) fn new(manners: &[Manner]) -> Self {
        let owners: Vec<u8> = (0..manners.len() as u8).collect();
        Self::with(manners, &owners, Config::default())
    }

    /// `owners` names the owner of each worker. All replicas are drawn.
    pub(crate) fn with(manners: &[Manner], owners: &[u8], config: Config) -> Self {
        Self::scored(manners, owners, Config { weights: Weights::DRAWN, ..config })
    }

    /// The same, but the first replica goes by score.
    pub(crate) fn scored(manners: &[Manner], owners: &[u8], config: Config) -> Self {
        let network = NetworkId(Digest([7; 32]));
        let mut roster = Roster::default();
        let mut workers = BTreeMap::new();
        for (n, (manner, owner)) in (0..).zip(manners.iter().zip(owners)) {
            let worker = Worker::new(key(2, n), *manner, network);
            let owner = key(1, *owner).public();
            let record = OwnerRecord {
                name: "o".into(),
                sponsor: None,
                seconds: Default::default(),
                barred: None,
            };
            roster.set_owner(owner, record);
            roster.set_node(worker.public(), NodeRecord { owner, since: Height(0) });
            workers.insert(worker.public(), worker);
        }
        let me = key(2, 0).public();
        let mut world = Self {
            network,
            beacon: Digest([3; 32]),
            up: workers.keys().map(|node| (*node, *node == me)).collect(),
            workers,
            work: Work::new(config, me, network),
            ledger: Ledger::new(network, roster.clone()),
            now: Time(1_000_000),
            letters: VecDeque::new(),
            events: vec![],
            finished: vec![],
            refused: vec![],
            disputes: vec![],
            accused: vec![],
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
            Letter::ToLedger(_)
            | Letter::Order(_)
            | Letter::Draw(_)
            | Letter::Dispute(_)
            | Letter::FromLedger(_) => true,
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
            terms: protocol::Terms::default(),
        };
        Signed::new(job, self.network, &self.submitter)
    }

    pub(crate) fn submit(&mut self, tasks: u32, verification: &str) -> JobId {
        let order = self.order(tasks, verification.parse().unwrap());
        self.submit_order(order)
    }

    /// A job of another owner, with terms.
    pub(crate) fn submit_as(
        &mut self,
        owner: u8,
        (tasks, verification): (u32, &str),
        terms: Terms,
    ) -> JobId {
        let job = Job { terms, ..self.order(tasks, verification.parse().unwrap()).payload };
        let order = Signed::new(job, self.network, &key(1, owner));
        self.submit_order(order)
    }

    /// Who was given replicas of which tasks, in this order.
    pub(crate) fn started(&self) -> Vec<(JobId, TaskIndex, PublicKey)> {
        let started = |(job, event): &(JobId, JobEvent)| match event {
            JobEvent::Started { task, node, .. } => Some((*job, *task, *node)),
            _ => None,
        };
        self.events.iter().filter_map(started).collect()
    }

    pub(crate) fn submit_order(&mut self, order: Signed<Job>) -> JobId {
        let job = order.payload.id();
        let (drawn, beacon, _) = self.ledger.draw(job, self.beacon);
        self.step(Input::Submit { order, drawn, beacon });
        job
    }

    pub(crate) fn seal(&mut self, tasks: u32, verification: Verification) -> JobId {
        let mut order = self.order(tasks, verification).payload;
        order.placement = Placement::Sealed;
        let order = Signed::new(order, self.network, &self.submitter);
        let job = order.payload.id();
        self.step(Input::Seal { order });
        job
    }

    pub(crate) fn sign(&self, job: Job) -> Signed<Job> {
        Signed::new(job, self.network, &self.submitter)
    }

    /// An order that waits for others.
    pub(crate) fn hold(&mut self, tasks: u32, placement: Placement, after: &[JobId]) -> JobId {
        let mut order = self.order(tasks, TWO_OF_THREE).payload;
        order.placement = placement;
        let order = Signed::new(order, self.network, &self.submitter);
        let job = order.payload.id();
        self.step(Input::Hold { order, after: after.to_vec() });
        job
    }

    /// The home is another process from now on, with what the last one wrote down.
    pub(crate) fn restart(&mut self) {
        let bytes = identity::canonical::encode(&self.work);
        self.work = identity::canonical::decode(&bytes, usize::MAX).unwrap();
        let json = serde_json::to_string(&self.work).unwrap();
        assert_eq!(self.work, serde_json::from_str(&json).unwrap());
        let me = self.me();
        self.up.iter_mut().for_each(|(node, up)| *up = *node == me);
        self.letters.retain(|letter| matches!(letter, Letter::FromLedger(_)));
        self.step(Input::Lead);
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
                Effect::Order(order) => {
                    assert_eq!(order.payload.placement, Placement::Sealed);
                    self.letters.push_back(Letter::Order(order.payload.id()));
                }
                Effect::Draw { job } => self.letters.push_back(Letter::Draw(job)),
                Effect::Dispute(dispute) => {
                    dispute.check_claims(self.network).expect("a dispute holds");
                    self.disputes.push((*dispute).clone());
                    self.letters.push_back(Letter::Dispute(dispute));
                }
                Effect::Accuse(contradiction) => {
                    contradiction.check(self.network).expect("an accusation holds");
                    self.accused.push(*contradiction);
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
                if !self.ledger.order(&agreements) {
                    return;
                }
                let tx = Tx::Agree(agreements).digest();
                let height = self.ledger.accepted[&tx];
                let input = Input::Included { job, tasks, tx, height };
                self.letters.push_back(Letter::FromLedger(input));
            }
            Letter::Order(job) | Letter::Draw(job) => {
                let (drawn, beacon, roster) = self.ledger.draw(job, self.beacon);
                let input = Input::Drawn { job, drawn, beacon, roster };
                self.letters.push_back(Letter::FromLedger(input));
            }
            Letter::Dispute(dispute) => {
                let said = self.ledger.dispute(&dispute);
                self.letters.extend(said.into_iter().map(Letter::FromLedger));
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
            let said = said.map(|settled| settled.outcome);
            assert_eq!(said, Some(outcome.digest()), "final is what the ledger has");
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
            assert!(!shows(why) || outcomes.len() > 1, "dissent shows");
        }
        assert!(dissent.is_empty() || unsettled.iter().any(|(_, why)| shows(why)));
        assert_eq!(record.disputed(), []);
        self.check_rulings(job);
    }

    /// What a receipt says of verdicts follows from what is in it.
    fn check_rulings(&self, job: JobId) {
        let record = self.work.job(&job).unwrap();
        let ruled = record.ruled();
        assert!(ruled.windows(2).all(|pair| pair[0].task < pair[1].task));
        for ruling in &ruled {
            let verdict = self.ledger.cases[&(job, ruling.task)].ruling;
            assert_eq!(verdict, Some(Some(ruling.outcome)));
            assert!(ruling.claims.windows(2).all(|pair| pair[0].node() < pair[1].node()));
            let said = |claim: &protocol::Claim| {
                claim.check(&job, ruling.task, self.network).expect("a claim holds")
            };
            assert!(ruling.claims.iter().any(|claim| said(claim) != ruling.outcome));
            if let Some(settled) = self.ledger.finals.get(&(job, ruling.task)) {
                assert_eq!(settled.outcome, ruling.outcome);
            }
        }
        let decided = self.ledger.finals.iter().filter(|(_, settled)| settled.decided);
        let decided = decided.filter(|((of, _), _)| *of == job).map(|((_, task), _)| *task);
        let refuted = record.unsettled().into_iter().filter(|(_, why)| *why == Unsettled::Refuted);
        for task in decided.chain(refuted.map(|(task, _)| task)) {
            assert!(ruled.iter().any(|ruling| ruling.task == task), "what {task} rests on");
        }
    }

    /// The validators have ruled.
    pub(crate) fn rule(&mut self, job: JobId, task: u32, outcome: Option<OutcomeDigest>) {
        let task = TaskIndex(task);
        let case = self.ledger.cases.entry((job, task)).or_default();
        case.ruling = Some(outcome);
        self.step(Input::Ruled { job, task, outcome });
    }

    /// What the ledger has on a task.
    pub(crate) fn settled(&self, job: JobId, task: u32) -> &protocol::Settled {
        &self.ledger.finals[&(job, TaskIndex(task))]
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
        let (_, beacon, roster) = &self.ledger.draws[&job];
        draw::candidates(beacon, &job, TaskIndex(task), roster)
            .into_iter()
            .map(|candidate| candidate.node)
            .collect()
    }
}

/// Whether a receipt must hold reveals that disagree.
fn shows(why: &Unsettled) -> bool {
    matches!(why, Unsettled::Dissent | Unsettled::Undecided)
}
