//! Going through a pack record by record, whatever state it is in.

use super::{
    pack::{OVERHEAD_BYTES, Pack, Packs},
    record::{CID_BYTES, Record},
};
use crate::frame::{HEAD_BYTES, u32_at};
use bytes::Bytes;
use objects::Cid;
use std::{io, sync::Arc};

/// Bytes that are read at once, at least.
const WINDOW_BYTES: u64 = 1 << 20;

/// What comes next in a pack.
#[derive(Debug)]
pub(super) enum Step {
    /// A record with a right checksum, and where it begins.
    Record(Record, u64),
    /// A part that cannot be read.
    Damaged {
        from: u64,
        to: u64,
        /// The blob that was there, and its bytes, if its head still says so.
        blob: Option<(Cid, u32)>,
    },
    /// Nothing more. Up to here there are records.
    End(u64),
}

/// A walk through one pack.
#[derive(Debug)]
pub(super) struct Walk {
    pack: Arc<Pack>,
    /// Where the next record begins.
    at: u64,
    /// Bytes of the file when the walk began.
    end: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl Walk {
    /// Begins at a place where a record is.
    pub(super) fn new(packs: &Packs, number: u32, at: u64) -> io::Result<Self> {
        Self::over(packs.pack(number)?, at)
    }

    /// The same in any pack.
    pub(super) fn over(pack: Arc<Pack>, at: u64) -> io::Result<Self> {
        let end = pack.file.length()?;
        Ok(Self { pack, at, end, window: Vec::new(), window_at: 0 })
    }

    /// Where the next record begins.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Bytes of the file.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn step(&mut self) -> io::Result<Step> {
        let from = self.at;
        if let Some(body) = self.frame(from)? {
            let bytes = HEAD_BYTES + body.len() as u64;
            self.at = from + bytes;
            return Ok(match Record::parse(body) {
                Some(record) => Step::Record(record, from),
                None => Step::Damaged { from, to: self.at, blob: None },
            });
        }
        // Something acknowledged may stand behind what is damaged.
        match self.pack.framing.find(&*self.pack.file, from + 1)? {
            Some(to) => {
                self.at = to;
                Ok(Step::Damaged { from, to, blob: self.lost(from, to)? })
            }
            None => Ok(Step::End(from)),
        }
    }

    /// The body of the frame at a place.
    fn frame(&mut self, at: u64) -> io::Result<Option<Bytes>> {
        let framing = self.pack.framing;
        let Some(head) = self.read(at, HEAD_BYTES)? else { return Ok(None) };
        let Some(length) = framing.length(head) else { return Ok(None) };
        let Some(frame) = self.read(at, HEAD_BYTES + length)? else { return Ok(None) };
        let (head, body) = frame.split_at(HEAD_BYTES as usize);
        Ok(framing.is_right(head, body).then(|| Bytes::copy_from_slice(body)))
    }

    /// The blob that a damaged part was, if its length and its CID make sense.
    fn lost(&mut self, from: u64, to: u64) -> io::Result<Option<(Cid, u32)>> {
        let Some(bytes) = self.read(from, OVERHEAD_BYTES)? else { return Ok(None) };
        let is_whole = from + HEAD_BYTES + u64::from(u32_at(bytes, 4)) == to;
        let cid = Cid::try_from(&bytes[HEAD_BYTES as usize..]).ok().filter(|_| is_whole);
        let length = u32_at(bytes, 4).checked_sub(CID_BYTES as u32);
        Ok(cid.zip(length))
    }

    /// Bytes of the file; `None` if it ends before.
    fn read(&mut self, at: u64, length: u64) -> io::Result<Option<&[u8]>> {
        if at.saturating_add(length) > self.end {
            return Ok(None);
        }
        let is_here =
            at >= self.window_at && at + length <= self.window_at + self.window.len() as u64;
        if !is_here {
            let bytes = length.max(WINDOW_BYTES).min(self.end - at);
            self.window.resize(bytes as usize, 0);
            // A window that could not be filled holds nothing.
            let read = self.pack.file.read_at(&mut self.window, at);
            if let Err(error) = read {
                self.window.clear();
                let is_short = error.kind() == io::ErrorKind::UnexpectedEof;
                return if is_short { Ok(None) } else { Err(error) };
            }
            self.window_at = at;
        }
        let begin = (at - self.window_at) as usize;
        Ok(Some(&self.window[begin..begin + length as usize]))
    }
}
