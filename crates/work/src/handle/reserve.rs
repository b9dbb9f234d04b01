//! Capacity is held back for a submitter for a time, or is not any more.

use crate::{
    Reservation, Work,
    reserve::{NAME, RESERVATIONS},
    state::Timer,
    turn::Turn,
};
use identity::PublicKey;

impl Work {
    pub(crate) fn on_reserve(
        &mut self,
        id: &str,
        reservation: Option<Reservation>,
        turn: &mut Turn<'_>,
    ) {
        let id: String = id.chars().take(NAME).collect();
        self.end_reservation(&id, turn);
        let Some(reservation) = reservation else { return };
        if reservation.check(turn.now).is_err() {
            self.counts.malformed += 1;
        } else if self.reservations.len() >= RESERVATIONS {
            self.counts.over_bounds += 1;
        } else {
            self.timers.set(reservation.until, Timer::Reservation);
            self.reservations.insert(id, reservation);
        }
    }

    /// Reservations that are over hold nothing back any more.
    pub(crate) fn on_reservations_end(&mut self, turn: &mut Turn<'_>) {
        let ended = self.reservations.iter().filter(|(_, kept)| kept.until <= turn.now);
        let ended: Vec<_> = ended.map(|(id, _)| id.clone()).collect();
        for id in ended {
            self.end_reservation(&id, turn);
        }
    }

    fn end_reservation(&mut self, id: &str, turn: &mut Turn<'_>) {
        let Some(ended) = self.reservations.remove(id) else { return };
        if !self.reservations.values().any(|kept| kept.until == ended.until) {
            self.timers.remove(ended.until, Timer::Reservation);
        }
        let nodes: Vec<PublicKey> = ended.nodes.into_iter().collect();
        turn.freed.extend(nodes);
    }
}
