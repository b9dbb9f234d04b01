//! What the mind says happened, put before whoever waits for it: on every member of the cluster, from
//! the first event on, each once, whoever leads.

use super::{Home, HomeError, watch::events_of_all};
use protocol::{JobEvent, JobId};
use std::collections::VecDeque;

/// Events of the log, until those from before this process are in place, and after.
pub(super) struct Events {
    /// What was said since, with its place in the log.
    early: Option<VecDeque<(u64, JobId, JobEvent)>>,
}

/// What had happened up to a place in the log.
pub(super) struct Before {
    index: u64,
    jobs: Vec<(JobId, Vec<JobEvent>)>,
}

impl Events {
    pub(super) fn new() -> Self {
        Self { early: Some(VecDeque::new()) }
    }

    /// Something happened.
    pub(super) fn tell(&mut self, home: &Home, index: u64, (job, event): (JobId, JobEvent)) {
        match &mut self.early {
            Some(early) => early.push_back((index, job, event)),
            None => home.hub.tell(job, event),
        }
    }

    /// What happened before is known: whatever was said meanwhile follows it.
    pub(super) fn restore(&mut self, home: &Home, before: Before) {
        for (job, events) in before.jobs {
            home.hub.restore(job, events);
        }
        for (index, job, event) in self.early.take().into_iter().flatten() {
            if index > before.index {
                home.hub.tell(job, event);
            }
        }
        home.hub.set_restored();
    }

    /// A state was taken from another member: what happened on the way there is seen from it.
    pub(super) fn jump(&mut self, home: &Home) {
        if self.early.is_some() {
            return;
        }
        let (live, _) = home.cluster.look(events_of_all);
        home.hub.catch_up(live);
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
                    self.clock.until(self.clock.now().after_ms(super::AGAIN_MS)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
