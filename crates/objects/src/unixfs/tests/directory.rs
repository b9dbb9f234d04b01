//! Directories are written in one form and read strictly.

use super::*;
use crate::Node;
use proptest::prelude::{prop, prop_assert_eq, proptest};

fn entry(name: &str) -> Entry {
    Entry { name: name.into(), cid: Cid::of(Codec::Raw, b"x"), size_bytes: 1 }
}

#[test]
fn the_empty_directory_has_its_known_name() {
    let block = directory(&[]).expect("a directory");
    let known = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354";
    assert_eq!(block.cid.to_string(), known);
}

#[test]
fn entries_are_sorted_by_bytes_whatever_order_they_come_in() {
    let names = ["Z", "a", "a b", "é"];
    let mut entries: Vec<_> = names.iter().rev().map(|name| entry(name)).collect();
    let block = directory(&entries).expect("a directory");
    entries.reverse();
    assert_eq!(directory(&entries).expect("a directory"), block);
    assert_eq!(Node::parse(block.cid, block.bytes), Ok(Node::Directory(entries)));
}

#[test]
fn names_that_could_escape_or_collide_are_refused() {
    for name in ["", ".", "..", "a/b", "/", "a\0"] {
        assert!(matches!(directory(&[entry(name)]), Err(Error::Name { .. })), "{name:?}");
    }
    let twice = directory(&[entry("a"), entry("b"), entry("a")]);
    assert!(matches!(twice, Err(Error::Name { reason: "it comes twice", .. })));
}

#[test]
fn foreign_directories_with_such_names_are_malformed() {
    let link = |name: &str| dag_pb::Link {
        cid: Cid::of(Codec::Raw, b"x"),
        name: name.into(),
        dag_size_bytes: 1,
    };
    for names in [&["a", "a"][..], &["a", "b", "a"], &["a/b"], &[""], &[".."]] {
        let links: Vec<_> = names.iter().map(|name| link(name)).collect();
        let block = Block::of(Codec::DagPb, dag_pb::encode(&links, &data::DIRECTORY));
        let read = Node::parse(block.cid, block.bytes);
        assert!(matches!(read, Err(Error::Malformed { .. })), "{names:?}");
    }
}

#[test]
fn a_foreign_directory_in_another_order_is_read_and_sorted() {
    let link = |name: &str| dag_pb::Link {
        cid: Cid::of(Codec::Raw, b"x"),
        name: name.into(),
        dag_size_bytes: 1,
    };
    let bytes = dag_pb::encode(&[link("b"), link("a")], &data::DIRECTORY);
    let block = Block::of(Codec::DagPb, bytes);
    let sorted = vec![entry("a"), entry("b")];
    assert_eq!(Node::parse(block.cid, block.bytes), Ok(Node::Directory(sorted)));
}

#[test]
fn a_directory_that_the_profile_would_split_is_refused() {
    // As in kubo's tests of the profile: 4,766 names of 11 bytes, the last of 21, are exactly at
    // the threshold; one byte more is over it.
    let mut entries: Vec<_> = (0..4765).map(|i| entry(&format!("{i:011}"))).collect();
    entries.push(entry(&"z".repeat(21)));
    let block = directory(&entries).expect("at the threshold");
    assert_eq!(block.bytes.len(), DIRECTORY_BYTES);
    entries.last_mut().expect("it was pushed").name.push('z');
    let refused = directory(&entries);
    assert!(matches!(refused, Err(Error::DirectoryTooLarge { size_bytes: 262_145, .. })));
}

proptest! {
    #[test]
    fn any_directory_comes_back(names in prop::collection::btree_set("[^/\0]{1,20}", 0..20)) {
        let plain = |name: &String| name != "." && name != "..";
        let entries: Vec<_> = names.iter().filter(|n| plain(n)).map(|n| entry(n)).collect();
        let block = directory(&entries).expect("plain names");
        prop_assert_eq!(Node::parse(block.cid, block.bytes), Ok(Node::Directory(entries)));
    }
}
