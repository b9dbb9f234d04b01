//! About jobs that have ended, and tasks that ended without agreement.

use super::{Facts, Said, capital};
use crate::{job::progress, text};
use api::{ReplicaState, TaskDetail, TaskState};
use protocol::Unsettled;

impl Facts<'_> {
    /// About a job that has its receipt.
    pub(super) fn finished(&self) -> Said {
        let summary = &self.detail.summary;
        let tasks = text::plural(summary.tasks as usize, "task");
        let cancelled = |task: &&TaskDetail| {
            matches!(task.state, TaskState::Unsettled { why: Unsettled::Cancelled })
        };
        let cancelled = self.detail.tasks.iter().filter(cancelled).count();
        if cancelled > 0 && cancelled == summary.unsettled as usize {
            let said = format!(
                "Cancelled: {} of {tasks} was final before, {cancelled} were given up.",
                summary.settled
            );
            return Said::new(said).next(self.get());
        }
        if summary.unsettled > 0 {
            let said = format!(
                "Finished: {} of {tasks} final, {} not agreed.",
                summary.settled, summary.unsettled
            );
            return Said::new(said).next(self.get());
        }
        let failed = |task: &&TaskDetail| matches!(task.state, TaskState::Final { end, .. } if !end.is_success());
        let failed = self.detail.tasks.iter().filter(failed).count();
        let ends = match failed {
            0 => "all ended with exit 0".to_string(),
            1 => "1 of them did not end with exit 0".into(),
            more => format!("{more} of them did not end with exit 0"),
        };
        let said = format!("Finished: {} of {tasks} final, and {ends}.", summary.settled);
        Said::new(said).next(self.get())
    }

    fn get(&self) -> String {
        format!("results and receipt: polity job get {}", self.id())
    }

    /// Why a task ended without agreement, as far as that is known.
    pub(super) fn unsettled(&self, task: &TaskDetail, why: &Unsettled) -> Said {
        let said = Said::new(format!("{}.", capital(progress::sentence(why))));
        let expires = self.detail.order.payload.expires;
        match why {
            Unsettled::Dissent | Unsettled::Undecided | Unsettled::Refuted => {
                if task.dispute.is_some() { self.dispute(task, true, said) } else { said }
            }
            Unsettled::NoCandidates => {
                let said = said.and(self.last_words(task));
                // Whoever is there now may not have been there then.
                if said.next.is_some() { said } else { said.and(Some(self.candidates())) }
            }
            Unsettled::Expired => {
                let expired = Said::new(format!("It was good until {}.", text::moment(expires)));
                let said = said.and(Some(expired)).and(self.last_words(task));
                said.or_next("give it longer: polity run … --timeout 1d")
            }
            Unsettled::Cancelled => said,
            Unsettled::Poison => {
                let said = said.and(self.last_words(task));
                said.or_next("try its input with the program here, then: polity rerun --failed")
            }
            Unsettled::RefusedByLedger => said.and(self.trouble(api::Step::Publish)),
            Unsettled::After(job) => {
                let short = text::short(job);
                said.and(Some(Said::new(format!("It was job {short}."))))
                    .or_next(format!("polity job explain {short}"))
            }
        }
    }

    /// How its replicas stood when it ended.
    fn last_words(&self, task: &TaskDetail) -> Option<Said> {
        let silent = task.replicas.iter().filter(|r| r.state == ReplicaState::Assigned);
        let silent: Vec<_> = silent.map(|replica| replica.node).collect();
        let silent = (!silent.is_empty())
            .then(|| Said::new(format!("No answer had come from {}.", self.list(&silent))));
        let awaited = (!task.awaited.is_empty())
            .then(|| Said::new(format!("It had waited for {}.", self.list(&task.awaited))));
        let all = [silent, awaited, self.passed_over(task)];
        all.into_iter().flatten().reduce(|first, then| first.and(Some(then)))
    }
}
