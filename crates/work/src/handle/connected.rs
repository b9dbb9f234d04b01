//! A node came, or came back.

use crate::{Work, place::Again, state::Timer, turn::Turn};
use identity::PublicKey;

impl Work {
    pub(crate) fn on_connected(&mut self, node: PublicKey, turn: &mut Turn<'_>) {
        let Some(waited) = self.fleet.connect(node, turn.now) else {
            self.counts.over_bounds += 1;
            return;
        };
        if let Some(until) = waited {
            self.timers.remove(until, Timer::Away(node));
        }
        self.tell_again(&node, turn);
        turn.freed.insert(node);
        let short: Vec<_> = self.short.iter().copied().collect();
        for (job, task) in short {
            self.reconsider(job, task, Again::Back(node), turn);
        }
    }

    /// Tells a node everything that it may have missed.
    pub(crate) fn tell_again(&self, node: &PublicKey, turn: &mut Turn<'_>) {
        for (job, task) in self.fleet.held(node) {
            let Some(record) = self.jobs.get(&job) else { continue };
            let attempt = record.seat(node).and_then(|seat| record.attempt(task, seat));
            let (Some(attempt), Some(race)) = (attempt, record.race(task)) else { continue };
            turn.assign((*node, job), (task, attempt));
            if race.replica(attempt).shown.is_some() {
                turn.show((*node, job), task);
            }
        }
    }
}
