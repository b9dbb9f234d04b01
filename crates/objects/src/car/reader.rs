//! Reading a stream as it arrives.

use super::head::{self, Head, V2_BYTES};
use crate::{Block, Cid, Error, NODE_BYTES, cid::CID_BYTES};
use bytes::{Buf, Bytes, BytesMut};
use std::collections::HashSet;

/// Bytes of the longest header that is read: some 20,000 roots.
const HEADER_BYTES: usize = 1 << 20;

/// What a stream holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// The roots; always the first part. A root of no bytes under the identity hash, which some
    /// writers put where there is none, is left out.
    Roots(Vec<Cid>),
    /// A block, checked against its CID unless the reader leaves that to others.
    Block(Block),
}

/// Reads a stream as it arrives. Holds what was pushed and not yet read, and the roots.
#[derive(Default, Debug)]
pub struct Reader {
    buffer: BytesMut,
    state: State,
    /// Bytes of the stream inside version 2 that are still to come; version 1 has no end.
    left: Option<u64>,
    roots: Vec<Cid>,
    missing: HashSet<Cid>,
    unchecked: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
enum State {
    /// Before the first header.
    #[default]
    Start,
    /// After the pragma of version 2.
    Window,
    /// So many bytes before the stream inside version 2.
    Gap(u64),
    /// Before the header of the stream inside version 2.
    Inside,
    /// Among the blocks.
    Sections,
    /// After the stream inside version 2, where an index may be.
    Tail,
}

impl Reader {
    /// A reader at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// A reader that does not check blocks against their CIDs: for those who put them where that is
    /// done, on more threads than one.
    pub fn unchecked() -> Self {
        Self { unchecked: true, ..Self::default() }
    }

    /// Adds bytes that arrived. Read all parts before pushing more.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.state != State::Tail {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Roots that the header named and that have not come yet, in the order of the header. After
    /// the last part: those that the stream does not hold.
    pub fn missing_roots(&self) -> impl Iterator<Item = Cid> + '_ {
        self.roots.iter().copied().filter(|root| self.missing.contains(root))
    }

    /// The next part, or `None` if more bytes are needed for it.
    ///
    /// # Errors
    /// [`Error::Car`], [`Error::Mismatch`], or [`Error::ForeignCid`] for a block or a root of a
    /// codec or hash that is not supported here; the stream cannot be read further.
    pub fn next_part(&mut self) -> Result<Option<Part>, Error> {
        loop {
            match self.state {
                State::Start | State::Inside => {
                    let Some(bytes) = self.frame(HEADER_BYTES)? else { return Ok(None) };
                    if let Some(roots) = self.begin(&bytes)? {
                        return Ok(Some(Part::Roots(roots)));
                    }
                }
                State::Window => {
                    let Some((bytes, _)) = self.buffer.split_first_chunk::<V2_BYTES>() else {
                        return Ok(None);
                    };
                    let window = head::window(bytes)?;
                    self.buffer.advance(V2_BYTES);
                    self.left = Some(window.data_bytes);
                    self.state = State::Gap(window.gap_bytes);
                }
                State::Gap(0) => self.state = State::Inside,
                State::Gap(gap) => {
                    let now = gap.min(self.buffer.len() as u64);
                    if now == 0 {
                        return Ok(None);
                    }
                    self.buffer.advance(now as usize);
                    self.state = State::Gap(gap - now);
                }
                State::Sections if self.left == Some(0) => self.state = State::Tail,
                State::Sections => {
                    let part = self.frame(CID_BYTES + NODE_BYTES)?;
                    return part.map(|bytes| self.block(bytes).map(Part::Block)).transpose();
                }
                State::Tail => {
                    self.buffer.clear();
                    return Ok(None);
                }
            }
        }
    }

    /// Ends the stream. Whether its roots were in it is asked with [`Self::missing_roots`].
    ///
    /// # Errors
    /// [`Error::Car`] if it ends inside a part, or before its header.
    pub fn finish(self) -> Result<(), Error> {
        let whole = match self.state {
            State::Sections => self.buffer.is_empty() && self.left.is_none_or(|left| left == 0),
            State::Tail => true,
            _ => false,
        };
        if whole { Ok(()) } else { Err(Error::Car("it ends too early".into())) }
    }

    /// The next bytes that are preceded by their length.
    fn frame(&mut self, limit: usize) -> Result<Option<Bytes>, Error> {
        let (length, start) = match unsigned_varint::decode::u64(&self.buffer) {
            Ok((length, rest)) => (length, self.buffer.len() - rest.len()),
            Err(unsigned_varint::decode::Error::Insufficient) => return Ok(None),
            Err(_) => return Err(Error::Car("a length that does not decode".into())),
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= limit);
        let length = length.ok_or_else(|| Error::Car(format!("a part of over {limit} bytes")))?;
        let whole = (start + length) as u64;
        if self.left.is_some_and(|left| whole > left) {
            return Err(Error::Car("a part that goes on after the end of the data".into()));
        }
        if self.buffer.len() - start < length {
            return Ok(None);
        }
        self.left = self.left.map(|left| left - whole);
        self.buffer.advance(start);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// Reads a header; the pragma of version 2 has no roots.
    fn begin(&mut self, bytes: &[u8]) -> Result<Option<Vec<Cid>>, Error> {
        match head::read(bytes)? {
            Head::V1(roots) => {
                self.state = State::Sections;
                self.missing = roots.iter().copied().collect();
                self.roots.clone_from(&roots);
                Ok(Some(roots))
            }
            Head::V2 if self.state == State::Start => {
                self.state = State::Window;
                Ok(None)
            }
            Head::V2 => Err(Error::Car("version 2 inside version 2".into())),
        }
    }

    fn block(&mut self, part: Bytes) -> Result<Block, Error> {
        let (cid, rest) = Cid::read_foreign(&part).map_err(|error| match error {
            Error::Cid(reason) => Error::Car(format!("a section without a CID: {reason}")),
            other => other,
        })?;
        let bytes = part.slice_ref(rest);
        if !self.unchecked {
            cid.check(&bytes)?;
        }
        self.missing.remove(&cid);
        Ok(Block { cid, bytes })
    }
}
