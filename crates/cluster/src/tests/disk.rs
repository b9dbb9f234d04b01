//! The same on a real disk.

use super::{
    Node,
    tally::{Told, Wish},
};
use crate::Config;
use protocol::port::Log;
use std::{fs, path::Path, sync::Arc};
use storage::Journal;
use tokio::task::JoinSet;

fn open(dir: &Path) -> Arc<Journal> {
    Arc::new(Journal::open(dir).unwrap())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_free_again_after_a_shutdown() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { snapshot_entries: 20, keep_entries: 0, ..Config::default() };
    for start_number in 0..4 {
        let log = open(dir.path());
        let mut node = Node::start(&config, &log).await;
        drop(log);
        assert_eq!(node.wishes().await, [Wish::Led { added: start_number * 30 }]);
        assert_eq!(node.tally().await.added.len(), start_number * 30);
        for number in 0..30 {
            node.tell(Told::Add(number)).await;
        }
        node.cluster.shutdown().await.unwrap();
    }
    assert!(open(dir.path()).range().start > 0, "there were snapshots");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_disk_has_all_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(&Config::default(), &open(&dir.path().join("alive"))).await;
    let mut callers = JoinSet::new();
    for number in 0..200 {
        let cluster = node.cluster.clone();
        callers.spawn(async move { cluster.propose(Told::Add(number)).await.map(|()| number) });
    }
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 50 {
        acknowledged.push(callers.join_next().await.unwrap().unwrap().unwrap());
    }
    copy(&dir.path().join("alive"), &dir.path().join("copy"));
    callers.join_all().await;
    node.cluster.shutdown().await.unwrap();

    let node = Node::start(&Config::default(), &open(&dir.path().join("copy"))).await;
    let added = node.tally().await.added;
    for number in acknowledged {
        assert_eq!(added.iter().filter(|n| **n == number).count(), 1, "{number}");
    }
    node.cluster.shutdown().await.unwrap();
}
