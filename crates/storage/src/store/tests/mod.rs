//! What happens to a store when its files are hurt.

mod collect;
mod model;
mod pins;
mod power;
mod repair;

use super::*;
use objects::{Block, Codec};
use sim::blobs::blob;
use std::{
    fs::{self, OpenOptions},
    os::unix::fs::{FileExt, PermissionsExt},
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};
use tempfile::TempDir;

/// Small packs, so that tests see several of them.
fn small() -> Config {
    Config { pack_bytes: 1 << 10, reserve_bytes: 0, readers: 2, ..Config::default() }
}

fn pack(dir: &TempDir, number: u32) -> PathBuf {
    dir.path().join(format!("packs/{number:08}.pack"))
}

/// A closed store with blobs 0 to `count`, each in a write of its own.
async fn filled(count: usize) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path(), small()).expect("a new store");
    for number in 0..count {
        store.put(vec![blob(number)]).await.expect("kept");
    }
    dir
}

/// A store whose time is what a number says.
fn open_at(dir: &TempDir, config: Config, now_ms: &Arc<AtomicU64>) -> Store {
    let clock = now_ms.clone();
    let clock = Box::new(move || clock.load(Ordering::SeqCst));
    open_on(Arc::new(RealDisk), dir.path(), None, config, clock).expect("it opens")
}

fn pin(label: &str, root: Cid, mode: PinMode) -> Pin {
    let label = label.parse().expect("a label");
    Pin { label, root, mode, since_ms: 1, note: None }
}

/// A value that links to others.
fn node(number: usize, links: &[Cid]) -> (Cid, Bytes) {
    let bytes = identity::canonical::encode(&(number, links.to_vec()));
    let block = Block::of(Codec::DagCbor, bytes);
    (block.cid, block.bytes)
}

async fn here(store: &Store, count: usize) -> Vec<bool> {
    store.has((0..count).map(|number| blob(number).0).collect()).await.expect("the index answers")
}

async fn assert_reads(store: &Store, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        let (cid, bytes) = blob(number);
        assert_eq!(store.get(cid).await, Ok(Some(bytes)), "blob {number}");
    }
}

/// Where the record of a blob begins in a pack.
fn place(path: &PathBuf, cid: &Cid) -> u64 {
    let bytes = fs::read(path).expect("a pack");
    let name = cid.to_bytes();
    let at = bytes.windows(name.len()).position(|window| window == name);
    at.expect("it is there") as u64 - 12
}

fn flip(path: &PathBuf, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).expect("a file");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("a byte");
    file.write_all_at(&[byte[0] ^ 0x10], at).expect("flipped");
}

#[tokio::test]
async fn packs_end_at_their_size_and_belong_to_their_owner() {
    let dir = filled(12).await;
    assert!(pack(&dir, 1).exists() && pack(&dir, 2).exists());
    for path in [pack(&dir, 0), dir.path().join("index.redb")] {
        assert_eq!(fs::metadata(path).expect("it is there").permissions().mode() & 0o777, 0o600);
    }
    let packs = fs::metadata(dir.path().join("packs")).expect("it is there");
    assert_eq!(packs.permissions().mode() & 0o777, 0o700);
    assert_reads(&open(dir.path(), small()).expect("whole"), 0..12).await;
}

#[tokio::test]
async fn a_pack_begins_with_these_bytes() {
    let dir = filled(1).await;
    let bytes = fs::read(pack(&dir, 0)).expect("a pack");
    assert_eq!(bytes[..12], *b"plt-pack\x02\0\0\0");
    assert_eq!(bytes[16..28], [0; 12], "the salt has 32 bits; the number follows");
    let salt = u32::from_le_bytes(bytes[12..16].try_into().expect("four bytes"));
    let mark = (0x4c50_46f5 ^ salt).to_le_bytes();
    assert_eq!(bytes[32..36], mark);
    assert_eq!(bytes[44..46], [2, 1], "what time it is");
    let (cid, content) = blob(0);
    let at = place(&pack(&dir, 0), &cid) as usize;
    assert_eq!(bytes[at..at + 4], mark);
    assert_eq!(bytes[at + 12..at + 48], cid.to_bytes());
    assert_eq!(bytes[at + 48..], content);
}

#[tokio::test]
async fn a_torn_end_is_cut_off_and_nothing_else_is_lost() {
    let dir = filled(3).await;
    let whole = fs::metadata(pack(&dir, 0)).expect("a pack").len();
    let mut torn = fs::read(pack(&dir, 0)).expect("a pack");
    let at = place(&pack(&dir, 0), &blob(0).0) as usize;
    torn.extend_from_within(at..at + 40);
    fs::write(pack(&dir, 0), &torn).expect("torn");
    let store = open(dir.path(), small()).expect("repaired");
    assert_eq!(fs::metadata(pack(&dir, 0)).expect("a pack").len(), whole);
    assert_reads(&store, 0..3).await;
    store.put(vec![blob(3)]).await.expect("kept");
    drop(store);
    assert_reads(&open(dir.path(), small()).expect("whole"), 0..4).await;
}

#[tokio::test]
async fn a_record_that_only_the_pack_knows_is_found() {
    let dir = filled(3).await;
    let index = dir.path().join("index.redb");
    let before = fs::read(&index).expect("an index");
    let store = open(dir.path(), small()).expect("whole");
    store.put(vec![blob(3), blob(4)]).await.expect("kept");
    drop(store);
    fs::write(&index, before).expect("an older index");
    assert_reads(&open(dir.path(), small()).expect("completed"), 0..5).await;
}

#[tokio::test]
async fn a_missing_or_senseless_index_is_rebuilt() {
    let dir = filled(12).await;
    let index = dir.path().join("index.redb");
    let good = fs::read(&index).expect("an index");
    let mut garbled = good.clone();
    garbled[..512].fill(0xa5);
    for bad in [None, Some(b"not an index".to_vec()), Some(good[..100].to_vec()), Some(garbled)] {
        match bad {
            None => fs::remove_file(&index).expect("removed"),
            Some(bytes) => fs::write(&index, bytes).expect("garbled"),
        }
        assert_reads(&open(dir.path(), small()).expect("rebuilt"), 0..12).await;
    }
}

#[tokio::test]
async fn an_index_that_knows_more_than_the_packs_is_rebuilt() {
    let dir = filled(3).await;
    let file = OpenOptions::new().write(true).open(pack(&dir, 0)).expect("a pack");
    let length = file.metadata().expect("a pack").len();
    file.set_len(length - 5).expect("cut");
    let store = open(dir.path(), small()).expect("rebuilt");
    assert_eq!(here(&store, 3).await, [true, true, false]);
    assert_reads(&store, 0..2).await;
}

#[tokio::test]
async fn a_flipped_bit_is_found_set_aside_and_mended_by_another_put() {
    let dir = filled(3).await;
    let store = open(dir.path(), small()).expect("whole");
    let (cid, bytes) = blob(0);
    flip(&pack(&dir, 0), place(&pack(&dir, 0), &cid) + 12 + 36 + 2);
    assert_eq!(store.get(cid).await, Err(BlobError::Corrupt(cid)));
    assert_eq!(store.get(cid).await, Ok(None));
    assert_eq!(here(&store, 3).await, [false, true, true]);
    store.put(vec![(cid, bytes)]).await.expect("kept again");
    assert_reads(&store, 0..3).await;
    drop(store);
    fs::remove_file(dir.path().join("index.redb")).expect("removed");
    assert_reads(&open(dir.path(), small()).expect("rebuilt"), 0..3).await;
}

#[tokio::test]
async fn what_is_damaged_is_not_sent_and_what_was_checked_is_kept() {
    let ((cid, bytes), other) = (blob(0), blob(1));
    // The mark of a record is for those who look for records.
    for (at, is_sent) in [(0, true), (4, false), (11, false), (12, false), (50, false)] {
        let dir = filled(2).await;
        let store = open(dir.path(), small()).expect("whole");
        flip(&pack(&dir, 0), place(&pack(&dir, 0), &cid) + at);
        let sent = store.get_some_to_send(vec![other.0, cid], 1 << 20).await;
        let whole = is_sent.then(|| bytes.clone());
        assert_eq!(sent, Ok(vec![Some(other.1.clone()), whole]), "byte {at}");
        let checked = Checked::check(cid, bytes.clone()).expect("it is right");
        store.put_checked(vec![checked]).await.expect("kept again");
        assert_reads(&store, 0..2).await;
    }
}

#[tokio::test]
async fn a_rebuild_leaves_out_what_is_damaged_and_keeps_what_stands_behind() {
    let (cid, _) = blob(0);
    // A bit of the length, of the checksum, of the CID and of the content of the first record,
    // and of the head of the file, which no record needs.
    for (at, is_lost) in [(5, true), (8, true), (18, true), (49, true), (0, false)] {
        let dir = filled(12).await;
        let from = if is_lost { place(&pack(&dir, 0), &cid) } else { 3 };
        flip(&pack(&dir, 0), from + at);
        fs::remove_file(dir.path().join("index.redb")).expect("removed");
        let store = open(dir.path(), small()).expect("rebuilt");
        assert_eq!(store.has(vec![cid]).await, Ok(vec![!is_lost]), "byte {at}");
        assert_reads(&store, 1..12).await;
    }
}

#[tokio::test]
async fn a_missing_pack_loses_its_blobs_and_no_others() {
    let dir = filled(12).await;
    fs::remove_file(pack(&dir, 0)).expect("removed");
    let store = open(dir.path(), small()).expect("open");
    let (cid, bytes) = blob(0);
    assert_eq!(store.get(cid).await, Err(BlobError::Corrupt(cid)));
    store.put(vec![(cid, bytes)]).await.expect("kept again");
    assert_reads(&store, [0, 11]).await;
}

#[tokio::test]
async fn a_crash_while_a_pack_was_made_is_repaired() {
    let dir = filled(1).await;
    for bytes in [&b""[..], b"plt-pa", &[0; 32]] {
        fs::write(pack(&dir, 1), bytes).expect("a beginning");
        let store = open(dir.path(), small()).expect("repaired");
        store.put(vec![blob(1)]).await.expect("kept");
        drop(store);
        fs::remove_file(dir.path().join("index.redb")).expect("removed");
        assert_reads(&open(dir.path(), small()).expect("rebuilt"), 0..2).await;
        assert_eq!(fs::read(pack(&dir, 1)).expect("a pack")[..8], *b"plt-pack");
        fs::remove_file(pack(&dir, 1)).expect("removed");
    }
}

#[tokio::test]
async fn a_pack_or_a_directory_of_a_newer_version_is_refused() {
    let dir = filled(1).await;
    let newer = crate::frame::FileHead { version: 3, salt: 0, number: 0 }.encode(b"plt-pack");
    let file = OpenOptions::new().write(true).open(pack(&dir, 0)).expect("a pack");
    file.write_all_at(&newer, 0).expect("written");
    let refused = open(dir.path(), small()).expect_err("newer");
    assert!(matches!(refused, Error::Newer { found: 3, known: 2, .. }));
    fs::write(dir.path().join("FORMAT"), "polity store 9\n").expect("written");
    let refused = open(dir.path(), small()).expect_err("newer");
    assert!(refused.to_string().contains("written by a newer version (format 9"));
}

#[tokio::test]
async fn two_stores_in_one_directory_are_refused() {
    let dir = filled(1).await;
    let store = open(dir.path(), small()).expect("free");
    assert!(matches!(open(dir.path(), small()), Err(Error::InUse { .. })));
    let pending = store.get(blob(0).0);
    drop(store);
    assert_eq!(pending.await, Ok(Some(blob(0).1)), "a call holds the store open");
    open(dir.path(), small()).expect("free again");
}

#[tokio::test]
async fn below_the_reserve_nothing_is_written_but_everything_is_read() {
    let dir = filled(3).await;
    let store = open(dir.path(), Config { reserve_bytes: u64::MAX, ..small() }).expect("open");
    let refused = store.put(vec![blob(9)]).await;
    assert!(matches!(refused, Err(BlobError::Full { reserve_bytes: u64::MAX, .. })));
    store.put(vec![blob(1)]).await.expect("what is here needs no space");
    assert_eq!(here(&store, 10).await.iter().filter(|here| **here).count(), 3);
    assert_reads(&store, 0..3).await;
}

#[tokio::test]
async fn checkpoints_do_not_change_what_is_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = Config { checkpoint_bytes: 1, batch_bytes: 1, queue: 1, ..small() };
    let store = open(dir.path(), config).expect("a new store");
    let puts = (0..20).map(|number| store.put(vec![blob(number)]));
    for result in futures::future::join_all(puts).await {
        result.expect("kept");
    }
    drop(store);
    assert_reads(&open(dir.path(), small()).expect("whole"), 0..20).await;
}

#[tokio::test]
async fn nobody_waiting_for_the_answer_changes_nothing() {
    let dir = filled(1).await;
    let store = open(dir.path(), small()).expect("open");
    let mut put = store.put(vec![blob(1)]);
    assert!(futures::poll!(&mut put).is_pending());
    drop(put);
    store.put(vec![blob(2)]).await.expect("kept");
    assert_reads(&store, 0..3).await;
}
#[tokio::test]
async fn flipped_bits_in_the_index_stop_nothing_and_cost_no_bytes() {
    let dir = filled(12).await;
    let index = dir.path().join("index.redb");
    let good = fs::read(&index).expect("an index");
    for round in 0..60 {
        let mut bad = good.clone();
        let at = if round % 2 == 0 { round * 67 } else { round * good.len() / 60 };
        bad[at] ^= 1 << (round % 8);
        fs::write(&index, bad).expect("flipped");
        let store = open(dir.path(), small()).expect("whatever the index says");
        for number in 0..12 {
            let (cid, bytes) = blob(number);
            match store.get(cid).await {
                Ok(Some(read)) => assert_eq!(read, bytes),
                // A row that points elsewhere, or is gone.
                Ok(None) | Err(BlobError::Corrupt(_) | BlobError::Io(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        store.put(vec![blob(round % 12)]).await.expect("kept");
    }
    fs::remove_file(&index).expect("removed");
    assert_reads(&open(dir.path(), small()).expect("rebuilt"), 0..12).await;
}
