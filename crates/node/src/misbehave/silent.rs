//! Takes replicas and never answers.

use crate::worker::Conduct;

pub(super) struct Silent;

impl Conduct for Silent {
    fn answers(&self) -> bool {
        false
    }
}
