//! Asking the index.

use super::{
    super::{
        pack::{Location, Tail},
        pin::{Pin, PinKey},
        record::{CID_BYTES, Place},
    },
    Failure, Index,
    tables::{BLOBS, DAMAGED, Key, NUMBERS, PACKS, PINS, TAIL, TIMES, TOUCHED, cid, key},
};
use identity::canonical;
use objects::Cid;
use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata};
use std::ops::Bound;

/// What is live in one pack.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(in crate::store) struct PackLoad {
    pub(in crate::store) pack: u32,
    pub(in crate::store) blobs: u64,
    pub(in crate::store) bytes: u64,
}

/// A pin and its record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::store) struct PinRow {
    pub(in crate::store) pin: Pin,
    pub(in crate::store) place: Place,
    /// The first pack that can have a record of it.
    pub(in crate::store) first_pack: u32,
}

/// Bytes of the longest pin.
const PIN_BYTES: usize = 4096;

impl Index {
    /// Up to where the packs are in the index; `None` if it is new.
    pub(in crate::store) fn tail(&self) -> Result<Option<Tail>, Failure> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(TAIL)?;
            let found = table.get(())?.map(|row| row.value());
            Ok(found.map(|(pack, end)| Tail { pack, end }))
        })
    }

    /// Where the blobs are.
    pub(in crate::store) fn find(&self, cids: &[Cid]) -> Result<Vec<Option<Location>>, Failure> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(BLOBS)?;
            let mut found = Vec::with_capacity(cids.len());
            for cid in cids {
                let row = table.get(&key(cid))?.map(|row| row.value());
                found.push(row.map(location));
            }
            Ok(found)
        })
    }

    /// Blobs after one, in the order of their CIDs' bytes.
    pub(in crate::store) fn list(
        &self,
        after: Option<Cid>,
        limit: usize,
    ) -> Result<Vec<(Cid, Location)>, Failure> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(BLOBS)?;
            let after = after.as_ref().map(key);
            let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            let mut found = Vec::new();
            for row in table.range::<&Key>((from, Bound::Unbounded))?.take(limit) {
                let (name, place) = row?;
                let at = location(place.value());
                found.extend(cid(name.value()).map(|cid| (cid, at)));
            }
            Ok(found)
        })
    }

    /// One pin.
    pub(in crate::store) fn pin(&self, (label, root): &PinKey) -> Result<Option<PinRow>, Failure> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(PINS)?;
            let row = table.get((label.as_str(), &key(root)))?;
            Ok(row.and_then(|row| pin_row(row.value())))
        })
    }

    /// Pins whose label begins with `prefix`, in the order of label and root, after one.
    pub(in crate::store) fn pins(
        &self,
        prefix: &str,
        after: Option<&PinKey>,
        limit: usize,
    ) -> Result<Vec<PinRow>, Failure> {
        const LEAST: Key = [0; CID_BYTES];
        self.with(|database| {
            let table = database.begin_read()?.open_table(PINS)?;
            let after = after.map(|(label, root)| (label.as_str(), key(root)));
            let from = match &after {
                Some((label, root)) if *label >= prefix => Bound::Excluded((*label, root)),
                _ => Bound::Included((prefix, &LEAST)),
            };
            let mut found = Vec::new();
            for row in table.range::<(&str, &Key)>((from, Bound::Unbounded))? {
                let (name, row) = row?;
                if found.len() == limit || !name.value().0.starts_with(prefix) {
                    break;
                }
                found.extend(pin_row(row.value()));
            }
            Ok(found)
        })
    }

    /// Pins whose record is in a pack, no more than `limit`.
    pub(in crate::store) fn pins_in(
        &self,
        pack: u32,
        limit: usize,
    ) -> Result<Vec<PinRow>, Failure> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(PINS)?;
            let mut found = Vec::new();
            for row in table.iter()? {
                let row = row?.1;
                if found.len() == limit {
                    break;
                }
                if row.value().0 == pack {
                    found.extend(pin_row(row.value()));
                }
            }
            Ok(found)
        })
    }

    /// How many pins there are.
    pub(in crate::store) fn count_pins(&self) -> Result<u64, Failure> {
        self.with(|database| Ok(database.begin_read()?.open_table(PINS)?.len()?))
    }

    /// Damaged blobs after one.
    pub(in crate::store) fn damaged(
        &self,
        after: Option<Cid>,
        limit: usize,
    ) -> Result<Vec<Cid>, Failure> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(DAMAGED)?;
            let after = after.as_ref().map(key);
            let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            let mut found = Vec::new();
            for row in table.range::<&Key>((from, Bound::Unbounded))?.take(limit) {
                found.extend(cid(row?.0.value()));
            }
            Ok(found)
        })
    }

    /// Whether a blob is on the list of the damaged.
    pub(in crate::store) fn is_damaged(&self, cid: &Cid) -> Result<bool, Failure> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(DAMAGED)?;
            Ok(table.get(&key(cid))?.is_some())
        })
    }

    /// How many blobs are damaged.
    pub(in crate::store) fn count_damaged(&self) -> Result<u64, Failure> {
        self.with(|database| Ok(database.begin_read()?.open_table(DAMAGED)?.len()?))
    }

    /// What is live in each pack.
    pub(in crate::store) fn loads(&self) -> Result<Vec<PackLoad>, Failure> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(PACKS)?;
            let mut found = Vec::new();
            for row in table.iter()? {
                let (pack, load) = row?;
                let (blobs, bytes) = load.value();
                found.push(PackLoad { pack: pack.value(), blobs, bytes });
            }
            Ok(found)
        })
    }

    /// From which places on records were put when.
    pub(in crate::store) fn times(&self) -> Result<Vec<(Place, u64)>, Failure> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(TIMES)?;
            let mut found = Vec::new();
            for row in table.iter()? {
                let (place, at_ms) = row?;
                let (pack, offset) = place.value();
                found.push((Place { pack, offset }, at_ms.value()));
            }
            Ok(found)
        })
    }

    /// When old blobs were put again, if they were.
    pub(in crate::store) fn touched(&self, cids: &[Cid]) -> Result<Vec<Option<u64>>, Failure> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(TOUCHED)?;
            let mut found = Vec::with_capacity(cids.len());
            for cid in cids {
                found.push(table.get(&key(cid))?.map(|row| row.value()));
            }
            Ok(found)
        })
    }

    /// A number by name.
    pub(in crate::store) fn number(&self, name: &str) -> Result<Option<u64>, Failure> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(NUMBERS)?;
            Ok(table.get(name)?.map(|row| row.value()))
        })
    }
}

fn location((pack, offset, length): (u32, u64, u32)) -> Location {
    Location { pack, offset, length }
}

fn pin_row((pack, offset, first_pack, bytes): (u32, u64, u32, &[u8])) -> Option<PinRow> {
    let pin = canonical::decode(bytes, PIN_BYTES).ok()?;
    Some(PinRow { pin, place: Place { pack, offset }, first_pack })
}
