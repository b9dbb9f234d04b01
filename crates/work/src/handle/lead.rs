//! This node begins to lead.

use crate::{
    Effect, Work,
    state::{ShipmentState, TaskState, Timer, attempt_of},
    turn::Turn,
};
use identity::PublicKey;
use protocol::{JobId, Time};

impl Work {
    /// This node begins to lead, and is the home's own from now on.
    pub(crate) fn on_led(&mut self, by: PublicKey, turn: &mut Turn<'_>) {
        if by != self.me {
            self.me = by;
            self.fleet.lead_by(by);
        }
        self.on_lead(turn);
        turn.freed.insert(by);
    }

    /// Says everything again that may not have been carried out. Other nodes are waited for, and
    /// told again when they connect.
    pub(crate) fn on_lead(&mut self, turn: &mut Turn<'_>) {
        let until = turn.now.after_ms(self.config.grace_ms);
        for (node, before) in self.fleet.await_all(turn.now, until) {
            if let Some(before) = before {
                self.timers.remove(before, Timer::Away(node));
            }
            self.timers.set(until, Timer::Away(node));
        }
        let me = self.me;
        self.tell_again(&me, turn);
        let jobs: Vec<_> = self.jobs.keys().copied().collect();
        for job in jobs {
            self.renew_leases(job, turn.now);
            self.lead_job(job, turn);
        }
    }

    /// Nobody is blamed for the time in which nobody listened.
    fn renew_leases(&mut self, job: JobId, now: Time) {
        let Some(record) = self.jobs.get(&job) else { return };
        let mut leases = Vec::new();
        for (task, entry) in record.tasks.rows() {
            let TaskState::Open(race) = &entry.state else { continue };
            for (at, (seat, replica)) in entry.assigned.iter().zip(&race.replicas).enumerate() {
                let Some(due) = replica.due else { continue };
                let lease_ms = match replica.shown {
                    Some(_) => self.config.reveal_ms,
                    None => self.lease_ms(record, &record.node(*seat)),
                };
                leases.push((task, attempt_of(at), due, lease_ms));
            }
        }
        let Some(record) = self.jobs.get_mut(&job) else { return };
        for (task, attempt, due, lease_ms) in leases {
            let Some((race, _)) = record.race_mut(task) else { continue };
            let timer = Timer::Lease(job, task, attempt);
            self.timers.remove(due, timer);
            let replica = race.replica_mut(attempt);
            replica.due = Some(now.after_ms(lease_ms));
            replica.started = now;
            self.timers.set(now.after_ms(lease_ms), timer);
        }
    }

    fn lead_job(&mut self, job: JobId, turn: &mut Turn<'_>) {
        let Some(record) = self.jobs.get(&job) else { return };
        for (_, entry) in record.tasks.rows() {
            if let TaskState::Agreed { outcome, executors }
            | TaskState::Final { outcome, executors, .. } = &entry.state
            {
                let from = executors.iter().map(|seat| record.node(*seat)).collect();
                turn.effect(Effect::Keep { job, outcome: (**outcome).clone(), from });
            }
        }
        for found in &record.contradictions {
            turn.effect(Effect::Accuse(Box::new(found.clone())));
        }
        let late = record.rulings.iter().filter(|(_, ruling)| ruling.late);
        for dispute in late.filter_map(|(task, _)| record.dispute(*task)) {
            turn.effect(Effect::Dispute(Box::new(dispute)));
        }
        let disputed = record.disputed();
        let sent: Vec<_> = record
            .shipments
            .iter()
            .filter(|(_, shipment)| matches!(shipment.state, ShipmentState::Sent(_)))
            .map(|(tx, _)| *tx)
            .collect();
        for tx in sent {
            self.publish_again(job, tx, turn);
        }
        for task in disputed {
            self.dispute(job, task, turn);
        }
        self.order(job, turn);
        self.finish_again(job, turn);
    }
}
