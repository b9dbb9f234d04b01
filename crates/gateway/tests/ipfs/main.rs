//! The IPFS gateway, asked over loopback, with a fake node behind it.

#![allow(clippy::unwrap_used)]

mod bounds;
mod car;
mod fake;
mod plain;
mod raw;

use fake::House;
use objects::{Cid, Codec};

#[tokio::test]
async fn what_cannot_be_asked_is_said_with_the_right_status() {
    let house = House::open().await;
    let gone = Cid::of(Codec::Raw, b"gone");
    for (status, path) in [
        (404, "/".to_string()),
        (404, "/ipfs/".into()),
        (404, "/ipns/example.com".into()),
        (400, "/ipfs/nonsense".into()),
        (400, "/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdl".into()),
        // A codec and a hash that are not supported: git-raw, identity.
        (400, "/ipfs/baf4bcfg4ep767tjp5lxyanx5urpjjgx5q2volvy".into()),
        (400, "/ipfs/bafkqaaly".into()),
        (400, format!("/ipfs/{gone}?format=tar")),
        (400, format!("/ipfs/{gone}?format=")),
        (400, format!("/ipfs/{gone}?format=car&car-version=2")),
        (400, format!("/ipfs/{gone}?format=car&car-order=bfs")),
        (400, format!("/ipfs/{gone}?format=car&car-dups=maybe")),
        (400, format!("/ipfs/{gone}?format=car&dag-scope=some")),
        (400, format!("/ipfs/{gone}?format=car&entity-bytes=all")),
        (404, format!("/ipfs/{gone}")),
        (404, format!("/ipfs/{gone}?format=raw")),
        (404, format!("/ipfs/{gone}?format=car")),
        (404, format!("/ipfs/{gone}/a?format=car")),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = house.ask(method, &path, &[]).await;
            assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
            assert_eq!(answer.header("cache-control"), "no-store");
        }
    }
    for accept in ["application/vnd.ipld.dag-json", "application/vnd.ipld.car;version=2"] {
        let answer = house.ask("GET", format!("/ipfs/{gone}"), &[("accept", accept)]).await;
        assert_eq!(answer.status, 406);
    }
    let answer = house.ask("POST", format!("/ipfs/{gone}"), &[("content-length", "0")]).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"));
}

#[tokio::test]
async fn paths_that_want_to_lead_elsewhere_are_refused_before_anything_is_fetched() {
    let house = House::open().await;
    let root = house.node.directory(&[("a", Cid::of(Codec::Raw, b"a"))]);
    let long = "/a".repeat(300);
    for path in [
        "/../a",
        "/%2e%2e/a",
        "/.",
        "/a/./b",
        "//a",
        "/a//b",
        "/a%2fb",
        "/%00",
        "/%ff",
        "/a%00b",
        &long,
    ] {
        for format in ["", "?format=car", "?format=raw"] {
            let answer = house.get(format!("/ipfs/{root}{path}{format}")).await;
            assert_eq!(answer.status, 400, "{path}");
        }
    }
    assert_eq!(house.node.asked(), []);
}

#[tokio::test]
async fn the_probe_is_answered_without_the_node() {
    let house = House::open().await;
    for (query, body) in [("?format=raw", 0), ("?format=car", 26), ("", 0)] {
        for method in ["GET", "HEAD"] {
            let answer = house.ask(method, format!("/ipfs/bafkqaaa{query}"), &[]).await;
            let expected = if method == "HEAD" { 0 } else { body };
            assert_eq!((answer.status, answer.body.len()), (200, expected), "{query}");
        }
    }
    let car = house.get("/ipfs/bafkqaaa?format=car").await;
    let mut reader = objects::car::Reader::new();
    reader.push(&car.body);
    let roots = objects::car::Part::Roots(Vec::new());
    assert_eq!(reader.next_part(), Ok(Some(roots)));
    reader.finish().unwrap();
    assert_eq!(house.get("/ipfs/bafkqaaa/a").await.status, 404);
    assert_eq!(house.node.asked(), []);
}
