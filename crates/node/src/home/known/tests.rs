//! What is known, over a log and a store in memory.

use super::{Config, Entry, Known, entry::Row};
use api::KnownTask;
use identity::{Digest, PublicKey, canonical};
use objects::{CHUNK_BYTES, Cid, Codec};
use protocol::{
    Height, JobId, Placement, TaskIndex, TaskKey, Time, Verification,
    port::{Blobs, Log},
};
use sim::{blobs::MemoryBlobs, log::MemoryLog};
use std::sync::Arc;

fn key(n: u8) -> TaskKey {
    TaskKey(Digest([n; 32]))
}

fn file(n: u8) -> Cid {
    Cid::of(Codec::Raw, &[n])
}

fn job(n: u8) -> JobId {
    JobId(Cid::of(Codec::DagCbor, &[n]))
}

/// Tasks with these keys, whose stdout is the key's byte; the receipt is the job's.
fn entry(of: u8, k: u16, keys: &[u8]) -> Entry {
    let row = |(key, task): (&u8, u32)| {
        Row::new(self::key(*key), TaskIndex(task), (0, vec![0]), vec![file(*key)])
    };
    Entry {
        job: job(of),
        receipt: file(100 + of),
        verification: Verification { k, n: 3 },
        placement: Placement::Fast,
        blocks: vec![(Height(u64::from(of)), Time(10 * u64::from(of)))],
        nodes: vec![PublicKey([of; 32])],
        rows: keys.iter().zip(0..).map(row).collect(),
    }
}

/// The answer for a row of such an entry.
fn answer(of: u8, k: u16, task: u32) -> Option<KnownTask> {
    Some(KnownTask {
        job: job(of),
        task: TaskIndex(task),
        verification: Verification { k, n: 3 },
        height: Height(u64::from(of)),
        time: Time(10 * u64::from(of)),
    })
}

/// A store with the files of all keys and receipts below these numbers.
async fn store(keys: u8, jobs: u8) -> MemoryBlobs {
    let blobs = MemoryBlobs::new();
    let bytes = (0..keys).chain(100..100 + jobs).map(|n| (file(n), vec![n].into())).collect();
    blobs.put(bytes).await.expect("there is room");
    blobs
}

fn known(log: &MemoryLog, tasks: usize) -> Known {
    Known::new(Arc::new(log.clone()), Config { tasks })
}

async fn keep(known: &Known, entry: Entry) {
    let written = known.write(entry.job, vec![entry]).await.expect("the log takes it");
    known.enter(written).await.expect("the log can be read");
}

async fn ask(known: &Known, blobs: &MemoryBlobs, keys: &[u8]) -> Vec<Option<KnownTask>> {
    let keys: Vec<_> = keys.iter().map(|n| key(*n)).collect();
    known.find(&keys, blobs, |_, _| true).await.expect("log and store can be read")
}

#[tokio::test]
async fn what_was_kept_is_found_also_after_a_restart() {
    let (log, blobs) = (MemoryLog::new(), store(10, 10).await);
    let first = known(&log, 100);
    keep(&first, entry(1, 2, &[3, 4])).await;
    // This one was written, and then the process was killed.
    first.write(job(2), vec![entry(2, 1, &[5])]).await.expect("the log takes it");
    let expected = vec![answer(1, 2, 1), None, answer(1, 2, 0), answer(1, 2, 1)];
    assert_eq!(ask(&first, &blobs, &[4, 9, 3, 4]).await, expected);
    let again = known(&log, 100);
    assert_eq!(ask(&again, &blobs, &[4, 9, 3, 4]).await, expected);
    assert_eq!(ask(&again, &blobs, &[5]).await, [answer(2, 1, 0)]);
    assert_eq!(again.receipt(&job(1)).await, Ok(Some(file(101))));
    assert_eq!(again.receipt(&job(3)).await, Ok(None));
}

#[tokio::test]
async fn of_several_results_the_best_verified_is_answered_and_then_the_latest() {
    let (log, blobs) = (MemoryLog::new(), store(10, 10).await);
    let known = known(&log, 100);
    for (of, k) in [(1, 1), (2, 2), (3, 2), (4, 1)] {
        keep(&known, entry(of, k, &[7])).await;
    }
    assert_eq!(ask(&known, &blobs, &[7]).await, [answer(3, 2, 0)]);
    let sealed = Entry { placement: Placement::Sealed, ..entry(5, 2, &[8]) };
    keep(&known, sealed).await;
    keep(&known, entry(6, 2, &[8])).await;
    assert_eq!(ask(&known, &blobs, &[8]).await, [answer(5, 2, 0)]);
    let without = |of: u8| move |entry: &Entry, _: &Row| entry.job != job(of);
    let found = known.find(&[key(7)], &blobs, without(3)).await.expect("readable");
    assert_eq!(found, [answer(2, 2, 0)], "what does not stand is passed over");
    let some = store(10, 3).await;
    assert_eq!(ask(&known, &some, &[7]).await, [answer(2, 2, 0)], "and what has no receipt");
}

#[tokio::test]
async fn nothing_is_answered_without_its_receipt_and_all_its_files() {
    let log = MemoryLog::new();
    let known = known(&log, 100);
    keep(&known, entry(1, 2, &[1, 2])).await;
    assert_eq!(ask(&known, &store(10, 1).await, &[1]).await, [None], "no receipt");
    assert_eq!(ask(&known, &store(2, 2).await, &[1, 2]).await, [answer(1, 2, 0), None]);

    let blobs = store(10, 10).await;
    let (root, blocks) = objects::file(&vec![5; 2 * CHUNK_BYTES + 1].into());
    let mut large = entry(2, 2, &[3]);
    large.rows[0].files.push(root.cid);
    keep(&known, large).await;
    let leaf = blocks.iter().find(|block| block.cid.codec() == Codec::Raw).expect("a leaf").cid;
    let but = |skipped: Cid| blocks.iter().filter(move |block| block.cid != skipped);
    let some = but(leaf).map(|block| (block.cid, block.bytes.clone())).collect();
    blobs.put(some).await.expect("there is room");
    assert_eq!(ask(&known, &blobs, &[3]).await, [None], "one leaf is missing");
    let all = blocks.iter().map(|block| (block.cid, block.bytes.clone())).collect();
    blobs.put(all).await.expect("there is room");
    assert_eq!(ask(&known, &blobs, &[3]).await, [answer(2, 2, 0)]);
}

#[tokio::test]
async fn the_oldest_are_forgotten_first() {
    let (log, blobs) = (MemoryLog::new(), store(60, 60).await);
    let limited = known(&log, 32);
    for of in 0..20 {
        keep(&limited, entry(of, 2, &[of, of + 20])).await;
        let rows = log.range().end - log.range().start;
        assert!(rows <= 16, "two rows each");
    }
    let first = u8::try_from(log.range().start).expect("few");
    assert!(first >= 4, "{first}");
    for again in [limited, known(&log, 32)] {
        for of in 0..20 {
            let expected = if of < first { None } else { answer(of, 2, 0) };
            assert_eq!(ask(&again, &blobs, &[of]).await, [expected]);
            assert_eq!(again.receipt(&job(of)).await.expect("readable").is_some(), of >= first);
        }
    }
    let none = known(&log, 0);
    keep(&none, entry(21, 2, &[21])).await;
    assert_eq!(ask(&none, &blobs, &[19, 21]).await, [None, None]);
}

#[tokio::test]
async fn what_cannot_be_written_or_read_is_not_known() {
    let (log, blobs) = (MemoryLog::new(), store(10, 10).await);
    let known = known(&log, 100);
    log.fail("no disk");
    assert!(known.write(job(1), vec![entry(1, 2, &[1])]).await.is_none());
    log.mend();
    keep(&known, entry(1, 2, &[1])).await;
    log.append(1, vec![b"no entry".as_slice().into()]).await.expect("the log takes anything");
    keep(&known, entry(3, 2, &[3])).await;
    let again = super::Known::new(Arc::new(log), Config::default());
    assert_eq!(ask(&again, &blobs, &[1, 3]).await, [answer(1, 2, 0), answer(3, 2, 0)]);
}

#[tokio::test]
async fn a_job_is_written_once_at_a_time() {
    let known = known(&MemoryLog::new(), 100);
    let first = known.write(job(1), vec![entry(1, 2, &[1])]).await;
    assert!(known.write(job(1), vec![entry(1, 2, &[1])]).await.is_none());
    known.enter(first.expect("written")).await.expect("readable");
    assert!(known.write(job(1), vec![entry(1, 2, &[1])]).await.is_some());
    assert!(known.write(job(2), Vec::new()).await.is_none(), "nothing to write");
}

#[test]
fn the_bytes_of_an_entry_never_change() {
    let bytes = entry(1, 2, &[1, 2]).encode();
    assert_eq!(Entry::decode(&bytes).expect("its own bytes"), entry(1, 2, &[1, 2]));
    assert_eq!(
        Digest::plain(&bytes).to_string(),
        "hhppro2epdbxw34t57kwtxyzi4swp2lfdz45giiizlyoew5fwpsa"
    );
    let other = canonical::encode(&("v2", 1));
    assert!(Entry::decode(&other).is_err());
}
