//! A mind of a few registers, which remembers what was ever written to them.

use crate::Replicated;
use identity::PublicKey;
use protocol::{Machine, Time};
use serde::{Deserialize, Serialize};

/// How many registers there are.
pub(super) const KEYS: u8 = 3;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Registers {
    now: Time,
    pub(super) values: Vec<Option<u64>>,
    /// Every value that was written, in the order of the log.
    pub(super) written: Vec<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Told {
    Write { key: u8, value: u64 },
    Tick,
    Lead,
}

impl Default for Registers {
    fn default() -> Self {
        let values = vec![None; usize::from(KEYS)];
        Self { now: Time::default(), values, written: Vec::new() }
    }
}

impl Machine for Registers {
    type Input = Told;
    type Effect = ();

    fn step(&mut self, now: Time, told: Told, _: &mut Vec<()>) {
        assert!(now >= self.now, "time went backwards");
        self.now = now;
        if let Told::Write { key, value } = told {
            self.values[usize::from(key)] = Some(value);
            self.written.push(value);
        }
    }
}

impl Replicated for Registers {
    fn tick() -> Told {
        Told::Tick
    }

    fn lead(_: PublicKey) -> Told {
        Told::Lead
    }

    fn is_told_everywhere((): &()) -> bool {
        true
    }

    fn next_deadline(&self) -> Option<Time> {
        None
    }
}
