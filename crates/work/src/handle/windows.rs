//! The owner of a node says when it will look after it.

use crate::{Window, Work, place::Again, state::Timer, turn::Turn};
use identity::PublicKey;
use protocol::draw::SkipReason;

impl Work {
    pub(crate) fn on_windows(
        &mut self,
        node: PublicKey,
        windows: Vec<Window>,
        turn: &mut Turn<'_>,
    ) {
        if let Some(due) = self.fleet.next_change(&node, turn.now) {
            self.timers.remove(due, Timer::Window(node));
        }
        if self.fleet.set_windows(node, windows, turn.now) {
            self.refit(node, turn);
        } else {
            self.counts.over_bounds += 1;
        }
    }

    /// Something has changed that says which jobs a node may be given: those that it may not run any
    /// more do not wait for it, and those that it may run now are given to it.
    pub(crate) fn refit(&mut self, node: PublicKey, turn: &mut Turn<'_>) {
        if let Some(due) = self.fleet.next_change(&node, turn.now) {
            self.timers.set(due, Timer::Window(node));
        }
        for (job, task) in self.fleet.queue(&node) {
            let Some(record) = self.jobs.get(&job) else { continue };
            let Some(seat) = record.seat(&node) else { continue };
            if self.unfit(record, &node).is_some() {
                self.skip((job, task), seat, SkipReason::Unfit, turn);
                self.advance(job, task, turn);
            }
        }
        let short: Vec<_> = self.short.iter().copied().collect();
        for (job, task) in short {
            self.reconsider(job, task, Again::Fit(node), turn);
        }
        self.review_loose(turn);
        turn.freed.insert(node);
    }
}
