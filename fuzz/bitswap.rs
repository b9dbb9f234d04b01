//! The decoders of messages of bitswap, by name, in the form of the list of `protocol`. They are
//! private to `storage`; their files are read here as they are.

use super::list::Decoder;
use bytes::Bytes;
use futures::executor::block_on;

#[allow(dead_code)]
#[path = "../crates/storage/src/bitswap/message.rs"]
mod message;
#[allow(dead_code)]
#[path = "../crates/storage/src/bitswap/name.rs"]
mod name;
#[allow(dead_code)]
#[path = "../crates/storage/src/bitswap/protobuf.rs"]
mod protobuf;

use message::{MAX_ITEMS, MESSAGE_BYTES, Message, read_body, read_length};

/// All of them.
pub(crate) const DECODERS: &[(&str, Decoder)] =
    &[("bitswap_message", one), ("bitswap_stream", stream)];

/// A message without its length. What can be read is the same after it was written again, holds no
/// more than it may, and has no more bytes than it came in.
fn one(bytes: &[u8]) -> bool {
    let Ok(message) = Message::decode(Bytes::copy_from_slice(bytes)) else { return false };
    let blocks: usize = message.blocks.iter().map(|block| block.data.len()).sum();
    assert!(blocks <= bytes.len(), "more bytes of blocks than came");
    for items in [message.wants.len(), message.blocks.len(), message.presences.len()] {
        assert!(items <= MAX_ITEMS, "{items} in one message");
    }
    for name in message.wants.iter().map(|want| &want.name) {
        // Whatever it names, there is a head for blocks of that name.
        let prefix = name.prefix();
        assert!(name.cid().is_none() || name::block_of(&prefix, Bytes::new()).is_some());
    }
    for block in &message.blocks {
        let _of_any_kind = name::block_of(&block.prefix, block.data.clone());
    }
    let written = message.encode().concat();
    let (length, body) = protobuf::read_varint(&written).expect("a length");
    assert_eq!(length, body.len() as u64);
    assert_eq!(Message::decode(Bytes::copy_from_slice(body)), Ok(message));
    true
}

/// Messages with their lengths, one after the other.
fn stream(mut bytes: &[u8]) -> bool {
    loop {
        let length = match block_on(read_length(&mut bytes)) {
            Ok(Some(length)) => length,
            Ok(None) => return true,
            Err(_) => return false,
        };
        assert!(length <= MESSAGE_BYTES);
        let left = bytes.len();
        let Ok(body) = block_on(read_body(&mut bytes, length, || {})) else {
            assert!(left < length, "it was all there");
            return false;
        };
        assert_eq!((body.len(), bytes.len()), (length, left - length));
        if !one(&body) {
            return false;
        }
    }
}

/// One good input for each of them.
#[allow(dead_code)]
pub(crate) fn specimen(name: &str) -> Vec<u8> {
    use message::{Entry, Kind, Payload, Presence};
    let cid = objects::Cid::of(objects::Codec::Raw, b"block");
    let name_of = || name::Name::of(&cid);
    let want = |kind| Entry {
        name: name_of(),
        priority: -1,
        cancel: kind == Kind::Have,
        kind,
        send_dont_have: true,
    };
    let message = Message {
        full: true,
        wants: vec![want(Kind::Block), want(Kind::Have)],
        blocks: vec![Payload { prefix: name_of().prefix().into(), data: "block".into() }],
        presences: vec![Presence { name: name_of(), here: false }],
    };
    let framed = message.encode().concat();
    let (_, body) = protobuf::read_varint(&framed).expect("a length");
    if name == "bitswap_message" { body.to_vec() } else { framed.repeat(2) }
}
