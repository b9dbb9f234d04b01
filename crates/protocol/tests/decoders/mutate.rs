//! Seeded damage: the same on every run, so that a failure can be repeated.

/// A stream of numbers (splitmix64: Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014).
pub(crate) struct Random(u64);

impl Random {
    /// A stream of its own for each name.
    pub(crate) fn of(name: &str) -> Self {
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `bound`, which is included.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % (bound as u64 + 1)) as usize
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    /// Random bytes.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }

    /// Damages `bytes` once; may take a piece of `others`.
    pub(crate) fn damage(&mut self, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
        let at = self.below(bytes.len());
        let end = at + self.below((bytes.len() - at).min(64));
        match self.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(7),
            // Heads of DAG-CBOR, the ends of numbers, and varints that go on.
            1 if at < bytes.len() => {
                const TELLING: [u8; 12] =
                    [0, 1, 0x1b, 0x3b, 0x58, 0x7f, 0x80, 0x9f, 0xa1, 0xd8, 0xf6, 0xff];
                bytes[at] = TELLING[self.below(TELLING.len() - 1)];
            }
            2 => {
                let length = self.below(8);
                let new = self.bytes(length);
                bytes.splice(at..at, new);
            }
            3 => drop(bytes.drain(at..end)),
            4 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                let other = &others[self.below(others.len() - 1)];
                let from = self.below(other.len());
                let to = from + self.below((other.len() - from).min(64));
                bytes.splice(at..end, other[from..to].iter().copied());
            }
        }
    }
}
