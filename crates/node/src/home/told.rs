//! What the mind says happened, put before whoever waits for it: on every member of the cluster, from
//! the first event on, each once, whoever leads.

use super::{Home, HomeError, watch::events_of_all};
use crate::events::Hub;
use protocol::{JobEvent, JobId};
use std::collections::VecDeque;

/// Events of the log, until those from before this process are in place, and after.
pub(super) struct Events {
    /// What was said since, with its place in the log.
    early: Option<VecDeque<(u64, JobId, JobEvent)>>,
    /// Up to this place in the log all that happened is in place, or in a receipt.
    before: u64,
}

/// What had happened up to a place in the log.
pub(super) struct Before {
    index: u64,
    jobs: Vec<(JobId, Vec<JobEvent>)>,
}

impl Events {
    pub(super) fn new() -> Self {
        Self { early: Some(VecDeque::new()), before: 0 }
    }

    /// Something happened. What was read may be ahead of what is told on its way here: the end of a
    /// job whose receipt was there by then would pass for all of it.
    pub(super) fn tell(&mut self, hub: &Hub, index: u64, (job, event): (JobId, JobEvent)) {
        match &mut self.early {
            Some(early) => early.push_back((index, job, event)),
            None if index > self.before => hub.tell(job, event),
            None => {}
        }
    }

    /// What happened before is known: whatever was said meanwhile follows it.
    pub(super) fn restore(&mut self, hub: &Hub, before: Before) {
        for (job, events) in before.jobs {
            hub.restore(job, events);
        }
        self.before = before.index;
        for (index, job, event) in self.early.take().into_iter().flatten() {
            self.tell(hub, index, (job, event));
        }
        hub.set_restored();
    }

    /// A state was taken from another member: what happened on the way there is seen from it.
    pub(super) fn jump(&mut self, home: &Home) {
        if self.early.is_some() {
            return;
        }
        let (live, seen) = home.cluster.look(events_of_all);
        home.hub.catch_up(live);
        self.before = seen.applied;
    }
}

impl Home {
    /// What happened before this process, as soon as it can be known for certain.
    pub(super) async fn before(self) -> Result<Before, HomeError> {
        loop {
            let read = self.cluster.read_at(|index, work| (index, events_of_all(work))).await;
            match read {
                Ok((index, jobs)) => return Ok(Before { index, jobs }),
                Err(error) if error.may_pass() => {
                    tracing::info!(%error, "waits for a leader of its cluster");
                    self.clock.pause(super::AGAIN_MS).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt;
    use objects::{Cid, Codec};
    use protocol::{Height, TaskIndex};

    fn job(n: u8) -> JobId {
        JobId(Cid::of(Codec::Raw, &[n]))
    }

    fn finally(task: u32) -> JobEvent {
        JobEvent::Final { tasks: vec![TaskIndex(task)], height: Height(3) }
    }

    fn finished() -> JobEvent {
        JobEvent::Finished { settled: 2, unsettled: 0, receipt: Cid::of(Codec::Raw, b"r") }
    }

    #[tokio::test]
    async fn what_is_told_late_of_a_job_that_had_ended_is_not_taken_for_all_of_it() {
        let (hub, mut events) = (Hub::default(), Events::new());
        events.tell(&hub, 7, (job(1), finally(0)));
        // Job 1 has ended at entry 9, and job 2 goes on.
        let jobs = vec![(job(2), vec![finally(0)])];
        events.restore(&hub, Before { index: 9, jobs });
        events.tell(&hub, 8, (job(1), finally(1)));
        events.tell(&hub, 8, (job(2), finally(0)));
        events.tell(&hub, 9, (job(1), finished()));
        events.tell(&hub, 10, (job(2), finished()));

        assert!(hub.subscribe(&job(1)).is_none(), "its receipt tells of it");
        let told: Vec<_> = hub.subscribe(&job(2)).expect("known").collect().await;
        assert_eq!(told, [Ok(finally(0)), Ok(finished())]);
    }
}
