//! The fetcher's side.

use super::{wire::write_answer, *};
use futures::{AsyncWriteExt, StreamExt};
use objects::FileBuilder;
use protocol::port::{Offence, Stream, read_frame};
use std::future::Future;
use tokio::task::JoinHandle;

/// A peer that does with its streams whatever it likes.
fn rogue<F: Future<Output = ()> + Send>(
    mesh: &Mesh,
    seed: u8,
    act: impl Fn(Stream) -> F + Send + Sync + 'static,
) -> JoinHandle<()> {
    let mut incoming = mesh.node(key(seed)).accept(PROTOCOL).expect("the protocol is free");
    tokio::spawn(async move {
        while let Some(next) = incoming.next().await {
            act(next.stream).await;
        }
    })
}

async fn request(stream: &mut Stream) {
    read_frame(stream, 1 << 20).await.expect("a request").expect("not the end");
}

#[tokio::test]
async fn a_blob_is_fetched_once_and_then_here() {
    let mesh = Mesh::new();
    let [a, b] = [1, 2].map(|seed| node(&mesh, seed, Config::default()));
    b.blobs.put(vec![blob(0)]).await.expect("kept");
    let fetcher = a.fetcher(Config::default());
    for _ in 0..3 {
        assert_eq!(fetcher.fetch(blob(0).0, &[key(2)]).await, Ok(blob(0).1));
    }
    assert_eq!((mesh.opened(key(1)), a.has(blob(0).0).await), (1, true));
}

#[tokio::test]
async fn fetches_share_a_stream_and_open_another_when_the_peer_has_closed_it() {
    let mesh = Mesh::new();
    let [a, b] = [1, 2].map(|seed| node(&mesh, seed, Config::default()));
    b.blobs.put(vec![blob(0), blob(1), blob(2)]).await.expect("kept");
    let fetcher = a.fetcher(Config::default());
    for n in [0, 1] {
        assert_eq!(fetcher.fetch(blob(n).0, &[key(2)]).await, Ok(blob(n).1));
    }
    assert_eq!(mesh.opened(key(1)), 1);
    mesh.cut(key(1), key(2));
    mesh.heal(key(1), key(2));
    assert_eq!(fetcher.fetch(blob(2).0, &[key(2)]).await, Ok(blob(2).1));
    assert_eq!(mesh.opened(key(1)), 2);
}

#[tokio::test]
async fn peers_are_tried_in_turn_and_the_error_says_what_each_did() {
    let mesh = Mesh::new();
    let nodes = [1, 2, 3].map(|seed| node(&mesh, seed, Config::default()));
    nodes[2].blobs.put(vec![blob(0)]).await.expect("kept");
    let fetcher = nodes[0].fetcher(Config::default());
    let from = [key(1), key(9), key(2), key(2), key(3)];
    assert_eq!(fetcher.fetch(blob(0).0, &from).await, Ok(blob(0).1));
    let failed = fetcher.fetch(blob(1).0, &from).await.expect_err("nobody has it");
    let FetchError::NotFound { cid, tried } = &failed else { panic!("{failed}") };
    let unreachable = protocol::port::StreamError::Unreachable(key(9));
    let expected = [
        (key(9), Refusal::Unreachable(unreachable)),
        (key(2), Refusal::Missing),
        (key(3), Refusal::Missing),
    ];
    assert_eq!((*cid, tried.as_slice()), (blob(1).0, &expected[..]));
    assert!(failed.to_string().contains(&format!("{} does not have it", key(3).short())));
    let nobody = fetcher.fetch(blob(1).0, &[]).await.expect_err("nobody was asked");
    assert!(nobody.to_string().ends_with("no other node is known to have it"));
}

#[tokio::test]
async fn a_liar_is_penalised_and_the_next_peer_is_used() {
    let mesh = Mesh::new();
    let [a, honest] = [1, 2].map(|seed| node(&mesh, seed, Config::default()));
    honest.blobs.put(vec![blob(0), blob(1)]).await.expect("kept");
    let liar = rogue(&mesh, 3, async |mut stream| {
        request(&mut stream).await;
        write_answer(&mut stream, Some(&blob(1).1)).await.expect("sent");
    });
    let fetcher = a.fetcher(Config::default());
    assert_eq!(fetcher.fetch(blob(0).0, &[key(3), key(2)]).await, Ok(blob(0).1));
    assert_eq!(mesh.offences(), [(key(1), key(3), Offence::BadContent)]);
    assert!(!a.has(blob(1).0).await, "what was not asked for is not kept");
    liar.abort();
}

#[tokio::test]
async fn oversized_and_senseless_answers_are_offences_too() {
    let mesh = Mesh::new();
    let [a, honest] = [1, 2].map(|seed| node(&mesh, seed, Config::default()));
    honest.blobs.put(vec![blob(0)]).await.expect("kept");
    let oversized = rogue(&mesh, 3, async |mut stream| {
        request(&mut stream).await;
        stream.write_all(&u32::MAX.to_be_bytes()).await.expect("sent");
    });
    let senseless = rogue(&mesh, 4, async |mut stream| {
        request(&mut stream).await;
        stream.write_all(b"\0\0\0\x01?").await.expect("sent");
    });
    let silent = rogue(&mesh, 5, async |stream| drop(stream));
    let from = [key(3), key(4), key(5), key(2)];
    assert_eq!(a.fetcher(Config::default()).fetch(blob(0).0, &from).await, Ok(blob(0).1));
    let expected = [(key(1), key(3), Offence::Oversized), (key(1), key(4), Offence::Malformed)];
    assert_eq!(mesh.offences(), expected);
    [oversized, senseless, silent].iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn a_peer_that_never_answers_is_given_up() {
    let mesh = Mesh::new();
    let [a, honest] = [1, 2].map(|seed| node(&mesh, seed, Config::default()));
    honest.blobs.put(vec![blob(0)]).await.expect("kept");
    let patience = Arc::new(Patience::default());
    let (asked, was_asked) = tokio::sync::oneshot::channel();
    let asked = std::sync::Mutex::new(Some(asked));
    let silent = rogue(&mesh, 3, move |mut stream| {
        let asked = asked.lock().expect("no panic").take();
        async move {
            request(&mut stream).await;
            asked.map(|asked| asked.send(()));
            // The stream stays open until the fetcher closes it.
            drop(read_frame(&mut stream, 100).await);
        }
    });
    let fetcher = a.patient_fetcher(Config::default(), patience.clone());
    let from = [key(3)];
    let mut fetching = Box::pin(fetcher.fetch(blob(0).0, &from));
    tokio::select! {
        _ = &mut fetching => panic!("nobody answered"),
        asked = was_asked => asked.expect("it was asked"),
    }
    drop(fetching);
    patience.is_over.store(true, Ordering::Relaxed);
    let failed = fetcher.fetch(blob(0).0, &from).await.expect_err("nobody answered");
    let FetchError::NotFound { tried, .. } = failed else { panic!("{failed}") };
    assert!(matches!(&tried[..], [(_, Refusal::Broken(why))] if why.starts_with("nothing came")));
    silent.abort();
}

#[tokio::test]
async fn what_came_before_a_cut_is_kept_and_the_rest_comes_from_others() {
    let mesh = Mesh::new();
    let [a, b] = [1, 2].map(|seed| node(&mesh, seed, Config::default()));
    b.blobs.put(vec![blob(0), blob(1), blob(2)]).await.expect("kept");
    let half = rogue(&mesh, 3, async |mut stream| {
        request(&mut stream).await;
        write_answer(&mut stream, Some(&blob(0).1)).await.expect("sent");
    });
    let fetcher = a.fetcher(Config::default());
    let mut cids: Vec<_> = (0..3).map(|number| blob(number).0).collect();
    cids.sort_unstable();
    let first = cids.iter().position(|cid| *cid == blob(0).0).expect("it is one of them");
    cids.swap(0, first);
    let mut session = session::Session::new(fetcher.inner.clone(), &[key(3), key(2)]);
    let found = session.load(&cids).await.expect("all three");
    assert_eq!(found.len(), 3);
    assert!(mesh.offences().is_empty());
    half.abort();
}

#[tokio::test]
async fn a_cut_link_fails_the_fetch_and_a_healed_one_does_not() {
    let mesh = Mesh::new();
    let [a, b] = [1, 2].map(|seed| node(&mesh, seed, Config::default()));
    b.blobs.put(vec![blob(0)]).await.expect("kept");
    mesh.cut(key(1), key(2));
    let fetcher = a.fetcher(Config::default());
    let failed = fetcher.fetch(blob(0).0, &[key(2)]).await;
    assert!(matches!(failed, Err(FetchError::NotFound { .. })));
    mesh.heal(key(1), key(2));
    assert_eq!(fetcher.fetch(blob(0).0, &[key(2)]).await, Ok(blob(0).1));
}

#[tokio::test]
async fn callers_that_want_one_blob_share_one_transfer() {
    let mesh = Mesh::new();
    let [a, b] = [1, 2].map(|seed| node(&mesh, seed, Config::default()));
    b.blobs.put(vec![blob(0)]).await.expect("kept");
    let fetcher = a.fetcher(Config::default());
    let (right, wrong) = ([key(2)], [key(9)]);
    let many = (0..10).map(|_| fetcher.fetch(blob(0).0, &right));
    assert!(futures::future::join_all(many).await.iter().all(Result::is_ok));
    assert_eq!(mesh.opened(key(1)), 1);
    // Whoever shares a transfer that fails tries its own peers afterwards.
    b.blobs.put(vec![blob(1)]).await.expect("kept");
    let both = [fetcher.fetch(blob(1).0, &wrong), fetcher.fetch(blob(1).0, &right)];
    let [first, second] = futures::future::join_all(both).await.try_into().expect("two");
    assert!(first.is_err());
    assert_eq!(second, Ok(blob(1).1));
}

#[tokio::test]
async fn more_fetches_than_streams_wait_and_are_no_flood() {
    let mesh = Mesh::new();
    let config =
        Config { serve_streams_per_peer: 4, fetch_streams_per_peer: 2, ..Config::default() };
    let [a, b, c] = [1, 2, 3].map(|seed| node(&mesh, seed, config.clone()));
    for number in 0..40 {
        let holder = if number % 2 == 0 { &b } else { &c };
        holder.blobs.put(vec![blob(number)]).await.expect("kept");
    }
    let fetcher = a.fetcher(config);
    let orders = [[key(2), key(3)], [key(3), key(2)]];
    let many = (0..40).map(|number| fetcher.fetch(blob(number).0, &orders[number / 2 % 2]));
    for (number, result) in futures::future::join_all(many).await.into_iter().enumerate() {
        assert_eq!(result, Ok(blob(number).1));
    }
    assert!(mesh.offences().is_empty());
}

#[tokio::test]
async fn a_damaged_blob_is_fetched_again() {
    let mesh = Mesh::new();
    let [a, b] = [1, 2].map(|seed| node(&mesh, seed, Config::default()));
    for node in [&a, &b] {
        node.blobs.put(vec![blob(0)]).await.expect("kept");
    }
    a.blobs.damage(blob(0).0);
    let fetcher = a.fetcher(Config::default());
    assert_eq!(fetcher.fetch(blob(0).0, &[key(2)]).await, Ok(blob(0).1));
    assert!(a.has(blob(0).0).await);
    a.blobs.set_full(true);
    b.blobs.put(vec![blob(1)]).await.expect("kept");
    let failed = fetcher.fetch(blob(1).0, &[key(2)]).await;
    assert!(matches!(failed, Err(FetchError::Store(protocol::port::BlobError::Full { .. }))));
}

/// A file of three chunks, and its blocks.
fn file(seed: u8) -> (objects::FileRoot, Vec<(Cid, Bytes)>, Bytes) {
    let content = Bytes::from(vec![seed; 2 * objects::CHUNK_BYTES + 5]);
    let mut builder = FileBuilder::new();
    let mut blocks = Vec::new();
    builder.push(&content, &mut blocks);
    let root = builder.finish(&mut blocks);
    (root, blocks.into_iter().map(|block| (block.cid, block.bytes)).collect(), content)
}

#[tokio::test]
async fn a_file_is_fetched_with_all_its_blocks() {
    let mesh = Mesh::new();
    let [a, b, c] = [1, 2, 3].map(|seed| node(&mesh, seed, Config::default()));
    let (root, blocks, content) = file(7);
    // No peer has all of it.
    b.blobs.put(blocks[..1].to_vec()).await.expect("kept");
    c.blobs.put(blocks[1..].to_vec()).await.expect("kept");
    let fetcher = a.fetcher(Config { fetch_window: 1, ..Config::default() });
    let from = [key(2), key(3)];
    assert_eq!(fetcher.fetch_file(root.cid, &from, 3 << 20).await, Ok(root.size_bytes));
    for (cid, _) in &blocks {
        assert!(a.has(*cid).await);
    }
    let opened = mesh.opened(key(1));
    assert_eq!(fetcher.read_file(root.cid, &[], 3 << 20).await, Ok(content));
    assert_eq!(mesh.opened(key(1)), opened, "everything is here");
    let limited = fetcher.fetch_file(root.cid, &from, 2 << 20).await;
    let too_large = matches!(
        limited,
        Err(FetchError::Content(objects::Error::FileTooLarge { limit_bytes: 2_097_152, .. }))
    );
    assert!(too_large);
}

#[tokio::test]
async fn fetch_all_asks_only_for_what_is_missing() {
    let mesh = Mesh::new();
    let [a, b] = [1, 2].map(|seed| node(&mesh, seed, Config::default()));
    let all: Vec<_> = (0..50).map(blob).collect();
    b.blobs.put(all.clone()).await.expect("kept");
    a.blobs.put(all[..10].to_vec()).await.expect("kept");
    let cids: Vec<_> = all.iter().map(|(cid, _)| *cid).collect();
    let fetcher = a.fetcher(Config::default());
    fetcher.fetch_all(&cids[..10], &[]).await.expect("all here");
    fetcher.fetch_all(&[&cids[..], &cids].concat(), &[key(2)]).await.expect("fetched");
    assert_eq!((a.blobs.count(), mesh.opened(key(1))), (50, 1));
}
