//! Takes tasks and never answers; as a validator it never rules.

use super::{Hand, Liar};
use protocol::{JobId, OutcomeDigest, TaskIndex};

pub(super) struct Silent;

impl Liar for Silent {
    fn answers(&self) -> bool {
        false
    }

    fn rulings(
        &self,
        _hand: &Hand<'_>,
        _at: (JobId, TaskIndex),
        _truth: Option<OutcomeDigest>,
    ) -> Vec<Option<OutcomeDigest>> {
        Vec::new()
    }
}
