//! What happens to a journal when its files are hurt.

use super::*;
use std::{
    fs::{self, OpenOptions},
    os::unix::fs::{FileExt, PermissionsExt},
    path::PathBuf,
};
use tempfile::TempDir;

/// Small segments, so that tests see several of them.
fn small() -> JournalConfig {
    JournalConfig { segment_bytes: 300, ..JournalConfig::default() }
}

fn entry(index: u64) -> Bytes {
    Bytes::from(format!("entry {index:03}"))
}

fn entries(range: Range<u64>) -> Vec<Bytes> {
    range.map(entry).collect()
}

/// Bytes of the frame of one such entry.
const FRAME_BYTES: u64 = 12 + 17 + 9;

/// A closed journal with entries 0 to `count`, each in a write of its own.
async fn filled(count: u64, config: JournalConfig) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = Journal::open_with(dir.path(), config).expect("a new journal");
    for index in 0..count {
        journal.append(index, vec![entry(index)]).await.expect("appended");
    }
    dir
}

fn segments(dir: &TempDir) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.path().join("segments")).expect("a directory");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths
}

fn flip(path: &PathBuf, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).expect("a file");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("a byte");
    file.write_all_at(&[byte[0] ^ 0x10], at).expect("flipped");
}

#[tokio::test]
async fn segments_end_at_their_size_and_belong_to_their_owner() {
    let dir = filled(20, small()).await;
    let paths = segments(&dir);
    assert!(paths.len() > 2);
    for path in &paths {
        assert_eq!(fs::metadata(path).expect("it is there").permissions().mode() & 0o777, 0o600);
    }
    let journal = Journal::open_with(dir.path(), small()).expect("whole");
    assert_eq!(journal.read(0..20).await, Ok(entries(0..20)));
    assert_eq!(journal.read(6..9).await, Ok(entries(6..9)));
}

#[tokio::test]
async fn a_segment_has_these_bytes() {
    let dir = filled(1, small()).await;
    let bytes = fs::read(&segments(&dir)[0]).expect("a segment");
    assert_eq!(bytes[..12], *b"plt-jrnl\x01\0\0\0");
    assert_eq!(bytes[20..28], [0; 8]);
    assert_eq!(bytes.len() as u64, 32 + FRAME_BYTES);
    let body = &bytes[32 + 12..];
    assert_eq!(body, [&[0; 16][..], &[1], &entry(0)[..]].concat());
}

#[tokio::test]
async fn a_torn_end_is_cut_off_at_every_byte() {
    let dir = filled(3, JournalConfig::default()).await;
    let path = &segments(&dir)[0];
    let whole = fs::read(path).expect("a segment");
    for cut in 1..FRAME_BYTES {
        fs::write(path, &whole[..whole.len() - cut as usize]).expect("torn");
        let journal = Journal::open(dir.path()).expect("repaired");
        assert_eq!(journal.range(), 0..2);
        journal.append(2, vec![entry(2)]).await.expect("appended");
        assert_eq!(journal.read(0..3).await, Ok(entries(0..3)));
    }
}

#[tokio::test]
async fn an_end_of_zeros_is_torn_too() {
    let dir = filled(3, JournalConfig::default()).await;
    let path = &segments(&dir)[0];
    let length = fs::metadata(path).expect("a segment").len();
    OpenOptions::new().write(true).open(path).expect("it").set_len(length + 5000).expect("longer");
    assert_eq!(Journal::open(dir.path()).expect("repaired").range(), 0..3);
    assert_eq!(fs::metadata(path).expect("a segment").len(), length);
}

#[tokio::test]
async fn a_torn_batch_is_told_from_damage_to_what_was_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = Journal::open(dir.path()).expect("a new journal");
    journal.append(0, entries(0..2)).await.expect("appended");
    journal.append(2, entries(2..5)).await.expect("appended");
    drop(journal);
    let path = segments(&dir)[0].clone();
    let whole = fs::read(&path).expect("a segment");
    let place = |index: u64| 32 + index * FRAME_BYTES + 30;

    // The last batch may have reached the disk in any order.
    for index in [2, 3] {
        fs::write(&path, &whole).expect("restored");
        flip(&path, place(index));
        let journal = Journal::open(dir.path()).expect("a torn batch");
        assert_eq!(journal.range(), 0..index);
        journal.append(index, vec![entry(index)]).await.expect("appended");
        drop(journal);
        let journal = Journal::open(dir.path()).expect("whole");
        assert_eq!(journal.read(0..index + 1).await, Ok(entries(0..index + 1)));
        drop(journal);
        segments(&dir)[1..].iter().for_each(|path| fs::remove_file(path).expect("removed"));
    }
    // The first one was on the disk before the second was begun.
    for index in [0, 1] {
        fs::write(&path, &whole).expect("restored");
        flip(&path, place(index));
        let damaged = Journal::open(dir.path()).expect_err("damage");
        assert!(matches!(damaged, Error::Damaged { .. }), "{damaged}");
    }
}

#[tokio::test]
async fn frames_of_another_segment_inside_a_torn_entry_are_not_believed() {
    let other = filled(9, JournalConfig::default()).await;
    let foreign = Bytes::from(fs::read(&segments(&other)[0]).expect("a segment"));
    let dir = filled(3, JournalConfig::default()).await;
    let journal = Journal::open(dir.path()).expect("whole");
    journal.append(3, vec![foreign]).await.expect("appended");
    drop(journal);
    flip(&segments(&dir)[0], 32 + 3 * FRAME_BYTES + 8);
    assert_eq!(Journal::open(dir.path()).expect("repaired").range(), 0..3);
}

#[tokio::test]
async fn damage_in_an_older_segment_is_found_when_it_is_read() {
    let dir = filled(20, small()).await;
    let paths = segments(&dir);
    flip(&paths[1], 32 + 30);
    let journal = Journal::open_with(dir.path(), small()).expect("the last segment is whole");
    assert!(matches!(journal.read(0..20).await, Err(LogError::Failed(_))));
    assert_eq!(journal.read(0..3).await, Ok(entries(0..3)));
}

#[tokio::test]
async fn a_crash_while_a_segment_was_made_is_repaired() {
    let dir = filled(3, JournalConfig::default()).await;
    for bytes in [&b""[..], b"plt-jr", &[0; 32]] {
        let path = dir.path().join(format!("segments/{:020}.log", 3));
        fs::write(&path, bytes).expect("a beginning");
        let journal = Journal::open(dir.path()).expect("repaired");
        assert_eq!(journal.range(), 0..3);
    }
}

#[tokio::test]
async fn purging_gives_space_back_by_segments() {
    let dir = filled(20, small()).await;
    let before = segments(&dir).len();
    let journal = Journal::open_with(dir.path(), small()).expect("whole");
    journal.purge(15).await.expect("purged");
    assert!(segments(&dir).len() < before);
    assert_eq!(journal.range(), 15..20);
    journal.purge(20).await.expect("purged");
    assert!(segments(&dir).is_empty());
    drop(journal);
    assert_eq!(Journal::open_with(dir.path(), small()).expect("whole").range(), 20..20);
}

#[tokio::test]
async fn truncating_across_segments_leaves_a_beginning() {
    for index in 0..20 {
        let dir = filled(20, small()).await;
        let journal = Journal::open_with(dir.path(), small()).expect("whole");
        journal.truncate(index).await.expect("truncated");
        assert_eq!(journal.range(), 0..index);
        assert_eq!(journal.read(0..index).await, Ok(entries(0..index)));
        drop(journal);
        let journal = Journal::open_with(dir.path(), small()).expect("whole");
        assert_eq!(journal.range(), 0..index);
        journal.append(index, entries(index..25)).await.expect("appended");
        drop(journal);
        let journal = Journal::open_with(dir.path(), small()).expect("whole");
        assert_eq!(journal.read(0..25).await, Ok(entries(0..25)));
    }
}

#[tokio::test]
async fn a_failed_write_is_the_last_one_until_the_journal_is_opened_again() {
    let dir = filled(3, JournalConfig::default()).await;
    let journal = Journal::open(dir.path()).expect("whole");
    fs::remove_dir_all(dir.path().join("values")).expect("removed");
    let failed = journal.set("vote", entry(1)).await.expect_err("there is no place for it");
    assert!(matches!(failed, LogError::Failed(_)));
    assert_eq!(journal.append(3, vec![entry(3)]).await, Err(failed.clone()));
    assert_eq!(journal.truncate(1).await, Err(failed.clone()));
    assert_eq!(journal.purge(1).await, Err(failed));
    assert_eq!(journal.read(0..3).await, Ok(entries(0..3)), "reading goes on");
    drop(journal);
    let journal = Journal::open(dir.path()).expect("whole");
    journal.append(3, vec![entry(3)]).await.expect("appended");
    journal.set("vote", entry(1)).await.expect("set");
}

#[tokio::test]
async fn a_damaged_value_is_an_error_and_never_a_wrong_vote() {
    let dir = filled(1, small()).await;
    let journal = Journal::open(dir.path()).expect("whole");
    journal.set("vote", entry(7)).await.expect("set");
    flip(&dir.path().join("values/vote"), 6);
    assert!(matches!(journal.value("vote").await, Err(LogError::Failed(_))));
}

#[tokio::test]
async fn two_journals_in_one_directory_are_refused() {
    let dir = filled(1, small()).await;
    let _journal = Journal::open(dir.path()).expect("free");
    assert!(matches!(Journal::open(dir.path()), Err(Error::InUse { .. })));
}

#[tokio::test]
async fn a_segment_of_a_newer_version_is_refused() {
    let dir = filled(1, small()).await;
    let newer = crate::frame::FileHead { version: 2, salt: 0, number: 0 }.encode(b"plt-jrnl");
    let file = OpenOptions::new().write(true).open(&segments(&dir)[0]).expect("a segment");
    file.write_all_at(&newer, 0).expect("written");
    assert!(matches!(Journal::open(dir.path()), Err(Error::Newer { found: 2, .. })));
}

#[tokio::test]
async fn a_journal_reads_from_the_middle_of_long_segments() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = Journal::open(dir.path()).expect("a new journal");
    let long = |index: u64| Bytes::from(vec![index as u8; 3000]);
    journal.append(5, (5..205).map(long).collect()).await.expect("appended");
    let check = async |journal: &Journal| {
        for index in [5, 26, 27, 100, 204] {
            assert_eq!(journal.read(index..index + 1).await, Ok(vec![long(index)]));
        }
    };
    check(&journal).await;
    drop(journal);
    // The long segment is not the last one any more, and its places are not known yet.
    let config = JournalConfig { segment_bytes: 1, ..small() };
    let journal = Journal::open_with(dir.path(), config).expect("whole");
    journal.append(205, vec![long(205)]).await.expect("in a new segment");
    drop(journal);
    let journal = Journal::open(dir.path()).expect("whole");
    check(&journal).await;
    journal.truncate(100).await.expect("truncated");
    assert_eq!(journal.read(99..100).await, Ok(vec![long(99)]));
}
