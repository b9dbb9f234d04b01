//! Changing the index.

use super::{
    super::{
        pack::{Location, Tail},
        record::{Place, Row},
    },
    Failure, Index,
    tables::{BLOBS, DAMAGED, Key, NUMBERS, PACKS, PINS, TAIL, TIMES, TOUCHED, key},
};
use identity::canonical;
use objects::Cid;
use redb::{Database, Durability, ReadableTable, Table, WriteTransaction};
use std::collections::BTreeMap;

/// What a change took out of the index.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(in crate::store) struct Reclaimed {
    pub(in crate::store) blobs: u64,
    pub(in crate::store) bytes: u64,
}

/// Blobs and bytes that come to a pack, or go.
type Loads = BTreeMap<u32, (i64, i64)>;

impl Index {
    /// Adds what records say, all of which are synced in the packs, up to `tail`. With `durable`
    /// everything in the index survives a crash from now on.
    pub(in crate::store) fn add(
        &self,
        rows: &[Row],
        tail: Tail,
        durable: bool,
    ) -> Result<(), Failure> {
        self.with(|database| {
            let change = begin(database, durable)?;
            add_rows(&change, rows)?;
            change.open_table(TAIL)?.insert((), (tail.pack, tail.end))?;
            Ok(change.commit()?)
        })
    }

    /// Takes out a blob whose record is damaged, durably, unless it has another record by now.
    /// Whether it did.
    pub(in crate::store) fn set_aside(&self, cid: &Cid, at: Location) -> Result<bool, Failure> {
        self.with(|database| {
            let change = begin(database, true)?;
            let mut loads = Loads::new();
            let is_out = take_out(&mut change.open_table(BLOBS)?, &key(cid), at, &mut loads)?;
            if is_out {
                let place = (at.pack, at.offset, at.length);
                change.open_table(DAMAGED)?.insert(&key(cid), place)?;
            }
            add_loads(&change, loads)?;
            change.commit()?;
            Ok(is_out)
        })
    }

    /// Takes out blobs, unless they have another record by now. A crash can bring them back.
    pub(in crate::store) fn forget(&self, blobs: &[(Cid, Location)]) -> Result<Reclaimed, Failure> {
        self.with(|database| {
            let change = begin(database, false)?;
            let (mut loads, mut reclaimed) = (Loads::new(), Reclaimed::default());
            {
                let mut table = change.open_table(BLOBS)?;
                for (cid, at) in blobs {
                    if take_out(&mut table, &key(cid), *at, &mut loads)? {
                        reclaimed.blobs += 1;
                        reclaimed.bytes += u64::from(at.length);
                    }
                }
            }
            add_loads(&change, loads)?;
            change.commit()?;
            Ok(reclaimed)
        })
    }

    /// Takes blobs off the list of the damaged.
    pub(in crate::store) fn forget_damaged(&self, cids: &[Cid]) -> Result<(), Failure> {
        self.with(|database| {
            let change = begin(database, false)?;
            {
                let mut table = change.open_table(DAMAGED)?;
                for cid in cids {
                    table.remove(&key(cid))?;
                }
            }
            Ok(change.commit()?)
        })
    }

    /// Makes everything durable, a pack that holds nothing any more without its numbers.
    pub(in crate::store) fn retire(&self, pack: u32, tail: Tail) -> Result<(), Failure> {
        self.with(|database| {
            let change = begin(database, true)?;
            change.open_table(PACKS)?.remove(pack)?;
            change.open_table(TAIL)?.insert((), (tail.pack, tail.end))?;
            Ok(change.commit()?)
        })
    }

    /// Forgets when blobs were put or touched, as far as that was before `before_ms`.
    pub(in crate::store) fn forget_times(&self, before_ms: u64) -> Result<(), Failure> {
        self.with(|database| {
            let change = begin(database, false)?;
            change.open_table(TOUCHED)?.retain(|_, at_ms| at_ms >= before_ms)?;
            change.open_table(TIMES)?.retain(|_, at_ms| at_ms >= before_ms)?;
            Ok(change.commit()?)
        })
    }

    /// Keeps numbers by name. They are lost with the index.
    pub(in crate::store) fn set_numbers(
        &self,
        numbers: &[(&str, u64)],
        durable: bool,
    ) -> Result<(), Failure> {
        self.with(|database| {
            let change = begin(database, durable)?;
            {
                let mut table = change.open_table(NUMBERS)?;
                for (name, number) in numbers {
                    table.insert(*name, *number)?;
                }
            }
            Ok(change.commit()?)
        })
    }
}

fn begin(database: &Database, durable: bool) -> Result<WriteTransaction, Failure> {
    let mut change = database.begin_write()?;
    change.set_durability(if durable { Durability::Immediate } else { Durability::None })?;
    change.set_quick_repair(durable);
    Ok(change)
}

fn add_rows(change: &WriteTransaction, rows: &[Row]) -> Result<(), Failure> {
    let mut loads = Loads::new();
    {
        let mut blobs = change.open_table(BLOBS)?;
        let mut damaged = change.open_table(DAMAGED)?;
        let mut sorted: Vec<_> = rows.iter().filter_map(blob_row).collect();
        // One after the other they find their pages warm. Of two records the later one counts.
        sorted.sort_by_key(|(key, _)| *key);
        let is_healing = !redb::ReadableTableMetadata::is_empty(&damaged)?;
        for (key, at) in sorted {
            let before = blobs.insert(&key, (at.pack, at.offset, at.length))?;
            if let Some((pack, _, length)) = before.map(|row| row.value()) {
                load(&mut loads, pack, -1, length);
            }
            load(&mut loads, at.pack, 1, at.length);
            if is_healing {
                damaged.remove(&key)?;
            }
        }
    }
    add_loads(change, loads)?;
    rows.iter().try_for_each(|row| add_control(change, row))
}

fn blob_row(row: &Row) -> Option<(Key, Location)> {
    match row {
        Row::Blob(cid, at) => Some((key(cid), *at)),
        _ => None,
    }
}

fn add_control(change: &WriteTransaction, row: &Row) -> Result<(), Failure> {
    match row {
        Row::Blob(..) => {}
        Row::Damaged(cid, at) => {
            if change.open_table(BLOBS)?.get(&key(cid))?.is_none() {
                let place = (at.pack, at.offset, at.length);
                change.open_table(DAMAGED)?.insert(&key(cid), place)?;
            }
        }
        Row::Pin(pin, Place { pack, offset }) => {
            let mut table = change.open_table(PINS)?;
            let root = key(&pin.root);
            let name = (pin.label.as_str(), &root);
            let first = table.get(name)?.map_or(*pack, |row| row.value().2);
            let bytes = canonical::encode(pin);
            table.insert(name, (*pack, *offset, first, &bytes[..]))?;
        }
        Row::Unpin(label, root) => {
            change.open_table(PINS)?.remove((label.as_str(), &key(root)))?;
        }
        Row::Time(place, at_ms) => {
            change.open_table(TIMES)?.insert((place.pack, place.offset), at_ms)?;
        }
        Row::Touch(cids, at_ms) => {
            let mut table = change.open_table(TOUCHED)?;
            for cid in cids {
                table.insert(&key(cid), at_ms)?;
            }
        }
    }
    Ok(())
}

/// Takes a blob out if it is at this place.
fn take_out(
    table: &mut Table<'_, &'static Key, (u32, u64, u32)>,
    key: &Key,
    at: Location,
    loads: &mut Loads,
) -> Result<bool, Failure> {
    let place = (at.pack, at.offset, at.length);
    let is_same = table.get(key)?.is_some_and(|row| row.value() == place);
    if is_same {
        table.remove(key)?;
        load(loads, at.pack, -1, at.length);
    }
    Ok(is_same)
}

fn load(loads: &mut Loads, pack: u32, blobs: i64, length: u32) {
    let (count, bytes) = loads.entry(pack).or_default();
    *count += blobs;
    *bytes += blobs * i64::from(length);
}

fn add_loads(change: &WriteTransaction, loads: Loads) -> Result<(), Failure> {
    let mut table = change.open_table(PACKS)?;
    for (pack, (blobs, bytes)) in loads {
        let (old_blobs, old_bytes) = table.get(pack)?.map_or((0, 0), |row| row.value());
        let new = (old_blobs.saturating_add_signed(blobs), old_bytes.saturating_add_signed(bytes));
        table.insert(pack, new)?;
    }
    Ok(())
}
