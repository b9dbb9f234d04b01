//! What happened, one line for each event.

use identity::{Digest, Hasher};
use protocol::Time;
use std::fmt;

/// The lines of one run. The same seed gives the same lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    lines: Vec<String>,
}

impl Trace {
    /// Adds a line; `since` is when the world began.
    pub(super) fn line(&mut self, since: Time, now: Time, text: fmt::Arguments<'_>) {
        self.lines.push(format!("{:>7} {text}", now.since_ms(since)));
    }

    /// The lines: milliseconds since the beginning, who, what.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// A digest of all lines.
    pub fn digest(&self) -> Digest {
        let mut hasher = Hasher::new("polity trace");
        for line in &self.lines {
            hasher.part(line.as_bytes());
        }
        hasher.finish()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
