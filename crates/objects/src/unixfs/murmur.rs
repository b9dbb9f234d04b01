//! The hash that places names in sharded directories: the first 64 bits of MurmurHash3 x64 128
//! with seed 0 (multicodec `murmur3-x64-64`).
//!
//! Source: Austin Appleby, MurmurHash3 (public domain). It spreads, it does not protect: names with
//! equal hashes can be made, and whoever builds with it has to bound what they cause.

const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;

/// The hash of `bytes`.
pub(crate) fn murmur(bytes: &[u8]) -> u64 {
    let (mut h1, mut h2) = (0u64, 0u64);
    let (blocks, tail) = bytes.as_chunks::<16>();
    for block in blocks {
        let (k1, k2) = halves(block);
        h1 ^= spread_1(k1);
        h1 = h1.rotate_left(27).wrapping_add(h2).wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 ^= spread_2(k2);
        h2 = h2.rotate_left(31).wrapping_add(h1).wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    // A tail is padded with zeros, which spread to zeros.
    let mut last = [0; 16];
    last[..tail.len()].copy_from_slice(tail);
    let (k1, k2) = halves(&last);
    h1 ^= spread_1(k1);
    h2 ^= spread_2(k2);

    h1 ^= bytes.len() as u64;
    h2 ^= bytes.len() as u64;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    mixed(h1).wrapping_add(mixed(h2))
}

fn halves(block: &[u8; 16]) -> (u64, u64) {
    let both = u128::from_le_bytes(*block);
    (both as u64, (both >> 64) as u64)
}

fn spread_1(k: u64) -> u64 {
    k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2)
}

fn spread_2(k: u64) -> u64 {
    k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1)
}

fn mixed(mut k: u64) -> u64 {
    k ^= k >> 33;
    k = k.wrapping_mul(0xff51_afd7_ed55_8ccd);
    k ^= k >> 33;
    k = k.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ (k >> 33)
}

#[cfg(test)]
mod tests {
    use super::murmur;

    #[test]
    fn known_texts_have_their_known_hashes() {
        let fox = b"The quick brown fox jumps over the lazy dog";
        assert_eq!(murmur(b""), 0);
        assert_eq!(murmur(b"hello"), 0xcbd8_a7b3_41bd_9b02);
        assert_eq!(murmur(fox), 0xe34b_bc7b_bc07_1b6c);
    }

    #[test]
    fn the_names_of_the_specification_are_in_their_slots() {
        // "HAMTDirectory Path Resolution": slots 00 and 6E, and 00 and FF.
        assert_eq!(murmur(b"470.txt").to_be_bytes()[..2], [0x00, 0x6e]);
        assert_eq!(murmur(b"742.txt").to_be_bytes()[..2], [0x00, 0xff]);
    }
}
