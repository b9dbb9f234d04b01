//! As a home, does not show some nodes any set, and passes them over as if they were lost.

use crate::home::Hosting;
use identity::PublicKey;
use protocol::ToWorker;

pub(super) struct Withholding;

impl Hosting for Withholding {
    fn says(&self, to: &PublicKey, honest: ToWorker) -> Option<ToWorker> {
        let disliked = matches!(honest, ToWorker::Sets { .. }) && to.0[0].is_multiple_of(2);
        (!disliked).then_some(honest)
    }
}
