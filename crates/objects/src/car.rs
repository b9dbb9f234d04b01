//! CAR version 1: blocks in one stream.
//!
//! Source: IPLD specification "Content Addressable aRchives (CARv1)". A header names the roots,
//! then sections follow: a length, a CID, and the bytes of the block.

use crate::{Block, Cid, Error, NODE_BYTES, wire::put_varint};
use bytes::{Buf, BytesMut};
use serde::{Deserialize, Serialize};

/// Bytes of the binary form of our CIDs.
const CID_BYTES: usize = 36;
/// Bytes of the longest header that is read: some 20,000 roots.
const HEADER_BYTES: usize = 1 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    roots: Vec<Cid>,
    version: u64,
}

/// The start of a stream.
pub fn header(roots: &[Cid]) -> Vec<u8> {
    let header = identity::canonical::encode(&Header { roots: roots.to_vec(), version: 1 });
    let mut out = Vec::with_capacity(header.len() + 4);
    put_varint(&mut out, header.len() as u64);
    out.extend(header);
    out
}

/// One block of a stream.
pub fn section(block: &Block) -> Vec<u8> {
    let mut out = Vec::with_capacity(block.bytes.len() + CID_BYTES + 4);
    put_varint(&mut out, (CID_BYTES + block.bytes.len()) as u64);
    out.extend(block.cid.to_bytes());
    out.extend_from_slice(&block.bytes);
    out
}

/// What a stream holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// The roots; always the first part.
    Roots(Vec<Cid>),
    /// A block, checked against its CID.
    Block(Block),
}

/// Reads a stream as it arrives. Holds what was pushed and not yet read.
#[derive(Default, Debug)]
pub struct Reader {
    buffer: BytesMut,
    has_header: bool,
}

impl Reader {
    /// A reader at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes that arrived. Read all parts before pushing more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next part, or `None` if more bytes are needed for it.
    ///
    /// # Errors
    /// [`Error::Car`], [`Error::Cid`] or [`Error::Mismatch`]; the stream cannot be read further.
    pub fn next_part(&mut self) -> Result<Option<Part>, Error> {
        let limit = if self.has_header { CID_BYTES + NODE_BYTES } else { HEADER_BYTES };
        let (length, start) = match unsigned_varint::decode::u64(&self.buffer) {
            Ok((length, rest)) => (length, self.buffer.len() - rest.len()),
            Err(unsigned_varint::decode::Error::Insufficient) => return Ok(None),
            Err(_) => return Err(Error::Car("a length that does not decode".into())),
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= limit);
        let length = length.ok_or_else(|| Error::Car(format!("a part of over {limit} bytes")))?;
        if self.buffer.len() - start < length {
            return Ok(None);
        }
        self.buffer.advance(start);
        let mut part = self.buffer.split_to(length).freeze();
        if !self.has_header {
            self.has_header = true;
            return read_header(&part).map(Part::Roots).map(Some);
        }
        if part.len() < CID_BYTES {
            return Err(Error::Car("a section without a CID that we use".into()));
        }
        let cid = Cid::try_from(part.split_to(CID_BYTES).as_ref())?;
        cid.check(&part)?;
        Ok(Some(Part::Block(Block { cid, bytes: part })))
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// [`Error::Car`] if it ends inside a part, or before its header.
    pub fn finish(self) -> Result<(), Error> {
        if self.has_header && self.buffer.is_empty() {
            return Ok(());
        }
        Err(Error::Car("it ends too early".into()))
    }
}

fn read_header(bytes: &[u8]) -> Result<Vec<Cid>, Error> {
    let header: Header = identity::canonical::decode(bytes, HEADER_BYTES)
        .map_err(|e| Error::Car(format!("its header {e}")))?;
    if header.version == 1 {
        Ok(header.roots)
    } else {
        Err(Error::Car(format!("version {}, only 1 is read here", header.version)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;

    fn parts(bytes: &[u8], step: usize) -> Result<Vec<Part>, Error> {
        let (mut reader, mut parts) = (Reader::new(), Vec::new());
        for chunk in bytes.chunks(step) {
            reader.push(chunk);
            while let Some(part) = reader.next_part()? {
                parts.push(part);
            }
        }
        reader.finish().map(|()| parts)
    }

    #[test]
    fn a_stream_comes_back_however_it_is_cut() {
        let blocks = [Block::of(Codec::Raw, &b"one"[..]), Block::of(Codec::Raw, &b""[..])];
        let mut bytes = header(&[blocks[0].cid]);
        bytes.extend(blocks.iter().flat_map(section));
        let [one, two] = blocks.clone();
        let expected = vec![Part::Roots(vec![one.cid]), Part::Block(one), Part::Block(two)];
        for step in [1, 2, 7, 1000] {
            assert_eq!(parts(&bytes, step), Ok(expected.clone()));
        }
    }

    #[test]
    fn the_header_is_that_of_the_specification() {
        // {"roots": [], "version": 1} in DAG-CBOR, 17 bytes.
        let head = header(&[]);
        assert_eq!(head, b"\x11\xa2\x65roots\x80\x67version\x01");
    }

    #[test]
    fn wrong_bytes_lying_lengths_and_other_versions_are_refused() {
        let block = Block::of(Codec::Raw, &b"one"[..]);
        let good = [header(&[]), section(&block)].concat();
        let mut flipped = good.clone();
        *flipped.last_mut().expect("not empty") ^= 1;
        assert_eq!(parts(&flipped, 9), Err(Error::Mismatch(block.cid)));
        let short = &good[..good.len() - 1];
        let huge = [header(&[]), vec![0xff, 0xff, 0xff, 0x7f]].concat();
        let two = b"\x11\xa2\x65roots\x80\x67version\x02".to_vec();
        let no_cid = [header(&[]), vec![2, 1, 0x55]].concat();
        for bytes in [short, &huge, &two, &no_cid, &[][..]] {
            assert!(matches!(parts(bytes, 9), Err(Error::Car(_))), "{bytes:x?}");
        }
    }
}
