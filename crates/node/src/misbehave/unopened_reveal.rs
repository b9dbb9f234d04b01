//! Commits to what the task gave, and reveals something else.

use super::lie;
use crate::worker::Conduct;
use protocol::{Outcome, Reveal};

pub(super) struct UnopenedReveal;

impl Conduct for UnopenedReveal {
    fn reveals(&self, opening: Reveal, outcome: Outcome) -> (Reveal, Outcome) {
        let (other, _) = lie::wrong(outcome, b"rather");
        (Reveal { outcome: other.digest(), ..opening }, other)
    }
}
