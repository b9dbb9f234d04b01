//! What is said: wants, blocks, and who has what. A message is a varint of its length and then a
//! protobuf.
//!
//! Source: IPFS specification "Bitswap", message format of 1.2.0.

use super::{
    name::Name,
    protobuf::{
        Fields, VARINT_BYTES, Value, put_bytes, put_head, put_number, put_varint, read_varint,
        varint_bytes,
    },
};
use bytes::Bytes;
use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use std::io;

/// Bytes of the largest message, without its length.
pub(super) const MESSAGE_BYTES: usize = 4 << 20;
/// Wants, blocks or presences of one message, counted apart. More would take far more memory than
/// the message itself.
pub(super) const MAX_ITEMS: usize = 16 << 10;
/// Bytes that are read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// What a want is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// The block.
    Block,
    /// Whether the block is there.
    Have,
}

/// One entry of a wantlist.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub(super) name: Name,
    /// Higher ones first.
    pub(super) priority: i32,
    /// The peer wants it no longer.
    pub(super) cancel: bool,
    pub(super) kind: Kind,
    /// Whether to say so if the block is not there.
    pub(super) send_dont_have: bool,
}

/// A block with the head of its CID.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Payload {
    pub(super) prefix: Bytes,
    pub(super) data: Bytes,
}

/// Whether a block is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Presence {
    pub(super) name: Name,
    pub(super) here: bool,
}

/// One message.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Message {
    /// The wants replace all that were said before.
    pub(super) full: bool,
    pub(super) wants: Vec<Entry>,
    pub(super) blocks: Vec<Payload>,
    pub(super) presences: Vec<Presence>,
}

impl Message {
    /// The bytes of the message with its length, in parts; blocks are not copied.
    pub(super) fn encode(&self) -> Vec<Bytes> {
        let mut parts = Vec::with_capacity(2 * self.blocks.len() + 2);
        let mut head = Vec::new();
        if self.full || !self.wants.is_empty() {
            put_bytes(&mut head, 1, &self.wantlist());
        }
        for block in &self.blocks {
            let (prefix, data) = (&block.prefix, &block.data);
            let size = |length: usize| 1 + varint_bytes(length as u64) + length;
            put_head(&mut head, 3, size(prefix.len()) + size(data.len()));
            put_bytes(&mut head, 1, prefix);
            put_head(&mut head, 2, data.len());
            parts.push(Bytes::from(std::mem::take(&mut head)));
            parts.push(data.clone());
        }
        for presence in &self.presences {
            let mut one = Vec::new();
            put_bytes(&mut one, 1, presence.name.bytes());
            put_number(&mut one, 2, u64::from(!presence.here));
            put_bytes(&mut head, 4, &one);
        }
        parts.push(Bytes::from(head));
        let mut length = Vec::new();
        put_varint(&mut length, parts.iter().map(Bytes::len).sum::<usize>() as u64);
        parts.insert(0, Bytes::from(length));
        parts
    }

    fn wantlist(&self) -> Vec<u8> {
        let mut list = Vec::new();
        for entry in &self.wants {
            let mut one = Vec::new();
            put_bytes(&mut one, 1, entry.name.bytes());
            // A negative number has ten bytes, as protobuf wants it.
            put_number(&mut one, 2, i64::from(entry.priority) as u64);
            put_number(&mut one, 3, u64::from(entry.cancel));
            put_number(&mut one, 4, u64::from(entry.kind == Kind::Have));
            put_number(&mut one, 5, u64::from(entry.send_dont_have));
            put_bytes(&mut list, 1, &one);
        }
        put_number(&mut list, 2, u64::from(self.full));
        list
    }

    /// Reads a message without its length. Blocks share its memory.
    pub(super) fn decode(bytes: Bytes) -> Result<Self, &'static str> {
        let mut message = Self::default();
        let mut fields = Fields(bytes);
        while let Some((field, value)) = fields.next()? {
            match (field, value) {
                (1, Value::Bytes(list)) => message.read_wantlist(list)?,
                // Blocks of version 1.0, which are of one kind only.
                (2, Value::Bytes(data)) => {
                    let prefix = Bytes::from_static(&[0, 0x70, 0x12, 0x20]);
                    message.blocks.push(Payload { prefix, data });
                }
                (3, Value::Bytes(block)) => message.blocks.push(read_block(block)?),
                (4, Value::Bytes(presence)) => message.presences.push(read_presence(presence)?),
                _ => {}
            }
            let items = message.blocks.len().max(message.presences.len());
            if items.max(message.wants.len()) > MAX_ITEMS {
                return Err("too much in one message");
            }
        }
        Ok(message)
    }

    fn read_wantlist(&mut self, bytes: Bytes) -> Result<(), &'static str> {
        let mut fields = Fields(bytes);
        while let Some((field, value)) = fields.next()? {
            match (field, value) {
                (1, Value::Bytes(entry)) => self.wants.push(read_entry(entry)?),
                (2, Value::Number(full)) => self.full = full != 0,
                _ => {}
            }
            if self.wants.len() > MAX_ITEMS {
                return Err("too many wants in one message");
            }
        }
        Ok(())
    }
}

fn read_name(bytes: &[u8]) -> Result<Name, &'static str> {
    Name::parse(bytes).ok_or("a name that is no CID")
}

fn read_entry(bytes: Bytes) -> Result<Entry, &'static str> {
    let mut fields = Fields(bytes);
    let mut name = None;
    let (mut priority, mut cancel, mut kind, mut send_dont_have) = (0, false, Kind::Block, false);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(bytes)) => name = Some(read_name(&bytes)?),
            (2, Value::Number(number)) => priority = number as i32,
            (3, Value::Number(number)) => cancel = number != 0,
            (4, Value::Number(number)) => {
                kind = if number == 1 { Kind::Have } else { Kind::Block };
            }
            (5, Value::Number(number)) => send_dont_have = number != 0,
            _ => {}
        }
    }
    let name = name.ok_or("a want without a name")?;
    Ok(Entry { name, priority, cancel, kind, send_dont_have })
}

fn read_block(bytes: Bytes) -> Result<Payload, &'static str> {
    let mut fields = Fields(bytes);
    let mut block = Payload { prefix: Bytes::new(), data: Bytes::new() };
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(prefix)) => block.prefix = prefix,
            (2, Value::Bytes(data)) => block.data = data,
            _ => {}
        }
    }
    Ok(block)
}

fn read_presence(bytes: Bytes) -> Result<Presence, &'static str> {
    let mut fields = Fields(bytes);
    let (mut name, mut here) = (None, true);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(bytes)) => name = Some(read_name(&bytes)?),
            (2, Value::Number(number)) => here = number == 0,
            _ => {}
        }
    }
    Ok(Presence { name: name.ok_or("a presence without a name")?, here })
}

/// Reads the length of the next message; `None` at a clean end.
///
/// # Errors
/// `InvalidData` if it is over [`MESSAGE_BYTES`] or no varint, `UnexpectedEof` inside it, or what
/// the stream says.
pub(super) async fn read_length(
    stream: &mut (impl AsyncRead + Unpin + ?Sized),
) -> io::Result<Option<usize>> {
    let (mut bytes, mut have) = ([0; VARINT_BYTES], 0);
    loop {
        match stream.read(&mut bytes[have..=have]).await? {
            0 if have == 0 => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ => have += 1,
        }
        if bytes[have - 1] & 0x80 == 0 {
            break;
        }
        if have == VARINT_BYTES {
            return Err(invalid("a length that is no varint".into()));
        }
    }
    match read_varint(&bytes[..have]) {
        Some((length, _)) if length <= MESSAGE_BYTES as u64 => Ok(Some(length as usize)),
        _ => Err(invalid(format!("a message of more than {MESSAGE_BYTES} bytes"))),
    }
}

/// Reads `length` bytes, for which the caller has found room, and tells `progress` whenever some have
/// come.
pub(super) async fn read_body(
    stream: &mut (impl AsyncRead + Unpin + ?Sized),
    length: usize,
    mut progress: impl FnMut(),
) -> io::Result<Bytes> {
    let mut body = Vec::with_capacity(length.min(MESSAGE_BYTES));
    while body.len() < length {
        let have = body.len();
        body.resize(length.min(have + CHUNK_BYTES), 0);
        stream.read_exact(&mut body[have..]).await?;
        progress();
    }
    Ok(body.into())
}

/// Writes the parts of a message and flushes them.
pub(super) async fn write(
    stream: &mut (impl AsyncWrite + Unpin + ?Sized),
    parts: &[Bytes],
) -> io::Result<()> {
    for part in parts {
        stream.write_all(part).await?;
    }
    stream.flush().await
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
