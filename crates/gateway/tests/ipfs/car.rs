//! CAR streams, checked by whoever asked for them.

use crate::fake::{Fake, House, Trouble};
use objects::{
    Block, CHUNK_BYTES, Cid, Codec, DagLimits, DagWalker, DirectoryWalker, FileWalker, Resolver,
    car::{Part, Reader},
};
use std::collections::HashMap;

struct Stream {
    roots: Vec<Cid>,
    blocks: Vec<Block>,
}

/// Reads a stream, whole or cut; every block is checked.
fn read(body: &[u8], whole: bool) -> Stream {
    let mut reader = Reader::new();
    reader.push(body);
    let mut stream = Stream { roots: Vec::new(), blocks: Vec::new() };
    while let Some(part) = reader.next_part().unwrap() {
        match part {
            Part::Roots(roots) => stream.roots = roots,
            Part::Block(block) => stream.blocks.push(block),
        }
    }
    if whole {
        assert_eq!(reader.missing_roots().count(), 0);
        reader.finish().unwrap();
    }
    stream
}

fn cids(blocks: &[Block]) -> Vec<Cid> {
    blocks.iter().map(|block| block.cid).collect()
}

async fn get(house: &House, path: &str) -> Vec<Cid> {
    let answer = house.get(path).await;
    assert_eq!((answer.status, answer.whole), (200, true), "{path}: {answer:?}");
    cids(&read(&answer.body, true).blocks)
}

/// A directory with a file of three chunks, one of a chunk, a copy of it, and a value over both.
struct World {
    root: Cid,
    sub: Cid,
    big: Cid,
    small: Cid,
    value: Cid,
    chunks: Vec<Cid>,
}

fn bytes() -> Vec<u8> {
    (0..5 * CHUNK_BYTES / 2).map(|at| (at / 7 + at / 65_536) as u8).collect()
}

fn world(node: &Fake) -> World {
    let bytes = bytes();
    let chunks = bytes.chunks(CHUNK_BYTES).map(|chunk| Cid::of(Codec::Raw, chunk)).collect();
    let (big, small) = (node.file(&bytes), node.file(b"small"));
    let value = Block::of(Codec::DagCbor, identity::canonical::encode(&vec![small, big]));
    let value = node.add(value);
    let sub = node.directory(&[("big", big), ("copy", small), ("small", small), ("value", value)]);
    World { root: node.directory(&[("sub", sub)]), sub, big, small, value, chunks }
}

#[tokio::test]
async fn a_stream_says_what_it_is() {
    let house = House::open().await;
    let World { root, sub, .. } = world(&house.node);
    let path = format!("/ipfs/{root}/sub?format=car");
    let answer = house.get(&path).await;
    assert_eq!(
        answer.header("content-type"),
        "application/vnd.ipld.car; version=1; order=dfs; dups=n"
    );
    let name = format!("attachment; filename=\"{sub}.car\"");
    assert_eq!(answer.header("content-disposition"), name);
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("cache-control"), "public, max-age=29030400, immutable");
    assert_eq!(answer.header("x-ipfs-path"), format!("/ipfs/{root}/sub"));
    assert_eq!(answer.header("x-ipfs-roots"), format!("{root},{sub}"));
    assert_eq!(answer.header("accept-ranges"), "none");
    assert_eq!(read(&answer.body, true).roots, [sub]);

    let tag = answer.header("etag").to_string();
    let known = house.ask("GET", &path, &[("if-none-match", &tag)]).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    let mut tags = vec![tag];
    for other in ["&dag-scope=block", "&dag-scope=entity", "&entity-bytes=0:1", "&car-dups=y"] {
        let head = house.ask("HEAD", format!("{path}{other}"), &[]).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        tags.push(head.header("etag").to_string());
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 5, "every stream has a tag of its own");

    let accept = [("accept", "application/vnd.ipld.car; version=1; order=dfs; dups=y")];
    let answer = house.ask("GET", format!("/ipfs/{root}/sub"), &accept).await;
    assert!(answer.header("content-type").ends_with("order=dfs; dups=y"));
    assert_eq!(answer.header("content-location"), format!("/ipfs/{root}/sub?format=car"));
}

#[tokio::test]
async fn the_scope_says_which_blocks_follow_those_of_the_path() {
    let house = House::open().await;
    let World { root, sub, big, small, value, chunks } = world(&house.node);
    let file = [vec![root, sub, big], chunks.clone()].concat();
    let everything = [vec![root, sub, big], chunks.clone(), vec![small, value]].concat();
    for (path, expected) in [
        (format!("{root}?format=car"), everything.clone()),
        (format!("{root}/sub?format=car&dag-scope=all"), everything),
        (format!("{root}/sub?format=car&dag-scope=block"), vec![root, sub]),
        (format!("{root}/sub?format=car&dag-scope=entity"), vec![root, sub]),
        (format!("{root}/sub/big?format=car&dag-scope=block"), vec![root, sub, big]),
        (format!("{root}/sub/big?format=car&dag-scope=entity"), file.clone()),
        (format!("{root}/sub/big?format=car"), file),
        (format!("{root}/sub/small?format=car&dag-scope=entity"), vec![root, sub, small]),
        (format!("{root}/sub/value?format=car&dag-scope=entity"), vec![root, sub, value]),
        (format!("{root}/sub/value/1?format=car&dag-scope=block"), vec![root, sub, value, big]),
        (format!("{value}?format=car"), [vec![value, small, big], chunks].concat()),
    ] {
        assert_eq!(get(&house, &format!("/ipfs/{path}")).await, expected, "{path}");
    }
}

#[tokio::test]
async fn a_client_that_trusts_nobody_gets_all_it_needs() {
    let house = House::open().await;
    let World { root, big, .. } = world(&house.node);
    let answer = house.get(format!("/ipfs/{root}/sub/big?format=car&dag-scope=entity")).await;
    let stream = read(&answer.body, true);
    let by_cid: HashMap<_, _> = stream.blocks.into_iter().map(|b| (b.cid, b.bytes)).collect();
    let mut resolver = Resolver::new(root, vec!["sub".into(), "big".into()]).unwrap();
    while let Some(cid) = resolver.wanted() {
        resolver.give(cid, by_cid[&cid].clone()).unwrap();
    }
    assert_eq!(resolver.resolved().unwrap().cid, big);
    let mut walker = FileWalker::new(big, u64::MAX);
    let mut content = Vec::new();
    while let Some(cid) = walker.wanted() {
        content.extend(walker.give(cid, by_cid[&cid].clone()).unwrap());
    }
    assert!(content == bytes());
}

#[tokio::test]
async fn of_a_file_only_the_blocks_of_the_bytes_asked_for_come() {
    let house = House::open().await;
    let World { root, sub, big, chunks, .. } = world(&house.node);
    let path = format!("/ipfs/{big}?format=car&dag-scope=entity&entity-bytes=");
    for (bytes, expected) in [
        ("0:*", &chunks[..]),
        ("0:0", &chunks[..1]),
        ("1048575:1048576", &chunks[..2]),
        ("1048576:*", &chunks[1..]),
        ("-5:*", &chunks[2..]),
        ("-99999999:-600000", &chunks[..2]),
        ("5:4", &[]),
    ] {
        let expected = [&[big], expected].concat();
        assert_eq!(get(&house, &format!("{path}{bytes}")).await, expected, "{bytes}");
    }
    let implied = get(&house, &format!("/ipfs/{big}?format=car&entity-bytes=0:0")).await;
    assert_eq!(implied, [big, chunks[0]]);
    assert_eq!(house.get(format!("{path}99999999:*")).await.status, 400);
    let directory = format!("/ipfs/{root}/sub?format=car&entity-bytes=0:0");
    assert_eq!(get(&house, &directory).await, [root, sub], "bytes of a directory are nothing");
    // A block outside the part may well be missing.
    house.node.forget(chunks[1]);
    assert_eq!(get(&house, &format!("{path}0:9")).await, [big, chunks[0]]);
    assert_eq!(get(&house, &format!("{path}2200000:*")).await, [big, chunks[2]]);
}

#[tokio::test]
async fn blocks_come_once_or_as_often_as_they_are_linked_to() {
    let house = House::open().await;
    let zeros = house.node.file(&vec![0; 3 * CHUNK_BYTES]);
    let chunk = Cid::of(Codec::Raw, &vec![0; CHUNK_BYTES]);
    let small = house.node.file(b"small");
    let root = house.node.directory(&[("a", small), ("b", zeros), ("c", small)]);
    let once = [root, small, zeros, chunk];
    let often = [root, small, zeros, chunk, chunk, chunk, small];
    assert_eq!(get(&house, &format!("/ipfs/{root}?format=car")).await, once);
    assert_eq!(get(&house, &format!("/ipfs/{root}?format=car&car-dups=y")).await, often);
    for (dups, expected) in [("n", &once[2..]), ("y", &often[2..6])] {
        let path = format!("/ipfs/{zeros}?format=car&dag-scope=entity&car-dups={dups}");
        assert_eq!(get(&house, &path).await, expected);
    }
    let path = format!("/ipfs/{root}?format=car&car-dups=y");
    let answer = house.ask("GET", path, &[("accept", "application/vnd.ipld.car; dups=n")]).await;
    assert!(answer.header("content-type").ends_with("dups=y"), "the path counts first");
}

#[tokio::test]
async fn of_a_sharded_directory_the_shards_on_the_way_or_all_of_them_come() {
    let house = House::open().await;
    let leaf = house.node.file(b"leaf");
    let names: Vec<_> = (0..6000).map(|i| format!("file-{i:05}")).collect();
    let entries: Vec<_> = names.iter().map(|name| (name.as_str(), leaf)).collect();
    let root = house.node.directory(&entries);
    let way = get(&house, &format!("/ipfs/{root}/file-00077?format=car")).await;
    assert!(way.len() <= 4 && way.len() > 2, "{way:?}");
    assert_eq!((way.first(), way.last()), (Some(&root), Some(&leaf)));
    let answer = house.get(format!("/ipfs/{root}?format=car&dag-scope=entity")).await;
    let stream = read(&answer.body, true);
    assert!(stream.blocks.iter().all(|block| block.cid != leaf));
    let by_cid: HashMap<_, _> = stream.blocks.into_iter().map(|b| (b.cid, b.bytes)).collect();
    let mut walker = DirectoryWalker::new(root, 6000);
    let mut found = 0;
    while let Some(cid) = walker.wanted() {
        found += walker.give(cid, by_cid[&cid].clone()).unwrap().len();
    }
    assert_eq!(found, 6000);
}

#[tokio::test]
async fn a_missing_or_wrong_block_in_the_middle_ends_the_connection_not_the_stream() {
    for trouble in [None, Some(Trouble::Wrong)] {
        let house = House::open().await;
        let World { root, sub, big, chunks, .. } = world(&house.node);
        match trouble {
            None => house.node.forget(chunks[1]),
            Some(trouble) => house.node.trouble(chunks[1], trouble),
        }
        let answer = house.get(format!("/ipfs/{root}?format=car")).await;
        assert_eq!((answer.status, answer.whole), (200, false));
        let came = cids(&read(&answer.body, false).blocks);
        assert_eq!(came, [root, sub, big, chunks[0]], "what came before is good");
    }
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_no_stream() {
    let house = House::open().await;
    let World { root, sub, .. } = world(&house.node);
    assert_eq!(house.get(format!("/ipfs/{root}/gone?format=car")).await.status, 404);
    house.node.forget(sub);
    assert_eq!(house.get(format!("/ipfs/{root}/sub/big?format=car")).await.status, 404);
}

#[tokio::test]
async fn what_is_no_unixfs_streams_too_and_what_is_malformed_does_not() {
    let house = House::open().await;
    let leaf = house.node.file(b"leaf");
    // A node of one link and no data.
    let link = [&[0x0a, 36][..], &leaf.to_bytes()].concat();
    let bytes = [&[0x12, link.len() as u8][..], &link].concat();
    let bare = house.node.add(Block::of(Codec::DagPb, bytes));
    assert_eq!(get(&house, &format!("/ipfs/{bare}?format=car")).await, [bare, leaf]);
    let entity = format!("/ipfs/{bare}?format=car&dag-scope=entity");
    assert_eq!(get(&house, &entity).await, [bare]);
    let odd = house.node.add(Block::of(Codec::DagPb, vec![0xff; 20]));
    assert_eq!(house.get(format!("/ipfs/{odd}?format=car")).await.status, 400);
}

#[tokio::test]
async fn a_long_stream_comes_in_the_order_of_a_walk() {
    let house = House::open().await;
    let names: Vec<_> = (0..300).map(|i| format!("{i}")).collect();
    let files: Vec<_> = names.iter().map(|name| house.node.file(name.as_bytes())).collect();
    let inner: Vec<_> = names.iter().map(String::as_str).zip(files.iter().copied()).collect();
    let inner = house.node.directory(&inner);
    let root = house.node.directory(&[("a", files[7]), ("b", inner)]);
    let came = get(&house, &format!("/ipfs/{root}?format=car")).await;
    let limits = DagLimits { blocks: 1000, bytes: 1 << 30, depth: 9 };
    let mut walker = DagWalker::new(root, limits);
    let mut expected = Vec::new();
    while let Some(cid) = walker.wanted() {
        let bytes = house.node.blocks.lock().unwrap()[&cid].clone();
        walker.give(cid, &bytes).unwrap();
        expected.push(cid);
    }
    assert_eq!(came, expected);
    assert_eq!(came.len(), 302);
}
