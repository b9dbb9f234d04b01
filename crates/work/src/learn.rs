//! What is learned from replicas: how long programs take, how fast nodes are, and what no machine
//! could have done.

use crate::{Work, state::Seat};
use identity::PublicKey;
use protocol::{JobId, TaskIndex, Time};

/// What is done sooner says little of how fast a node is, in milliseconds.
const MEASURABLE_MS: u64 = 50;
/// So does what is soon done, in units of fuel: most of its time is its way there and back. A core
/// burns as much in about half a second.
const MEASURABLE_FUEL: u64 = 1_000_000_000;
/// How much faster than the home itself another node may be before it is not believed.
const BELIEVED: u64 = 20;

impl Work {
    /// A replica has committed: how long it took is remembered.
    pub(crate) fn learn_time(
        &mut self,
        (job, task): (JobId, TaskIndex),
        (node, seat): (&PublicKey, Seat),
        now: Time,
    ) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let program = record.order.payload.program;
        let Some(attempt) = record.attempt(task, seat) else { return };
        let Some((race, _)) = record.race_mut(task) else { return };
        let replica = race.replica_mut(attempt);
        let took_ms = now.since_ms(replica.started);
        replica.took_ms = Some(took_ms);
        if replica.asked == 1 {
            self.learned.saw(program, self.fleet.class_of(node), took_ms, self.config.learned);
        }
        self.fleet.ran(node, program);
    }

    /// These nodes agree on what a task gave, after so long each.
    pub(crate) fn learn_speeds(&mut self, nodes: &[PublicKey], fuel: u64, took_ms: Vec<u64>) {
        for (node, took_ms) in nodes.iter().zip(took_ms) {
            let measurable = took_ms >= MEASURABLE_MS && fuel >= MEASURABLE_FUEL;
            if measurable && !self.is_impossible(fuel, took_ms) {
                self.fleet.saw_fuel_ms(node, fuel / took_ms);
            }
        }
        for node in nodes {
            if let Some(conduct) = self.fleet.conduct_mut(node) {
                conduct.did_well();
            }
        }
    }

    /// A node says that it burned so much fuel: whether it can have, in the time that it had.
    pub(crate) fn check_speed(&mut self, node: &PublicKey, fuel: u64, took_ms: Option<u64>) {
        if took_ms.is_some_and(|took_ms| self.is_impossible(fuel, took_ms))
            && let Some(conduct) = self.fleet.conduct_mut(node)
        {
            conduct.impossible += 1;
            conduct.did_badly(4);
        }
    }

    /// Notes something about a node that is known, with its weight against it.
    pub(crate) fn note(
        &mut self,
        node: &PublicKey,
        what: impl FnOnce(&mut crate::Conduct),
        weight: u32,
    ) {
        if let Some(conduct) = self.fleet.conduct_mut(node) {
            what(conduct);
            conduct.did_badly(weight);
        }
    }

    /// Compared with the home itself, which is the one machine that it can believe. While it does
    /// not know its own speed everything is possible.
    fn is_impossible(&self, fuel: u64, took_ms: u64) -> bool {
        let Some(own) = self.fleet.fuel_ms(&self.me) else { return false };
        // A millisecond more, because stamps have no parts.
        fuel / took_ms.saturating_add(1) > own.max(1).saturating_mul(BELIEVED)
    }
}
