//! The heads of both versions.

use crate::{
    Cid, Error,
    cbor::{Cursor, Fault},
};

/// Bytes of the head of version 2 that follow its pragma.
pub(super) const V2_BYTES: usize = 40;
/// Bytes of the pragma: a length, and `{"version": 2}`.
const PRAGMA_BYTES: u64 = 11;

/// What a stream begins with.
#[derive(Debug)]
pub(super) enum Head {
    /// Version 1 and its roots.
    V1(Vec<Cid>),
    /// The pragma of version 2.
    V2,
}

/// Reads the value that a stream begins with.
pub(super) fn read(bytes: &[u8]) -> Result<Head, Error> {
    let (roots, version) = fields(bytes).map_err(|fault| match fault {
        Fault::Malformed(reason) => Error::Car(format!("its header: {reason}")),
        Fault::Link(error) => error,
    })?;
    match (version, roots) {
        (Some(1), Some(roots)) => Ok(Head::V1(roots)),
        (Some(2), None) => Ok(Head::V2),
        (Some(1 | 2), _) => Err(Error::Car("its header has too little or too much".into())),
        (Some(other), _) => Err(Error::Car(format!("version {other}, only 1 and 2 are read here"))),
        (None, _) => Err(Error::Car("its header has no version".into())),
    }
}

type Fields = (Option<Vec<Cid>>, Option<u64>);

fn fields(bytes: &[u8]) -> Result<Fields, Fault> {
    let mut cursor = Cursor::new(bytes);
    let (mut roots, mut version) = (None, None);
    for _ in 0..cursor.map()? {
        match cursor.key()? {
            "roots" if roots.is_none() => roots = Some(cursor.list_of_links()?),
            "version" if version.is_none() => version = Some(cursor.number()?),
            _ => return Err(Fault::Malformed("a field that is unknown, or there twice")),
        }
    }
    cursor.finish()?;
    Ok((roots, version))
}

/// Where the stream inside version 2 is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Window {
    /// Bytes between the head and the stream.
    pub(super) gap_bytes: u64,
    /// Bytes of the stream.
    pub(super) data_bytes: u64,
}

/// Reads the head of version 2: 16 bytes that say what the index holds, and three numbers.
pub(super) fn window(bytes: &[u8; V2_BYTES]) -> Result<Window, Error> {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let (data_offset, data_bytes, index_offset) = (number(16), number(24), number(32));
    let wrong = |reason: &str| Error::Car(format!("its header: {reason}"));
    let gap_bytes = data_offset.checked_sub(PRAGMA_BYTES + V2_BYTES as u64);
    let gap_bytes = gap_bytes.ok_or_else(|| wrong("the data begins inside the header"))?;
    let end = data_offset.checked_add(data_bytes).filter(|_| data_bytes > 0);
    let end = end.ok_or_else(|| wrong("the data has no size that can be"))?;
    if index_offset != 0 && index_offset < end {
        return Err(wrong("the index begins inside the data"));
    }
    Ok(Window { gap_bytes, data_bytes })
}
