//! The body of an answer: where it ends, and its lines.

use super::unreadable;
use crate::{ApiError, path};
use bytes::{Buf, Bytes, BytesMut};
use futures::{Stream, StreamExt, stream};
use protocol::port::Events;

/// Takes the content out of the bytes of a body (RFC 9112, sections 6 and 7).
pub(super) enum Decoder {
    /// This many bytes follow.
    Length(u64),
    /// Everything until the connection closes.
    UntilClose,
    /// The size of a chunk follows.
    Size,
    /// This many bytes of a chunk follow, and a line end.
    Chunk(u64),
    /// The line end after a chunk follows.
    ChunkEnd,
    /// Trailer lines follow, then an empty one.
    Trailer,
    /// Nothing follows.
    Done,
}

/// Bytes of a trailer line; nobody sends any.
const TRAILER_BYTES: usize = 8 << 10;

impl Decoder {
    /// The next piece of content in `buffer`; `None` if more bytes are needed, or at the end.
    pub(super) fn piece(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, ApiError> {
        loop {
            match self {
                Self::Done => return Ok(None),
                Self::UntilClose if buffer.is_empty() => return Ok(None),
                Self::UntilClose => return Ok(Some(buffer.split().freeze())),
                Self::Length(0) => *self = Self::Done,
                Self::Length(left) | Self::Chunk(left) if *left > 0 => {
                    return Ok(take(left, buffer));
                }
                Self::Length(_) | Self::Chunk(_) => *self = Self::ChunkEnd,
                Self::Size => match httparse::parse_chunk_size(buffer) {
                    // The parser takes a line without digits for a zero.
                    Ok(httparse::Status::Complete((used, size)))
                        if buffer[0].is_ascii_hexdigit() =>
                    {
                        buffer.advance(used);
                        *self = if size == 0 { Self::Trailer } else { Self::Chunk(size) };
                    }
                    Ok(httparse::Status::Partial) => return Ok(None),
                    _ => return Err(unreadable("a chunk without a size")),
                },
                Self::ChunkEnd if buffer.len() < 2 => return Ok(None),
                Self::ChunkEnd if buffer.starts_with(b"\r\n") => {
                    buffer.advance(2);
                    *self = Self::Size;
                }
                Self::ChunkEnd => return Err(unreadable("a chunk that does not end")),
                Self::Trailer => match buffer.windows(2).position(|pair| pair == b"\r\n") {
                    Some(end) => {
                        buffer.advance(end + 2);
                        if end == 0 {
                            *self = Self::Done;
                        }
                    }
                    None if buffer.len() > TRAILER_BYTES => {
                        return Err(unreadable("a trailer that does not end"));
                    }
                    None => return Ok(None),
                },
            }
        }
    }

    /// Whether nothing follows.
    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// Whether the body may end where the connection closes.
    pub(super) fn may_close(&self) -> bool {
        matches!(self, Self::UntilClose)
    }
}

fn take(left: &mut u64, buffer: &mut BytesMut) -> Option<Bytes> {
    let have = buffer.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
    *left -= have as u64;
    (have > 0).then(|| buffer.split_to(have).freeze())
}

/// Cuts a body into lines, without their line feeds; empty lines are left out.
pub(super) fn lines(
    body: Events<Result<Bytes, ApiError>>,
) -> impl Stream<Item = Result<Bytes, ApiError>> + Send {
    stream::unfold((body, BytesMut::new()), |(mut body, mut buffer)| async move {
        let mut searched = 0;
        loop {
            if let Some(at) = buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let mut line = buffer.split_to(searched + at + 1);
                line.truncate(searched + at);
                searched = 0;
                if !line.is_empty() {
                    return Some((Ok(line.freeze()), (body, buffer)));
                }
                continue;
            }
            searched = buffer.len();
            if searched > path::LINE_BYTES {
                return Some((Err(unreadable("a line that is too long")), (body, buffer)));
            }
            match body.next().await {
                Some(Ok(piece)) => buffer.extend_from_slice(&piece),
                Some(Err(error)) => return Some((Err(error), (body, buffer))),
                // What is left without a line feed was cut.
                None => return None,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(mut decoder: Decoder, pieces: &[&[u8]]) -> Result<(Vec<u8>, bool), ApiError> {
        let (mut buffer, mut content) = (BytesMut::new(), Vec::new());
        for piece in pieces {
            buffer.extend_from_slice(piece);
            while let Some(bytes) = decoder.piece(&mut buffer)? {
                content.extend_from_slice(&bytes);
            }
        }
        Ok((content, decoder.is_done()))
    }

    #[test]
    fn chunks_come_together_wherever_the_bytes_are_cut() {
        let bytes = b"5\r\nhello\r\nB;x=y\r\n, new world\r\n0\r\nname: value\r\n\r\n";
        for at in 0..=bytes.len() {
            let got = decode(Decoder::Size, &[&bytes[..at], &bytes[at..]]).unwrap();
            assert_eq!(got, (b"hello, new world".to_vec(), true), "cut at {at}");
            let got = decode(Decoder::Size, &[&bytes[..at]]).unwrap();
            assert_eq!(got.1, at == bytes.len(), "stops at {at}");
        }
    }

    #[test]
    fn a_length_is_all_there_is() {
        assert_eq!(decode(Decoder::Length(3), &[b"ab"]).unwrap(), (b"ab".to_vec(), false));
        assert_eq!(decode(Decoder::Length(3), &[b"ab", b"cd"]).unwrap(), (b"abc".to_vec(), true));
        assert_eq!(decode(Decoder::Length(0), &[b""]).unwrap(), (Vec::new(), true));
        assert_eq!(decode(Decoder::UntilClose, &[b"a", b"b"]).unwrap(), (b"ab".to_vec(), false));
    }

    #[test]
    fn chunks_without_sense_are_refused() {
        for bytes in [&b"x\r\n"[..], b"5\r\nhelloxx", b"\r\n\r\n", b"fffffffffffffffff\r\n"] {
            assert!(decode(Decoder::Size, &[bytes]).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn lines_come_whole_whatever_the_pieces_are() {
        for size in 1..8 {
            let pieces: Vec<_> = b"one\n\ntwo\nthree"
                .chunks(size)
                .map(|piece| Ok(Bytes::copy_from_slice(piece)))
                .collect();
            let all = lines(stream::iter(pieces).boxed()).collect::<Vec<_>>();
            let all: Vec<_> = futures::executor::block_on(all);
            let expected: Vec<Result<Bytes, ApiError>> =
                vec![Ok(Bytes::from_static(b"one")), Ok(Bytes::from_static(b"two"))];
            assert_eq!(all, expected, "pieces of {size}");
        }
    }
}
