//! A full disk fails the call that wanted space, and nothing else.
//!
//! The disk is a small file system in memory. Only root can mount one; elsewhere the tests say so
//! and hold nothing, and the reserve of the store's own tests stands in for them.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

use bytes::Bytes;
use objects::{Block, Codec};
use protocol::port::{BlobError, Blobs, Log, LogError};
use std::{fs, path::Path, process::Command};
use storage::{Config, Journal};
use tempfile::TempDir;

/// A mounted disk of a few MiB, unmounted when it is dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "polity-test"])
            .arg(dir.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(dir));
        }
        eprintln!("no file system can be mounted here: the full disk is not tried");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "the disk stays mounted");
    }
}

fn blob(number: u64) -> (objects::Cid, Bytes) {
    let block = Block::of(Codec::Raw, number.to_le_bytes().repeat(20_000));
    (block.cid, block.bytes)
}

#[tokio::test]
async fn a_full_disk_refuses_puts_and_keeps_what_it_has() {
    let Some(disk) = SmallDisk::mount("24m") else { return };
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![1; 6 << 20]).expect("written");
    let dir = disk.path().join("store");
    let config = Config { reserve_bytes: 0, checkpoint_bytes: 1 << 20, ..Config::default() };
    let store = storage::open(&dir, config.clone()).expect("opens");
    let mut kept = Vec::new();
    let refused = loop {
        let number = kept.len() as u64;
        match store.put(vec![blob(number)]).await {
            Ok(()) => kept.push(number),
            Err(error) => break error,
        }
        assert!(kept.len() < 1000, "the disk never gets full");
    };
    assert!(matches!(refused, BlobError::Full { .. }), "{refused}");
    assert!(kept.len() > 20);
    let next = blob(kept.len() as u64);
    assert_eq!(store.has(vec![next.0]).await, Ok(vec![false]));

    // Space that comes back can be used at once.
    fs::remove_file(&ballast).expect("removed");
    store.put(vec![next]).await.expect("there is space again");
    kept.push(kept.len() as u64);
    for number in &kept {
        assert_eq!(store.get(blob(*number).0).await, Ok(Some(blob(*number).1)));
    }
    drop(store);
    let store = storage::open(&dir, config).expect("opens");
    for number in &kept {
        assert_eq!(store.get(blob(*number).0).await, Ok(Some(blob(*number).1)));
    }
}

#[tokio::test]
async fn a_disk_without_a_single_byte_left_is_survived() {
    let Some(disk) = SmallDisk::mount("16m") else { return };
    let dir = disk.path().join("store");
    let config = Config { reserve_bytes: 0, ..Config::default() };
    let store = storage::open(&dir, config.clone()).expect("opens");
    store.put(vec![blob(0)]).await.expect("kept");
    let ballast = disk.path().join("ballast");
    let mut bytes = vec![1; 16 << 20];
    while fs::write(&ballast, &bytes).is_err() {
        bytes.truncate(bytes.len() - 4096);
    }
    for number in 1..4 {
        let refused = store.put(vec![blob(number)]).await;
        assert!(matches!(refused, Err(BlobError::Full { .. })), "{refused:?}");
    }
    assert_eq!(store.get(blob(0).0).await, Ok(Some(blob(0).1)));
    fs::remove_file(&ballast).expect("removed");
    for number in 1..4 {
        store.put(vec![blob(number)]).await.expect("there is space again");
    }
    drop(store);
    let store = storage::open(&dir, config).expect("opens");
    for number in 0..4 {
        assert_eq!(store.get(blob(number).0).await, Ok(Some(blob(number).1)));
    }
}

#[tokio::test]
async fn a_journal_on_a_full_disk_fails_and_keeps_what_it_has() {
    let Some(disk) = SmallDisk::mount("2m") else { return };
    let journal = Journal::open(disk.path().join("journal")).expect("opens");
    let entry = Bytes::from(vec![7; 100_000]);
    let mut count = 0;
    let failed = loop {
        match journal.append(count, vec![entry.clone()]).await {
            Ok(()) => count += 1,
            Err(error) => break error,
        }
        assert!(count < 1000, "the disk never gets full");
    };
    assert!(matches!(failed, LogError::Failed(_)));
    assert_eq!(journal.append(count, vec![Bytes::new()]).await, Err(failed));
    assert_eq!(journal.range(), 0..count);
    drop(journal);
    let journal = Journal::open(disk.path().join("journal")).expect("opens");
    assert_eq!(journal.read(0..count).await, Ok(vec![entry; count as usize]));
}
