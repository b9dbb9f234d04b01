//! Answers, but when nobody waits any more.

use super::Liar;

pub(super) struct Slow;

impl Liar for Slow {
    fn slowness(&self) -> u64 {
        600
    }
}
