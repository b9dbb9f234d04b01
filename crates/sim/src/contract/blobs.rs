//! The contract of `protocol::port::Blobs`.

use crate::blobs::blob;
use bytes::Bytes;
use objects::{Block, Cid, Codec};
use protocol::{
    limits,
    port::{BlobError, Blobs},
};
use std::sync::Arc;

/// Checks that what `open` gives is a store of blobs.
///
/// # Panics
/// If it is not.
pub async fn blobs(open: impl Fn(&str) -> Arc<dyn Blobs>) {
    blobs_come_back(&open).await;
    a_name_is_more_than_a_digest(&open).await;
    wrong_bytes_are_refused_as_a_whole(&open).await;
    too_large_is_refused(&open).await;
    the_same_again_is_fine(&open).await;
    together_is_as_good_as_apart(&open).await;
    everything_outlives_its_handle(&open).await;
}

async fn blobs_come_back(open: &impl Fn(&str) -> Arc<dyn Blobs>) {
    let store = open("blobs");
    let (missing, _) = blob(99);
    assert_eq!(store.get(missing).await, Ok(None));
    assert_eq!(store.has(vec![]).await, Ok(vec![]));
    store.put(vec![]).await.expect("nothing is easily kept");
    let empty = Block::of(Codec::Raw, Bytes::new());
    store.put(vec![blob(1), (empty.cid, empty.bytes), blob(2)]).await.expect("kept");
    for (cid, bytes) in [blob(1), blob(2), (empty.cid, Bytes::new())] {
        assert_eq!(store.get(cid).await, Ok(Some(bytes)));
    }
    let asked = vec![blob(2).0, missing, blob(1).0, blob(2).0];
    assert_eq!(store.has(asked).await, Ok(vec![true, false, true, true]), "in the same order");
    let largest = Block::of(Codec::Raw, vec![5; limits::BLOB_BYTES]);
    store.put(vec![(largest.cid, largest.bytes.clone())]).await.expect("kept");
    assert_eq!(store.get(largest.cid).await, Ok(Some(largest.bytes)));
}

async fn a_name_is_more_than_a_digest(open: &impl Fn(&str) -> Arc<dyn Blobs>) {
    let store = open("codecs");
    let (raw, bytes) = blob(1);
    let other = Cid::from_digest(Codec::DagPb, raw.digest());
    store.put(vec![(raw, bytes.clone())]).await.expect("kept");
    assert_eq!(store.has(vec![raw, other]).await, Ok(vec![true, false]));
    store.put(vec![(other, bytes.clone())]).await.expect("kept");
    assert_eq!(store.get(other).await, Ok(Some(bytes)));
}

async fn wrong_bytes_are_refused_as_a_whole(open: &impl Fn(&str) -> Arc<dyn Blobs>) {
    let store = open("wrong");
    let (right, wrong) = (blob(1), (blob(2).0, blob(3).1));
    let refused = store.put(vec![right.clone(), wrong.clone()]).await;
    assert_eq!(refused, Err(BlobError::Mismatch(wrong.0)));
    assert_eq!(store.has(vec![right.0, wrong.0]).await, Ok(vec![false, false]));
}

async fn too_large_is_refused(open: &impl Fn(&str) -> Arc<dyn Blobs>) {
    let store = open("large");
    let block = Block::of(Codec::Raw, vec![0; limits::BLOB_BYTES + 1]);
    let refused = store.put(vec![blob(1), (block.cid, block.bytes)]).await;
    let limit_bytes = limits::BLOB_BYTES;
    assert_eq!(refused, Err(BlobError::TooLarge { size_bytes: limit_bytes + 1, limit_bytes }));
    assert_eq!(store.has(vec![blob(1).0, block.cid]).await, Ok(vec![false, false]));
}

async fn the_same_again_is_fine(open: &impl Fn(&str) -> Arc<dyn Blobs>) {
    let store = open("again");
    for _ in 0..3 {
        store.put(vec![blob(1), blob(1)]).await.expect("kept");
    }
    assert_eq!(store.get(blob(1).0).await, Ok(Some(blob(1).1)));
}

async fn together_is_as_good_as_apart(open: &impl Fn(&str) -> Arc<dyn Blobs>) {
    let store = open("together");
    let puts = (0..60).map(|i| store.put(vec![blob(i), blob(i / 2)]));
    for result in futures::future::join_all(puts).await {
        result.expect("kept");
    }
    for i in 0..60 {
        assert_eq!(store.get(blob(i).0).await, Ok(Some(blob(i).1)));
    }
}

async fn everything_outlives_its_handle(open: &impl Fn(&str) -> Arc<dyn Blobs>) {
    let store = open("outlives");
    for i in 0..5 {
        store.put(vec![blob(i)]).await.expect("kept");
    }
    drop(store);
    let store = open("outlives");
    for i in 0..5 {
        assert_eq!(store.get(blob(i).0).await, Ok(Some(blob(i).1)));
    }
    store.put(vec![blob(5)]).await.expect("kept");
    drop(store);
    let store = open("outlives");
    let all: Vec<_> = (0..7).map(|i| blob(i).0).collect();
    let expected = vec![true, true, true, true, true, true, false];
    assert_eq!(store.has(all).await, Ok(expected));
    assert_eq!(open("another").has(vec![blob(1).0]).await, Ok(vec![false]));
}
