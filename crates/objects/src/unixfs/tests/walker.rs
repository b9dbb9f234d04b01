//! A walker gives the bytes of a file in order, and is not led astray.

use super::*;
use crate::{Block, Codec, FileBuilder, dag_pb, directory, unixfs::data};

/// An inner node over `children`, which are said to have `size_bytes` of content each.
fn node(children: &[Cid], size_bytes: u64) -> Block {
    let links: Vec<_> = children
        .iter()
        .map(|cid| dag_pb::Link { cid: *cid, name: String::new(), dag_size_bytes: 0 })
        .collect();
    let data = data::encode_file(children.iter().map(|_| size_bytes));
    Block::of(Codec::DagPb, dag_pb::encode(&links, &data))
}

fn give(walker: &mut FileWalker, block: &Block) -> Result<Bytes, Error> {
    walker.give(block.cid, block.bytes.clone())
}

#[test]
fn it_wants_the_blocks_in_the_order_of_the_file() {
    let mut blocks = Vec::new();
    let mut builder = FileBuilder::shaped(2, 2);
    builder.push(b"aabbc", &mut blocks);
    let root = builder.finish(&mut blocks);
    let block = |cid| blocks.iter().find(|block| block.cid == cid).expect("it was made").clone();
    let mut walker = FileWalker::new(root.cid, 5);
    let mut content = Vec::new();
    let mut most = 0;
    while let Some(cid) = walker.wanted() {
        most = most.max(walker.upcoming().count());
        content.push(give(&mut walker, &block(cid)).expect("our own block"));
    }
    content.retain(|part| !part.is_empty());
    assert_eq!(content, [&b"aa"[..], b"bb", b"c"]);
    assert_eq!((walker.size_bytes(), most), (Some(5), 3));
}

#[test]
fn another_block_or_other_bytes_change_nothing() {
    let right = Block::of(Codec::Raw, &b"right"[..]);
    let wrong = Block::of(Codec::Raw, &b"wrong"[..]);
    let mut walker = FileWalker::new(right.cid, 5);
    assert_eq!(give(&mut walker, &wrong), Err(Error::NotWanted(wrong.cid)));
    assert_eq!(walker.give(right.cid, wrong.bytes), Err(Error::Mismatch(right.cid)));
    assert_eq!(give(&mut walker, &right), Ok(right.bytes.clone()));
    assert_eq!(give(&mut walker, &right), Err(Error::NotWanted(right.cid)));
}

#[test]
fn a_part_that_is_not_as_large_as_its_parent_says_is_malformed() {
    let leaf = Block::of(Codec::Raw, &b"abc"[..]);
    for said in [2, 4] {
        let root = node(&[leaf.cid], said);
        let mut walker = FileWalker::new(root.cid, 100);
        give(&mut walker, &root).expect("well formed by itself");
        assert!(matches!(give(&mut walker, &leaf), Err(Error::Malformed { .. })));
    }
}

#[test]
fn a_file_over_the_limit_is_refused_at_its_root() {
    let leaf = Block::of(Codec::Raw, &b"abc"[..]);
    let mut bomb = node(&[leaf.cid; 1000], 3);
    let mut size_bytes = 3000;
    for _ in 0..4 {
        bomb = node(&vec![bomb.cid; 1000], size_bytes);
        size_bytes *= 1000;
    }
    let refused = give(&mut FileWalker::new(bomb.cid, 1 << 30), &bomb);
    assert!(matches!(refused, Err(Error::FileTooLarge { size_bytes: s, .. }) if s == size_bytes));
}

#[test]
fn a_chain_of_nodes_deeper_than_any_file_is_malformed() {
    let mut chain = vec![Block::of(Codec::Raw, &b"abc"[..])];
    for _ in 0..MAX_DEPTH {
        chain.push(node(&[chain[chain.len() - 1].cid], 3));
    }
    let root = chain[chain.len() - 1].cid;
    let mut walker = FileWalker::new(root, 100);
    let results: Vec<_> = chain.iter().rev().map(|block| give(&mut walker, block)).collect();
    let malformed =
        matches!(results[MAX_DEPTH - 1], Err(Error::Malformed { cid, .. }) if cid == root);
    assert!(malformed && results[..MAX_DEPTH - 1].iter().all(Result::is_ok));
}

#[test]
fn a_directory_is_no_file() {
    let empty = directory(&[]).expect("a directory");
    let refused = give(&mut FileWalker::new(empty.cid, 100), &empty);
    assert!(matches!(refused, Err(Error::Unsupported { what: "a directory", .. })));
    let root = node(&[empty.cid], 3);
    let mut walker = FileWalker::new(root.cid, 100);
    give(&mut walker, &root).expect("well formed by itself");
    assert!(matches!(give(&mut walker, &empty), Err(Error::Malformed { .. })));
}

/// What a walker over a range gives, and how many blocks it took.
fn part(blocks: &[Block], root: Cid, range: std::ops::Range<u64>) -> (Vec<u8>, usize) {
    let mut walker = FileWalker::range(root, u64::MAX, range);
    let (mut content, mut taken) = (Vec::new(), 0);
    while let Some(cid) = walker.wanted() {
        let block = blocks.iter().find(|block| block.cid == cid).expect("it was made");
        content.extend(give(&mut walker, block).expect("our own block"));
        taken += 1;
    }
    (content, taken)
}

#[test]
fn a_part_of_a_file_takes_only_the_blocks_that_have_it() {
    let content: Vec<u8> = (0..27).collect();
    let mut blocks = Vec::new();
    let mut builder = FileBuilder::shaped(1, 3);
    builder.push(&content, &mut blocks);
    let root = builder.finish(&mut blocks).cid;
    // Four levels: the root, and 3, 9 and 27 blocks.
    assert_eq!(part(&blocks, root, 13..14), (vec![13], 4));
    assert_eq!(part(&blocks, root, 8..10), (vec![8, 9], 7));
    assert_eq!(part(&blocks, root, 26..99), (vec![26], 4));
    for empty in [0..0, 5..5, 27..30, 99..u64::MAX] {
        assert_eq!(part(&blocks, root, empty), (Vec::new(), 1));
    }
    assert_eq!(part(&blocks, root, 0..u64::MAX), (content, 40));
}

proptest::prelude::proptest! {
    #[test]
    fn any_part_of_any_file_comes_back(
        content in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
        chunk_bytes in 1usize..20,
        node_links in 2usize..5,
        from in 0u64..310,
        length in 0u64..310,
    ) {
        let mut blocks = Vec::new();
        let mut builder = FileBuilder::shaped(chunk_bytes, node_links);
        builder.push(&content, &mut blocks);
        let root = builder.finish(&mut blocks).cid;
        let end = content.len() as u64;
        let expected = &content[from.min(end) as usize..(from + length).min(end) as usize];
        let (read, _) = part(&blocks, root, from..from + length);
        proptest::prelude::prop_assert_eq!(read, expected);
    }
}
