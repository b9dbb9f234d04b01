//! A walk takes everything below a root, in one order, and no more than is allowed.

use super::*;
use crate::{Block, Codec, DirectoryBuilder, Entry, FileBuilder, directory};
use std::collections::HashMap;

const WIDE: DagLimits = DagLimits { blocks: 1000, bytes: 1 << 20, depth: 30 };

fn walk(walker: &mut DagWalker, blocks: &[Block]) -> Result<Vec<Cid>, Error> {
    let by_cid: HashMap<_, _> = blocks.iter().map(|b| (b.cid, b.bytes.clone())).collect();
    let mut taken = Vec::new();
    while let Some(cid) = walker.wanted() {
        assert_eq!(walker.upcoming().next(), Some(cid));
        walker.give(cid, &by_cid[&cid])?;
        taken.push(cid);
    }
    Ok(taken)
}

fn value(links: &[Cid]) -> Block {
    Block::of(Codec::DagCbor, identity::canonical::encode(&links.to_vec()))
}

fn raw(text: &'static str) -> Block {
    Block::of(Codec::Raw, text.as_bytes())
}

/// A value over two others, which share what is below them.
fn diamond() -> (Cid, Vec<Block>) {
    let (a, b) = (raw("a"), raw("b"));
    let left = value(&[a.cid, b.cid, a.cid]);
    let right = value(&[b.cid, a.cid]);
    let top = value(&[left.cid, right.cid, b.cid]);
    (top.cid, vec![top, left, a, b, right])
}

#[test]
fn every_block_comes_once_where_it_is_met_first() {
    let (root, blocks) = diamond();
    let mut walker = DagWalker::new(root, WIDE);
    let order: Vec<_> = blocks.iter().map(|block| block.cid).collect();
    assert_eq!(walk(&mut walker, &blocks), Ok(order));
    let bytes: usize = blocks.iter().map(|block| block.bytes.len()).sum();
    assert_eq!((walker.blocks(), walker.bytes()), (5, bytes as u64));
}

#[test]
fn repeats_come_when_they_are_asked_for() {
    let (root, blocks) = diamond();
    let [top, left, a, b, right] = [0, 1, 2, 3, 4].map(|at| blocks[at].cid);
    let expected = vec![top, left, a, b, a, right, b, a, b];
    assert_eq!(walk(&mut DagWalker::with_repeats(root, WIDE), &blocks), Ok(expected));
}

#[test]
fn what_is_below_a_block_that_is_passed_over_is_not_wanted_for_its_sake() {
    let (root, blocks) = diamond();
    let mut walker = DagWalker::new(root, WIDE);
    walker.give(root, &blocks[0].bytes).expect("the root");
    walker.skip();
    let order = [&blocks[4], &blocks[3], &blocks[2]].map(|block| block.cid);
    assert_eq!(walk(&mut walker, &blocks), Ok(order.to_vec()));
}

#[test]
fn files_in_sharded_directories_are_all_below() {
    let mut blocks = Vec::new();
    let mut builder = DirectoryBuilder::shaped(0, 8);
    for name in 0..60 {
        let mut file = FileBuilder::shaped(4, 2);
        file.push(format!("content of {name}").as_bytes(), &mut blocks);
        let root = file.finish(&mut blocks);
        let name = name.to_string();
        builder.push(Entry { name, cid: root.cid, size_bytes: 1 }).expect("a plain name");
    }
    let root = builder.finish::<Error>(|block| {
        blocks.push(block);
        Ok(())
    });
    let different: HashSet<_> = blocks.iter().map(|block| block.cid).collect();
    let taken = walk(&mut DagWalker::new(root.expect("plain names").cid, WIDE), &blocks);
    let taken = taken.expect("within all limits");
    assert_eq!(taken.len(), different.len());
    assert_eq!(taken.into_iter().collect::<HashSet<_>>(), different);
}

#[test]
fn limits_of_blocks_bytes_and_depth_hold() {
    let (root, blocks) = diamond();
    let bytes: u64 = blocks.iter().map(|block| block.bytes.len() as u64).sum();
    let exact = DagLimits { blocks: 5, bytes, depth: 2 };
    assert!(walk(&mut DagWalker::new(root, exact), &blocks).is_ok());
    for (what, limits) in [
        ("blocks", DagLimits { blocks: 4, ..exact }),
        ("bytes", DagLimits { bytes: bytes - 1, ..exact }),
        ("levels", DagLimits { depth: 1, ..exact }),
    ] {
        let ended = walk(&mut DagWalker::new(root, limits), &blocks);
        assert!(matches!(ended, Err(Error::TooMuch { what: of, .. }) if of == what), "{ended:?}");
    }
    let many: Vec<_> = (0..2000).map(|i| Cid::of(Codec::Raw, &[i as u8, (i >> 8) as u8])).collect();
    let wide = value(&many);
    let ended = DagWalker::new(wide.cid, WIDE).give(wide.cid, &wide.bytes);
    assert!(
        matches!(ended, Err(Error::TooMuch { what: "blocks", .. })),
        "before they are asked for"
    );
}

#[test]
fn few_blocks_with_very_many_paths_are_bounded() {
    // Twenty levels of two equal links: a million walks over twenty-one blocks.
    let mut blocks = vec![raw("end")];
    for _ in 0..20 {
        let below = blocks.last().expect("one").cid;
        blocks.push(value(&[below, below]));
    }
    let root = blocks.last().expect("a root").cid;
    assert_eq!(walk(&mut DagWalker::new(root, WIDE), &blocks).map(|all| all.len()), Ok(21));
    let ended = walk(&mut DagWalker::with_repeats(root, WIDE), &blocks);
    assert!(matches!(ended, Err(Error::TooMuch { what: "blocks", limit: 1000, .. })));
}

#[test]
fn another_block_or_other_bytes_change_nothing() {
    let block = directory(&[]).expect("a directory");
    let mut walker = DagWalker::new(block.cid, WIDE);
    let other = raw("other");
    assert_eq!(walker.give(other.cid, &other.bytes), Err(Error::NotWanted(other.cid)));
    assert_eq!(walker.give(block.cid, &other.bytes), Err(Error::Mismatch(block.cid)));
    walker.give(block.cid, &block.bytes).expect("the right one");
    assert_eq!(walker.wanted(), None);
}
