//! Paths lead where they say, and nowhere else.

use super::*;
use crate::{Block, DirectoryBuilder, Entry, Hash, directory, file, symlink};
use std::collections::{BTreeMap, HashMap};

struct World(HashMap<Cid, Bytes>);

impl World {
    fn add(&mut self, block: Block) -> Cid {
        self.0.insert(block.cid, block.bytes);
        block.cid
    }

    /// The end of a path, and how many blocks it took.
    fn resolve(&self, root: Cid, path: &str) -> Result<(Resolved, usize), Error> {
        let segments = path.split('/').filter(|part| !part.is_empty()).map(String::from).collect();
        let mut resolver = Resolver::new(root, segments)?;
        let mut taken = 0;
        while let Some(cid) = resolver.wanted() {
            assert_eq!(resolver.resolved(), None);
            resolver.give(cid, self.0[&cid].clone())?;
            taken += 1;
        }
        Ok((resolver.into_resolved().expect("nothing more is wanted"), taken))
    }
}

fn entry(name: &str, cid: Cid) -> Entry {
    Entry { name: name.into(), cid, size_bytes: 1 }
}

/// A directory with a file, a link, a sharded directory of 300 names, and a value.
fn world() -> (World, Cid) {
    let mut world = World(HashMap::new());
    let leaf = world.add(Block::of(Codec::Raw, &b"leaf"[..]));
    let link = world.add(symlink("leaf"));
    let mut builder = DirectoryBuilder::shaped(0, 16);
    (0..300).for_each(|i| builder.push(entry(&i.to_string(), leaf)).expect("a plain name"));
    let many = builder.finish::<Error>(|block| {
        world.add(block);
        Ok(())
    });
    let many = many.expect("plain names").cid;
    let inner = BTreeMap::from([("x", vec![many, leaf])]);
    let value = Block::of(Codec::DagCbor, identity::canonical::encode(&inner));
    let value = world.add(value);
    let entries =
        [entry("leaf", leaf), entry("link", link), entry("many", many), entry("value", value)];
    let sub = world.add(directory(&entries).expect("plain names"));
    let root = world.add(directory(&[entry("sub", sub)]).expect("a plain name"));
    (world, root)
}

#[test]
fn a_path_names_what_is_at_its_end() {
    let (world, root) = world();
    let (all, taken) = world.resolve(root, "").expect("the root");
    assert_eq!((all.cid, all.roots, taken), (root, vec![root], 1));
    let (leaf, taken) = world.resolve(root, "sub/leaf").expect("a file");
    assert_eq!(leaf.node, Some(Node::Raw(Bytes::from_static(b"leaf"))));
    assert_eq!((leaf.roots.len(), leaf.roots.last(), taken), (3, Some(&leaf.cid), 3));
    let (value, _) = world.resolve(root, "sub/value").expect("a value");
    assert_eq!((value.cid.codec(), value.node), (Codec::DagCbor, None));
}

#[test]
fn of_a_sharded_directory_only_the_shards_on_the_way_are_wanted() {
    let (world, root) = world();
    for i in 0..300 {
        let (leaf, taken) = world.resolve(root, &format!("sub/many/{i}")).expect("a file");
        assert_eq!(leaf.roots.len(), 4, "shards are no roots");
        assert!((5..=9).contains(&taken), "{taken} blocks");
    }
    let gone = world.resolve(root, "sub/many/300");
    assert!(matches!(gone, Err(Error::NoSuchName { name, .. }) if name == "300"));
    let (many, _) = world.resolve(root, "sub/many").expect("a directory");
    assert!(matches!(many.node, Some(Node::Shard(_))));
}

#[test]
fn links_of_values_are_followed() {
    let (world, root) = world();
    let (leaf, _) = world.resolve(root, "sub/value/x/1").expect("a link");
    assert_eq!((leaf.cid, leaf.roots.len()), (Cid::of(Codec::Raw, b"leaf"), 4));
    assert!(world.resolve(root, "sub/value/x/0/77").is_ok(), "through a value and a shard");
    let value = world.resolve(root, "sub/value").expect("a value").0.cid;
    assert_eq!(world.resolve(root, "sub/value/x"), Err(Error::InsideValue(value)));
    for (path, name) in [("sub/value/y", "y"), ("sub/value/x/2", "2"), ("sub/value/x/x", "x")] {
        let error = world.resolve(root, path).expect_err(path);
        assert_eq!(error, Error::NoSuchName { directory: value, name: name.into() });
    }
}

#[test]
fn a_chain_of_values_that_are_only_links_has_no_names() {
    let mut world = World(HashMap::new());
    let leaf = world.add(Block::of(Codec::Raw, &b"leaf"[..]));
    let only = world.add(Block::of(Codec::DagCbor, identity::canonical::encode(&leaf)));
    let error = world.resolve(only, "a").expect_err("no map");
    assert_eq!(error, Error::NoSuchName { directory: only, name: "a".into() });
}

#[test]
fn files_and_symbolic_links_are_ends() {
    let (world, root) = world();
    for (path, what) in [("sub/leaf/x", "a file"), ("sub/link/x", "a symbolic link")] {
        let error = world.resolve(root, path).expect_err(path);
        assert!(
            matches!(&error, Error::NotADirectory { what: is, name, .. }
            if *is == what && name == "x"),
            "{error:?}"
        );
    }
    let (link, _) = world.resolve(root, "sub/link").expect("a link");
    assert_eq!(link.node, Some(Node::Symlink("leaf".into())));
    let error = world.resolve(root, "sub/gone/x").expect_err("no such name");
    assert!(matches!(error, Error::NoSuchName { name, .. } if name == "gone"));
}

#[test]
fn segments_that_are_no_names_and_too_many_are_refused() {
    let root = Cid::of(Codec::DagPb, b"x");
    for name in ["", ".", "..", "a/b", "a\0"] {
        let path = vec!["a".to_string(), name.to_string()];
        assert!(matches!(Resolver::new(root, path), Err(Error::Name { .. })), "{name:?}");
    }
    let long = vec!["a".to_string(); MAX_SEGMENTS + 1];
    assert!(matches!(Resolver::new(root, long), Err(Error::TooMuch { .. })));
}

#[test]
fn another_block_or_other_bytes_change_nothing() {
    let (root, blocks) = file(&Bytes::from_static(b"content"));
    let mut resolver = Resolver::new(root.cid, Vec::new()).expect("no segments");
    let other = Cid::with(Hash::Blake3, Codec::Raw, b"content");
    assert_eq!(resolver.give(other, blocks[0].bytes.clone()), Err(Error::NotWanted(other)));
    assert_eq!(resolver.give(root.cid, Bytes::new()), Err(Error::Mismatch(root.cid)));
    resolver.give(root.cid, blocks[0].bytes.clone()).expect("the right one");
    assert_eq!(resolver.give(root.cid, Bytes::new()), Err(Error::NotWanted(root.cid)));
}
