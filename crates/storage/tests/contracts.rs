//! Store and journal keep the contracts of their ports, as the fakes do.
#![allow(missing_docs)]

use protocol::port::{Blobs, Log};
use sim::contract;
use std::sync::Arc;
use storage::{Config, Journal, JournalConfig};

fn config() -> Config {
    Config { reserve_bytes: 0, ..Config::default() }
}

#[tokio::test]
async fn a_store_keeps_blobs() {
    let dir = tempfile::tempdir().expect("a directory");
    contract::blobs(|name| {
        let store = storage::open(dir.path().join(name), config()).expect("opens");
        Arc::new(store) as Arc<dyn Blobs>
    })
    .await;
}

#[tokio::test]
async fn a_store_with_tiny_packs_and_batches_keeps_blobs() {
    let dir = tempfile::tempdir().expect("a directory");
    let tiny = Config { pack_bytes: 1024, batch_bytes: 1, checkpoint_bytes: 1, ..config() };
    contract::blobs(|name| {
        let store = storage::open(dir.path().join(name), tiny.clone()).expect("opens");
        Arc::new(store) as Arc<dyn Blobs>
    })
    .await;
}

#[tokio::test]
async fn a_journal_is_a_log() {
    let dir = tempfile::tempdir().expect("a directory");
    contract::log(|name| {
        Arc::new(Journal::open(dir.path().join(name)).expect("opens")) as Arc<dyn Log>
    })
    .await;
}

#[tokio::test]
async fn a_journal_with_tiny_segments_and_batches_is_a_log() {
    let dir = tempfile::tempdir().expect("a directory");
    for segment_bytes in [1, 100, 250] {
        let tiny = JournalConfig { segment_bytes, batch_bytes: 1, queue: 1 };
        let dir = dir.path().join(segment_bytes.to_string());
        contract::log(|name| {
            let journal = Journal::open_with(dir.join(name), tiny.clone()).expect("opens");
            Arc::new(journal) as Arc<dyn Log>
        })
        .await;
    }
}
