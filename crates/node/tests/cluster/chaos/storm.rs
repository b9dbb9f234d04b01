//! The faults, one after the other, and now and then two at once.

use super::{
    super::{
        society::{POLITY, space::Way, star::Star, until},
        trio::Trio,
    },
    seat::Seat,
};
use sim::Random;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// How long a fault lasts, and how long there is none, at most.
const FAULT_MS: u64 = 2_500;
const CALM_MS: u64 = 1_500;
/// One of so many faults has another one beside it.
const BOTH: u64 = 4;
const LOOK: Duration = Duration::from_millis(10);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A machine loses its power.
    Kill,
    /// A machine stands still.
    Freeze,
    /// A machine is cut off from everybody.
    Cut,
    /// A machine asks for another leader, whoever leads.
    HandOver,
    /// A machine is given no work.
    Cordon,
    /// A machine is stopped, and started with the other binary if there is one.
    Upgrade,
}

const FAULTS: [Fault; 6] =
    [Fault::Kill, Fault::Freeze, Fault::Cut, Fault::HandOver, Fault::Cordon, Fault::Upgrade];

/// The machines and what happens to them.
pub(crate) struct Storm<'a> {
    star: &'a Star,
    seats: Vec<Seat>,
    pub(crate) trio: Trio,
    random: Random,
    /// The faults of which each comes once before any comes again.
    deck: Vec<Fault>,
    /// What the machines run. An upgrade swaps with the other one.
    binaries: [PathBuf; 2],
    /// How often each fault came.
    pub(crate) faults: BTreeMap<Fault, u64>,
}

impl<'a> Storm<'a> {
    pub(crate) fn new(star: &'a Star, seats: Vec<Seat>, trio: Trio, random: Random) -> Self {
        let other = std::env::var_os("POLITY_OTHER_BINARY").map(PathBuf::from);
        let binaries = [POLITY.into(), other.unwrap_or_else(|| POLITY.into())];
        let faults = BTreeMap::new();
        Self { star, seats, trio, random, deck: Vec::new(), binaries, faults }
    }

    /// Lets things go wrong for so long, or until `is_enough`.
    pub(crate) fn rage(&mut self, time: Duration, is_enough: impl Fn() -> bool) {
        let end = Instant::now() + time;
        while Instant::now() < end && !is_enough() {
            let victim = self.random.place(self.seats.len());
            let fault = self.draw();
            self.begin(fault, victim);
            self.pause(FAULT_MS);
            if self.random.below(BOTH) == 0 {
                let second = (victim + 1 + self.random.place(2)) % self.seats.len();
                let beside = self.draw();
                self.begin(beside, second);
                self.pause(FAULT_MS);
                self.end(beside, second);
            }
            self.end(fault, victim);
            self.pause(CALM_MS);
        }
    }

    /// Waits until everybody is there again and votes, and works.
    pub(crate) fn calm(&mut self) {
        for n in 0..self.seats.len() {
            self.trio.node(n).ready(2);
        }
        self.trio.voters(self.seats.len());
        for seat in &self.seats {
            until("a machine to be given work", || {
                (seat.ask(&["node", "uncordon"]).code == Some(0)).then_some(())
            });
        }
    }

    fn draw(&mut self) -> Fault {
        if self.deck.is_empty() {
            self.deck = FAULTS.into();
        }
        let at = self.random.place(self.deck.len());
        let fault = self.deck.swap_remove(at);
        *self.faults.entry(fault).or_default() += 1;
        fault
    }

    /// Lets some time pass, which is what the test is about. No machine may end by itself.
    fn pause(&mut self, bound_ms: u64) {
        let end = Instant::now() + self.random.ms(0, bound_ms);
        while Instant::now() < end {
            for n in self.trio.running() {
                let node = self.trio.node(n);
                assert!(!node.is_over(), "machine {n} gave up:\n{}", node.log());
            }
            thread::sleep(LOOK);
        }
    }

    fn begin(&mut self, fault: Fault, victim: usize) {
        match fault {
            Fault::Kill => drop(self.trio.kill(victim)),
            Fault::Freeze => self.signal(victim, "STOP"),
            Fault::Cut => self.star.cut(victim),
            // Whether they can is not asked here: others may be away.
            Fault::HandOver => drop(self.seats[victim].ask(&["cluster", "transfer"])),
            Fault::Cordon => {
                drop(self.seats[victim].ask(&["node", "cordon", "--reason", "looked after"]));
            }
            Fault::Upgrade => drop(self.trio.stop(victim)),
        }
    }

    fn end(&mut self, fault: Fault, victim: usize) {
        match fault {
            Fault::Kill => self.start(victim),
            Fault::Freeze => self.signal(victim, "CONT"),
            Fault::Cut => self.star.heal(victim),
            Fault::HandOver => {}
            Fault::Cordon => drop(self.seats[victim].ask(&["node", "uncordon"])),
            Fault::Upgrade => {
                self.binaries.swap(0, 1);
                self.start(victim);
            }
        }
    }

    fn start(&mut self, victim: usize) {
        self.trio.begin(victim, &self.seats[victim].data, &self.binaries[0]);
    }

    fn signal(&mut self, victim: usize, signal: &str) {
        let pid = self.trio.node(victim).pid();
        Way::default().shell(&format!("kill -{signal} {pid}"));
    }
}
