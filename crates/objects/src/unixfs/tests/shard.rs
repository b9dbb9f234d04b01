//! Shards of others are read strictly.

use super::*;
use crate::{Block, Codec, Node, unixfs::data};
use proptest::prelude::{any, prop, prop_assert_eq, proptest};

fn link(name: &str) -> dag_pb::Link {
    dag_pb::Link { cid: Cid::of(Codec::Raw, b"x"), name: name.into(), dag_size_bytes: 1 }
}

fn parse(names: &[&str], field: &[u8], fanout: u64) -> Result<Node, Error> {
    let links: Vec<_> = names.iter().map(|name| link(name)).collect();
    let message = data::encode_shard(field, fanout);
    let block = Block::of(Codec::DagPb, dag_pb::encode(&links, &message));
    Node::parse(block.cid, block.bytes)
}

#[test]
fn slots_have_an_entry_or_a_shard() {
    let Ok(Node::Shard(shard)) = parse(
        &["01", "0Aname", "FF0A"],
        &{
            let mut field = [0; 32];
            (field[0], field[30], field[31]) = (0x80, 0x04, 0x02);
            field
        },
        256,
    ) else {
        panic!("a shard")
    };
    let slots: Vec<_> = shard.slots.iter().map(|s| (s.index, s.name.as_deref())).collect();
    assert_eq!(slots, [(1, None), (10, Some("name")), (255, Some("0A"))]);
    let short = parse(&["01"], &[2], 256);
    assert!(matches!(short, Ok(Node::Shard(_))), "zeros in front may be left out");
    assert!(matches!(parse(&["3FFx"], &[0x80], 1024), Err(Error::Malformed { .. })));
    assert!(matches!(parse(&["007x"], &[0x80], 1024), Ok(Node::Shard(_))));
}

#[test]
fn what_does_not_fit_together_is_malformed() {
    for (names, field, fanout) in [
        (&["01"][..], &[4u8][..], 256u64), // another bit
        (&["01"], &[6], 256),              // a bit without a link
        (&["01", "02"], &[2], 256),        // a link without a bit
        (&["02", "01"], &[6], 256),        // out of order
        (&["01", "01a"], &[2], 256),       // one slot twice
        (&["1"], &[2], 256),               // too short
        (&["0g"], &[2], 256),              // no hex
        (&["0a"], &[0x04, 0], 256),        // small letters
        (&["+1"], &[2], 256),              // a sign
        (&["é"], &[2], 256),               // no hex either
        (&["01a/b"], &[2], 256),           // no plain name
        (&["01.."], &[2], 256),
        (&[], &[0; 33], 256), // more bits than slots
        (&[], &[], 100),      // no power of two
        (&[], &[], 4),        // less than a byte
        (&[], &[], 2048),     // more than the specification allows
        (&[], &[], 0),
        (&["8"], &[], 8), // a slot that is not there
    ] {
        let read = parse(names, field, fanout);
        assert!(matches!(read, Err(Error::Malformed { .. })), "{names:?} {field:?}: {read:?}");
    }
    let other_hash = [8, 5, 0x12, 0, 0x28, 0x23, 0x30, 0x80, 2];
    let no_hash = [8, 5, 0x12, 0, 0x30, 0x80, 2];
    let no_fanout = [8, 5, 0x12, 0, 0x28, 0x22];
    for message in [&other_hash[..], &no_hash, &no_fanout] {
        let block = Block::of(Codec::DagPb, dag_pb::encode([], message));
        let read = Node::parse(block.cid, block.bytes);
        assert!(matches!(read, Err(Error::Malformed { .. })), "{read:?}");
    }
}

#[test]
fn a_hash_is_taken_from_its_highest_bits_on() {
    let hash = 0x0123_4567_89ab_cdef;
    let mut place = Place::default();
    for index in [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef] {
        assert_eq!(place.slot_of(hash, 8), Some(index));
        place = place.below(8, index).expect("a hash has eight bytes");
    }
    assert_eq!((place.slot_of(hash, 8), place.below(8, 0)), (None, None));
    assert_eq!(Place::default().slot_of(hash, 4), Some(0));
    assert_eq!(Place::default().slot_of(u64::MAX, 10), Some(1023));
    // Six times ten bits, and four are left over.
    let deep = (0..6).try_fold(Place::default(), |place, _| place.below(10, 1)).expect("60 bits");
    assert_eq!(deep.below(10, 1), None);
}

#[test]
fn a_name_belongs_to_the_places_of_its_hash() {
    // "hello" has the hash cbd8a7b3….
    let place = Place::default().below(8, 0xcb).expect("eight bits");
    assert!(place.holds("hello") && Place::default().holds("hello"));
    assert!(place.below(8, 0xd8).expect("sixteen").holds("hello"));
    assert!(!place.below(8, 0xd9).expect("sixteen").holds("hello"));
}

proptest! {
    #[test]
    fn a_bit_field_says_which_slots_are_taken(
        slots in prop::collection::btree_set(0u32..1024, 0..50),
        bits in 3u32..=10,
    ) {
        let slots: Vec<_> = slots.into_iter().filter(|slot| slot >> bits == 0).collect();
        let field = bit_field(slots.iter().copied(), bits);
        prop_assert_eq!(field.first().copied() == Some(0), false, "no zeros in front");
        let read: Vec<_> = marks(&field, 1 << bits).expect("it fits").collect();
        prop_assert_eq!(read, slots);
    }

    #[test]
    fn no_shard_makes_it_panic(
        names in prop::collection::vec("[0-9A-F]{0,3}[a-z/.]{0,3}", 0..9),
        field in prop::collection::vec(any::<u8>(), 0..40),
        fanout in any::<u64>(),
        power in 0u32..12,
    ) {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let _ = parse(&names, &field, fanout);
        let _ = parse(&names, &field, 1 << power);
    }
}
