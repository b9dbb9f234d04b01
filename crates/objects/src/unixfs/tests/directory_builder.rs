//! A builder takes plain names, each once.

use super::*;
use crate::directory;

fn entry(name: &str) -> Entry {
    Entry { name: name.into(), cid: Cid::of(Codec::Raw, b"x"), size_bytes: 1 }
}

fn finish(builder: DirectoryBuilder) -> Result<(DirectoryRoot, Vec<Block>), Error> {
    let mut blocks = Vec::new();
    let root = builder.finish::<Error>(|block| {
        blocks.push(block);
        Ok(())
    })?;
    Ok((root, blocks))
}

#[test]
fn a_small_directory_is_the_block_that_the_function_makes() {
    for names in [&[][..], &["b", "a", "é"]] {
        let entries: Vec<_> = names.iter().map(|name| entry(name)).collect();
        let mut builder = DirectoryBuilder::new();
        assert!(builder.is_empty());
        entries.iter().for_each(|entry| builder.push(entry.clone()).expect("a plain name"));
        assert_eq!(builder.len(), names.len());
        let expected = directory(&entries).expect("plain names");
        let (root, blocks) = finish(builder).expect("plain names");
        let dag_size_bytes = expected.bytes.len() as u64 + names.len() as u64;
        assert_eq!((root.cid, root.dag_size_bytes), (expected.cid, dag_size_bytes));
        assert_eq!(blocks, [expected]);
    }
}

#[test]
fn names_that_could_escape_or_collide_are_refused() {
    let mut builder = DirectoryBuilder::new();
    for name in ["", ".", "..", "a/b", "/", "a\0"] {
        assert!(matches!(builder.push(entry(name)), Err(Error::Name { .. })), "{name:?}");
    }
    for limit_bytes in [0, DIRECTORY_BYTES] {
        let mut builder = DirectoryBuilder::shaped(limit_bytes, FANOUT);
        for name in ["a", "b", "a"] {
            builder.push(entry(name)).expect("a plain name");
        }
        let twice = finish(builder);
        assert!(matches!(twice, Err(Error::Name { reason: "it comes twice", .. })), "{twice:?}");
    }
}

#[test]
fn sizes_that_lie_do_not_overflow() {
    for limit_bytes in [0, DIRECTORY_BYTES] {
        let mut builder = DirectoryBuilder::shaped(limit_bytes, FANOUT);
        for name in ["a", "b"] {
            builder.push(Entry { size_bytes: u64::MAX, ..entry(name) }).expect("a plain name");
        }
        assert_eq!(finish(builder).expect("plain names").0.dag_size_bytes, u64::MAX);
    }
}
