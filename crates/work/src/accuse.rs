//! Accusations: a node has contradicted itself, which needs no verdict.

use crate::{
    Effect, Work,
    state::{CONTRADICTIONS, Seat},
    turn::Turn,
};
use protocol::{Contradiction, JobId};

impl Work {
    /// Keeps a contradiction and has its node accused, once for each node of a job.
    pub(crate) fn accuse(
        &mut self,
        (job, seat): (JobId, Seat),
        found: Contradiction,
        turn: &mut Turn<'_>,
    ) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        if record.accused.len() < CONTRADICTIONS && record.accused.insert(seat) {
            record.contradictions.push(found.clone());
            turn.effect(Effect::Accuse(Box::new(found)));
        }
    }
}
