//! Capacity that is held back for one submitter for a time.

use crate::{
    Error, JobRecord, Work,
    state::{Ask, Readiness},
};
use identity::PublicKey;
use protocol::{JobId, TaskIndex, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Reservations that are kept, at most.
pub(crate) const RESERVATIONS: usize = 256;
/// Characters of the name of one of them, at most.
pub(crate) const NAME: usize = 64;
/// Nodes of one of them, at most.
pub(crate) const NODES: usize = 256;

/// What is held back on each of some nodes. Jobs of others that reserve something are given what is
/// left; of the slots that all others share as large a part is held back as of the cores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reservation {
    /// Whose jobs it is for.
    pub submitter: PublicKey,
    /// Cores.
    pub cpus: u16,
    /// Memory.
    pub memory_bytes: u64,
    /// GPUs.
    pub gpus: u16,
    /// The nodes, at most 256.
    pub nodes: BTreeSet<PublicKey>,
    /// When it begins.
    pub from: Time,
    /// When it ends.
    pub until: Time,
}

impl Reservation {
    fn ask(&self) -> Ask {
        Ask { cpus: self.cpus, memory_bytes: self.memory_bytes, gpus: self.gpus }
    }

    /// Checks that it can be kept.
    ///
    /// # Errors
    /// [`Error::Reservation`] with what is wrong.
    pub fn check(&self, now: Time) -> Result<(), Error> {
        let wrong = |reason: &'static str| Err(Error::Reservation { reason });
        if self.until <= now || self.until <= self.from {
            return wrong("it has ended already; let it end later");
        }
        if self.nodes.is_empty() || self.nodes.len() > NODES {
            return wrong("it names no nodes, or more than 256");
        }
        if self.ask().is_nothing() {
            return wrong("it holds nothing back; name cores, memory or GPUs");
        }
        Ok(())
    }
}

impl Work {
    /// All reservations, by their names.
    pub fn reservations(&self) -> impl Iterator<Item = (&str, &Reservation)> {
        self.reservations.iter().map(|(id, reservation)| (id.as_str(), reservation))
    }

    /// Whether something of this name can be held back.
    ///
    /// # Errors
    /// [`Error::Reservation`] if the name is empty or has more than 64 characters, and as
    /// [`Reservation::check`]; [`Error::Full`] if there are 256 others.
    pub fn room_for_reservation(
        &self,
        id: &str,
        reservation: &Reservation,
        now: Time,
    ) -> Result<(), Error> {
        if !(1..=NAME).contains(&id.chars().count()) {
            return Err(Error::Reservation { reason: "its name must have 1 to 64 characters" });
        }
        reservation.check(now)?;
        if self.reservations.len() >= RESERVATIONS && !self.reservations.contains_key(id) {
            return Err(Error::Full { what: "reservations", most: RESERVATIONS });
        }
        Ok(())
    }

    /// What is held back from a job on a node now: what others reserved, without what they use.
    pub(crate) fn held_back(&self, record: &JobRecord, node: &PublicKey) -> Ask {
        let mut held = Ask::default();
        if self.reservations.is_empty() {
            return held;
        }
        let others = self.reservations.values().filter(|reservation| {
            reservation.from <= self.now
                && self.now < reservation.until
                && reservation.submitter != record.order.by
                && reservation.nodes.contains(node)
        });
        for reservation in others {
            let used = self.used_by(&reservation.submitter, node);
            held = held.and(reservation.ask().without(used));
        }
        held
    }

    /// Whether a node can be given a replica of a job now, as far as room goes.
    pub(crate) fn readiness_of(&self, record: &JobRecord, node: &PublicKey) -> Readiness {
        self.fleet.readiness_for(node, record.ask(), self.held_back(record, node))
    }

    /// What the replicas of a submitter have for themselves on a node.
    fn used_by(&self, submitter: &PublicKey, node: &PublicKey) -> Ask {
        let of_submitter = |(job, _): &(JobId, TaskIndex)| {
            self.jobs.get(job).is_some_and(|record| record.order.by == *submitter)
        };
        let Some(station) = self.fleet.station(node) else { return Ask::default() };
        let taken = station.taken.iter().filter(|(at, _)| of_submitter(at));
        taken.fold(Ask::default(), |sum, (_, ask)| sum.and(*ask))
    }
}
