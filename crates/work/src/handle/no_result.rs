//! A node has no result: the task is tried elsewhere.

use crate::{Work, turn::Turn};
use identity::PublicKey;
use protocol::{Attempt, JobId, NoResult, TaskIndex, draw::SkipReason};

impl Work {
    pub(crate) fn on_no_result(
        &mut self,
        node: PublicKey,
        job: JobId,
        replicas: &[(TaskIndex, Attempt, NoResult)],
        turn: &mut Turn<'_>,
    ) {
        let Some(record) = self.jobs.get(&job) else {
            self.counts.late += 1;
            return;
        };
        let Some(seat) = record.seat(&node) else {
            self.counts.foreign += 1;
            self.note(&node, |conduct| conduct.foreign += 1, 4);
            return;
        };
        self.fleet.heard(&node, turn.now);
        for (task, attempt, reason) in replicas {
            let Some(record) = self.jobs.get(&job) else { return };
            if record.attempt(*task, seat) != Some(*attempt) {
                self.counts.foreign += 1;
                self.note(&node, |conduct| conduct.foreign += 1, 4);
                continue;
            }
            let replica = record.race(*task).map(|race| race.replica(*attempt));
            if !replica.is_some_and(|replica| replica.live && replica.reveal.is_none()) {
                self.counts.late += 1;
                continue;
            }
            if let Some((race, _)) = self.jobs.get_mut(&job).and_then(|r| r.race_mut(*task)) {
                race.replica_mut(*attempt).no_result = Some(*reason);
            }
            if skip_reason(*reason) == SkipReason::NoResult {
                self.note(&node, |conduct| conduct.no_result += 1, 2);
            }
            self.skip((job, *task), seat, skip_reason(*reason), turn);
            self.advance(job, *task, turn);
        }
    }
}

fn skip_reason(reason: NoResult) -> SkipReason {
    match reason {
        NoResult::Busy => SkipReason::Busy,
        NoResult::Refused | NoResult::OtherEngine => SkipReason::Refused,
        NoResult::StackOverflow
        | NoResult::HostOutOfMemory
        | NoResult::WallTime
        | NoResult::Cancelled
        | NoResult::MissingObject
        | NoResult::BadProgram
        | NoResult::HostFailure => SkipReason::NoResult,
    }
}
