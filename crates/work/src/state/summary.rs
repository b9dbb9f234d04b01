//! What is kept of a job that is done.

use super::{JobTimes, Left};
use identity::PublicKey;
use objects::Cid;
use protocol::{JobId, Time};
use serde::{Deserialize, Serialize};

/// What is kept of a job whose receipt is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// The job.
    pub job: JobId,
    /// Who submitted it.
    pub submitter: PublicKey,
    /// When it was admitted.
    pub admitted: Time,
    /// When its receipt was stored.
    pub finished: Time,
    /// Tasks that are final.
    pub settled: u32,
    /// Tasks that are not.
    pub unsettled: u32,
    /// Final tasks that ended with exit 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub succeeded: u32,
    /// Its milestones.
    #[serde(default)]
    pub times: JobTimes,
    /// How some of the tasks stood that ended without agreement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Left>,
    /// The receipt file.
    pub receipt: Cid,
}

impl Summary {
    /// Whether every task is final and ended with exit 0.
    pub fn is_success(&self) -> bool {
        self.unsettled == 0 && self.succeeded == self.settled
    }
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}
