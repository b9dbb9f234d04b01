//! The generator xoshiro256++ (Blackman and Vigna, "Scrambled linear pseudorandom number
//! generators", 2021).

/// A stream of random numbers: the same seed, the same stream.
pub struct Random([u64; 4]);

impl Random {
    /// Starts from 32 bytes. All zero would give zeros only, so that one seed is replaced.
    pub fn new(seed: [u8; 32]) -> Self {
        let mut state = [0; 4];
        for (word, bytes) in state.iter_mut().zip(seed.chunks_exact(8)) {
            for (shift, byte) in bytes.iter().enumerate() {
                *word |= u64::from(*byte) << (8 * shift);
            }
        }
        if state == [0; 4] {
            state[0] = 1;
        }
        Self(state)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number in [0, 1), in steps of 2⁻⁵³.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A whole number below `bound`, which is far below 2³² (the bias is then below 2⁻³²).
    pub fn below(&mut self, bound: usize) -> usize {
        (((self.bits() >> 32) * bound as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_stream_comes_out() {
        // First outputs of the authors' C code from the state 1, 2, 3, 4.
        let mut seed = [0; 32];
        for word in 0..4 {
            seed[8 * word] = word as u8 + 1;
        }
        let mut random = Random::new(seed);
        let first: Vec<u64> = (0..4).map(|_| random.bits()).collect();
        assert_eq!(first, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    #[test]
    fn numbers_stay_in_their_range_and_spread_over_it() {
        let mut random = Random::new([7; 32]);
        let mut counts = [0; 5];
        for _ in 0..10_000 {
            assert!((0.0..1.0).contains(&random.unit()));
            counts[random.below(5)] += 1;
        }
        assert!(counts.iter().all(|count| (1_800..2_200).contains(count)), "{counts:?}");
        assert_ne!(Random::new([0; 32]).bits(), 0);
    }
}
