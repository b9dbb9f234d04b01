//! What one sync makes durable.

use super::super::{
    pack::{Location, Tail},
    pin::PinKey,
    ready::{Parts, Ready},
    record::{Control, Place, Row, TOUCH_CIDS},
};
use crate::frame::Framing;
use bytes::Bytes;
use objects::Cid;
use protocol::port::BlobError;
use std::collections::HashSet;

/// Answers one of those who asked.
type Answer = Box<dyn FnOnce(Result<(), BlobError>) + Send>;

/// Records for the end of one pack.
pub(super) struct Batch {
    tail: Tail,
    framing: Framing,
    pub(super) parts: Parts,
    pub(super) rows: Vec<Row>,
    /// Blobs in it.
    pub(super) names: HashSet<Cid>,
    /// Pins that it changes.
    pub(super) pins: HashSet<PinKey>,
    /// Blobs that were put again, which is to be noted.
    touched: Vec<Cid>,
    /// Copies of small blobs, to be read soon.
    pub(super) small: Vec<(Cid, Bytes)>,
    /// Bytes of blobs that were not in the store.
    pub(super) new_bytes: u64,
    answers: Vec<Answer>,
}

impl Batch {
    pub(super) fn new(tail: Tail, framing: Framing) -> Self {
        Self {
            tail,
            framing,
            parts: Parts::default(),
            rows: Vec::new(),
            names: HashSet::new(),
            pins: HashSet::new(),
            touched: Vec::new(),
            small: Vec::new(),
            new_bytes: 0,
            answers: Vec::new(),
        }
    }

    /// Where its records end.
    pub(super) fn end(&self) -> Tail {
        Tail { end: self.tail.end + self.parts.length(), ..self.tail }
    }

    pub(super) fn blob(&mut self, blob: &Ready) {
        let Tail { pack, end: offset } = self.end();
        self.parts.blob(&self.framing, blob);
        self.rows.push(Row::Blob(blob.cid, Location { pack, offset, length: blob.length() }));
        self.names.insert(blob.cid);
    }

    pub(super) fn control(&mut self, control: Control) {
        let Tail { pack, end: offset } = self.end();
        self.parts.control(&self.framing, &control.encode());
        self.rows.push(Row::of(control, Place { pack, offset }));
    }

    /// Notes that a blob was put again.
    pub(super) fn touch(&mut self, cid: Cid) {
        self.touched.push(cid);
    }

    /// Adds what was noted, before it is written.
    pub(super) fn close(&mut self, at_ms: u64) {
        let touched = std::mem::take(&mut self.touched);
        for cids in touched.chunks(TOUCH_CIDS) {
            self.control(Control::Touch { cids: cids.to_vec(), at_ms });
        }
    }

    /// Whether the next record needs a place and a time.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.touched.is_empty()
    }

    /// Who is told when it is durable.
    pub(super) fn then(&mut self, answer: impl FnOnce(Result<(), BlobError>) + Send + 'static) {
        self.answers.push(Box::new(answer));
    }

    pub(super) fn answer(self, result: &Result<(), BlobError>) {
        for answer in self.answers {
            answer(result.clone());
        }
    }
}
