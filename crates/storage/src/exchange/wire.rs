//! The frames of the exchange.
//!
//! A request is the concatenation of 1 to [`MAX_WANTS`] CIDs of 36 bytes. An answer is one byte, 0
//! (not to be had) or 1 (here), and in the second case the bytes of the blob.

use bytes::Bytes;
use futures::io::{AsyncWrite, AsyncWriteExt};
use objects::Cid;
use std::io;

/// CIDs in one request.
pub const MAX_WANTS: usize = 256;
const CID_BYTES: usize = 36;
/// Bytes of the largest request.
pub(super) const REQUEST_BYTES: usize = MAX_WANTS * CID_BYTES;
/// Bytes of an answer before the blob.
pub(super) const ANSWER_HEAD_BYTES: usize = 1;

pub(super) fn encode_request(wants: &[Cid]) -> Vec<u8> {
    wants.iter().flat_map(Cid::to_bytes).collect()
}

/// Reads a request; `None` if it is none.
pub(super) fn decode_request(frame: &[u8]) -> Option<Vec<Cid>> {
    if frame.is_empty() || frame.len() > REQUEST_BYTES {
        return None;
    }
    frame.chunks(CID_BYTES).map(|bytes| Cid::try_from(bytes).ok()).collect()
}

/// Writes an answer without copying the blob.
pub(super) async fn write_answer(
    stream: &mut (impl AsyncWrite + Unpin + ?Sized),
    blob: Option<&Bytes>,
) -> io::Result<()> {
    let blob_bytes = blob.map_or(0, Bytes::len);
    let length = u32::try_from(ANSWER_HEAD_BYTES + blob_bytes)
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut head = length.to_be_bytes().to_vec();
    head.push(u8::from(blob.is_some()));
    stream.write_all(&head).await?;
    if let Some(bytes) = blob {
        stream.write_all(bytes).await?;
    }
    stream.flush().await
}

/// Reads an answer: the blob, or that it is not to be had. `Err` if it is no answer.
pub(super) fn decode_answer(mut frame: Bytes) -> Result<Option<Bytes>, ()> {
    match frame.first() {
        Some(0) if frame.len() == ANSWER_HEAD_BYTES => Ok(None),
        Some(1) => Ok(Some(frame.split_off(ANSWER_HEAD_BYTES))),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::Codec;
    use protocol::port::read_frame;

    #[test]
    fn a_request_has_these_bytes_and_comes_back() {
        let wants = [Cid::of(Codec::Raw, b"a"), Cid::of(Codec::DagPb, b"b")];
        let frame = encode_request(&wants);
        assert_eq!(frame.len(), 72);
        assert_eq!(frame[..4], [1, 0x55, 0x12, 0x20]);
        assert_eq!(decode_request(&frame), Some(wants.to_vec()));
    }

    #[test]
    fn cut_empty_and_oversized_requests_are_refused() {
        let frame = encode_request(&[Cid::of(Codec::Raw, b"a")]);
        let many = frame.repeat(MAX_WANTS + 1);
        for wrong in [&frame[..35], &[], &[frame.as_slice(), &[1]].concat(), &[0; 36], &many] {
            assert_eq!(decode_request(wrong), None);
        }
    }

    #[tokio::test]
    async fn answers_come_back() {
        let mut sent = Vec::new();
        let blob = Bytes::from_static(b"blob");
        write_answer(&mut sent, Some(&blob)).await.expect("memory takes it");
        write_answer(&mut sent, None).await.expect("memory takes it");
        assert_eq!(sent, b"\0\0\0\x05\x01blob\0\0\0\x01\0");
        let mut received = &sent[..];
        let mut next = async || read_frame(&mut received, 5).await.expect("whole").expect("one");
        assert_eq!(decode_answer(next().await), Ok(Some(blob)));
        assert_eq!(decode_answer(next().await), Ok(None));
        for wrong in [&b""[..], b"\x02", b"\0x"] {
            assert_eq!(decode_answer(Bytes::from_static(wrong)), Err(()));
        }
    }
}
