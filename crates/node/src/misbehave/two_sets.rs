//! As a home, shows the replicas of a task different sets: to every other node one without its
//! neighbours, as if nobody else had committed.

use crate::home::Hosting;
use identity::PublicKey;
use protocol::ToWorker;

pub(super) struct TwoSets;

impl Hosting for TwoSets {
    fn says(&self, to: &PublicKey, honest: ToWorker) -> Option<ToWorker> {
        match honest {
            ToWorker::Sets { job, mut sets, commits } if to.0[0].is_multiple_of(2) => {
                for (_, members) in &mut sets {
                    members.retain(|member| member.node == *to);
                }
                Some(ToWorker::Sets { job, sets, commits })
            }
            other => Some(other),
        }
    }
}
