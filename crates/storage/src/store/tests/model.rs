//! Whatever is done in whatever order, a store holds what a simple map says.

use super::*;
use proptest::{collection::vec, prelude::*};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Op {
    Put(Vec<usize>),
    Touch(usize),
    Pin(usize, bool),
    Unpin(usize),
    Gc,
    Compact,
    Verify,
    Open,
    LoseIndex,
}

/// Blobs 0 to 19 are bytes; 20 to 29 link to three of those each.
const BLOBS: usize = 30;

fn item(number: usize) -> (Cid, Bytes) {
    if number < 20 {
        return blob(number);
    }
    node(number, &children(number).map(|child| blob(child).0))
}

fn children(number: usize) -> [usize; 3] {
    [number - 20, number - 10, (number * 7) % 20]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => vec(0..BLOBS, 1..4).prop_map(Op::Put),
        1 => (0..BLOBS).prop_map(Op::Touch),
        3 => (0..BLOBS, any::<bool>()).prop_map(|(number, deep)| Op::Pin(number, deep)),
        2 => (0..BLOBS).prop_map(Op::Unpin),
        2 => Just(Op::Gc),
        1 => Just(Op::Compact),
        1 => Just(Op::Verify),
        1 => Just(Op::Open),
        1 => Just(Op::LoseIndex),
    ];
    vec(op, 1..40)
}

#[derive(Default)]
struct Model {
    here: BTreeSet<usize>,
    /// Taken out: a rebuild of the index may find them again.
    perhaps: BTreeSet<usize>,
    pins: BTreeMap<usize, bool>,
}

impl Model {
    fn live(&self) -> BTreeSet<usize> {
        let mut live = BTreeSet::new();
        for (number, is_deep) in &self.pins {
            live.insert(*number);
            if *is_deep && *number >= 20 {
                live.extend(children(*number));
            }
        }
        live
    }

    async fn check(&self, store: &Store) {
        for number in 0..BLOBS {
            let (cid, bytes) = item(number);
            match store.get(cid).await.expect("readable") {
                Some(read) => {
                    assert_eq!(read, bytes);
                    let is_known = self.here.contains(&number) || self.perhaps.contains(&number);
                    assert!(is_known, "{number} was never put");
                }
                None => assert!(!self.here.contains(&number), "{number} is gone"),
            }
        }
        let pins = store.pins("", None, 100).await.expect("pins");
        let found: BTreeMap<_, _> =
            pins.iter().map(|pin| (pin.root, pin.mode == PinMode::Recursive)).collect();
        let expected: BTreeMap<_, _> =
            self.pins.iter().map(|(number, is_deep)| (item(*number).0, *is_deep)).collect();
        assert_eq!(found, expected);
        let status = store.status().await.expect("status");
        let listed = store.list(None, 100).await.expect("a list");
        assert_eq!(status.blobs as usize, listed.len());
        assert_eq!(status.blob_bytes, listed.iter().map(|(_, bytes)| bytes).sum::<u64>());
    }
}

async fn run(ops: Vec<Op>) {
    let dir = tempfile::tempdir().expect("a directory");
    let config = Config { pack_bytes: 2 << 10, checkpoint_bytes: 3 << 10, ..small() };
    let mut store = open(dir.path(), config.clone()).expect("open");
    let mut model = Model::default();
    for op in ops {
        match op {
            Op::Put(numbers) => {
                let blobs = numbers.iter().map(|number| item(*number)).collect();
                store.put(blobs).await.expect("kept");
                model.here.extend(numbers);
            }
            Op::Touch(number) => {
                let here = store.touch(vec![item(number).0]).await.expect("answered");
                assert!(here[0] || !model.here.contains(&number));
            }
            Op::Pin(number, is_deep) => {
                let mode = if is_deep { PinMode::Recursive } else { PinMode::Direct };
                match store.pin(pin("user", item(number).0, mode)).await {
                    Ok(()) => {
                        model.here.insert(number);
                        model.pins.insert(number, is_deep);
                    }
                    Err(Error::Missing(_)) => assert!(!model.here.contains(&number)),
                    Err(error) => panic!("{error}"),
                }
            }
            Op::Unpin(number) => {
                let label = "user".parse().expect("a label");
                let was = store.unpin(label, item(number).0).await.expect("answered");
                assert_eq!(was, model.pins.remove(&number).is_some());
            }
            Op::Gc => {
                let options = GcOptions { grace_ms: 0, ..GcOptions::default() };
                store.gc(vec![], options).await.expect("collected");
                let live = model.live();
                let dead: Vec<_> = model.here.difference(&live).copied().collect();
                model.perhaps.extend(dead);
                model.here.retain(|number| live.contains(number));
            }
            Op::Compact => {
                let options = CompactOptions { below_percent: 90, ..CompactOptions::of(&config) };
                store.compact(options).await.expect("compacted");
            }
            Op::Verify => {
                let report = store.verify(|_| {}).await.expect("read");
                assert_eq!((report.damaged, report.healed), (0, 0));
            }
            Op::Open | Op::LoseIndex => {
                drop(store);
                if matches!(op, Op::LoseIndex) {
                    fs::remove_file(dir.path().join("index.redb")).expect("removed");
                }
                store = open(dir.path(), config.clone()).expect("open");
            }
        }
        model.check(&store).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_store_is_a_map(ops in ops()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(run(ops));
    }
}
