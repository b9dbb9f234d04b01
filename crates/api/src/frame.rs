//! The body of a submission: frames, one after the other.
//!
//! A frame is its length (u32, big endian, kind included), one byte for its kind, and a payload:
//! the order first (canonical DAG-CBOR), then blocks (36 bytes of CID, then the bytes), then an
//! empty end, so that a connection that breaks is told from a submission that is complete.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use identity::{Signed, canonical};
use objects::Cid;
use protocol::{Job, limits};

const ORDER: u8 = 1;
const BLOB: u8 = 2;
const END: u8 = 3;
const CID_BYTES: usize = 36;
const HEAD_BYTES: usize = 5;
/// Bytes of an order, its signature included.
const ORDER_BYTES: usize = 64 << 10;
const LARGEST: usize = 1 + CID_BYTES + limits::BLOB_BYTES;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The order. It is the first frame, and no other is.
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
    /// The order is missing, comes twice, or something follows the end.
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
    begun: bool,
    ended: bool,
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
        if self.ended && !self.buffer.is_empty() {
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
            _ => return Err(FrameError::Kind(kind)),
        };
        if length == 0 || length > largest {
            return Err(FrameError::Length(length));
        }
        if (kind == ORDER) == self.begun {
            return Err(FrameError::Order);
        }
        if self.buffer.len() < 4 + length {
            return Ok(None);
        }
        self.buffer.advance(HEAD_BYTES);
        let payload = self.buffer.split_to(length - 1).freeze();
        self.begun = true;
        self.ended = kind == END;
        parse(kind, payload).map(Some)
    }

    /// Checks that the end was read.
    ///
    /// # Errors
    /// [`FrameError::Cut`].
    pub fn finish(&self) -> Result<(), FrameError> {
        if self.ended { Ok(()) } else { Err(FrameError::Cut) }
    }

    /// Whether the end was read.
    pub fn is_finished(&self) -> bool {
        self.ended
    }
}

fn parse(kind: u8, mut payload: Bytes) -> Result<Frame, FrameError> {
    let wrong = |error: String| FrameError::Payload(error);
    match kind {
        ORDER => canonical::decode(&payload, ORDER_BYTES)
            .map(|order| Frame::Order(Box::new(order)))
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
    }
}
