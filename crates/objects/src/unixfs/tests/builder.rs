//! Files become the blocks that the profile says.

use super::*;
use crate::{FileWalker, Node};
use proptest::prelude::{any, prop, prop_assert_eq, proptest};
use std::collections::HashMap;

/// A stream of bytes as kubo's tests of the profile make it: ChaCha20 (RFC 8439) under the sha2-256
/// of a seed, with a nonce of zeros, from block 0 on.
pub(crate) fn keystream(seed: &str, size_bytes: usize) -> Bytes {
    let key = identity::Digest::plain(seed.as_bytes());
    let mut state = [0u32; 16];
    state[..4].copy_from_slice(&[0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574]);
    for (word, bytes) in state[4..12].iter_mut().zip(key.0.chunks(4)) {
        *word = u32::from_le_bytes(bytes.try_into().expect("four bytes"));
    }
    let mut out = Vec::with_capacity(size_bytes + 64);
    while out.len() < size_bytes {
        let mut x = state;
        for _ in 0..10 {
            for (a, b, c, d) in [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)] {
                quarter(&mut x, a, b, c, d);
            }
            for (a, b, c, d) in [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)] {
                quarter(&mut x, a, b, c, d);
            }
        }
        let words = x.iter().zip(state).map(|(mixed, first)| mixed.wrapping_add(first));
        out.extend(words.flat_map(u32::to_le_bytes));
        state[12] += 1;
    }
    out.truncate(size_bytes);
    out.into()
}

fn quarter(x: &mut [u32; 16], a: usize, b: usize, c: usize, d: usize) {
    for (to, from, with, turn) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
        x[to] = x[to].wrapping_add(x[from]);
        x[with] = (x[with] ^ x[to]).rotate_left(turn);
    }
}

fn shaped(chunk_bytes: usize, node_links: usize, content: &[u8], step: usize) -> Built {
    let mut builder = FileBuilder::shaped(chunk_bytes, node_links);
    let mut blocks = Vec::new();
    for part in content.chunks(step) {
        builder.push(part, &mut blocks);
    }
    let root = builder.finish(&mut blocks);
    Built { root, blocks }
}

struct Built {
    root: FileRoot,
    blocks: Vec<Block>,
}

impl Built {
    /// Links of every node, level by level from the root; a leaf has none.
    fn shape(&self) -> Vec<Vec<usize>> {
        let by_cid: HashMap<_, _> = self.blocks.iter().map(|b| (b.cid, b.bytes.clone())).collect();
        let (mut level, mut shape) = (vec![self.root.cid], Vec::new());
        while !level.is_empty() {
            let nodes: Vec<_> = level
                .iter()
                .map(|cid| match Node::parse(*cid, by_cid[cid].clone()).expect("our own node") {
                    Node::File(node) => node.links,
                    _ => Vec::new(),
                })
                .collect();
            shape.push(nodes.iter().map(Vec::len).collect());
            level = nodes.into_iter().flatten().map(|link| link.cid).collect();
        }
        shape
    }

    fn read(&self) -> Vec<u8> {
        let by_cid: HashMap<_, _> = self.blocks.iter().map(|b| (b.cid, b.bytes.clone())).collect();
        let mut walker = FileWalker::new(self.root.cid, u64::MAX);
        let mut content = Vec::new();
        while let Some(cid) = walker.wanted() {
            content.extend(walker.give(cid, by_cid[&cid].clone()).expect("our own block"));
        }
        assert_eq!(walker.size_bytes(), Some(self.root.size_bytes));
        content
    }
}

#[test]
fn small_files_are_one_raw_block() {
    for (content, cid) in [
        ("", "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
        // From the tests of the profile in kubo.
        ("hello world", "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"),
    ] {
        let (root, blocks) = file(&Bytes::from(content));
        assert_eq!((root.cid.to_string().as_str(), blocks.len()), (cid, 1));
        assert_eq!(root.size_bytes, content.len() as u64);
    }
}

#[test]
fn a_file_of_one_chunk_and_of_one_byte_more_have_the_roots_that_kubo_gives() {
    let content = keystream("chunk-v1-seed", CHUNK_BYTES + 1);
    let (root, blocks) = file(&content.slice(..CHUNK_BYTES));
    let expected = "bafkreiacndfy443ter6qr2tmbbdhadvxxheowwf75s6zehscklu6ezxmta";
    assert_eq!((root.cid.to_string().as_str(), blocks.len()), (expected, 1));
    let (root, blocks) = file(&content);
    let expected = "bafybeigmix7t42i6jacydtquhet7srwvgpizfg7gjbq7627d35mjomtu64";
    assert_eq!((root.cid.to_string().as_str(), blocks.len()), (expected, 3));
    let bytes: usize = blocks.iter().map(|block| block.bytes.len()).sum();
    assert_eq!(root.dag_size_bytes, bytes as u64);
}

#[test]
fn nodes_fill_from_the_left_and_every_leaf_is_at_the_same_depth() {
    let shape = |chunks: usize| shaped(1, 3, &keystream("shape", chunks), 5).shape();
    assert_eq!(shape(1), [vec![0]]);
    assert_eq!(shape(3), [vec![3], vec![0; 3]]);
    assert_eq!(shape(4), [vec![2], vec![3, 1], vec![0; 4]]);
    assert_eq!(shape(9), [vec![3], vec![3; 3], vec![0; 9]]);
    assert_eq!(shape(10), [vec![2], vec![3, 1], vec![3, 3, 3, 1], vec![0; 10]]);
}

#[test]
fn the_profile_starts_a_new_level_after_1024_chunks() {
    let content = keystream("wide", NODE_LINKS + 1);
    let full = shaped(1, NODE_LINKS, &content[..NODE_LINKS], 100);
    assert_eq!(full.shape(), [vec![NODE_LINKS], vec![0; NODE_LINKS]]);
    let more = shaped(1, NODE_LINKS, &content, 100);
    assert_eq!(more.shape(), [vec![2], vec![NODE_LINKS, 1], vec![0; NODE_LINKS + 1]]);
    assert_eq!(more.read(), content);
}

#[test]
fn a_builder_holds_one_chunk_and_the_links_of_open_nodes() {
    let mut builder = FileBuilder::shaped(8, 4);
    let mut blocks = Vec::new();
    for part in keystream("bounded", 8 * 500).chunks(3) {
        builder.push(part, &mut blocks);
        assert!(builder.chunk.len() < 8);
        assert!(builder.levels.iter().all(|links| links.len() <= 4));
        assert!(blocks.len() <= 6, "blocks come as they are made");
        blocks.clear();
    }
    assert_eq!(builder.levels.len(), 5);
}

proptest! {
    #[test]
    fn any_file_comes_back(
        content in prop::collection::vec(any::<u8>(), 0..600),
        chunk_bytes in 1usize..40,
        node_links in 2usize..6,
        step in 1usize..90,
    ) {
        let built = shaped(chunk_bytes, node_links, &content, step);
        prop_assert_eq!(built.read(), content.clone());
        let at_once = shaped(chunk_bytes, node_links, &content, 1000);
        prop_assert_eq!(built.root, at_once.root);
        let bytes: usize = built.blocks.iter().map(|block| block.bytes.len()).sum();
        prop_assert_eq!(built.root.dag_size_bytes, bytes as u64);
    }
}
