//! A walker gives the entries of a directory, and is not led astray.

use super::*;
use crate::{
    Block, Codec, DirectoryBuilder, dag_pb, directory, file, symlink,
    unixfs::{data, murmur::murmur},
};
use std::collections::HashMap;

/// The entries of a directory whose blocks are all there.
pub(crate) fn walk(blocks: &[Block], root: Cid) -> Result<Vec<Entry>, Error> {
    let by_cid: HashMap<_, _> = blocks.iter().map(|b| (b.cid, b.bytes.clone())).collect();
    let mut walker = DirectoryWalker::new(root, 1_000_000);
    let mut entries = Vec::new();
    while let Some(cid) = walker.wanted() {
        assert_eq!(walker.upcoming().next(), Some(cid));
        entries.extend(walker.give(cid, by_cid[&cid].clone())?);
    }
    Ok(entries)
}

fn entry(name: &str) -> Entry {
    Entry { name: name.into(), cid: Cid::of(Codec::Raw, b"x"), size_bytes: 1 }
}

fn sharded(names: usize, fanout: u32) -> (Cid, Vec<Block>) {
    let mut builder = DirectoryBuilder::shaped(0, fanout);
    let mut blocks = Vec::new();
    (0..names).for_each(|i| builder.push(entry(&format!("name {i}"))).expect("a plain name"));
    let root = builder.finish::<Error>(|block| {
        blocks.push(block);
        Ok(())
    });
    (root.expect("plain names").cid, blocks)
}

/// A shard with these slots: numbers with the names that follow them, and what they link to.
fn shard(slots: &[(u32, &str, Cid)], bits: u32) -> Block {
    let width = bits.div_ceil(4) as usize;
    let links: Vec<_> = slots
        .iter()
        .map(|(index, name, cid)| dag_pb::Link {
            cid: *cid,
            name: format!("{index:0width$X}{name}"),
            dag_size_bytes: 1,
        })
        .collect();
    let field = crate::unixfs::shard::bit_field(slots.iter().map(|(index, ..)| *index), bits);
    Block::of(Codec::DagPb, dag_pb::encode(&links, &data::encode_shard(&field, 1 << bits)))
}

fn first_slot(name: &str) -> u32 {
    (murmur(name.as_bytes()) >> 56) as u32
}

#[test]
fn a_directory_of_one_block_gives_all_at_once() {
    let entries = vec![entry("a"), entry("b")];
    let block = directory(&entries).expect("plain names");
    assert_eq!(walk(std::slice::from_ref(&block), block.cid), Ok(entries));
    let mut walker = DirectoryWalker::new(block.cid, 1);
    let other = Cid::of(Codec::Raw, b"other");
    assert_eq!(walker.give(other, block.bytes.clone()), Err(Error::NotWanted(other)));
    assert_eq!(walker.give(block.cid, Bytes::new()), Err(Error::Mismatch(block.cid)));
    let limit = Error::TooMuch { root: block.cid, what: "entries", limit: 1 };
    assert_eq!(walker.give(block.cid, block.bytes), Err(limit));
}

#[test]
fn an_empty_sharded_directory_is_empty() {
    let (root, blocks) = sharded(0, 256);
    let block = shard(&[], 8);
    assert_eq!(walk(std::slice::from_ref(&block), block.cid), Ok(Vec::new()));
    assert_eq!((walk(&blocks, root), blocks[0].cid), (Ok(Vec::new()), root));
}

#[test]
fn the_number_of_entries_is_bounded_while_they_come() {
    let (root, blocks) = sharded(500, 8);
    assert_eq!(walk(&blocks, root).expect("our own").len(), 500);
    let by_cid: HashMap<_, _> = blocks.iter().map(|b| (b.cid, b.bytes.clone())).collect();
    let mut walker = DirectoryWalker::new(root, 100);
    let (mut seen, mut taken) = (0, 0);
    let ended = loop {
        let cid = walker.wanted().expect("it ends with an error");
        match walker.give(cid, by_cid[&cid].clone()) {
            Ok(entries) => seen += entries.len(),
            Err(error) => break error,
        }
        taken += 1;
    };
    assert_eq!(ended, Error::TooMuch { root, what: "entries", limit: 100 });
    assert!(seen <= 100 && taken < blocks.len());
}

#[test]
fn files_values_and_links_are_no_directories() {
    let (root, blocks) = file(&Bytes::from_static(b"x"));
    let mut walker = DirectoryWalker::new(root.cid, 9);
    let what = Error::Unsupported { cid: root.cid, what: "a file" };
    assert_eq!(walker.give(root.cid, blocks[0].bytes.clone()), Err(what));
    let link = symlink("x");
    let what = Error::Unsupported { cid: link.cid, what: "a symbolic link" };
    assert_eq!(DirectoryWalker::new(link.cid, 9).give(link.cid, link.bytes), Err(what));
}

#[test]
fn shards_that_lead_astray_are_malformed() {
    let leaf = Cid::of(Codec::Raw, b"x");
    let slot = first_slot("a");
    let good = shard(&[(slot, "a", leaf)], 8);
    assert_eq!(walk(std::slice::from_ref(&good), good.cid).map(|all| all.len()), Ok(1));

    let elsewhere = shard(&[(slot ^ 1, "a", leaf)], 8);
    let nothing = shard(&[], 8);
    let over_nothing = shard(&[(3, "", nothing.cid)], 8);
    // A shard in two slots has one of its names in a place of another hash.
    let second = (murmur(b"a") >> 48 & 0xff) as u32;
    let below = shard(&[(second, "a", leaf)], 8);
    let twice =
        shard(&[(slot.min(slot ^ 1), "", below.cid), (slot.max(slot ^ 1), "", below.cid)], 8);
    let narrow = shard(&[(1, "", leaf)], 4);
    let other_width = shard(&[(3, "", narrow.cid)], 8);
    let flat = directory(&[entry("a")]).expect("a plain name");
    let over_flat = shard(&[(3, "", flat.cid)], 8);
    let over_file = shard(&[(3, "", leaf)], 8);
    let content = Block::of(Codec::Raw, &b"x"[..]);
    let all = [
        elsewhere.clone(),
        nothing,
        over_nothing.clone(),
        below,
        twice.clone(),
        narrow,
        other_width.clone(),
        flat,
        over_flat.clone(),
        over_file.clone(),
        content,
    ];
    for root in [elsewhere, over_nothing, twice, other_width, over_flat, over_file] {
        let read = walk(&all, root.cid);
        assert!(matches!(read, Err(Error::Malformed { .. })), "{read:?}");
    }
}

#[test]
fn a_row_of_shards_longer_than_a_hash_is_malformed() {
    let mut blocks = vec![shard(&[(first_slot("a"), "a", Cid::of(Codec::Raw, b"x"))], 8)];
    for _ in 0..9 {
        let below = blocks.last().expect("one").cid;
        blocks.push(shard(&[(0, "", below)], 8));
    }
    let read = walk(&blocks, blocks.last().expect("a root").cid);
    assert!(matches!(read, Err(Error::Malformed { .. })), "{read:?}");
}
