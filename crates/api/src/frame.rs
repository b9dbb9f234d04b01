//! The body of a submission: frames, one after the other.
//!
//! A frame is its length (u32, big endian, kind included), one byte for its kind, and a payload:
//! first, if the order is to be held, the list of the jobs that must end well before (canonical
//! DAG-CBOR), then the order (canonical DAG-CBOR), then blocks (36 bytes of CID, then the bytes), then an
//! empty end, so that a connection that breaks is told from a submission that is complete.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use identity::{Signed, canonical};
use objects::Cid;
use protocol::{Job, JobId, limits};

const ORDER: u8 = 1;
const BLOB: u8 = 2;
const END: u8 = 3;
const AFTER: u8 = 4;
const CID_BYTES: usize = 36;
const HEAD_BYTES: usize = 5;
/// Bytes of an order, its signature included.
const ORDER_BYTES: usize = 64 << 10;
/// Bytes of a list of jobs: each is a CID with a tag and a length.
const AFTER_BYTES: usize = 16 + limits::AFTER * (CID_BYTES + 8);
const LARGEST: usize = 1 + CID_BYTES + limits::BLOB_BYTES;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The jobs that must end well before. It is the first frame, or missing.
    After(Vec<JobId>),
    /// The order. Only [`Frame::After`] may come before it.
    Order(Box<Signed<Job>>),
    /// A block of content; whether the bytes are what the CID names is not checked.
    Blob(Cid, Bytes),
    /// Nothing follows.
    End,
}

/// Why frames cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A length of zero, or more than any frame may have.
    #[error("a frame of {0} bytes")]
    Length(usize),
    /// A kind that does not exist.
    #[error("a frame of kind {0}")]
    Kind(u8),
    /// A payload that does not decode.
    #[error("a frame that does not decode: {0}")]
    Payload(String),
    /// The order is missing or comes twice, the list of jobs is not the first frame, or something
    /// follows the end.
    #[error("frames out of order")]
    Order,
    /// The bytes stop before the end.
    #[error("the frames stop before their end")]
    Cut,
}

impl Frame {
    /// The bytes of the frame.
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Order(order) => whole(ORDER, &[&canonical::encode(order)]),
            Self::After(jobs) => whole(AFTER, &[&canonical::encode(jobs)]),
            Self::Blob(cid, bytes) => whole(BLOB, &[&cid.to_bytes(), bytes]),
            Self::End => whole(END, &[]),
        }
    }
}

fn whole(kind: u8, parts: &[&[u8]]) -> Bytes {
    let length = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut bytes = BytesMut::with_capacity(4 + length);
    bytes.put_u32(u32::try_from(length).expect("a frame is far smaller than 4 GiB"));
    bytes.put_u8(kind);
    for part in parts {
        bytes.put_slice(part);
    }
    bytes.freeze()
}

/// Reads frames from bytes that come in pieces. Keeps one frame and one piece at most.
#[derive(Default)]
pub struct FrameReader {
    buffer: BytesMut,
    last: Option<u8>,
}

impl FrameReader {
    /// Adds bytes that arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, if it is whole.
    ///
    /// # Errors
    /// What is wrong with it. Nothing can be read after that.
    pub fn frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.is_finished() && !self.buffer.is_empty() {
            return Err(FrameError::Order);
        }
        if self.buffer.len() < HEAD_BYTES {
            return Ok(None);
        }
        let length =
            u32::from_be_bytes([self.buffer[0], self.buffer[1], self.buffer[2], self.buffer[3]])
                as usize;
        let kind = self.buffer[4];
        let largest = match kind {
            ORDER => 1 + ORDER_BYTES,
            BLOB => LARGEST,
            END => 1,
            AFTER => 1 + AFTER_BYTES,
            _ => return Err(FrameError::Kind(kind)),
        };
        if length == 0 || length > largest {
            return Err(FrameError::Length(length));
        }
        let fits = match kind {
            AFTER => self.last.is_none(),
            ORDER => self.last.is_none_or(|last| last == AFTER),
            _ => self.last.is_some_and(|last| last != AFTER),
        };
        if !fits {
            return Err(FrameError::Order);
        }
        if self.buffer.len() < 4 + length {
            return Ok(None);
        }
        self.buffer.advance(HEAD_BYTES);
        let payload = self.buffer.split_to(length - 1).freeze();
        self.last = Some(kind);
        parse(kind, payload).map(Some)
    }

    /// Checks that the end was read.
    ///
    /// # Errors
    /// [`FrameError::Cut`].
    pub fn finish(&self) -> Result<(), FrameError> {
        if self.is_finished() { Ok(()) } else { Err(FrameError::Cut) }
    }

    /// Whether the end was read.
    pub fn is_finished(&self) -> bool {
        self.last == Some(END)
    }
}

fn parse(kind: u8, mut payload: Bytes) -> Result<Frame, FrameError> {
    let wrong = |error: String| FrameError::Payload(error);
    match kind {
        ORDER => canonical::decode(&payload, ORDER_BYTES)
            .map(|order| Frame::Order(Box::new(order)))
            .map_err(|e| wrong(e.to_string())),
        AFTER => canonical::decode(&payload, AFTER_BYTES)
            .map(Frame::After)
            .map_err(|e| wrong(e.to_string())),
        BLOB if payload.len() >= CID_BYTES => {
            let cid = payload.split_to(CID_BYTES);
            let cid = Cid::try_from(&cid[..]).map_err(|e| wrong(e.to_string()))?;
            Ok(Frame::Blob(cid, payload))
        }
        BLOB => Err(wrong("a block without a CID".into())),
        _ => Ok(Frame::End),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::tests::order;
    use identity::Digest;
    use objects::Codec;

    fn frames() -> Vec<Frame> {
        let bytes = Bytes::from_static(b"hello");
        let cid = Cid::of(Codec::Raw, &bytes);
        let empty = Cid::of(Codec::Raw, b"");
        vec![
            Frame::Order(Box::new(order())),
            Frame::Blob(cid, bytes),
            Frame::Blob(empty, Bytes::new()),
            Frame::End,
        ]
    }

    fn held() -> Vec<Frame> {
        let mut all = frames();
        all.insert(0, Frame::After(vec![order().payload.id(); limits::AFTER]));
        all
    }

    fn read(pieces: &[&[u8]]) -> Result<Vec<Frame>, FrameError> {
        let mut reader = FrameReader::default();
        let mut all = Vec::new();
        for piece in pieces {
            reader.push(piece);
            while let Some(frame) = reader.frame()? {
                all.push(frame);
            }
        }
        reader.finish().map(|()| all)
    }

    #[test]
    fn frames_come_back_wherever_the_bytes_are_cut() {
        let bytes: Vec<u8> = frames().iter().flat_map(Frame::encode).collect();
        for at in 0..=bytes.len() {
            assert_eq!(read(&[&bytes[..at], &bytes[at..]]), Ok(frames()), "cut at {at}");
        }
    }

    #[test]
    fn an_order_that_is_held_says_so_first() {
        let all = held();
        let bytes: Vec<u8> = all.iter().flat_map(Frame::encode).collect();
        assert_eq!(read(&[&bytes]), Ok(held()));
        let [after, order, blob, ..] = &all[..] else { panic!("five frames") };
        let (after, order, blob) = (after.encode(), order.encode(), blob.encode());
        assert_eq!(read(&[&after, &after]), Err(FrameError::Order), "twice");
        assert_eq!(read(&[&order, &after]), Err(FrameError::Order), "late");
        assert_eq!(read(&[&after, &blob]), Err(FrameError::Order), "without an order");
        let many = Frame::After(vec![crate::line::tests::order().payload.id(); 2 * limits::AFTER]);
        assert!(matches!(read(&[&many.encode()]), Err(FrameError::Length(_))));
    }

    #[test]
    fn a_submission_that_stops_anywhere_is_cut() {
        let bytes: Vec<u8> = frames().iter().flat_map(Frame::encode).collect();
        for at in 0..bytes.len() {
            assert_eq!(read(&[&bytes[..at]]), Err(FrameError::Cut), "stops at {at}");
        }
    }

    #[test]
    fn wrong_kinds_lengths_and_orders_are_refused() {
        let all = frames();
        let order = all[0].encode();
        assert_eq!(read(&[&[0, 0, 0, 1, 9]]), Err(FrameError::Kind(9)));
        assert_eq!(read(&[&[0, 0, 0, 0, 1]]), Err(FrameError::Length(0)));
        assert_eq!(read(&[&[255, 0, 0, 0, 2]]), Err(FrameError::Length(0xff00_0000)));
        assert_eq!(read(&[&all[1].encode()]), Err(FrameError::Order), "a blob first");
        assert_eq!(read(&[&order, &order]), Err(FrameError::Order), "two orders");
        let end = all[3].encode();
        assert_eq!(read(&[&order, &end, &end]), Err(FrameError::Order), "after the end");
        assert!(matches!(read(&[&[0, 0, 0, 2, 1, 0]]), Err(FrameError::Payload(_))));
        assert!(matches!(read(&[&order, &[0, 0, 0, 2, 2, 0]]), Err(FrameError::Payload(_))));
    }

    #[test]
    fn the_bytes_of_frames_never_change() {
        let bytes: Vec<u8> = frames().iter().flat_map(Frame::encode).collect();
        assert_eq!(
            Digest::plain(&bytes).to_string(),
            "fdopa7py5h675smoiywz3kfesk3xejie42butevl7nnzsax3ixdq"
        );
        assert_eq!(Frame::End.encode()[..], [0, 0, 0, 1, 3]);
        let after = Frame::After(vec![order().payload.id()]).encode();
        assert_eq!(
            Digest::plain(&after).to_string(),
            "zat4ukcjfk7b2awhxwjslu6v4sc74h6vcbisq7tsefhua3b6n5va"
        );
    }
}
