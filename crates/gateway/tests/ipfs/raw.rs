//! Single blocks.

use crate::fake::{House, Trouble};
use objects::{Block, Cid, Codec, Hash};

const RAW: &str = "application/vnd.ipld.raw";

#[tokio::test]
async fn a_block_comes_as_it_is_by_format_and_by_accept() {
    let house = House::open().await;
    let bytes = b"hello application/vnd.ipld.raw";
    for hash in [Hash::Sha2_256, Hash::Sha3_256, Hash::Blake3] {
        let cid = Cid::with(hash, Codec::Raw, bytes);
        house.node.add(Block { cid, bytes: bytes.as_slice().into() });
        let path = format!("/ipfs/{cid}");
        let by_format = house.get(format!("{path}?format=raw")).await;
        let by_accept = house.ask("GET", &path, &[("accept", RAW)]).await;
        for answer in [&by_format, &by_accept] {
            assert_eq!((answer.status, answer.body.as_slice()), (200, &bytes[..]));
            assert_eq!(answer.header("content-type"), RAW);
            assert_eq!(answer.header("content-length"), "30");
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            let name = format!("attachment; filename=\"{cid}.bin\"");
            assert_eq!(answer.header("content-disposition"), name);
            assert_eq!(answer.header("etag"), format!("\"{cid}.raw\""));
            let cache = "public, max-age=29030400, immutable";
            assert_eq!(answer.header("cache-control"), cache);
            assert_eq!(answer.header("x-ipfs-path"), path);
            assert_eq!(answer.header("x-ipfs-roots"), cid.to_string());
        }
        assert_eq!(by_format.header("content-location"), "");
        assert_eq!(by_accept.header("content-location"), format!("{path}?format=raw"));
        let named = house.get(format!("{path}?format=raw&filename=a%20b.bin")).await;
        let name = "attachment; filename=\"a b.bin\"";
        assert_eq!(named.header("content-disposition"), name);
    }
}

#[tokio::test]
async fn the_format_in_the_path_counts_before_the_header() {
    let house = House::open().await;
    let cid = house.node.file(b"hello");
    let path = format!("/ipfs/{cid}?format=raw");
    let answer = house.ask("GET", path, &[("accept", "application/vnd.ipld.car")]).await;
    assert_eq!(answer.header("content-type"), RAW);
}

#[tokio::test]
async fn parts_of_a_block_heads_and_what_the_client_has() {
    let house = House::open().await;
    let cid = house.node.file(b"0123456789");
    let path = format!("/ipfs/{cid}?format=raw");
    for (range, status, body, said) in [
        ("bytes=2-4", 206, "234", "bytes 2-4/10"),
        ("bytes=-3", 206, "789", "bytes 7-9/10"),
        ("bytes=8-", 206, "89", "bytes 8-9/10"),
        ("bytes=0-1, 4-5", 206, "01", "bytes 0-1/10"),
        ("bytes=x", 200, "0123456789", ""),
        ("bytes=10-", 416, "there are 10 bytes\n", "bytes */10"),
    ] {
        let answer = house.ask("GET", &path, &[("range", range)]).await;
        assert_eq!((answer.status, answer.text()), (status, body), "{range}");
        assert_eq!(answer.header("content-range"), said);
    }
    let head = house.ask("HEAD", &path, &[("range", "bytes=2-4")]).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "10", 0));
    for tag in [format!("\"{cid}.raw\""), "*".into(), format!("\"x\", W/\"{cid}.raw\"")] {
        let known = house.ask("GET", &path, &[("if-none-match", &tag)]).await;
        assert_eq!((known.status, known.body.len()), (304, 0), "{tag}");
        assert_eq!(known.header("etag"), format!("\"{cid}.raw\""));
    }
    let other = house.ask("GET", &path, &[("if-none-match", &format!("\"{cid}\""))]).await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn a_block_that_is_no_unixfs_and_one_at_the_end_of_a_path_come_too() {
    let house = House::open().await;
    let odd = house.node.add(Block::of(Codec::DagPb, vec![0xff; 20]));
    let answer = house.get(format!("/ipfs/{odd}?format=raw")).await;
    assert_eq!((answer.status, answer.body), (200, vec![0xff; 20]));
    let leaf = house.node.file(b"leaf");
    let root = house.node.directory(&[("a", leaf)]);
    let answer = house.get(format!("/ipfs/{root}/a?format=raw")).await;
    assert_eq!(answer.text(), "leaf");
    assert_eq!(answer.header("x-ipfs-roots"), format!("{root},{leaf}"));
    let directory = house.get(format!("/ipfs/{root}/?format=raw")).await;
    assert_eq!(Cid::of(Codec::DagPb, &directory.body), root);
}

#[tokio::test]
async fn bytes_that_do_not_match_are_not_passed_on() {
    let house = House::open().await;
    let cid = house.node.file(b"right");
    house.node.trouble(cid, Trouble::Wrong);
    for query in ["?format=raw", "?format=car", ""] {
        let answer = house.get(format!("/ipfs/{cid}{query}")).await;
        assert_eq!((answer.status, answer.header("retry-after")), (502, "5"), "{query}");
    }
}

#[tokio::test]
async fn a_client_can_ask_for_what_is_here_only() {
    let house = House::open().await;
    let cid = house.node.file(b"here");
    let gone = Cid::of(Codec::Raw, b"gone");
    let cached = [("cache-control", "only-if-cached")];
    for method in ["GET", "HEAD"] {
        let answer = house.ask(method, format!("/ipfs/{cid}?format=raw"), &cached).await;
        assert_eq!(answer.status, 200);
        house.node.asked();
        let answer = house.ask(method, format!("/ipfs/{gone}?format=raw"), &cached).await;
        assert_eq!(answer.status, 412);
        assert_eq!(house.node.asked(), [], "nothing is fetched");
    }
}
