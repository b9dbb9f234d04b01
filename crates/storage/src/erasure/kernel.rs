//! Sums of products in GF(2⁸) over long rows of bytes, as fast as the processor can.
//!
//! This is the one place of the room that calls `unsafe` functions: loads and stores of vectors,
//! each on an array of exactly their length, and calls of functions for processor features that
//! were found before. Everything else is checked slices. Every path gives the same bytes, which a
//! property test holds.
#![allow(unsafe_code)]

use super::{field::mul, matrix::Matrix};

/// Rows of results that are made in one pass over the sources.
const ROWS_AT_ONCE: usize = 6;
/// Bytes of all sources that one pass reads before the next pass reads them again: they stay in
/// the first cache meanwhile.
const BLOCK_BYTES: usize = 32 << 10;

/// How the sums are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// Without any feature of a processor.
    Portable,
    /// x86-64: products from two tables of 16 bytes.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// x86-64: products as bit matrices, 32 bytes at once.
    #[cfg(target_arch = "x86_64")]
    GfniAvx2,
    /// x86-64: products as bit matrices, 64 bytes at once.
    #[cfg(target_arch = "x86_64")]
    GfniAvx512,
    /// aarch64: products from two tables of 16 bytes.
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Path {
    /// The paths that this processor has, the fastest last.
    pub(super) fn here() -> Vec<Self> {
        let mut paths = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                paths.push(Self::Avx2);
                if is_x86_feature_detected!("gfni") {
                    paths.push(Self::GfniAvx2);
                    if is_x86_feature_detected!("avx512f") {
                        paths.push(Self::GfniAvx512);
                    }
                }
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            if std::arch::is_aarch64_feature_detected!("neon") {
                paths.push(Self::Neon);
            }
        }
        paths
    }
}

/// A matrix in the form in which products are looked up. Source by source, and for each source
/// result by result.
#[derive(Debug)]
pub(super) struct Tables {
    rows: usize,
    columns: usize,
    /// Multiplication with a cell as a matrix of bits, as the instruction wants it.
    bits: Vec<u64>,
    /// Products of a cell with the low halves of a byte, then with the high halves.
    halves: Vec<[[u8; 16]; 2]>,
}

impl Tables {
    /// The tables of a matrix, of which only some columns are used.
    pub(super) fn of(matrix: &Matrix, columns: &[usize]) -> Self {
        let rows = matrix.rows();
        let (mut bits, mut halves) = (Vec::new(), Vec::new());
        for column in columns {
            for row in 0..rows {
                let cell = matrix.row(row)[*column];
                bits.push(bit_matrix(cell));
                halves.push(half_products(cell));
            }
        }
        Self { rows, columns: columns.len(), bits, halves }
    }
}

/// Source: Intel SDM, GF2P8AFFINEQB: bit i of the result is the parity of byte 7 − i of the matrix
/// and the operand.
fn bit_matrix(cell: u8) -> u64 {
    let mut bytes = [0; 8];
    for column in 0..8 {
        let product = mul(cell, 1 << column);
        for row in 0..8 {
            if product & (1 << row) != 0 {
                bytes[7 - row] |= 1 << column;
            }
        }
    }
    u64::from_le_bytes(bytes)
}

fn half_products(cell: u8) -> [[u8; 16]; 2] {
    let mut products = [[0; 16]; 2];
    for half in 0..16_u8 {
        products[0][usize::from(half)] = mul(cell, half);
        products[1][usize::from(half)] = mul(cell, half << 4);
    }
    products
}

/// Sets every result to the sum of its row of the matrix times the sources.
///
/// # Panics
/// If sources and results do not fit the matrix, or differ in length, or the processor does not
/// have this path.
pub(super) fn sums(path: Path, tables: &Tables, sources: &[&[u8]], results: &mut [&mut [u8]]) {
    let length = results.first().map_or(0, |result| result.len());
    assert!(sources.len() == tables.columns && results.len() == tables.rows);
    assert!(sources.iter().all(|source| source.len() == length));
    assert!(results.iter().all(|result| result.len() == length));
    let done = match path {
        Path::Portable => 0,
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => {
            assert!(is_x86_feature_detected!("avx2"));
            // SAFETY: the feature is there.
            blocks(tables, sources, results, |part| unsafe { x86::avx2(part) })
        }
        #[cfg(target_arch = "x86_64")]
        Path::GfniAvx2 => {
            assert!(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("gfni"));
            // SAFETY: the features are there.
            blocks(tables, sources, results, |part| unsafe { x86::gfni256(part) })
        }
        #[cfg(target_arch = "x86_64")]
        Path::GfniAvx512 => {
            assert!(is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("gfni"));
            // SAFETY: the features are there.
            blocks(tables, sources, results, |part| unsafe { x86::gfni512(part) })
        }
        #[cfg(target_arch = "aarch64")]
        Path::Neon => {
            assert!(std::arch::is_aarch64_feature_detected!("neon"));
            // SAFETY: the feature is there.
            blocks(tables, sources, results, |part| unsafe { arm::neon(part) })
        }
    };
    portable(tables, sources, results, done);
}

/// One pass: up to [`ROWS_AT_ONCE`] results over some blocks of `N` bytes.
struct Part<'a, 'b, const N: usize> {
    tables: &'a Tables,
    sources: &'a [&'a [[u8; N]]],
    results: &'a mut [&'b mut [[u8; N]]],
    /// The first of these results in the matrix.
    first: usize,
    from: usize,
    to: usize,
}

/// Makes all passes over whole blocks of `N` bytes; answers how many bytes that were.
fn blocks<const N: usize>(
    tables: &Tables,
    sources: &[&[u8]],
    results: &mut [&mut [u8]],
    mut pass: impl FnMut(Part<'_, '_, N>),
) -> usize {
    let sources: Vec<&[[u8; N]]> = sources.iter().map(|source| source.as_chunks().0).collect();
    let mut results: Vec<&mut [[u8; N]]> =
        results.iter_mut().map(|result| result.as_chunks_mut().0).collect();
    let total = results.first().map_or(0, |result| result.len());
    let passes = tables.rows.div_ceil(ROWS_AT_ONCE).max(1);
    let rows = tables.rows.div_ceil(passes).max(1);
    // With one pass nothing is read twice.
    let step = match passes {
        1 => total.max(1),
        _ => (BLOCK_BYTES / N / tables.columns.max(1)).max(8),
    };
    for from in (0..total).step_by(step) {
        let to = (from + step).min(total);
        for (at, results) in results.chunks_mut(rows).enumerate() {
            pass(Part { tables, sources: &sources, results, first: at * rows, from, to });
        }
    }
    total * N
}

/// Everything from the byte `from` on, one at a time.
fn portable(tables: &Tables, sources: &[&[u8]], results: &mut [&mut [u8]], from: usize) {
    for (row, result) in results.iter_mut().enumerate() {
        result[from..].fill(0);
        for (column, source) in sources.iter().enumerate() {
            let [low, high] = &tables.halves[column * tables.rows + row];
            for (sum, byte) in result[from..].iter_mut().zip(&source[from..]) {
                *sum ^= low[usize::from(byte & 15)] ^ high[usize::from(byte >> 4)];
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! x86-64.

    use super::Part;
    use std::arch::x86_64::{
        __m128i, __m256i, __m512i, _mm_loadu_si128, _mm256_and_si256, _mm256_broadcastsi128_si256,
        _mm256_gf2p8affine_epi64_epi8, _mm256_loadu_si256, _mm256_set1_epi8, _mm256_set1_epi64x,
        _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srli_epi64, _mm256_storeu_si256,
        _mm256_xor_si256, _mm512_gf2p8affine_epi64_epi8, _mm512_loadu_si512, _mm512_set1_epi64,
        _mm512_setzero_si512, _mm512_storeu_si512, _mm512_xor_si512,
    };

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load512(bytes: &[u8; 64]) -> __m512i {
        // SAFETY: the array has the 64 bytes that are read; they need no alignment.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn store512(bytes: &mut [u8; 64], vector: __m512i) {
        // SAFETY: the array has the 64 bytes that are written; they need no alignment.
        unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), vector) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load256(bytes: &[u8; 32]) -> __m256i {
        // SAFETY: the array has the 32 bytes that are read; they need no alignment.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn store256(bytes: &mut [u8; 32], vector: __m256i) {
        // SAFETY: the array has the 32 bytes that are written; they need no alignment.
        unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), vector) }
    }

    /// A table of 16 bytes in both halves of a vector.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn table(bytes: &[u8; 16]) -> __m256i {
        // SAFETY: the array has the 16 bytes that are read; they need no alignment.
        let half: __m128i = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
        _mm256_broadcastsi128_si256(half)
    }

    /// Calls the pass for as many rows as there are.
    macro_rules! for_rows {
        ($pass:ident, $part:expr) => {
            match $part.results.len() {
                1 => $pass::<1, 8>($part),
                2 => $pass::<2, 4>($part),
                3 => $pass::<3, 2>($part),
                4 => $pass::<4, 2>($part),
                5 => $pass::<5, 2>($part),
                6 => $pass::<6, 2>($part),
                rows => unreachable!("{rows} rows in one pass"),
            }
        };
    }

    #[target_feature(enable = "gfni,avx512f")]
    pub(super) fn gfni512(part: Part<'_, '_, 64>) {
        for_rows!(rows_gfni512, part);
    }

    /// `R` results, `V` vectors at a time.
    #[target_feature(enable = "gfni,avx512f")]
    fn rows_gfni512<const R: usize, const V: usize>(mut part: Part<'_, '_, 64>) {
        let whole = part.from + (part.to - part.from) / V * V;
        for at in (part.from..whole).step_by(V) {
            some_gfni512::<R, V>(&mut part, at);
        }
        for at in whole..part.to {
            some_gfni512::<R, 1>(&mut part, at);
        }
    }

    #[inline]
    #[target_feature(enable = "gfni,avx512f")]
    fn some_gfni512<const R: usize, const V: usize>(part: &mut Part<'_, '_, 64>, at: usize) {
        let mut sums = [[_mm512_setzero_si512(); V]; R];
        let bits = part.tables.bits.chunks_exact(part.tables.rows);
        for (source, bits) in part.sources.iter().zip(bits) {
            let blocks: &[[u8; 64]; V] = source[at..at + V].try_into().expect("as many");
            let mut vectors = [_mm512_setzero_si512(); V];
            for v in 0..V {
                vectors[v] = load512(&blocks[v]);
            }
            let bits: &[u64; R] = bits[part.first..part.first + R].try_into().expect("as many");
            for r in 0..R {
                let cell = _mm512_set1_epi64(bits[r].cast_signed());
                for v in 0..V {
                    let product = _mm512_gf2p8affine_epi64_epi8::<0>(vectors[v], cell);
                    sums[r][v] = _mm512_xor_si512(sums[r][v], product);
                }
            }
        }
        for (result, sums) in part.results.iter_mut().zip(&sums) {
            for (block, sum) in result[at..at + V].iter_mut().zip(sums) {
                store512(block, *sum);
            }
        }
    }

    #[target_feature(enable = "gfni,avx2")]
    pub(super) fn gfni256(part: Part<'_, '_, 32>) {
        for_rows!(rows_gfni256, part);
    }

    #[target_feature(enable = "gfni,avx2")]
    fn rows_gfni256<const R: usize, const V: usize>(mut part: Part<'_, '_, 32>) {
        let whole = part.from + (part.to - part.from) / V * V;
        for at in (part.from..whole).step_by(V) {
            some_gfni256::<R, V>(&mut part, at);
        }
        for at in whole..part.to {
            some_gfni256::<R, 1>(&mut part, at);
        }
    }

    #[inline]
    #[target_feature(enable = "gfni,avx2")]
    fn some_gfni256<const R: usize, const V: usize>(part: &mut Part<'_, '_, 32>, at: usize) {
        let mut sums = [[_mm256_setzero_si256(); V]; R];
        let bits = part.tables.bits.chunks_exact(part.tables.rows);
        for (source, bits) in part.sources.iter().zip(bits) {
            let blocks: &[[u8; 32]; V] = source[at..at + V].try_into().expect("as many");
            let mut vectors = [_mm256_setzero_si256(); V];
            for v in 0..V {
                vectors[v] = load256(&blocks[v]);
            }
            let bits: &[u64; R] = bits[part.first..part.first + R].try_into().expect("as many");
            for r in 0..R {
                let cell = _mm256_set1_epi64x(bits[r].cast_signed());
                for v in 0..V {
                    let product = _mm256_gf2p8affine_epi64_epi8::<0>(vectors[v], cell);
                    sums[r][v] = _mm256_xor_si256(sums[r][v], product);
                }
            }
        }
        for (result, sums) in part.results.iter_mut().zip(&sums) {
            for (block, sum) in result[at..at + V].iter_mut().zip(sums) {
                store256(block, *sum);
            }
        }
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn avx2(part: Part<'_, '_, 32>) {
        for_rows!(rows_avx2, part);
    }

    #[target_feature(enable = "avx2")]
    fn rows_avx2<const R: usize, const V: usize>(mut part: Part<'_, '_, 32>) {
        for at in part.from..part.to {
            some_avx2::<R>(&mut part, at);
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn some_avx2<const R: usize>(part: &mut Part<'_, '_, 32>, at: usize) {
        let low_bits = _mm256_set1_epi8(15);
        let mut sums = [_mm256_setzero_si256(); R];
        let halves = part.tables.halves.chunks_exact(part.tables.rows);
        for (source, halves) in part.sources.iter().zip(halves) {
            let vector = load256(&source[at]);
            let low = _mm256_and_si256(vector, low_bits);
            let high = _mm256_and_si256(_mm256_srli_epi64::<4>(vector), low_bits);
            let halves: &[[[u8; 16]; 2]; R] =
                halves[part.first..part.first + R].try_into().expect("as many");
            for r in 0..R {
                let low = _mm256_shuffle_epi8(table(&halves[r][0]), low);
                let high = _mm256_shuffle_epi8(table(&halves[r][1]), high);
                sums[r] = _mm256_xor_si256(sums[r], _mm256_xor_si256(low, high));
            }
        }
        for (result, sum) in part.results.iter_mut().zip(&sums) {
            store256(&mut result[at], *sum);
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    //! aarch64.

    use super::Part;
    use std::arch::aarch64::{
        uint8x16_t, vandq_u8, vdupq_n_u8, veorq_u8, vld1q_u8, vqtbl1q_u8, vshrq_n_u8, vst1q_u8,
    };

    #[inline]
    #[target_feature(enable = "neon")]
    fn load(bytes: &[u8; 16]) -> uint8x16_t {
        // SAFETY: the array has the 16 bytes that are read; they need no alignment.
        unsafe { vld1q_u8(bytes.as_ptr()) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn store(bytes: &mut [u8; 16], vector: uint8x16_t) {
        // SAFETY: the array has the 16 bytes that are written; they need no alignment.
        unsafe { vst1q_u8(bytes.as_mut_ptr(), vector) }
    }

    #[target_feature(enable = "neon")]
    pub(super) fn neon(mut part: Part<'_, '_, 16>) {
        for at in part.from..part.to {
            match part.results.len() {
                1 => some::<1>(&mut part, at),
                2 => some::<2>(&mut part, at),
                3 => some::<3>(&mut part, at),
                4 => some::<4>(&mut part, at),
                5 => some::<5>(&mut part, at),
                6 => some::<6>(&mut part, at),
                rows => unreachable!("{rows} rows in one pass"),
            }
        }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn some<const R: usize>(part: &mut Part<'_, '_, 16>, at: usize) {
        let low_bits = vdupq_n_u8(15);
        let mut sums = [vdupq_n_u8(0); R];
        let halves = part.tables.halves.chunks_exact(part.tables.rows);
        for (source, halves) in part.sources.iter().zip(halves) {
            let vector = load(&source[at]);
            let (low, high) = (vandq_u8(vector, low_bits), vshrq_n_u8::<4>(vector));
            let halves: &[[[u8; 16]; 2]; R] =
                halves[part.first..part.first + R].try_into().expect("as many");
            for r in 0..R {
                let low = vqtbl1q_u8(load(&halves[r][0]), low);
                let high = vqtbl1q_u8(load(&halves[r][1]), high);
                sums[r] = veorq_u8(sums[r], veorq_u8(low, high));
            }
        }
        for (result, sum) in part.results.iter_mut().zip(&sums) {
            store(&mut result[at], *sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    /// The definition.
    fn naive(matrix: &Matrix, sources: &[&[u8]], length: usize) -> Vec<Vec<u8>> {
        let sum = |row: &[u8], at: usize| {
            row.iter().zip(sources).fold(0, |sum, (cell, source)| sum ^ mul(*cell, source[at]))
        };
        (0..matrix.rows())
            .map(|row| (0..length).map(|at| sum(matrix.row(row), at)).collect())
            .collect()
    }

    fn check(matrix: &Matrix, bytes: &[u8], skip: usize, length: usize) {
        let columns: Vec<usize> = (0..matrix.columns).collect();
        let tables = Tables::of(matrix, &columns);
        // Odd starts, so that nothing is aligned.
        let sources: Vec<&[u8]> =
            columns.iter().map(|at| &bytes[at * (length + skip) + skip..][..length]).collect();
        let expected = naive(matrix, &sources, length);
        for path in Path::here() {
            let mut results = vec![vec![0xee; length]; matrix.rows()];
            let mut slices: Vec<&mut [u8]> = results.iter_mut().map(Vec::as_mut_slice).collect();
            sums(path, &tables, &sources, &mut slices);
            assert_eq!(results, expected, "{path:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn every_path_gives_the_bytes_of_the_definition(
            columns in 1..12_usize,
            cells in vec(any::<u8>(), 1..12 * 15),
            length in 0..1500_usize,
            skip in 0..3_usize,
            seed in any::<u64>(),
        ) {
            let mut cells = cells;
            cells.resize(cells.len().next_multiple_of(columns), 7);
            let matrix = Matrix { columns, cells };
            let mut state = seed | 1;
            let bytes: Vec<u8> = (0..columns * (length + skip))
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    state as u8
                })
                .collect();
            check(&matrix, &bytes, skip, length);
        }
    }

    #[test]
    fn all_products_are_right_on_every_path() {
        let all: Vec<u8> = (0..=255).collect();
        for cell in 0..=255 {
            check(&Matrix { columns: 1, cells: vec![cell] }, &all, 0, 256);
        }
    }
}
