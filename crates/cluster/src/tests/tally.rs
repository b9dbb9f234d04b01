//! A small mind: it adds, it has an alarm, and it can break.

use crate::Replicated;
use identity::PublicKey;
use protocol::{Machine, Time};
use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) now: Time,
    pub(super) added: Vec<u64>,
    pub(super) alarm: Option<Time>,
    /// Ticks do not move the alarm.
    pub(super) stuck: bool,
    pub(super) ticks: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Told {
    Add(u64),
    Alarm(Time),
    Stick,
    Break,
    Text(String),
    Tick,
    Lead,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    Led { added: usize },
    Added { number: u64, at: Time },
    Rang { at: Time },
}

impl Machine for Tally {
    type Input = Told;
    type Effect = Wish;

    fn step(&mut self, now: Time, told: Told, wishes: &mut Vec<Wish>) {
        assert!(now >= self.now, "time went backwards");
        self.now = now;
        match told {
            Told::Add(number) => {
                self.added.push(number);
                wishes.push(Wish::Added { number, at: now });
            }
            Told::Alarm(at) => self.alarm = Some(at),
            Told::Stick => (self.stuck, self.alarm) = (true, Some(now)),
            Told::Break => panic!("told to break"),
            Told::Text(_) => {}
            Told::Tick => {
                self.ticks += 1;
                if self.alarm.is_some_and(|at| at <= now) {
                    wishes.push(Wish::Rang { at: now });
                    self.alarm = self.alarm.filter(|_| self.stuck);
                }
            }
            Told::Lead => wishes.push(Wish::Led { added: self.added.len() }),
        }
    }
}

impl Replicated for Tally {
    fn tick() -> Told {
        Told::Tick
    }

    fn lead(_: PublicKey) -> Told {
        Told::Lead
    }

    fn is_told_everywhere(wish: &Wish) -> bool {
        matches!(wish, Wish::Added { .. })
    }

    fn next_deadline(&self) -> Option<Time> {
        self.alarm
    }
}
