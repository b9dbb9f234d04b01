//! Commits to every replica twice, so as to choose later.

use crate::worker::Conduct;
use identity::Digest;
use protocol::Commitment;

pub(super) struct TwoCommitments;

impl Conduct for TwoCommitments {
    fn commits_again(&self, said: &[Commitment]) -> Option<Vec<Commitment>> {
        let other = |leaf: &Commitment| {
            let hidden = Digest::of("polity misbehave", &[leaf.hidden.as_bytes()]);
            Commitment { hidden, ..*leaf }
        };
        Some(said.iter().map(other).collect())
    }
}
