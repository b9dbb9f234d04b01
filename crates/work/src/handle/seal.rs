//! A sealed order was admitted: it goes on the ledger, and nobody knows yet who will run it.

use crate::{Effect, Work, state::Timer, turn::Turn};
use identity::Signed;
use protocol::{Job, JobId, Placement};

impl Work {
    pub(crate) fn on_seal(&mut self, order: Signed<Job>, turn: &mut Turn<'_>) {
        let job = order.payload.id();
        if self.admit(order, None, turn) {
            self.order(job, turn);
        }
    }

    /// Has an order drawn that was not at once: a sealed one by way of the ledger. Mentions it again
    /// later, until it was drawn or has ended.
    pub(crate) fn order(&mut self, job: JobId, turn: &mut Turn<'_>) {
        self.stop_ordering(job);
        let again = turn.now.after_ms(self.config.republish_ms);
        let Some(record) = self.jobs.get_mut(&job) else { return };
        if record.is_to_be_drawn() {
            record.ordering = Some(again);
            self.timers.set(again, Timer::Order(job));
            turn.effect(match record.order.payload.placement {
                Placement::Fast => Effect::Draw { job },
                Placement::Sealed => Effect::Order(Box::new(record.order.clone())),
            });
        }
    }

    /// An order that waits for its draw is mentioned no more.
    pub(crate) fn stop_ordering(&mut self, job: JobId) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        if let Some(again) = record.ordering.take() {
            self.timers.remove(again, Timer::Order(job));
        }
    }
}
