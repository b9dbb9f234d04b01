//! Files and directories as they are.

use crate::fake::{House, Trouble};
use objects::{Block, CHUNK_BYTES, Cid, Codec, symlink};
use std::collections::BTreeMap;

fn content(size_bytes: usize) -> Vec<u8> {
    (0..size_bytes).map(|at| (at * 31 + at / 997) as u8).collect()
}

#[tokio::test]
async fn a_file_comes_whole_with_its_type_and_its_tag() {
    let house = House::open().await;
    let bytes = content(5 * CHUNK_BYTES / 2);
    let file = house.node.file(&bytes);
    let root = house.node.directory(&[("data.csv", file)]);
    let path = format!("/ipfs/{root}/data.csv");
    let answer = house.get(&path).await;
    assert_eq!((answer.status, answer.whole), (200, true));
    assert!(answer.body == bytes);
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(answer.header("content-length"), bytes.len().to_string());
    assert_eq!(answer.header("accept-ranges"), "bytes");
    assert_eq!(answer.header("etag"), format!("\"{file}\""));
    assert_eq!(answer.header("x-ipfs-path"), path);
    assert_eq!(answer.header("x-ipfs-roots"), format!("{root},{file}"));
    assert_eq!(answer.header("content-disposition"), "");

    house.node.asked();
    let head = house.ask("HEAD", &path, &[]).await;
    assert_eq!(head.header("content-length"), bytes.len().to_string());
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(house.node.asked(), [root, file], "no content is fetched for a head");
    let known = house.ask("GET", &path, &[("if-none-match", &format!("\"{file}\""))]).await;
    assert_eq!((known.status, house.node.asked().len()), (304, 2));
}

#[tokio::test]
async fn a_part_of_a_file_takes_only_its_blocks() {
    let house = House::open().await;
    let bytes = content(4 * CHUNK_BYTES + 10);
    let file = house.node.file(&bytes);
    let path = format!("/ipfs/{file}");
    for (range, from, to, blocks) in [
        ("bytes=1048570-1048585", 1_048_570, 1_048_586, 3),
        ("bytes=-4", 4 * CHUNK_BYTES + 6, 4 * CHUNK_BYTES + 10, 2),
        ("bytes=2097152-3145727", 2 * CHUNK_BYTES, 3 * CHUNK_BYTES, 2),
        ("bytes=0-", 0, bytes.len(), 6),
    ] {
        house.node.asked();
        let answer = house.ask("GET", &path, &[("range", range)]).await;
        assert_eq!(answer.status, 206);
        assert!(answer.body == bytes[from..to], "{range}");
        let said = format!("bytes {from}-{}/{}", to - 1, bytes.len());
        assert_eq!(answer.header("content-range"), said);
        assert_eq!(house.node.asked().len(), blocks, "{range}");
    }
    let answer = house.ask("GET", &path, &[("range", "bytes=9999999999-")]).await;
    assert_eq!((answer.status, answer.header("content-range")), (416, "bytes */4194314"));
}

#[tokio::test]
async fn a_file_whose_block_is_missing_is_cut_off_and_not_ended() {
    let house = House::open().await;
    let bytes = content(3 * CHUNK_BYTES);
    let file = house.node.file(&bytes);
    let second = Cid::of(Codec::Raw, &bytes[CHUNK_BYTES..2 * CHUNK_BYTES]);
    house.node.trouble(second, Trouble::Wrong);
    let answer = house.get(format!("/ipfs/{file}")).await;
    assert_eq!((answer.status, answer.whole), (200, false));
    assert!(answer.body == bytes[..CHUNK_BYTES]);
}

#[tokio::test]
async fn types_follow_the_name_then_the_content_and_a_query_can_name_the_file() {
    let house = House::open().await;
    let text = house.node.file(b"<script>alert(1)</script>");
    let picture = house.node.file(b"\x89PNG\r\n\x1a\n0000");
    let empty = house.node.file(b"");
    let root = house.node.directory(&[("a.html", text), ("b", picture)]);
    for (path, media) in [
        (format!("{text}"), "text/plain; charset=utf-8"),
        (format!("{root}/a.html"), "text/html; charset=utf-8"),
        (format!("{root}/b"), "image/png"),
        (format!("{empty}"), "application/octet-stream"),
        (format!("{text}?filename=x.css"), "text/css; charset=utf-8"),
    ] {
        let answer = house.get(format!("/ipfs/{path}")).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, media), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    let named = house.get(format!("/ipfs/{text}?filename=te%C3%A9.txt&download=true")).await;
    let name = "attachment; filename=\"te_.txt\"; filename*=UTF-8''te%C3%A9.txt";
    assert_eq!(named.header("content-disposition"), name);
    let saved = house.get(format!("/ipfs/{text}?download=true")).await;
    assert_eq!(saved.header("content-disposition"), "attachment");
}

#[tokio::test]
async fn a_directory_is_asked_for_with_a_slash_and_lists_its_names() {
    let house = House::open().await;
    let leaf = house.node.file(b"leaf");
    let inner = house.node.directory(&[("a b.txt", leaf), ("<i>&\"'.txt", leaf), ("ü#?", leaf)]);
    let root = house.node.directory(&[("in ner", inner)]);
    let redirect = house.get(format!("/ipfs/{root}/in%20ner?a=b")).await;
    let location = format!("/ipfs/{root}/in%20ner/?a=b");
    assert_eq!((redirect.status, redirect.header("location")), (301, location.as_str()));
    let page = house.get(format!("/ipfs/{root}/in%20ner/")).await;
    assert_eq!((page.status, page.whole), (200, true));
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.header("etag"), format!("\"DirIndex-1_CID-{inner}\""));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(!page.header("cache-control").contains("immutable"));
    assert_eq!(page.header("x-ipfs-roots"), format!("{root},{inner}"));
    let text = page.text();
    for part in [
        &format!("Index of /ipfs/{root}/in ner<"),
        "<a href=\"../\">..</a>",
        "<a href=\"./a%20b.txt\">a b.txt</a>",
        "<a href=\"./%3Ci%3E%26%22%27.txt\">&lt;i&gt;&amp;&quot;&#39;.txt</a>",
        "<a href=\"./%C3%BC%23%3F\">ü#?</a>",
        &format!("/ipfs/{leaf}?filename=a%20b.txt"),
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("<i>"));
    let top = house.get(format!("/ipfs/{root}/")).await;
    assert!(!top.text().contains("href=\"../\""), "nothing is above a root");
    let tag = format!("W/\"DirIndex-1_CID-{inner}\"");
    let known =
        house.ask("GET", format!("/ipfs/{root}/in%20ner/"), &[("if-none-match", &tag)]).await;
    assert_eq!(known.status, 304);
    assert_eq!(house.get(format!("/ipfs/{root}/in%20ner/a%20b.txt/")).await.status, 404);
}

#[tokio::test]
async fn a_directory_with_a_page_of_its_own_shows_it() {
    let house = House::open().await;
    let page = house.node.file(b"<h1>hello</h1>");
    let root = house.node.directory(&[("index.html", page)]);
    let answer = house.get(format!("/ipfs/{root}/")).await;
    assert_eq!((answer.status, answer.text()), (200, "<h1>hello</h1>"));
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("etag"), format!("\"{root}\""));
    assert_eq!(answer.header("x-ipfs-roots"), root.to_string());
    assert_eq!(house.get(format!("/ipfs/{root}")).await.status, 301);
    // A directory of that name is no page.
    let odd = house.node.directory(&[("index.html", root)]);
    assert!(house.get(format!("/ipfs/{odd}/")).await.text().contains("Index of"));
}

#[tokio::test]
async fn a_sharded_directory_is_walked_by_name_and_listed_whole() {
    let house = House::open().await;
    let leaf = house.node.file(b"leaf");
    let names: Vec<_> = (0..21_000).map(|i| format!("file {i:05}")).collect();
    let entries: Vec<_> = names.iter().map(|name| (name.as_str(), leaf)).collect();
    let root = house.node.directory(&entries);
    house.node.asked();
    let answer = house.get(format!("/ipfs/{root}/file%2012345")).await;
    assert_eq!(answer.text(), "leaf");
    assert!(house.node.asked().len() <= 4, "only the shards on the way");
    assert_eq!(house.get(format!("/ipfs/{root}/file%2021000")).await.status, 404);
    let page = house.get(format!("/ipfs/{root}/")).await;
    assert_eq!((page.status, page.whole), (200, true));
    let mut rows: Vec<_> = page
        .text()
        .lines()
        .filter_map(|line| line.strip_prefix("<tr><td><a href=\"./")?.split(['<', '>']).nth(1))
        .collect();
    assert!(rows[..20_000].is_sorted());
    rows.sort_unstable();
    assert_eq!(rows, names);
    assert!(page.text().contains("only the first are sorted"));
}

#[tokio::test]
async fn symbolic_links_are_shown_and_never_followed() {
    let house = House::open().await;
    let target = house.node.file(b"secret");
    let link = house.node.add(symlink("foo"));
    let root = house.node.directory(&[("foo", target), ("bar", link)]);
    let answer = house.get(format!("/ipfs/{root}/bar")).await;
    assert_eq!((answer.status, answer.text()), (200, "foo"));
    assert_eq!(answer.header("content-type"), "inode/symlink");
    let below = house.get(format!("/ipfs/{root}/bar/x")).await;
    assert_eq!(below.status, 404);
    assert!(below.text().contains("a symbolic link"));
}

#[tokio::test]
async fn values_lead_on_by_their_links_and_come_as_they_are() {
    let house = House::open().await;
    let leaf = house.node.file(b"leaf");
    let value = BTreeMap::from([("x", vec![leaf])]);
    let value = Block::of(Codec::DagCbor, identity::canonical::encode(&value));
    let bytes = value.bytes.clone();
    let root = house.node.add(value);
    assert_eq!(house.get(format!("/ipfs/{root}/x/0")).await.text(), "leaf");
    assert_eq!(house.get(format!("/ipfs/{root}/x/1")).await.status, 404);
    assert_eq!(house.get(format!("/ipfs/{root}/x")).await.status, 501);
    let whole = house.get(format!("/ipfs/{root}")).await;
    assert_eq!((whole.status, whole.body.as_slice()), (200, &bytes[..]));
    assert_eq!(whole.header("content-type"), "application/vnd.ipld.dag-cbor");
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let house = House::open().await;
    let leaf = house.node.file(b"leaf");
    let root = house.node.directory(&[("a", leaf)]);
    let answer = house.get(format!("/ipfs/{root}/b")).await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.text(), format!("{root} has nothing called \"b\"\n"));
    assert_eq!(house.get(format!("/ipfs/{root}/a/b")).await.status, 404);
}
