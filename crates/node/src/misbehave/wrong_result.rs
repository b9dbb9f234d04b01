//! Gives wrong outcomes for some of its replicas, and stands by them as a validator.

use super::Conduct;
use identity::{Digest, PublicKey};
use protocol::Outcome;

/// One of so many tasks is lied about.
const ONE_OF: u8 = 3;

/// The liar.
pub(super) struct WrongResult {
    pub(super) me: PublicKey,
}

impl WrongResult {
    fn lies_about(&self, outcome: &Outcome) -> bool {
        let parts: [&[u8]; 3] =
            [&self.me.0, &outcome.job.0.to_bytes(), &outcome.task.0.to_be_bytes()];
        Digest::of("polity wrong result", &parts).as_bytes()[0].is_multiple_of(ONE_OF)
    }

    fn lie(&self, honest: Outcome) -> Outcome {
        if !self.lies_about(&honest) {
            return honest;
        }
        // Its standard output would be what it wrote to standard error: those bytes exist.
        Outcome { fuel: honest.fuel + 1, stdout: honest.stderr, ..honest }
    }
}

impl Conduct for WrongResult {
    fn outcome(&self, honest: Outcome) -> Outcome {
        self.lie(honest)
    }

    fn ruling(&self, honest: Outcome) -> Outcome {
        self.lie(honest)
    }
}
