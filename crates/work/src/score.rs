//! Which of several nodes is the best one for a task. Every factor is 0 to 1,000.

use crate::{Error, JobRecord, Work};
use identity::PublicKey;
use serde::{Deserialize, Serialize};

/// What a factor is while nothing is known.
const MIDDLE: u32 = 500;
/// The best that a factor can be.
const BEST: u32 = 1_000;
/// The time to a node and back, in milliseconds, that halves its factor of latency.
const HALF_RTT_MS: u64 = 50;
/// The price of a billion units of fuel, in credits, that halves the factor of price.
const HALF_PRICE: u64 = 100;

/// How much each factor counts, of a thousand together. All zero: nothing goes by score, and every
/// replica is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// How fast it is: by what was seen of the program, or of others, or else as it measured
    /// itself. Default 300.
    pub speed: u32,
    /// Which share of it is free. Default 250.
    pub load: u32,
    /// How often it did what it was asked. Default 200.
    pub history: u32,
    /// How soon it answers. Default 100.
    pub latency: u32,
    /// Whether it is the home, and has run the program before. Default 100.
    pub locality: u32,
    /// What it costs. Default 50.
    pub price: u32,
}

impl Default for Weights {
    fn default() -> Self {
        Self { speed: 300, load: 250, history: 200, latency: 100, locality: 100, price: 50 }
    }
}

impl Weights {
    /// Nothing goes by score.
    pub const DRAWN: Self =
        Self { speed: 0, load: 0, history: 0, latency: 0, locality: 0, price: 0 };

    fn all(&self) -> [u32; 6] {
        [self.speed, self.load, self.history, self.latency, self.locality, self.price]
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let sum: u64 = self.all().into_iter().map(u64::from).sum();
        if sum == 0 || sum == u64::from(BEST) {
            return Ok(());
        }
        let reason = format!("must be {BEST} together, or all zero, not {sum}");
        Err(Error::Config { field: "weights", reason })
    }
}

/// What speaks for a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// How fast it is.
    pub speed: u32,
    /// Which share of it is free.
    pub load: u32,
    /// How often it did what it was asked.
    pub history: u32,
    /// How soon it answers.
    pub latency: u32,
    /// Whether it is the home, and has run the program before.
    pub locality: u32,
    /// What it costs.
    pub price: u32,
    /// All of them by their weights.
    pub total: u32,
}

/// The fastest there is, to compare with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scale {
    /// The most units of fuel in a millisecond, of all nodes.
    fuel_ms: u64,
    /// The shortest time that the program is expected to take, of all classes of nodes.
    least_ms: Option<u64>,
}

impl Work {
    /// What the nodes of a job are compared with.
    pub(crate) fn scale(&self, record: &JobRecord) -> Scale {
        Scale {
            fuel_ms: self.fleet.fastest(),
            least_ms: self.learned.least_ms(&record.order.payload.program),
        }
    }

    /// What speaks for a node to run a task of a job.
    pub(crate) fn score(&self, record: &JobRecord, node: &PublicKey, scale: &Scale) -> Score {
        let program = &record.order.payload.program;
        let Weights { speed, load, history, latency, locality, price } = self.config.weights;
        let mut score = Score {
            speed: self.speed_of(record, node, scale),
            load: self.fleet.free_share(node),
            history: self.fleet.conduct(node).map_or(MIDDLE, |conduct| conduct.factor()),
            latency: match self.fleet.rtt_ms(node) {
                _ if *node == self.me => BEST,
                Some(rtt_ms) => halving(u64::from(rtt_ms), HALF_RTT_MS),
                None => MIDDLE,
            },
            locality: match (self.fleet.has_run(node, program), *node == self.me) {
                (true, _) => BEST,
                (false, true) => MIDDLE,
                (false, false) => 0,
            },
            price: halving(self.fleet.profile(node).map_or(0, |p| p.price), HALF_PRICE),
            total: 0,
        };
        let factors = [
            (score.speed, speed),
            (score.load, load),
            (score.history, history),
            (score.latency, latency),
            (score.locality, locality),
            (score.price, price),
        ];
        score.total =
            factors.into_iter().map(|(factor, weight)| factor * weight).sum::<u32>() / BEST;
        score
    }

    fn speed_of(&self, record: &JobRecord, node: &PublicKey, scale: &Scale) -> u32 {
        let program = &record.order.payload.program;
        let expected = self.learned.expected_ms(program, &self.fleet.class_of(node));
        if let (Some(expected), Some(least)) = (expected, scale.least_ms) {
            return share(least.max(1), expected.max(1));
        }
        match self.fleet.fuel_ms(node) {
            Some(fuel_ms) => share(fuel_ms, scale.fuel_ms),
            None => MIDDLE,
        }
    }

    /// How long a task of a job may take on a node, as far as is known: what is expected, or else
    /// its wall time.
    pub(crate) fn span_ms(&self, record: &JobRecord, node: &PublicKey) -> u64 {
        self.expected_ms(record, node).unwrap_or(record.order.payload.limits.wall_ms)
    }

    /// How long a task of a job is expected to take on a node, from its start to its commitment.
    pub(crate) fn expected_ms(&self, record: &JobRecord, node: &PublicKey) -> Option<u64> {
        let program = &record.order.payload.program;
        self.learned.expected_ms(program, &self.fleet.class_of(node))
    }
}

/// `part` of `whole`, of a thousand.
fn share(part: u64, whole: u64) -> u32 {
    let share = u128::from(part) * u128::from(BEST) / u128::from(whole.max(1));
    u32::try_from(share).unwrap_or(BEST).min(BEST)
}

/// A thousand for nothing, half of it for `half`, a third for twice as much.
fn halving(value: u64, half: u64) -> u32 {
    share(half, half.saturating_add(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_a_thousand_together_or_none() {
        assert_eq!(Weights::default().check(), Ok(()));
        assert_eq!(Weights::DRAWN.check(), Ok(()));
        let wrong = Weights { price: 51, ..Weights::default() };
        assert!(wrong.check().unwrap_err().to_string().contains("1001"));
    }

    #[test]
    fn factors_stay_within_a_thousand() {
        assert_eq!([halving(0, 50), halving(50, 50), halving(u64::MAX, 50)], [1_000, 500, 0]);
        assert_eq!([share(1, 0), share(3, 4), share(u64::MAX, 1)], [1_000, 750, 1_000]);
    }
}
