//! The log store by itself: what a crash leaves half done, and what stays in memory.

use super::{key, probe::Probe};
use crate::{
    Config, Error,
    engine::{Entry, LeaderId, LogId, Member, Payload, Types},
    fault::Fault,
    record,
    store::{self, LogStore, Opened},
};
use futures::StreamExt;
use openraft::{
    RaftLogReader,
    entry::RaftEntry,
    storage::{IOFlushed, RaftLogStorage, RaftLogStorageExt},
    type_config::TypeConfigExt,
};
use protocol::port::Log;
use std::sync::Arc;
use tokio::task::JoinSet;

fn at(index: u64) -> LogId {
    LogId { leader_id: LeaderId { term: 1, node_id: Member(key(1)) }, index }
}

fn blank(index: u64) -> Entry {
    Entry::new(at(index), Payload::Blank)
}

async fn open(log: &Arc<Probe>, recent_bytes: usize) -> (LogStore, JoinSet<()>) {
    let config = Config { recent_bytes, ..Config::default() };
    let Opened { store, writer, .. } =
        store::open(&config, log.clone(), Fault::new()).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(writer.run());
    (store, tasks)
}

#[tokio::test]
async fn a_removal_that_a_crash_cut_short_is_completed() {
    let log = Probe::new();
    let (mut store, _tasks) = open(&log, 0).await;
    store.blocking_append((0..10).map(blank)).await.unwrap();
    let crashed = log.fork();
    crashed.set("purged", record::position_bytes(at(6))).await.unwrap();

    let (mut store, _tasks) = open(&crashed, 0).await;
    assert_eq!(crashed.range(), 7..10);
    let state = store.get_log_state().await.unwrap();
    assert_eq!((state.last_purged_log_id, state.last_log_id), (Some(at(6)), Some(at(9))));
}

#[tokio::test]
async fn a_log_with_a_hole_is_refused() {
    let log = Probe::new();
    log.append(9, vec![record::entry_bytes(&blank(9))]).await.unwrap();
    log.set("purged", record::position_bytes(at(6))).await.unwrap();
    let opened = store::open(&Config::default(), log, Fault::new()).await;
    assert!(matches!(opened.err(), Some(Error::Unreadable { .. })));
}

#[tokio::test]
async fn entries_are_read_alike_from_memory_and_from_the_log() {
    let size = record::entry_bytes(&blank(0)).len();
    for recent_bytes in [0, 50 * size, usize::MAX] {
        let log = Probe::new();
        let (mut store, _tasks) = open(&log, recent_bytes).await;
        for first in [0, 70, 140] {
            store.blocking_append((first..first + 70).map(blank)).await.unwrap();
        }
        let mut reader = store.get_log_reader().await;
        for range in [0..210, 0..1, 60..180, 150..170, 209..400, 300..301, 5..5] {
            let expected: Vec<Entry> = (range.start..range.end.min(210)).map(blank).collect();
            assert_eq!(reader.try_get_log_entries(range.clone()).await.unwrap(), expected);
            let streamed = reader.entries_stream(range).await;
            let streamed: Vec<_> = streamed.map(Result::unwrap).collect().await;
            assert_eq!(streamed, expected);
        }
    }
}

#[tokio::test]
async fn appends_that_wait_for_the_disk_share_one_write() {
    let log = Probe::new();
    let (mut store, _tasks) = open(&log, 0).await;
    log.hold(true);
    let mut flushed = Vec::new();
    for index in 0..20 {
        let (sender, done) = Types::oneshot();
        store.append([blank(index)], IOFlushed::signal(sender)).await.unwrap();
        flushed.push(done);
        log.asked_after(0).await;
    }
    let mut reader = store.get_log_reader().await;
    assert_eq!(reader.try_get_log_entries(0..20).await.unwrap().len(), 20, "not durable yet");
    log.hold(false);
    for done in flushed {
        done.await.unwrap().unwrap();
    }
    assert_eq!((log.asked(), log.range()), (2, 0..20));
}

#[tokio::test]
async fn an_older_snapshot_never_replaces_a_newer_one() {
    let log = Probe::new();
    let config = Config::default();
    let Opened { writer, writes, store: _store, .. } =
        store::open(&config, log.clone(), Fault::new()).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(writer.run());
    for (index, kept) in [(5, "5"), (3, "5"), (8, "8"), (8, "8")] {
        writes.snapshot(Some(at(index)), index.to_string().into()).await.unwrap();
        assert_eq!(log.value("snapshot").await.unwrap().unwrap(), kept);
    }
}

#[tokio::test]
async fn what_is_cut_off_behind_is_gone_and_written_anew() {
    for recent_bytes in [0, usize::MAX] {
        let log = Probe::new();
        let (mut store, _tasks) = open(&log, recent_bytes).await;
        store.blocking_append((0..10).map(blank)).await.unwrap();
        store.truncate_after(Some(at(3))).await.unwrap();
        assert_eq!(log.range(), 0..4);
        let other = LeaderId { term: 2, node_id: Member(key(1)) };
        let anew = Entry::new(LogId { leader_id: other, index: 4 }, Payload::Blank);
        store.blocking_append([anew.clone()]).await.unwrap();
        let mut reader = store.get_log_reader().await;
        assert_eq!(reader.try_get_log_entries(3..9).await.unwrap(), [blank(3), anew]);
    }
}
