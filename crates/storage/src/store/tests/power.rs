//! Power goes at any moment, or the disk is full: what was acknowledged is there afterwards.

use super::*;
use crate::disk::power::PowerDisk;
use futures::future::join_all;
use sim::Random;
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
};

/// How many disks lose their power; `STORAGE_POWER_SEEDS` asks for more.
const SEEDS: u64 = 1_000;
/// How many disks get full.
const FULL_SEEDS: u64 = 200;
/// Times that the power of one disk goes.
const CUTS: usize = 3;

fn config() -> Config {
    Config {
        pack_bytes: 3 << 10,
        checkpoint_bytes: 4 << 10,
        index_cache_bytes: 1 << 20,
        readers: 1,
        checkers: 1,
        reserve_bytes: 0,
        ..Config::default()
    }
}

fn start(disk: &PowerDisk) -> Result<Store, Error> {
    open_on(Arc::new(disk.clone()), Path::new("store"), None, config(), Box::new(|| 1_000_000))
}

/// What may be true of a store.
#[derive(Default)]
struct Known {
    /// Acknowledged and not collected: must be there.
    here: BTreeSet<usize>,
    /// Pinned for sure; whether everything below is pinned too.
    pins: BTreeMap<usize, bool>,
    /// Neither sure to be pinned nor to be not.
    unsure: BTreeSet<usize>,
}

const ITEMS: u64 = 40;

fn item(number: usize) -> (Cid, Bytes) {
    if number < 30 {
        return blob(number);
    }
    node(number, &children(number).map(|child| blob(child).0))
}

fn children(number: usize) -> [usize; 2] {
    [number - 30, number - 15]
}

struct Trial {
    disk: PowerDisk,
    random: Random,
    known: Known,
    seed: u64,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let (disk, random) = (PowerDisk::new(seed), Random::new(!seed));
        Self { disk, random, known: Known::default(), seed }
    }

    fn pick(&mut self) -> usize {
        self.random.below(ITEMS) as usize
    }

    /// One thing that somebody asks for. False if it failed.
    async fn step(&mut self, store: &Store) -> bool {
        match self.random.below(20) {
            0..12 => self.put(store).await,
            12..15 => self.pin(store).await,
            15..17 => self.unpin(store).await,
            17..19 => self.collect(store).await,
            _ => store.scrub(ScrubOptions { bytes_per_second: 0, budget_ms: 0 }).await.is_ok(),
        }
    }

    async fn put(&mut self, store: &Store) -> bool {
        let count = 1 + self.random.below(4) as usize;
        let all: Vec<Vec<_>> = (0..count)
            .map(|_| (0..1 + self.random.below(3)).map(|_| self.pick()).collect())
            .collect();
        let puts = all.iter().map(|some| store.put(some.iter().map(|n| item(*n)).collect()));
        let results = join_all(puts).await;
        for (some, result) in all.iter().zip(&results) {
            if result.is_ok() {
                self.known.here.extend(some);
            }
        }
        results.iter().all(Result::is_ok)
    }

    async fn pin(&mut self, store: &Store) -> bool {
        let (number, is_deep) = (self.pick(), self.random.below(2) == 0);
        let mode = if is_deep { PinMode::Recursive } else { PinMode::Direct };
        match store.pin(pin("user", item(number).0, mode)).await {
            Ok(()) => {
                self.known.here.insert(number);
                self.known.pins.insert(number, is_deep);
                self.known.unsure.remove(&number);
                true
            }
            Err(Error::Missing(_)) => {
                assert!(!self.known.here.contains(&number), "seed {}", self.seed);
                true
            }
            Err(_) => {
                self.known.unsure.insert(number);
                self.known.pins.remove(&number);
                false
            }
        }
    }

    async fn unpin(&mut self, store: &Store) -> bool {
        let number = self.pick();
        let label = "user".parse().expect("a label");
        let result = store.unpin(label, item(number).0).await;
        if result.is_ok() {
            self.known.unsure.remove(&number);
        } else {
            self.known.unsure.insert(number);
        }
        self.known.pins.remove(&number);
        result.is_ok()
    }

    async fn collect(&mut self, store: &Store) -> bool {
        let mut live = BTreeSet::new();
        for (number, is_deep) in &self.known.pins {
            live.insert(*number);
            if *is_deep && *number >= 30 {
                live.extend(children(*number));
            }
        }
        self.known.here.retain(|number| live.contains(number));
        let below_percent = 50 + self.random.below(51) as u8;
        let options = GcOptions { grace_ms: 0, compact: false, ..GcOptions::default() };
        let is_collected = store.gc(vec![], options).await.is_ok();
        let options = CompactOptions { below_percent, ..CompactOptions::of(&config()) };
        is_collected && store.compact(options).await.is_ok()
    }

    async fn check(&self, store: &Store) {
        let seed = self.seed;
        for number in 0..ITEMS as usize {
            let (cid, bytes) = item(number);
            match store.get(cid).await {
                Ok(Some(read)) => assert_eq!(read, bytes, "seed {seed}"),
                Ok(None) => {
                    assert!(!self.known.here.contains(&number), "seed {seed}: {number} is lost");
                }
                Err(error) => panic!("seed {seed}: {number}: {error}"),
            }
        }
        let pins = store.pins("", None, 1000).await.expect("pins");
        let found: BTreeSet<_> = pins.iter().map(|pin| pin.root).collect();
        for number in 0..ITEMS as usize {
            let is_pinned = found.contains(&item(number).0);
            let must_be = self.known.pins.contains_key(&number);
            let is_sure = !self.known.unsure.contains(&number);
            assert!(!is_sure || is_pinned == must_be, "seed {seed}: the pin of {number}");
        }
        // Parts of writes that were not acknowledged may be among the damaged, and nothing else.
        let damaged = store.damaged(None, 1000).await.expect("a list");
        let is_known = |cid: &Cid| self.known.here.iter().any(|number| item(*number).0 == *cid);
        assert!(!damaged.iter().any(is_known), "seed {seed}");
    }

    /// Lets power go `CUTS` times at any moment, also while the store is being opened.
    async fn lose_power(mut self) {
        for _ in 0..CUTS {
            if self.random.below(3) == 0 {
                let changes = self.random.below(40);
                self.disk.cut_after(changes);
            }
            let opened = start(&self.disk);
            assert!(opened.is_ok() || self.disk.is_off(), "seed {}: {opened:?}", self.seed);
            if let Ok(store) = opened {
                let changes = self.random.below(250);
                self.disk.cut_after(changes);
                while self.step(&store).await {}
                assert!(self.disk.is_off(), "seed {}: a call failed with power", self.seed);
            }
            self.disk.restart();
            if self.random.below(8) == 0 {
                self.disk.lose(Path::new("store/index.redb"));
            }
            let store = start(&self.disk).expect("it opens after a crash");
            self.check(&store).await;
            // What is in doubt is settled: it is as it was found.
            let pins = store.pins("", None, 1000).await.expect("pins");
            for number in std::mem::take(&mut self.known.unsure) {
                let found = pins.iter().find(|pin| pin.root == item(number).0);
                if let Some(pin) = found {
                    self.known.pins.insert(number, pin.mode == PinMode::Recursive);
                }
            }
            store.put(vec![blob(99)]).await.expect("it can be written");
        }
    }

    /// Lets the disk be full for a while.
    async fn fill(mut self) {
        let store = start(&self.disk).expect("it opens");
        for _ in 0..CUTS {
            self.disk.full_after(Some(self.random.below(60)));
            for _ in 0..12 {
                self.step(&store).await;
            }
            self.disk.full_after(None);
            let (cid, bytes) = blob(1000);
            store.put(vec![(cid, bytes.clone())]).await.expect("there is space again");
            assert_eq!(store.get(cid).await, Ok(Some(bytes)), "seed {}", self.seed);
            self.check(&store).await;
        }
        drop(store);
        self.check(&start(&self.disk).expect("it opens")).await;
    }
}

fn seeds(usual: u64) -> std::ops::Range<u64> {
    let asked = env::var("STORAGE_POWER_SEEDS").ok();
    let first = env::var("STORAGE_POWER_FIRST").ok().and_then(|text| text.parse().ok());
    let count = asked.map_or(usual, |text| text.parse().expect("a number"));
    let first = first.unwrap_or(0);
    first..first + count
}

fn block_on(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(work);
}

#[test]
fn what_was_acknowledged_survives_the_loss_of_power() {
    block_on(async {
        for seed in seeds(SEEDS) {
            Trial::new(seed).lose_power().await;
        }
    });
}

#[test]
fn a_disk_that_gets_full_at_any_write_loses_nothing_and_can_be_used_again() {
    block_on(async {
        for seed in seeds(FULL_SEEDS) {
            Trial::new(seed).fill().await;
        }
    });
}

#[test]
fn a_bad_byte_is_never_given_out() {
    block_on(async {
        for seed in 0..40 {
            let mut trial = Trial::new(seed);
            let store = start(&trial.disk).expect("it opens");
            store.put((0..30).map(blob).collect()).await.expect("kept");
            drop(store);
            let at = 32 + trial.random.below(8_000) as usize;
            trial.disk.flip(Path::new("store/packs/00000000.pack"), at);
            if seed % 2 == 0 {
                trial.disk.lose(Path::new("store/index.redb"));
            }
            let store = start(&trial.disk).expect("it opens");
            for number in 0..30 {
                let (cid, bytes) = blob(number);
                match store.get(cid).await {
                    Ok(Some(read)) => assert_eq!(read, bytes, "seed {seed}"),
                    Ok(None) | Err(BlobError::Corrupt(_)) => {}
                    Err(error) => panic!("seed {seed}: {error}"),
                }
            }
        }
    });
}
