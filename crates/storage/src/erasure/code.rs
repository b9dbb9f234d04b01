//! The code `rs-cauchy-gf256/1`: systematic Reed–Solomon, any `data` of `total` shards give all.

use super::{
    Error,
    kernel::{Path, Tables, sums},
    matrix::Matrix,
};
use crate::lock::lock;
use protocol::durability::{DATA_MAX, TOTAL_MAX};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

/// Loss patterns whose matrices are kept.
const PATTERNS: usize = 64;

/// A code with `data` shards of content and as many of parity as make `total`. Shards of one group
/// may differ in length: those of the data count as filled up with zeros, those of the parity have
/// the length of the longest. Calls of several threads share what is known of loss patterns.
#[derive(Debug)]
pub struct Code {
    data: usize,
    total: usize,
    parity: Matrix,
    encoder: Tables,
    path: Path,
    /// Loss patterns that were met, the last one first.
    patterns: Mutex<VecDeque<(Pattern, Arc<Decoder>)>>,
}

/// Which shards are used, and which are wanted, as bits.
type Pattern = (u128, u128);

#[derive(Debug)]
struct Decoder {
    matrix: Matrix,
    tables: Tables,
}

impl Code {
    /// The code with `data` of `total` shards.
    ///
    /// # Errors
    /// [`Error::Code`] unless 1 ≤ `data` ≤ 64 and `data` < `total` ≤ 128.
    pub fn new(data: usize, total: usize) -> Result<Self, Error> {
        if data == 0 || data > DATA_MAX || total <= data || total > TOTAL_MAX {
            return Err(Error::Code { data, total });
        }
        let parity = Matrix::parity(data, total - data);
        let encoder = Tables::of(&parity, &(0..data).collect::<Vec<_>>());
        let path = Path::here().pop().expect("there is a portable one");
        Ok(Self { data, total, parity, encoder, path, patterns: Mutex::default() })
    }

    /// Shards of content.
    pub fn data(&self) -> usize {
        self.data
    }

    /// All shards.
    pub fn total(&self) -> usize {
        self.total
    }

    /// The parity of some data, of the length of the longest shard.
    ///
    /// # Panics
    /// If there are not as many shards as the code has.
    pub fn encode(&self, data: &[&[u8]]) -> Vec<Vec<u8>> {
        let length = data.iter().map(|shard| shard.len()).max().unwrap_or_default();
        let mut parity = vec![vec![0; length]; self.total - self.data];
        let mut results: Vec<&mut [u8]> = parity.iter_mut().map(Vec::as_mut_slice).collect();
        self.encode_into(data, &mut results);
        parity
    }

    /// As [`Self::encode`], into memory that is there.
    ///
    /// # Panics
    /// If there are not as many shards as the code has, or the results differ in length.
    pub fn encode_into(&self, data: &[&[u8]], parity: &mut [&mut [u8]]) {
        assert_eq!((data.len(), parity.len()), (self.data, self.total - self.data));
        combine(self.path, &self.parity, &self.encoder, data, parity);
    }

    /// Makes shards that are lost from those that are there: `wanted` are places and lengths, and
    /// the answer is in their order. Of the shards that are there the first `data` are used.
    ///
    /// # Errors
    /// [`Error::Lost`] if fewer than `data` shards are there.
    ///
    /// # Panics
    /// If there are not as many places as the code has shards, or a wanted one is not among them.
    pub fn reconstruct(
        &self,
        shards: &[Option<&[u8]>],
        wanted: &[(usize, usize)],
    ) -> Result<Vec<Vec<u8>>, Error> {
        let mut made: Vec<Vec<u8>> = wanted.iter().map(|(_, length)| vec![0; *length]).collect();
        let places: Vec<usize> = wanted.iter().map(|(place, _)| *place).collect();
        let mut results: Vec<&mut [u8]> = made.iter_mut().map(Vec::as_mut_slice).collect();
        self.reconstruct_into(shards, &places, &mut results)?;
        Ok(made)
    }

    /// As [`Self::reconstruct`], into memory that is there; its lengths are those of the shards.
    ///
    /// # Errors
    /// As [`Self::reconstruct`].
    ///
    /// # Panics
    /// As [`Self::reconstruct`].
    pub fn reconstruct_into(
        &self,
        shards: &[Option<&[u8]>],
        wanted: &[usize],
        results: &mut [&mut [u8]],
    ) -> Result<(), Error> {
        assert_eq!((shards.len(), wanted.len()), (self.total, results.len()));
        let used: Vec<(usize, &[u8])> = (0..self.total)
            .filter_map(|place| Some((place, shards[place]?)))
            .take(self.data)
            .collect();
        if used.len() < self.data {
            return Err(Error::Lost { have: used.len(), need: self.data });
        }
        let places: Vec<usize> = used.iter().map(|(place, _)| *place).collect();
        let decoder = self.decoder(&places, wanted);
        let sources: Vec<&[u8]> = used.iter().map(|(_, shard)| *shard).collect();
        combine(self.path, &decoder.matrix, &decoder.tables, &sources, results);
        Ok(())
    }

    fn decoder(&self, used: &[usize], wanted: &[usize]) -> Arc<Decoder> {
        let bits = |places: &[usize]| places.iter().fold(0_u128, |bits, place| bits | 1 << place);
        // The rows come in the order of the request: only a sorted one has one pattern.
        let is_sorted = wanted.is_sorted_by(|a, b| a < b);
        let pattern = (bits(used), bits(wanted));
        if is_sorted
            && let Some((_, known)) = lock(&self.patterns).iter().find(|(own, _)| *own == pattern)
        {
            return known.clone();
        }
        let decoder = Arc::new(self.make_decoder(used, wanted));
        if is_sorted {
            let mut patterns = lock(&self.patterns);
            patterns.truncate(PATTERNS - 1);
            patterns.push_front((pattern, decoder.clone()));
        }
        decoder
    }

    fn make_decoder(&self, used: &[usize], wanted: &[usize]) -> Decoder {
        let mut cells = Vec::with_capacity(self.data * self.data);
        used.iter().for_each(|place| cells.extend(self.row(*place)));
        let used = Matrix { columns: self.data, cells };
        let inverse = used.inverse().expect("any shards of the code can be inverted");
        let mut cells = Vec::with_capacity(self.data * wanted.len());
        wanted.iter().for_each(|place| cells.extend(inverse.under(&self.row(*place))));
        let matrix = Matrix { columns: self.data, cells };
        let tables = Tables::of(&matrix, &(0..self.data).collect::<Vec<_>>());
        Decoder { matrix, tables }
    }

    /// How the shard at a place follows from the data.
    fn row(&self, place: usize) -> Vec<u8> {
        match place.checked_sub(self.data) {
            Some(row) => self.parity.row(row).to_vec(),
            None => (0..self.data).map(|column| u8::from(column == place)).collect(),
        }
    }
}

/// Sums of sources that may be shorter than the results, or longer, and results that may differ:
/// made piece by piece, so that within each piece nothing ends.
fn combine(
    path: Path,
    matrix: &Matrix,
    tables: &Tables,
    sources: &[&[u8]],
    results: &mut [&mut [u8]],
) {
    let longest = results.iter().map(|result| result.len()).max().unwrap_or_default();
    let mut ends: Vec<usize> = sources.iter().map(|source| source.len().min(longest)).collect();
    ends.extend(results.iter().map(|result| result.len()));
    ends.sort_unstable();
    ends.dedup();
    let mut from = 0;
    for to in ends.into_iter().filter(|end| *end > 0) {
        let reaching = |source: &&[u8]| source.len() >= to;
        let columns: Vec<usize> =
            (0..sources.len()).filter(|column| reaching(&sources[*column])).collect();
        let pieces: Vec<&[u8]> = columns.iter().map(|column| &sources[*column][from..to]).collect();
        let rows: Vec<usize> = (0..results.len()).filter(|row| results[*row].len() >= to).collect();
        let mut parts: Vec<&mut [u8]> = results
            .iter_mut()
            .filter(|result| result.len() >= to)
            .map(|result| &mut result[from..to])
            .collect();
        if columns.is_empty() {
            parts.iter_mut().for_each(|part| part.fill(0));
        } else if columns.len() == sources.len() && rows.len() == matrix.rows() {
            sums(path, tables, &pieces, &mut parts);
        } else {
            let cells = rows.iter().flat_map(|row| matrix.row(*row)).copied().collect();
            let some = Matrix { columns: matrix.columns, cells };
            sums(path, &Tables::of(&some, &columns), &pieces, &mut parts);
        }
        from = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(seed: usize, length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 31 + seed * 131 + at / 7 * seed) as u8).collect()
    }

    #[test]
    fn one_data_shard_is_replication_and_the_first_parity_is_a_sum() {
        let code = Code::new(1, 3).expect("in range");
        assert_eq!(code.encode(&[b"abc"]), [b"abc", b"abc"]);
        let code = Code::new(3, 5).expect("in range");
        let parity = code.encode(&[&[1, 2], &[4], &[8, 16, 32]]);
        assert_eq!(parity[0], [13, 18, 32]);
    }

    #[test]
    fn only_codes_in_range_are_made() {
        for (data, total) in [(0, 1), (1, 1), (65, 70), (64, 129), (4, 3)] {
            assert_eq!(Code::new(data, total).map(drop), Err(Error::Code { data, total }));
        }
        assert!(Code::new(64, 128).is_ok());
    }

    #[test]
    fn fewer_than_the_data_shards_are_not_enough() {
        let code = Code::new(2, 4).expect("in range");
        let lost = code.reconstruct(&[None, None, Some(b"x"), None], &[(0, 1)]);
        assert_eq!(lost, Err(Error::Lost { have: 1, need: 2 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn any_k_of_n_give_everything(
            data in 1..=64_usize,
            parity in 1..=64_usize,
            length in 0..700_usize,
            order in any::<u64>(),
            unequal in any::<bool>(),
        ) {
            let code = Code::new(data, data + parity).expect("in range");
            let shorter = |at: usize| if unequal { length * (at % 5) / 5 } else { 0 };
            let mut all: Vec<Vec<u8>> =
                (0..data).map(|at| bytes(at, length - shorter(at))).collect();
            let slices: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
            let made = code.encode(&slices);
            all.extend(made);
            // Keep any `data` of them.
            let mut places: Vec<usize> = (0..data + parity).collect();
            places.sort_by_key(|place| {
                (*place as u64 + 1).wrapping_mul(order | 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 7
            });
            let kept = &places[..data];
            let shards: Vec<Option<&[u8]>> = (0..data + parity)
                .map(|place| kept.contains(&place).then(|| all[place].as_slice()))
                .collect();
            let wanted: Vec<(usize, usize)> =
                places[data..].iter().map(|place| (*place, all[*place].len())).collect();
            for _ in 0..2 {
                let made = code.reconstruct(&shards, &wanted).expect("enough are there");
                for ((place, _), made) in wanted.iter().zip(made) {
                    prop_assert_eq!(&made, &all[*place]);
                }
            }
        }
    }
}
