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
