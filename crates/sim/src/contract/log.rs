//! The contract of `protocol::port::Log`.

use bytes::Bytes;
use protocol::port::{Log, LogError};
use std::{ops::Range, sync::Arc};

/// Checks that what `open` gives is a log.
///
/// # Panics
/// If it is not.
pub async fn log(open: impl Fn(&str) -> Arc<dyn Log>) {
    entries_come_back(&open).await;
    gaps_are_refused(&open).await;
    only_what_is_there_is_read(&open).await;
    truncating_takes_the_end(&open).await;
    purging_takes_the_beginning(&open).await;
    an_empty_log_begins_anywhere(&open).await;
    values_are_replaced(&open).await;
    together_is_as_good_as_apart(&open).await;
    everything_outlives_its_handle(&open).await;
}

fn entry(index: u64, variant: &str) -> Bytes {
    Bytes::from(format!("{variant} {index}"))
}

fn entries(range: Range<u64>, variant: &str) -> Vec<Bytes> {
    range.map(|index| entry(index, variant)).collect()
}

async fn filled(log: &Arc<dyn Log>, range: Range<u64>) {
    let first = range.start;
    log.append(first, entries(range, "a")).await.expect("it follows the last entry");
}

async fn entries_come_back(open: &impl Fn(&str) -> Arc<dyn Log>) {
    let log = open("entries");
    assert_eq!(log.range(), 0..0, "a new log is empty");
    filled(&log, 0..3).await;
    log.append(3, vec![Bytes::new(), vec![7; 100_000].into()]).await.expect("it follows");
    assert_eq!(log.range(), 0..5);
    assert_eq!(log.read(0..3).await.expect("they are there"), entries(0..3, "a"));
    assert_eq!(log.read(1..2).await.expect("it is there"), entries(1..2, "a"));
    let odd = log.read(3..5).await.expect("they are there");
    assert_eq!(odd, [Bytes::new(), vec![7; 100_000].into()], "any bytes are an entry");
    log.append(5, Vec::new()).await.expect("nothing is easily added");
    assert_eq!(log.range(), 0..5);
}

async fn gaps_are_refused(open: &impl Fn(&str) -> Arc<dyn Log>) {
    let log = open("gaps");
    filled(&log, 0..3).await;
    for got in [0, 2, 4] {
        let refused = log.append(got, entries(got..got + 1, "b")).await;
        assert_eq!(refused, Err(LogError::Gap { expected: 3, got }));
    }
    assert_eq!(log.read(0..3).await.expect("they are there"), entries(0..3, "a"));
    filled(&log, 3..4).await;
    assert_eq!(log.range(), 0..4, "a refusal is no failure");
}

async fn only_what_is_there_is_read(open: &impl Fn(&str) -> Arc<dyn Log>) {
    let log = open("missing");
    filled(&log, 0..4).await;
    log.purge(2).await.expect("purged");
    for range in [0..3, 1..2, 3..5, 4..5] {
        assert_eq!(log.read(range.clone()).await, Err(LogError::Missing(range)));
    }
    assert_eq!(log.read(3..3).await.expect("nothing is always there"), Vec::<Bytes>::new());
}

async fn truncating_takes_the_end(open: &impl Fn(&str) -> Arc<dyn Log>) {
    let log = open("truncate");
    filled(&log, 0..10).await;
    log.truncate(10).await.expect("nothing to do");
    assert_eq!(log.range(), 0..10);
    log.truncate(4).await.expect("truncated");
    assert_eq!(log.range(), 0..4);
    log.append(4, entries(4..7, "b")).await.expect("it follows");
    let expected = [entries(2..4, "a"), entries(4..7, "b")].concat();
    assert_eq!(log.read(2..7).await.expect("they are there"), expected);
    for index in [6, 5] {
        log.truncate(index).await.expect("truncated");
        log.append(index, entries(index..index + 1, "c")).await.expect("it follows");
    }
    drop(log);
    let log = open("truncate");
    let expected = [entries(0..4, "a"), entries(4..5, "b"), entries(5..6, "c")].concat();
    assert_eq!(log.read(0..6).await.expect("they are there"), expected);
    log.truncate(0).await.expect("truncated");
    assert!(log.range().is_empty());
    filled(&log, 0..2).await;
    assert_eq!(log.read(0..2).await.expect("they are there"), entries(0..2, "a"));
}

async fn purging_takes_the_beginning(open: &impl Fn(&str) -> Arc<dyn Log>) {
    let log = open("purge");
    filled(&log, 0..10).await;
    log.purge(4).await.expect("purged");
    log.purge(3).await.expect("nothing to do");
    assert_eq!(log.range(), 4..10);
    assert_eq!(log.read(4..10).await.expect("they are there"), entries(4..10, "a"));
    log.truncate(2).await.expect("truncated");
    assert_eq!(log.range(), 4..4, "what is purged does not come back");
    filled(&log, 4..6).await;
    log.purge(20).await.expect("purged beyond the end");
    assert_eq!(log.range(), 20..20);
    drop(log);
    let log = open("purge");
    assert_eq!(log.range(), 20..20);
    filled(&log, 20..23).await;
    assert_eq!(log.read(20..23).await.expect("they are there"), entries(20..23, "a"));
    log.purge(23).await.expect("all of it");
    assert_eq!(log.range(), 23..23);
}

async fn an_empty_log_begins_anywhere(open: &impl Fn(&str) -> Arc<dyn Log>) {
    let log = open("anywhere");
    filled(&log, 100..102).await;
    assert_eq!(log.range(), 100..102);
    log.purge(102).await.expect("purged");
    filled(&log, 50..53).await;
    assert_eq!(log.range(), 50..53, "even before what was purged");
    drop(log);
    let log = open("anywhere");
    assert_eq!(log.range(), 50..53);
    assert_eq!(log.read(50..53).await.expect("they are there"), entries(50..53, "a"));
}

async fn values_are_replaced(open: &impl Fn(&str) -> Arc<dyn Log>) {
    let log = open("values");
    assert_eq!(log.value("vote").await, Ok(None));
    log.set("vote", Bytes::from_static(b"one")).await.expect("set");
    log.set("snapshot", Bytes::new()).await.expect("set");
    log.set("vote", Bytes::from_static(b"two")).await.expect("set");
    drop(log);
    let log = open("values");
    assert_eq!(log.value("vote").await, Ok(Some(Bytes::from_static(b"two"))));
    assert_eq!(log.value("snapshot").await, Ok(Some(Bytes::new())));
    assert_eq!(log.range(), 0..0, "values are no entries");
}

async fn together_is_as_good_as_apart(open: &impl Fn(&str) -> Arc<dyn Log>) {
    let log = open("together");
    let appends = (0..40).map(|i| log.append(i * 2, entries(i * 2..i * 2 + 2, "a")));
    for result in futures::future::join_all(appends).await {
        result.expect("they arrive in order");
    }
    assert_eq!(log.read(0..80).await.expect("they are there"), entries(0..80, "a"));
}

async fn everything_outlives_its_handle(open: &impl Fn(&str) -> Arc<dyn Log>) {
    let log = open("outlives");
    for index in 0..20 {
        filled(&log, index..index + 1).await;
    }
    log.purge(5).await.expect("purged");
    log.set("vote", Bytes::from_static(b"one")).await.expect("set");
    drop(log);
    let log = open("outlives");
    assert_eq!(log.range(), 5..20);
    assert_eq!(log.read(5..20).await.expect("they are there"), entries(5..20, "a"));
    assert_eq!(log.value("vote").await, Ok(Some(Bytes::from_static(b"one"))));
    filled(&log, 20..21).await;
    drop(log);
    assert_eq!(open("outlives").range(), 5..21);
    assert_eq!(open("another").range(), 0..0);
}
