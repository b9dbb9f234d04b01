//! Blocks of others are read strictly, and never make us panic.

use super::*;
use crate::{
    Block,
    wire::{put_bytes, put_number},
};
use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, proptest};

fn link(cid: Cid) -> dag_pb::Link {
    dag_pb::Link { cid, name: String::new(), dag_size_bytes: 9 }
}

/// A node whose UnixFS message says what it is told to say.
fn node(links: &[dag_pb::Link], kind: u64, data: &[u8], size: u64, sizes: &[u64]) -> Block {
    let mut message = Vec::new();
    put_number(&mut message, 1, kind);
    if !data.is_empty() {
        put_bytes(&mut message, 2, data);
    }
    put_number(&mut message, 3, size);
    sizes.iter().for_each(|size| put_number(&mut message, 4, *size));
    Block::of(Codec::DagPb, dag_pb::encode(links, &message))
}

fn parse(block: &Block) -> Result<Node, Error> {
    Node::parse(block.cid, block.bytes.clone())
}

#[test]
fn content_inside_a_node_is_read_too() {
    let leaf = Cid::of(Codec::Raw, b"xyz");
    let block = node(&[link(leaf)], 2, b"ab", 5, &[3]);
    let Ok(Node::File(file)) = parse(&block) else { panic!("a file") };
    assert_eq!(file.data, b"ab"[..]);
    assert_eq!(file.links, [FileLink { cid: leaf, size_bytes: 3 }]);
    assert_eq!(file.size_bytes, 5);
}

#[test]
fn bytes_that_the_cid_does_not_name_are_refused() {
    let cid = Cid::of(Codec::Raw, b"right");
    assert_eq!(Node::parse(cid, Bytes::from_static(b"wrong")), Err(Error::Mismatch(cid)));
}

#[test]
fn lying_sizes_and_odd_links_are_malformed() {
    let leaf = link(Cid::of(Codec::Raw, b"xyz"));
    let value = link(Cid::of(Codec::DagCbor, b"xyz"));
    let named = dag_pb::Link { name: "a".into(), ..leaf.clone() };
    let overflow = node(&[leaf.clone(), leaf.clone()], 2, b"", 1, &[u64::MAX, 2]);
    for block in [
        node(std::slice::from_ref(&leaf), 2, b"", 4, &[3]),
        node(std::slice::from_ref(&leaf), 2, b"", 3, &[]),
        node(&[], 2, b"", 3, &[3]),
        node(std::slice::from_ref(&leaf), 2, b"", 0, &[0]),
        node(&[value], 2, b"", 3, &[3]),
        node(&[named], 2, b"", 3, &[3]),
        node(&[], 1, b"content", 7, &[]),
        node(&[], 9, b"", 0, &[]),
        node(&vec![leaf; MAX_FILE_LINKS + 1], 2, b"", 8193, &vec![1; MAX_FILE_LINKS + 1]),
        overflow,
        Block::of(Codec::DagPb, vec![0; 10]),
        Block::of(Codec::DagPb, vec![0; NODE_BYTES + 1]),
    ] {
        assert!(matches!(parse(&block), Err(Error::Malformed { .. })), "{:?}", parse(&block));
    }
}

#[test]
fn a_size_that_is_left_out_is_the_sum_of_the_parts() {
    let message = [8, 2, 0x12, 2, b'a', b'b', 0x20, 3];
    let leaf = Cid::of(Codec::Raw, b"xyz");
    let block = Block::of(Codec::DagPb, dag_pb::encode(&[link(leaf)], &message));
    let Ok(Node::File(file)) = parse(&block) else { panic!("a file") };
    assert_eq!(file.size_bytes, 5);
}

#[test]
fn what_is_not_read_here_is_said() {
    let block = node(&[], 3, b"x", 1, &[]);
    assert_eq!(parse(&block), Err(Error::Unsupported { cid: block.cid, what: "metadata" }));
    let value = Block::of(Codec::DagCbor, vec![0xa0]);
    assert!(matches!(parse(&value), Err(Error::Unsupported { .. })));
    let linked = node(&[link(Cid::of(Codec::Raw, b"x"))], 4, b"x", 1, &[]);
    for block in [linked, node(&[], 5, b"x", 1, &[]), Block::of(Codec::DagPb, vec![])] {
        assert!(matches!(parse(&block), Err(Error::Malformed { .. })), "{:?}", parse(&block));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let block = Block::of(Codec::DagPb, bytes);
        let _ = parse(&block);
    }

    #[test]
    fn a_damaged_node_is_refused_or_says_something_else(
        (position, value) in (0usize..200).prop_flat_map(|p| (Just(p), any::<u8>())),
    ) {
        let leaf = Cid::of(Codec::Raw, b"xyz");
        let good = node(&[link(leaf), link(leaf), link(leaf)], 2, b"", 9, &[3, 3, 3]);
        let mut bytes = good.bytes.to_vec();
        let position = position % bytes.len();
        let is_same = bytes[position] == value;
        bytes[position] = value;
        prop_assert_eq!(Node::parse(good.cid, bytes.clone().into()).is_ok(), is_same);
        let _ = parse(&Block::of(Codec::DagPb, bytes));
    }
}
