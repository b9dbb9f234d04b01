//! Seeded randomness, passed along explicitly: for worlds here, and for tests of other rooms in which
//! things go wrong.

use std::time::Duration;

/// splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014): small,
/// and the same everywhere for ever.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Everything that is drawn follows from the seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A sequence of its own, for somebody else.
    pub fn fork(&mut self) -> Self {
        Self(self.draw())
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw() % end
    }

    /// A place among `count`.
    pub fn place(&mut self, count: usize) -> usize {
        (self.draw() % count as u64) as usize
    }

    /// One of them, if there are any.
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        (!all.is_empty()).then(|| all[self.place(all.len())])
    }

    /// A time of `low` to `high` milliseconds, both included.
    pub fn ms(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.between(low, high))
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.draw() % (high - low + 1)
    }

    /// True in so many of a hundred cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.draw() % 100 < percent
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_sequence_of_a_seed_never_changes() {
        let mut random = Random::new(1_234_567);
        let first: Vec<_> = (0..3).map(|_| random.draw()).collect();
        // Published with the reference implementation in C (Vigna, prng.di.unimi.it).
        let known =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(first, known);
    }
}
