//! The bytes of messages.

use super::{
    super::message::{MAX_ITEMS, MESSAGE_BYTES, Presence},
    *,
};
use futures::io::Cursor;
use proptest::prelude::*;
use std::io;

#[test]
fn a_message_has_these_bytes_and_comes_back() {
    let cid = Cid::of(Codec::Raw, b"a");
    let message = Message {
        full: true,
        wants: vec![Entry { priority: -1, cancel: true, ..want(&cid, Kind::Have) }],
        blocks: vec![Payload { prefix: vec![1, 0x55, 0x12, 0x20].into(), data: "data".into() }],
        presences: vec![Presence { name: Name::of(&cid), here: false }],
    };
    let parts = message.encode();
    let bytes = parts.concat();
    let name = cid.to_bytes();
    let entry = [
        &[0x0a, 36][..],
        &name,
        &[0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        &[0x18, 1, 0x20, 1, 0x28, 1],
    ]
    .concat();
    let expected = [
        &[120][..],
        &[0x0a, 59, 0x0a, 55],
        &entry,
        &[0x10, 1],
        &[0x1a, 12, 0x0a, 4, 1, 0x55, 0x12, 0x20, 0x12, 4],
        b"data",
        &[0x22, 40, 0x0a, 36],
        &name,
        &[0x10, 1],
    ]
    .concat();
    assert_eq!(bytes[1..], expected[1..]);
    assert_eq!(usize::from(bytes[0]), bytes.len() - 1);
    assert_eq!(Message::decode(Bytes::from(bytes).slice(1..)), Ok(message));
}

#[test]
fn blocks_of_the_first_version_are_read() {
    let message = Message::decode(Bytes::from_static(b"\x12\x04data")).expect("a message");
    assert_eq!(message.blocks[0].prefix, [0, 0x70, 0x12, 0x20][..]);
    assert_eq!(message.blocks[0].data, "data");
}

#[test]
fn what_is_no_message_or_too_much_is_refused() {
    let wants_nothing = Bytes::from_static(&[0x0a, 4, 0x0a, 2, 0x10, 1]);
    assert!(Message::decode(wants_nothing).is_err(), "a want without a name");
    assert!(Message::decode(Bytes::from_static(&[0x22, 2, 0x0a, 0])).is_err(), "an empty name");
    assert!(Message::decode(Bytes::from_static(&[0x1a, 9, 0])).is_err(), "cut off");
    assert!(Message::decode([0x12, 0].repeat(MAX_ITEMS).into()).is_ok());
    assert!(Message::decode([0x12, 0].repeat(MAX_ITEMS + 1).into()).is_err());
}

#[tokio::test]
async fn lengths_beyond_the_bound_are_refused_before_anything_is_read() {
    let over = (MESSAGE_BYTES + 1) as u64;
    let mut bytes = Vec::new();
    super::super::protobuf::put_varint(&mut bytes, over);
    for wrong in [&bytes[..], &[0xff; 12]] {
        let error = read_length(&mut Cursor::new(wrong)).await.expect_err("too long");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
    let cut = read_length(&mut Cursor::new([0x80])).await.expect_err("cut off");
    assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(read_length(&mut Cursor::new([])).await.expect("a clean end"), None);
}

proptest! {
    #[test]
    fn any_bytes_are_a_message_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        comes_back(bytes);
    }

    #[test]
    fn a_damaged_message_is_another_one_or_refused(
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        end in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let cid = Cid::of(Codec::Raw, b"a");
        let good = Message {
            full: true,
            wants: vec![want(&cid, Kind::Have), want(&cid, Kind::Block)],
            blocks: vec![payload(&blob(0)), payload(&blob(1))],
            presences: vec![Presence { name: Name::of(&cid), here: false }],
        };
        let mut bytes = good.encode()[1..].concat();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(end.map_or(bytes.len(), |end| end.index(bytes.len())));
        comes_back(bytes);
    }
}

/// What can be read is the same after it was written again.
fn comes_back(bytes: Vec<u8>) {
    if let Ok(message) = Message::decode(bytes.into()) {
        let parts = message.encode().concat();
        let length = read_length_of(&parts);
        assert_eq!(Message::decode(parts[length..].to_vec().into()), Ok(message));
    }
}

fn read_length_of(bytes: &[u8]) -> usize {
    let (_, rest) = super::super::protobuf::read_varint(bytes).expect("a length");
    bytes.len() - rest.len()
}
