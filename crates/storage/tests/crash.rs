//! What was acknowledged survives kill -9.
#![allow(missing_docs)]

use bytes::Bytes;
use objects::{Block, Codec};
use protocol::port::{Blobs, Log};
use std::{
    collections::BTreeSet,
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};
use storage::{
    CompactOptions, Config, Error, GcOptions, Journal, JournalConfig, Pin, PinMode, Store,
};

/// Says to a copy of this program where to write.
const DIR: &str = "STORAGE_CRASH_DIR";
/// The first number that the copy writes.
const FIRST: &str = "STORAGE_CRASH_FIRST";
/// How often the copy is killed, if nobody asks for more.
const ROUNDS: usize = 150;
/// Asks for another number of kills.
const KILLS: &str = "STORAGE_KILLS";

/// Small enough that every round goes through several packs, segments and checkpoints.
fn config() -> Config {
    Config {
        pack_bytes: 256 << 10,
        checkpoint_bytes: 100 << 10,
        reserve_bytes: 0,
        ..Config::default()
    }
}

fn pin(number: u64) -> Pin {
    let label = format!("kill/{}", number % 10).parse().expect("a label");
    Pin { label, root: blob(number).cid, mode: PinMode::Direct, since_ms: number, note: None }
}

/// Every third blob is garbage from the beginning.
fn is_kept(number: u64) -> bool {
    number % 3 != 2
}

/// Puts a blob, and pins it if it is to be kept.
async fn keep(store: &Store, number: u64) {
    loop {
        let block = blob(number);
        store.put(vec![(block.cid, block.bytes)]).await.expect("kept");
        if !is_kept(number) {
            return;
        }
        match store.pin(pin(number)).await {
            Ok(()) => return,
            // A collection without grace came in between.
            Err(Error::Missing(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Collects and compacts again and again.
async fn clean_for_ever(store: Store) {
    loop {
        let options = GcOptions { grace_ms: 0, compact: false, ..GcOptions::default() };
        store.gc(vec![], options).await.expect("collected");
        let options = CompactOptions { below_percent: 95, ..CompactOptions::of(&config()) };
        store.compact(options).await.expect("compacted");
    }
}

fn journal_config() -> JournalConfig {
    JournalConfig { segment_bytes: 16 << 10, ..JournalConfig::default() }
}

fn blob(number: u64) -> Block {
    Block::of(Codec::Raw, number.to_le_bytes().repeat(1 + (number as usize * 7919) % 2000))
}

fn entry(number: u64) -> Bytes {
    number.to_le_bytes().repeat(1 + (number as usize * 31) % 60).into()
}

/// Writes until it is killed, and says what was acknowledged.
async fn write_for_ever(dir: &Path, first: u64) {
    let store = storage::open(dir.join("store"), config()).expect("opens");
    let journal = Journal::open_with(dir.join("journal"), journal_config()).expect("opens");
    let cleaning = tokio::spawn(clean_for_ever(store.clone()));
    let mut number = first;
    while !cleaning.is_finished() {
        let numbers: Vec<_> = (number..number + 1 + number % 5).collect();
        let puts = numbers.iter().map(|number| keep(&store, *number));
        let next = journal.range().end;
        let appends = (next..next + 3).map(|index| journal.append(index, vec![entry(index)]));
        let (_, appends) =
            tokio::join!(futures::future::join_all(puts), futures::future::join_all(appends));
        let mut out = std::io::stdout().lock();
        appends.into_iter().for_each(|append| append.expect("appended"));
        for number in numbers.iter().filter(|number| is_kept(**number)) {
            writeln!(out, "blob {number} .").expect("somebody listens");
        }
        writeln!(out, "entry {} .", next + 2).expect("somebody listens");
        if next.is_multiple_of(40) {
            drop(out);
            journal.set("vote", entry(next)).await.expect("set");
            println!("vote {next} .");
        }
        number += numbers.len() as u64;
    }
    cleaning.await.expect("it goes on for ever");
}

/// What a killed copy had said.
#[derive(Default)]
struct Said {
    blobs: Vec<u64>,
    last_entry: Option<u64>,
    last_vote: Option<u64>,
}

/// Starts a copy of this test, and kills it after some lines.
fn run_and_kill(dir: &Path, first: u64, lines: usize) -> Said {
    let mut child = Command::new(env::current_exe().expect("this program"))
        .args(["acknowledged_writes_survive_kill_9", "--exact", "--nocapture"])
        .env(DIR, dir)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let out = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut said = Said::default();
    for (at, line) in out.lines().enumerate() {
        if at == lines {
            child.kill().expect("killed");
        }
        // The test harness prints lines of its own.
        let line = line.expect("text");
        // A line without its end was cut by the kill.
        let words: Vec<_> = line.split(' ').collect();
        let [word, number, "."] = words[..] else { continue };
        match (word, number.parse()) {
            ("blob", Ok(number)) => said.blobs.push(number),
            ("entry", Ok(index)) => said.last_entry = Some(index),
            ("vote", Ok(index)) => said.last_vote = Some(index),
            _ => {}
        }
    }
    let status = child.wait().expect("it ended");
    assert!(!status.success(), "it was killed, or it failed by itself: {status}");
    said
}

/// Looks whether all is there that was said, and with `is_thorough` all that was said before.
async fn check(dir: &Path, said: &Said, earlier: &mut Vec<u64>, is_thorough: bool) {
    let store = storage::open(dir.join("store"), config()).expect("repaired");
    let from = if is_thorough { 0 } else { earlier.len() };
    earlier.extend(&said.blobs);
    for number in &earlier[from..] {
        let block = blob(*number);
        assert_eq!(store.get(block.cid).await, Ok(Some(block.bytes)), "blob {number}");
    }
    let mut pinned = BTreeSet::new();
    let mut after = None;
    loop {
        let page = store.pins("kill/", after, 1000).await.expect("a page");
        let Some(last) = page.last() else { break };
        after = Some((last.label.clone(), last.root));
        pinned.extend(page.iter().map(|pin| pin.since_ms));
    }
    assert!(earlier.iter().all(|number| pinned.contains(number)), "a pin is lost");
    let journal = Journal::open_with(dir.join("journal"), journal_config()).expect("repaired");
    let range = journal.range();
    assert!(said.last_entry.is_none_or(|last| last < range.end), "{range:?}");
    let entries = journal.read(range.clone()).await.expect("whole");
    assert!(entries.into_iter().zip(range).all(|(bytes, index)| bytes == entry(index)));
    if let Some(vote) = said.last_vote {
        let value = journal.value("vote").await.expect("whole").expect("set");
        let newest = value[..8].try_into().map(u64::from_le_bytes).expect("a number");
        assert!(newest >= vote && value == entry(newest));
    }
}

#[tokio::test]
async fn acknowledged_writes_survive_kill_9() {
    if let Some(dir) = env::var_os(DIR) {
        let first = env::var(FIRST).expect("it is set too").parse().expect("a number");
        return write_for_ever(Path::new(&dir), first).await;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut blobs = Vec::new();
    let asked = env::var(KILLS).ok().map(|text| text.parse().expect("a number"));
    let rounds = asked.unwrap_or(ROUNDS);
    for round in 0..rounds {
        // What was written and not said any more lies in between.
        let first = blobs.iter().max().map_or(0, |last| last + 1000);
        let said = run_and_kill(dir.path(), first, 5 + round * 17 % 90);
        assert!(!said.blobs.is_empty());
        let is_thorough = round % 25 == 24 || round + 1 == rounds;
        check(dir.path(), &said, &mut blobs, is_thorough).await;
    }
}
