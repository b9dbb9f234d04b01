//! Sharded directories have the names that others give them.

use super::*;
use crate::{
    Cid,
    unixfs::{
        DIRECTORY_BYTES, DirectoryBuilder, builder::tests::keystream,
        directory_walker::tests::walk, shard::FANOUT,
    },
};
use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

/// An error that nothing but this crate makes.
#[derive(Debug)]
struct Refused(Error);

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

fn built(builder: DirectoryBuilder) -> (DirectoryRoot, Vec<Block>) {
    let mut blocks = Vec::new();
    let root = builder.finish::<Refused>(|block| {
        blocks.push(block);
        Ok(())
    });
    (root.expect("plain names"), blocks)
}

fn with(
    mut builder: DirectoryBuilder,
    entries: impl IntoIterator<Item = Entry>,
) -> DirectoryBuilder {
    entries.into_iter().for_each(|entry| builder.push(entry).expect("a plain name"));
    builder
}

fn entry(name: impl Into<String>, content: &[u8]) -> Entry {
    let size_bytes = content.len() as u64;
    Entry { name: name.into(), cid: Cid::of(Codec::Raw, content), size_bytes }
}

/// The names of kubo's tests of the profile: from a stream, in its alphabet, the last one longer.
fn kubo_names(last: usize) -> Vec<String> {
    let alphabet = b"abcdefghijklmnopqrstuvwxyz01234567890-_";
    let stream = keystream("hamt-unixfs-v1-2025", 4765 * 11 + last);
    let letters: Vec<_> = stream
        .iter()
        .map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()]))
        .collect();
    let (short, long) = letters.split_at(4765 * 11);
    short.chunks(11).chain([long]).map(|name| name.iter().collect()).collect()
}

#[test]
fn at_the_threshold_a_directory_is_one_block_and_one_byte_later_it_is_sharded() {
    // From kubo's tests of the profile, with which those of js-ipfs-unixfs agree.
    for (last, blocks, known) in [
        (21, 1, "bafybeic3h7rwruealwxkacabdy45jivq2crwz6bufb5ljwupn36gicplx4"),
        (22, 439, "bafybeiegvuterwurhdtkikfhbxcldohmxp566vpjdofhzmnhv6o4freidu"),
    ] {
        let entries = kubo_names(last).into_iter().map(|name| entry(name, b"x"));
        let (root, made) = built(with(DirectoryBuilder::new(), entries));
        assert_eq!(root.cid.to_string(), known);
        assert_eq!((root.blocks, root.entries, made.len()), (blocks, 4766, blocks as usize));
        assert_eq!(made.last().map(|block| block.cid), Some(root.cid));
    }
}

#[test]
fn the_directory_of_the_specification_has_its_name() {
    // "HAMT Sharded Directory": 1.txt to 1000.txt, all of one content.
    let cid: Cid =
        "bafybeigcisqd7m5nf3qmuvjdbakl5bdnh4ocrmacaqkpuh77qjvggmt2sa".parse().expect("a CID");
    let entries = (1..=1000).map(|i| Entry { name: format!("{i}.txt"), cid, size_bytes: 1271 });
    let (root, blocks) = built(with(DirectoryBuilder::shaped(0, FANOUT), entries));
    let known = "bafybeidbclfqleg2uojchspzd4bob56dqetqjsj27gy2cq3klkkgxtpn4i";
    assert_eq!(root.cid.to_string(), known);
    assert_eq!(blocks.last().map(|block| block.bytes.len()), Some(12_046));
}

#[test]
fn a_fanout_of_16_gives_what_the_other_implementations_give() {
    // The reference of js-ipfs-unixfs ("reference shard with fanout of 16").
    let letters = (b' '..=b'~').filter(|letter| !b"/.".contains(letter));
    let entries = letters.map(|letter| entry(char::from(letter), &[letter]));
    let (root, _) = built(with(DirectoryBuilder::shaped(0, 16), entries));
    let known = "bafybeihnipspiyy3dctpcx7lv655qpiuy52d7b2fzs52dtrjqwmvbiux44";
    assert_eq!(root.cid.to_string(), known);
}

#[test]
fn a_hundred_thousand_entries_come_back() {
    let entries = (0..100_000).map(|i| entry(format!("file-{i:06}.dat"), b"x"));
    let builder = with(DirectoryBuilder::new(), entries);
    let (root, blocks) = built(builder);
    assert_eq!(root.entries, 100_000);
    assert!(blocks.iter().all(|block| block.bytes.len() <= DIRECTORY_BYTES));
    let own: u64 = blocks.iter().map(|block| block.bytes.len() as u64).sum();
    assert_eq!(root.dag_size_bytes, own + 100_000);
    let mut names: Vec<_> =
        walk(&blocks, root.cid).expect("our own").into_iter().map(|entry| entry.name).collect();
    names.sort_unstable();
    assert!(names.iter().enumerate().all(|(i, name)| *name == format!("file-{i:06}.dat")));
    assert_eq!(names.len(), 100_000);
}

#[test]
fn names_that_were_made_to_have_one_hash_end_the_work() {
    let same = [entry("a", b"1"), entry("b", b"2")].map(|entry| (7, entry));
    let mut emit = |_| Ok::<_, Refused>(());
    let made = Writer { bits: 8, emit: &mut emit }.shard(&same, Place::default());
    assert!(matches!(made, Err(Refused(Error::Name { .. }))));
}

#[test]
fn what_the_sink_refuses_ends_the_work() {
    #[derive(Debug, PartialEq)]
    enum Sink {
        Full,
        Other,
    }
    impl From<Error> for Sink {
        fn from(_: Error) -> Self {
            Self::Other
        }
    }
    let mut left = 2;
    let entries = (0..100).map(|i| entry(i.to_string(), b"x"));
    let ended = with(DirectoryBuilder::shaped(0, 8), entries).finish(|_| {
        left -= 1;
        if left < 0 { Err(Sink::Full) } else { Ok(()) }
    });
    assert_eq!(ended, Err(Sink::Full));
    assert_eq!(left, -1);
}

proptest! {
    #[test]
    fn any_names_come_back_and_their_order_does_not_matter(
        names in prop::collection::btree_set("[^/\0]{1,12}", 0..200),
        limit_bytes in 0usize..4000,
        power in 3u32..=10,
        turn in 0usize..200,
    ) {
        let entries: Vec<_> = names
            .iter()
            .filter(|name| *name != "." && *name != "..")
            .map(|name| entry(name.as_str(), name.as_bytes()))
            .collect();
        let shaped = || DirectoryBuilder::shaped(limit_bytes, 1 << power);
        let (root, blocks) = built(with(shaped(), entries.clone()));
        let mut turned = entries.clone();
        turned.reverse();
        turned.rotate_left(turn.min(entries.len()));
        let (again, _) = built(with(shaped(), turned));
        prop_assert_eq!(root, again);
        let mut read = walk(&blocks, root.cid).expect("our own");
        read.sort();
        let mut sorted = entries;
        sorted.sort();
        prop_assert_eq!(read, sorted);
        let bytes: u64 = blocks.iter().map(|block| block.bytes.len() as u64).sum();
        let named: u64 = names.iter().filter(|n| *n != "." && *n != "..").map(|n| n.len() as u64).sum();
        prop_assert_eq!(root.dag_size_bytes, bytes + named);
        prop_assert!(blocks.len() as u64 == root.blocks);
    }
}
