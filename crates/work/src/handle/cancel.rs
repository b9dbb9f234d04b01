//! The submitter takes a job back.

use crate::{Work, turn::Turn};
use protocol::{JobId, Unsettled};

impl Work {
    pub(crate) fn on_cancel(&mut self, job: JobId, turn: &mut Turn<'_>) {
        self.unsettle_all(job, &Unsettled::Cancelled, turn);
    }
}
