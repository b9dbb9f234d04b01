//! Members that can crash, their network, their disks and their clocks.

use super::{mortal::Mortal, registers::Registers, slow::SlowLog};
use crate::{
    Begin, Cluster, Config, Leading, Parts, Told as Said, start,
    tests::{key, probe::Probe},
};
use protocol::{
    Time,
    port::{Answer, Clock},
};
use sim::{Random, history::History, streams::Mesh};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, Weak},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

/// Members there may be, numbered from 1.
pub(super) const MEMBERS: u8 = 5;
/// How long a member may take to begin while things go wrong.
const BEGIN: Duration = Duration::from_millis(800);
/// How long what is left of a process is waited for.
const GONE: Duration = Duration::from_secs(1);
/// Pause between two looks at what ends by itself.
const SOON: Duration = Duration::from_millis(1);

/// A clock that is off, and runs too slowly or too fast.
struct Drifting {
    since: Instant,
    offset_ms: u64,
    percent: u32,
}

impl Clock for Drifting {
    fn now(&self) -> Time {
        let passed = self.since.elapsed() * self.percent / 100;
        Time(self.offset_ms + u64::try_from(passed.as_millis()).unwrap())
    }

    fn until(&self, at: Time) -> Answer<'static, ()> {
        let passed = Duration::from_millis(at.0.saturating_sub(self.offset_ms));
        Box::pin(tokio::time::sleep_until(self.since + passed * 100 / self.percent))
    }
}

/// What a member is meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It has not joined, or it was removed.
    Out,
    /// It has begun to join, and was not removed for sure.
    In,
}

/// A process as it runs.
struct Running {
    cluster: Cluster<Registers>,
    _effects: mpsc::Receiver<Said<()>>,
}

/// A machine that may run a member.
struct Machine {
    place: Place,
    running: Option<Running>,
    /// It runs, or is about to.
    awake: bool,
    /// Tells of the death of its process.
    died: watch::Sender<bool>,
    log: Arc<Probe>,
    /// The log of a process that died, for as long as something of it is left.
    old: Weak<Probe>,
    clock: Arc<Drifting>,
}

/// What clients and faults share.
pub(super) struct World {
    mesh: Mesh,
    config: Config,
    machines: RefCell<BTreeMap<u8, Machine>>,
    /// Pairs that are cut off from each other.
    parted: RefCell<BTreeSet<(u8, u8)>>,
    silent: RefCell<BTreeSet<(u8, u8)>>,
    lives: Cell<u64>,
    values: Cell<u64>,
    /// For how long everything takes.
    random: RefCell<Random>,
    pub(super) over: Cell<bool>,
    pub(super) history: RefCell<History>,
    pub(super) counts: RefCell<BTreeMap<&'static str, u64>>,
}

impl World {
    pub(super) fn new(random: &mut Random) -> Self {
        let config = Config {
            snapshot_entries: 20,
            keep_entries: 5,
            heartbeat_ms: 20,
            election_ms: 70,
            replace_ms: 400,
            ..Config::default()
        };
        let since = Instant::now();
        let mut machine = |n: u8| {
            let percent = 50 + u32::try_from(random.below(151)).unwrap();
            let clock = Drifting { since, offset_ms: random.below(1_000_000), percent };
            let (log, clock) = (Probe::new(), Arc::new(clock));
            let (place, old) = (Place::Out, Weak::new());
            (
                n,
                Machine {
                    place,
                    running: None,
                    awake: false,
                    died: watch::Sender::default(),
                    log,
                    old,
                    clock,
                },
            )
        };
        Self {
            mesh: Mesh::new(),
            config,
            machines: RefCell::new((1..=MEMBERS).map(&mut machine).collect()),
            parted: RefCell::default(),
            silent: RefCell::default(),
            lives: Cell::new(1),
            values: Cell::new(1),
            random: RefCell::new(random.fork()),
            over: Cell::new(false),
            history: RefCell::default(),
            counts: RefCell::default(),
        }
    }

    pub(super) fn count(&self, what: &'static str) {
        *self.counts.borrow_mut().entry(what).or_default() += 1;
    }

    /// A value that was not written before.
    pub(super) fn value(&self) -> u64 {
        self.values.replace(self.values.get() + 1)
    }

    fn with<T>(&self, n: u8, f: impl FnOnce(&mut Machine) -> T) -> T {
        f(self.machines.borrow_mut().get_mut(&n).unwrap())
    }

    fn all(&self, fits: impl Fn(&Machine) -> bool) -> Vec<u8> {
        let machines = self.machines.borrow();
        machines.iter().filter(|(_, machine)| fits(machine)).map(|(n, _)| *n).collect()
    }

    pub(super) fn up(&self) -> Vec<u8> {
        self.all(|machine| machine.running.is_some())
    }

    /// Those that should run and do not.
    pub(super) fn down(&self) -> Vec<u8> {
        self.all(|machine| machine.place == Place::In && machine.running.is_none())
    }

    pub(super) fn in_place(&self, place: Place) -> Vec<u8> {
        self.all(|machine| machine.place == place)
    }

    /// A running member, and what tells of its death.
    pub(super) fn member(&self, n: u8) -> Option<(Cluster<Registers>, watch::Receiver<bool>)> {
        self.with(n, |machine| {
            let running = machine.running.as_ref()?;
            Some((running.cluster.clone(), machine.died.subscribe()))
        })
    }

    /// Whoever leads, if somebody says so.
    pub(super) fn leader(&self) -> Option<Cluster<Registers>> {
        let mut all = self.up().into_iter().filter_map(|n| self.member(n));
        all.find(|(cluster, _)| matches!(cluster.leads().now(), Leading::Yes(_))).map(|(c, _)| c)
    }

    /// Whether one is a member, as whoever leads says. A removal whose end nobody waited for may
    /// still come.
    pub(super) fn lists(&self, n: u8) -> bool {
        let status = self.leader().map(|leader| leader.status());
        status.is_none_or(|status| status.members.iter().any(|member| member.node == key(n)))
    }

    /// Starts a member, with what its disk holds. False if it did not begin in time.
    pub(super) async fn begin(&self, n: u8, patience: Duration) -> bool {
        self.forget(n).await;
        let first = self.with(n, |machine| std::mem::replace(&mut machine.place, Place::In));
        let founds = n == 1 && first == Place::Out && self.in_place(Place::In).len() == 1;
        let begin = if founds {
            Begin::Found { name: "home".into() }
        } else {
            Begin::Join { seeds: (1..=MEMBERS).filter(|seed| *seed != n).map(key).collect() }
        };
        let (log, clock, died) = self.with(n, |machine| {
            machine.died = watch::Sender::new(false);
            (machine.log.clone(), machine.clock.clone(), machine.died.subscribe())
        });
        let (disk, net) = {
            let mut random = self.random.borrow_mut();
            (random.fork(), random.fork())
        };
        let (node, random) = (self.mesh.node(key(n)), Arc::new(Mutex::new(net)));
        let parts = Parts {
            config: self.config.clone(),
            me: key(n),
            labels: BTreeMap::new(),
            initial: Registers::default(),
            begin,
            log: Arc::new(SlowLog::new(log, disk)),
            clock,
            streams: Arc::new(Mortal { node, died, random }),
            admits: Arc::new(|_| true),
            life: self.lives.replace(self.lives.get() + 1),
        };
        self.with(n, |machine| machine.awake = true);
        self.link();
        match tokio::time::timeout(patience, start(parts)).await {
            Ok(started) => {
                let (cluster, effects) = started.expect("nothing is wrong with its log");
                let running = Running { cluster, _effects: effects };
                self.with(n, |machine| machine.running = Some(running));
                true
            }
            Err(_) => {
                self.crash(n);
                false
            }
        }
    }

    /// Waits until a process that died is gone. The engine may leave something behind, which holds
    /// memory and can say nothing.
    async fn forget(&self, n: u8) {
        let gone = async {
            while self.with(n, |machine| machine.old.strong_count() > 0) {
                tokio::time::sleep(SOON).await;
            }
        };
        if tokio::time::timeout(GONE, gone).await.is_err() {
            self.count("processes that left something behind");
        }
    }

    /// The same while things go wrong.
    pub(super) async fn try_to_begin(&self, n: u8) {
        if self.begin(n, BEGIN).await {
            self.count("starts");
        } else {
            self.count("starts that took too long");
        }
    }

    /// Ends a member between two instructions: its disk keeps what it had made durable, and nothing
    /// that it says after this is heard.
    pub(super) fn crash(&self, n: u8) {
        self.with(n, |machine| {
            let failed = machine.running.as_ref().and_then(|r| r.cluster.failed().borrow().clone());
            assert_eq!(failed, None, "member {n} failed before it died");
            let log = std::mem::replace(&mut machine.log, Probe::new());
            machine.log = log.fork();
            machine.old = Arc::downgrade(&log);
            log.hold(false);
            machine.awake = false;
            machine.died.send_replace(true);
            machine.running = None;
        });
        self.link();
    }

    /// Ends a member that was removed, and empties its disk.
    pub(super) fn bury(&self, n: u8) {
        self.crash(n);
        self.with(n, |machine| (machine.place, machine.log) = (Place::Out, Probe::new()));
    }

    /// Makes the links what they should be: members that are down have none.
    fn link(&self) {
        let up = self.all(|machine| machine.awake);
        for a in 1..=MEMBERS {
            for b in a + 1..=MEMBERS {
                let linked = up.contains(&a) && up.contains(&b);
                if linked && !self.parted.borrow().contains(&(a, b)) {
                    self.mesh.heal(key(a), key(b));
                } else {
                    self.mesh.cut(key(a), key(b));
                }
            }
        }
    }

    /// Cuts these off from all others.
    pub(super) fn part(&self, some: &[u8]) {
        for a in 1..=MEMBERS {
            let others = (a + 1..=MEMBERS).filter(|b| some.contains(&a) != some.contains(b));
            self.parted.borrow_mut().extend(others.map(|b| (a, b)));
        }
        self.link();
    }

    /// What one says to the other is lost from now on.
    pub(super) fn silence(&self, from: u8, to: u8) {
        self.silent.borrow_mut().insert((from, to));
        self.mesh.cut_way(key(from), key(to));
    }

    /// Makes the network whole.
    pub(super) fn heal(&self) {
        self.parted.borrow_mut().clear();
        for (from, to) in self.silent.take() {
            self.mesh.heal_way(key(from), key(to));
        }
        self.link();
    }

    /// What everybody is doing, for whoever wants to know why nothing happens.
    pub(super) fn picture(&self) -> String {
        let machines = self.machines.borrow();
        let line = |(n, machine): (&u8, &Machine)| {
            let (place, awake, old) = (machine.place, machine.awake, machine.old.strong_count());
            let status = machine.running.as_ref().map(|running| running.cluster.status());
            format!("\n{n}: {place:?}, awake {awake}, left of its past {old}, {status:?}")
        };
        machines.iter().map(line).collect()
    }

    /// Its disk stands still, or goes on.
    pub(super) fn hold(&self, n: u8, held: bool) {
        self.with(n, |machine| machine.log.hold(held));
    }
}
