//! Clients that read and write one register by way of any machine, and whether all that they were
//! told can be true.
//!
//! The register is why the validator's node is given nothing: a write cordons it for a reason of
//! its own. Clients rest now and then, all at once, so that the history falls into pieces.

use super::{super::society::until, seat::Seat};
use sim::{
    Random,
    history::{Act, Operation, Rest},
};
use std::{
    fmt::Write as _,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How many there are.
const CLIENTS: u64 = 3;
/// How long they work until they rest.
const PIECE: Duration = Duration::from_secs(5);
/// How long one of them waits between two operations, at most.
const PAUSE_MS: u64 = 60;
/// What stands before the value in a reason.
const REASON: &str = "chaos-";

/// What they did.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Points of rest, the end among them.
    pieces: u64,
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    /// Writes of which nobody knows whether they happened.
    unknown: u64,
    /// Questions without an answer.
    unanswered: u64,
}

/// All clients.
pub(crate) struct Clients {
    seats: Vec<Seat>,
    /// The node that is cordoned.
    node: String,
    seed: u64,
    events: AtomicU64,
    values: AtomicU64,
}

/// What one of them did.
#[derive(Default)]
struct Heard {
    operations: Vec<Operation>,
    unanswered: u64,
}

impl Clients {
    pub(crate) fn new(seats: Vec<Seat>, node: String, seed: u64) -> Self {
        Self { seats, node, seed, events: AtomicU64::new(0), values: AtomicU64::new(0) }
    }

    /// Reads and writes until the storm `is_over`, and looks at each piece. At the end every machine
    /// must answer.
    pub(crate) fn work(&self, is_over: &AtomicBool) -> Tally {
        let mut tally = Tally::default();
        let mut rest = Rest::default();
        while !is_over.load(Ordering::SeqCst) {
            let all = thread::scope(|scope| {
                let client = |n| {
                    let random = Random::new(self.seed ^ ((tally.pieces * CLIENTS + n) << 20));
                    scope.spawn(move || self.client(random))
                };
                let all: Vec<_> = (0..CLIENTS).map(client).collect();
                all.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
            });
            tally.unanswered += all.iter().map(|heard| heard.unanswered).sum::<u64>();
            let piece = all.into_iter().flat_map(|heard| heard.operations).collect();
            rest = tally.judge(&rest, piece);
        }
        let answered = |seat: &Seat| until("every machine to answer", || self.read(seat));
        let last = self.seats.iter().map(answered).collect();
        tally.judge(&rest, last);
        tally
    }

    fn client(&self, mut random: Random) -> Heard {
        let mut heard = Heard::default();
        let end = Instant::now() + PIECE;
        while Instant::now() < end {
            let seat = &self.seats[random.place(self.seats.len())];
            let done = match random.below(3) {
                0 => self.write(seat),
                _ => self.read(seat),
            };
            match done {
                Some(operation) => heard.operations.push(operation),
                None => heard.unanswered += 1,
            }
            thread::sleep(random.ms(0, PAUSE_MS));
        }
        heard
    }

    fn event(&self) -> u64 {
        self.events.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// A node says it to the cluster again and again while nobody leads.
    fn write(&self, seat: &Seat) -> Option<Operation> {
        let value = self.values.fetch_add(1, Ordering::SeqCst) + 1;
        let reason = format!("{REASON}{value}");
        let invoked = self.event();
        let said = seat.ask(&["node", "cordon", &self.node, "--reason", &reason]);
        if said.err.contains("no node runs") {
            return None;
        }
        let returned = (said.code == Some(0)).then(|| self.event());
        Some(Operation { key: 0, act: Act::Writes(value), invoked, returned })
    }

    fn read(&self, seat: &Seat) -> Option<Operation> {
        let invoked = self.event();
        let said = seat.ask(&["cluster", "status", "--current", "--json"]);
        if said.code != Some(0) {
            return None;
        }
        let returned = Some(self.event());
        let cluster = said.json();
        assert_eq!(cluster["current"], true, "{cluster}");
        let value = cluster["cordons"][&self.node].as_str().map(|reason| {
            let value = reason.strip_prefix(REASON).and_then(|value| value.parse().ok());
            value.unwrap_or_else(|| panic!("nobody gave the reason {reason}"))
        });
        Some(Operation { key: 0, act: Act::Read(value), invoked, returned })
    }
}

impl Tally {
    /// What the register may hold after this piece, which must be possible.
    fn judge(&mut self, rest: &Rest, mut piece: Vec<Operation>) -> Rest {
        self.pieces += 1;
        for operation in &piece {
            match (operation.act, operation.returned) {
                (Act::Read(_), _) => self.reads += 1,
                (_, Some(_)) => self.writes += 1,
                (_, None) => self.unknown += 1,
            }
        }
        rest.after(&piece).unwrap_or_else(|| {
            piece.sort_by_key(|operation| operation.invoked);
            let mut told = String::new();
            for Operation { act, invoked, returned, .. } in &piece {
                writeln!(told, "{invoked} to {returned:?}: {act:?}").expect("a string takes it");
            }
            panic!("no order of these explains what was read, beginning with {rest:?}:\n{told}")
        })
    }
}
