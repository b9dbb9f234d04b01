//! How long ago blobs were put, without a time beside each of them.
//!
//! Records are in the order in which they were written, and every few seconds of writing a record
//! says what time it is. So the place of a record tells when it was put.

use super::record::Place;

/// Time between two records that say what time it is, in milliseconds.
pub(super) const MARK_MS: u64 = 10_000;

/// When the records of a store were put.
#[derive(Debug)]
pub(super) struct Ages(Vec<(Place, u64)>);

impl Ages {
    /// From places in order, and what time it was at each.
    pub(super) fn new(times: Vec<(Place, u64)>) -> Self {
        Self(times)
    }

    /// The latest time at which the record at a place can have been put, in milliseconds since
    /// 1970; 0 if that is not known any more.
    pub(super) fn latest_ms(&self, place: Place) -> u64 {
        let after = self.0.partition_point(|(marked, _)| *marked <= place);
        after.checked_sub(1).map_or(0, |at| self.0[at].1.saturating_add(MARK_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_as_old_as_the_mark_before_it() {
        let place = |pack, offset| Place { pack, offset };
        let ages = Ages::new(vec![(place(1, 50), 1_000), (place(2, 32), 70_000)]);
        let latest = |pack, offset| ages.latest_ms(place(pack, offset));
        assert_eq!(latest(0, 90), 0);
        assert_eq!(latest(1, 49), 0);
        assert_eq!(latest(1, 50), 11_000);
        assert_eq!(latest(1, 5_000), 11_000);
        assert_eq!(latest(7, 0), 80_000);
    }
}
