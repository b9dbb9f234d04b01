//! The UnixFS message inside a dag-pb node.

use crate::wire::{Fields, Value, put_bytes, put_number};

/// The code of murmur3-x64-64 (multicodec table).
pub(crate) const MURMUR3_64: u64 = 0x22;

/// What a node says that it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Raw,
    Directory,
    File,
    Metadata,
    Symlink,
    Shard,
}

impl Kind {
    fn from_code(code: u64) -> Option<Self> {
        [Self::Raw, Self::Directory, Self::File, Self::Metadata, Self::Symlink, Self::Shard]
            .get(usize::try_from(code).ok()?)
            .copied()
    }
}

/// A decoded message.
#[derive(Debug)]
pub(crate) struct Data<'a> {
    pub(crate) kind: Kind,
    pub(crate) data: &'a [u8],
    /// Bytes of the content; old writers left it out at times.
    pub(crate) size_bytes: Option<u64>,
    pub(crate) block_sizes: Vec<u64>,
    /// Of a shard: how names are hashed.
    pub(crate) hash_type: Option<u64>,
    /// Of a shard: how many slots it has.
    pub(crate) fanout: Option<u64>,
}

/// The bytes of a directory's message.
pub(crate) const DIRECTORY: [u8; 2] = [8, 1];

/// The bytes of the message of a file's inner node.
pub(crate) fn encode_file(block_sizes: impl Iterator<Item = u64> + Clone) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, 1, Kind::File as u64);
    put_number(&mut out, 3, block_sizes.clone().sum());
    for size in block_sizes {
        put_number(&mut out, 4, size);
    }
    out
}

/// The bytes of a symbolic link's message.
pub(crate) fn encode_symlink(target: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, 1, Kind::Symlink as u64);
    put_bytes(&mut out, 2, target.as_bytes());
    out
}

/// The bytes of a shard's message.
pub(crate) fn encode_shard(bit_field: &[u8], fanout: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, 1, Kind::Shard as u64);
    put_bytes(&mut out, 2, bit_field);
    put_number(&mut out, 5, MURMUR3_64);
    put_number(&mut out, 6, fanout);
    out
}

/// Reads a message. Mode and time of a file (fields 7 and 8) are allowed and not looked at.
pub(crate) fn decode(bytes: &[u8]) -> Result<Data<'_>, String> {
    let mut fields = Fields(bytes);
    let (mut kind, mut data, mut size) = (None, None, None);
    let (mut hash_type, mut fanout) = (None, None);
    let mut block_sizes = Vec::new();
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Number(code)) if kind.is_none() => {
                kind = Some(Kind::from_code(code).ok_or("it is of an unknown type")?);
            }
            (2, Value::Bytes(bytes)) if data.is_none() => data = Some(bytes),
            (3, Value::Number(number)) if size.is_none() => size = Some(number),
            (4, Value::Number(number)) => block_sizes.push(number),
            (5, Value::Number(number)) if hash_type.is_none() => hash_type = Some(number),
            (6, Value::Number(number)) if fanout.is_none() => fanout = Some(number),
            (7, Value::Number(_)) | (8, Value::Bytes(_)) => {}
            (number, _) => return Err(format!("field {number} of its data is out of place")),
        }
    }
    Ok(Data {
        kind: kind.ok_or("its data has no type")?,
        data: data.unwrap_or_default(),
        size_bytes: size,
        block_sizes,
        hash_type,
        fanout,
    })
}
