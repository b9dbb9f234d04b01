//! Commits to what the task gave, and reveals something else.

use super::{Conduct, lie};
use protocol::{Outcome, Reveal};

pub(super) struct UnopenedReveal;

impl Conduct for UnopenedReveal {
    fn reveals(&self, opening: Reveal, outcome: Outcome) -> (Reveal, Outcome) {
        let (other, _) = lie::wrong(outcome, b"rather");
        (Reveal { outcome: other.digest(), ..opening }, other)
    }
}
