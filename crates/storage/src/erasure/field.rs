//! Arithmetic in GF(2⁸) with the polynomial 0x11d, which is ISA-L's.

/// x⁸ + x⁴ + x³ + x² + 1; 2 generates all of the field but 0.
const POLYNOMIAL: u16 = 0x11d;

/// Powers of 2, twice over, so that sums of two logarithms need no remainder.
const EXP: [u8; 510] = powers();
/// Logarithms to the base 2; there is none of 0.
const LOG: [u8; 256] = logarithms();

const fn powers() -> [u8; 510] {
    let mut table = [0; 510];
    let mut value: u16 = 1;
    let mut at = 0;
    while at < 255 {
        table[at] = value as u8;
        table[at + 255] = value as u8;
        value <<= 1;
        if value > 255 {
            value ^= POLYNOMIAL;
        }
        at += 1;
    }
    table
}

const fn logarithms() -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 255 {
        table[EXP[at] as usize] = at as u8;
        at += 1;
    }
    table
}

/// The product.
pub(super) fn mul(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 {
        return 0;
    }
    EXP[usize::from(LOG[usize::from(a)]) + usize::from(LOG[usize::from(b)])]
}

/// What `a` is to be multiplied with for 1.
///
/// # Panics
/// If `a` is 0, which has no inverse.
pub(super) fn invert(a: u8) -> u8 {
    assert_ne!(a, 0, "0 has no inverse");
    EXP[255 - usize::from(LOG[usize::from(a)])]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Multiplication as it is defined: bit by bit.
    fn slow(a: u8, b: u8) -> u8 {
        let (mut a, mut product) = (u16::from(a), 0);
        for bit in 0..8 {
            if b & (1 << bit) != 0 {
                product ^= a;
            }
            a <<= 1;
            if a > 255 {
                a ^= POLYNOMIAL;
            }
        }
        product as u8
    }

    #[test]
    fn products_are_those_of_the_definition_and_inverses_undo() {
        for a in 0..=255 {
            for b in 0..=255 {
                assert_eq!(mul(a, b), slow(a, b));
            }
            if a != 0 {
                assert_eq!(mul(a, invert(a)), 1);
            }
        }
    }
}
