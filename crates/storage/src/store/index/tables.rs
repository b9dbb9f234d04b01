//! What the index holds.

use super::{super::record::CID_BYTES, Failure};
use objects::Cid;
use redb::{Database, ReadTransaction, TableDefinition};

/// A CID as a key.
pub(super) type Key = [u8; CID_BYTES];

/// The row of a pin.
pub(super) type PinValue<'a> = (u32, u64, u32, &'a [u8]);

/// CID → pack, offset, length.
pub(super) const BLOBS: TableDefinition<'_, &Key, (u32, u64, u32)> = TableDefinition::new("blobs");
/// Blobs whose record was found damaged, and the place of that record.
pub(super) const DAMAGED: TableDefinition<'_, &Key, (u32, u64, u32)> =
    TableDefinition::new("damaged");
/// Label and root → pack and offset of the record, the first pack that can have one, the pin.
pub(super) const PINS: TableDefinition<'_, (&str, &Key), PinValue<'_>> =
    TableDefinition::new("pins");
/// Old blobs that were put again → when, in milliseconds since 1970.
pub(super) const TOUCHED: TableDefinition<'_, &Key, u64> = TableDefinition::new("touched");
/// Pack and offset → when the records from there on were put, in milliseconds since 1970.
pub(super) const TIMES: TableDefinition<'_, (u32, u64), u64> = TableDefinition::new("times");
/// Pack → blobs of the index in it, and their bytes.
pub(super) const PACKS: TableDefinition<'_, u32, (u64, u64)> = TableDefinition::new("packs");
/// Up to where the packs are in the index.
pub(super) const TAIL: TableDefinition<'_, (), (u32, u64)> = TableDefinition::new("tail");
/// Numbers by name.
pub(super) const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");

/// The number that says which format the index has.
const FORMAT: &str = "format";
/// The format that is written here.
const VERSION: u64 = 2;

pub(super) fn key(cid: &Cid) -> Key {
    cid.to_bytes().try_into().expect("our CIDs have 36 bytes")
}

/// The CID of a key; `None` if the index is damaged there.
pub(super) fn cid(key: &Key) -> Option<Cid> {
    Cid::try_from(&key[..]).ok()
}

/// Whether the tables are those that are written here.
pub(super) fn is_known(read: &ReadTransaction) -> bool {
    let table = read.open_table(NUMBERS).ok();
    let row = table.and_then(|table| table.get(FORMAT).ok().flatten());
    row.is_some_and(|row| row.value() == VERSION)
}

/// Makes all tables.
pub(super) fn make(database: &Database) -> Result<(), Failure> {
    let change = database.begin_write()?;
    change.open_table(BLOBS)?;
    change.open_table(DAMAGED)?;
    change.open_table(PINS)?;
    change.open_table(TOUCHED)?;
    change.open_table(TIMES)?;
    change.open_table(PACKS)?;
    change.open_table(TAIL)?;
    change.open_table(NUMBERS)?.insert(FORMAT, VERSION)?;
    Ok(change.commit()?)
}
