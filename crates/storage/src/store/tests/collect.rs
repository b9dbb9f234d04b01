//! Collection, compaction and quota.

use super::*;

/// At once, whatever was put a moment ago.
fn at_once() -> GcOptions {
    GcOptions { grace_ms: 0, ..GcOptions::default() }
}

fn pack_files(dir: &TempDir) -> usize {
    fs::read_dir(dir.path().join("packs")).expect("a directory").count()
}

#[tokio::test]
async fn what_is_pinned_or_a_root_stays_and_the_rest_goes() {
    let dir = filled(20).await;
    let store = open(dir.path(), small()).expect("open");
    let low = node(100, &[blob(2).0, blob(3).0]);
    let high = node(101, &[low.0, blob(4).0]);
    let alone = node(102, &[blob(5).0]);
    store.put(vec![low.clone(), high.clone(), alone.clone()]).await.expect("kept");
    store.pin(pin("user", high.0, PinMode::Recursive)).await.expect("pinned");
    store.pin(pin("user", alone.0, PinMode::Direct)).await.expect("pinned");
    let roots = vec![blob(6).0];
    let dry = GcOptions { dry_run: true, ..at_once() };
    let dry = store.gc(roots.clone(), dry).await.expect("counted");
    assert_eq!((dry.kept_blobs, dry.freed_blobs, dry.compaction), (7, 16, None));
    assert_eq!(store.status().await.expect("status").blobs, 23);

    let done = store.gc(roots, at_once()).await.expect("collected");
    assert_eq!((done.kept_blobs, done.freed_blobs), (7, 16));
    assert_eq!((done.kept_bytes, done.freed_bytes), (dry.kept_bytes, dry.freed_bytes));
    assert!(done.is_complete && done.missing == 0);
    assert_eq!(store.status().await.expect("status").blobs, 7);
    let is_here = here(&store, 20).await;
    let kept: Vec<_> = (0..20).filter(|number| is_here[*number]).collect();
    assert_eq!(kept, [2, 3, 4, 6]);
    assert_reads(&store, kept).await;
    // What is gone can come again.
    store.put(vec![blob(0)]).await.expect("kept");
    assert_reads(&store, [0]).await;
    drop(store);
    fs::remove_file(dir.path().join("index.redb")).expect("removed");
    let store = open(dir.path(), small()).expect("rebuilt");
    assert_reads(&store, [0, 2, 3, 4, 6]).await;
    assert_eq!(store.pins("", None, 9).await.expect("pins").len(), 2);
}

#[tokio::test]
async fn compaction_gives_space_back_and_loses_nothing() {
    let dir = filled(60).await;
    let store = open(dir.path(), small()).expect("open");
    let before = store.status().await.expect("status");
    let files = pack_files(&dir);
    for number in [0, 30, 59] {
        store.pin(pin("user", blob(number).0, PinMode::Direct)).await.expect("pinned");
    }
    let unpinned = pin("job/1", blob(1).0, PinMode::Direct);
    store.pin(unpinned.clone()).await.expect("pinned");
    store.unpin(unpinned.label, unpinned.root).await.expect("unpinned");
    let report = store.gc(vec![], at_once()).await.expect("collected");
    assert_eq!((report.kept_blobs, report.freed_blobs), (3, 57));
    let compaction = report.compaction.expect("it compacts");
    assert!(compaction.is_complete && compaction.packs > 10, "{compaction:?}");
    let after = store.status().await.expect("status");
    assert!(after.pack_bytes < before.pack_bytes / 4, "{after:?}");
    assert!(pack_files(&dir) < files / 4);
    assert_reads(&store, [0, 30, 59]).await;
    drop(store);
    fs::remove_file(dir.path().join("index.redb")).expect("removed");
    let store = open(dir.path(), small()).expect("rebuilt");
    assert_reads(&store, [0, 30, 59]).await;
    let labels: Vec<_> = store.pins("", None, 9).await.expect("pins");
    assert_eq!(labels.len(), 3, "what was unpinned stays unpinned: {labels:?}");
}

#[tokio::test]
async fn what_was_put_again_lately_stays() {
    let dir = tempfile::tempdir().expect("a directory");
    let now_ms = Arc::new(AtomicU64::new(1_000_000_000));
    let hour_ms = 3_600_000;
    let config = Config { pack_bytes: 1 << 20, ..small() };
    let store = open_at(&dir, config.clone(), &now_ms);
    store.put((0..5).map(blob).collect()).await.expect("kept");
    now_ms.fetch_add(2 * hour_ms, Ordering::SeqCst);
    store.put(vec![blob(5), blob(1)]).await.expect("kept");
    assert_eq!(store.touch(vec![blob(2).0, blob(9).0]).await, Ok(vec![true, false]));
    drop(store);
    // What is known of the age is known after the loss of the index, too.
    fs::remove_file(dir.path().join("index.redb")).expect("removed");
    let store = open_at(&dir, config, &now_ms);
    let options = GcOptions { grace_ms: hour_ms, ..GcOptions::default() };
    let report = store.gc(vec![], options.clone()).await.expect("collected");
    assert_eq!((report.young_blobs, report.freed_blobs), (3, 3));
    assert_eq!(here(&store, 6).await, [false, true, true, false, false, true]);
    now_ms.fetch_add(2 * hour_ms, Ordering::SeqCst);
    let report = store.gc(vec![], options).await.expect("collected");
    assert_eq!((report.young_blobs, report.freed_blobs), (0, 3));
}

#[tokio::test]
async fn puts_and_gets_during_collections_never_lose_a_blob() {
    let dir = filled(0).await;
    let config = Config { pack_bytes: 4 << 10, ..small() };
    let store = open(dir.path(), config).expect("open");
    let collecting = async {
        for _ in 0..20 {
            store.gc(vec![], at_once()).await.expect("collected");
        }
    };
    let working = async {
        // Whatever is put, new or again, can be pinned and read before the next is put: each put
        // either came before a collection began, or it is safe from it.
        let mut pinned: Option<Pin> = None;
        for round in 0..400 {
            let (cid, bytes) = blob(round % 7);
            let next = pin("job/x", cid, PinMode::Direct);
            store.put(vec![(cid, bytes.clone())]).await.expect("kept");
            match store.pin(next.clone()).await {
                Ok(()) => {}
                // A collection began between put and pin, with no grace at all.
                Err(Error::Missing(_)) => continue,
                Err(error) => panic!("{error}"),
            }
            if let Some(last) = pinned.replace(next.clone()) {
                if last.root != cid {
                    store.unpin(last.label, last.root).await.expect("unpinned");
                }
            }
            assert_eq!(store.get(cid).await, Ok(Some(bytes)), "round {round}");
            store.put(vec![blob(1000 + round)]).await.expect("kept");
        }
    };
    tokio::join!(collecting, working);
}

#[tokio::test]
async fn gets_during_compaction_find_what_moved() {
    let dir = filled(80).await;
    let store = open(dir.path(), small()).expect("open");
    for number in (0..80).step_by(4) {
        store.pin(pin("user", blob(number).0, PinMode::Direct)).await.expect("pinned");
    }
    let kept: Vec<_> = (0..80).step_by(4).collect();
    let collecting = async {
        store.gc(vec![], at_once()).await.expect("collected").compaction.expect("it compacts")
    };
    let reading = async {
        for _ in 0..20 {
            assert_reads(&store, kept.clone()).await;
        }
    };
    let (compaction, ()) = tokio::join!(collecting, reading);
    assert!(compaction.packs > 0);
    assert_reads(&store, kept).await;
}

#[tokio::test]
async fn missing_blocks_are_counted_and_damaged_nodes_hold_everything_back() {
    let dir = filled(3).await;
    let store = open(dir.path(), small()).expect("open");
    let low = node(100, &[blob(1).0]);
    let high = node(101, &[low.0, blob(9).0, node(7, &[]).0]);
    store.put(vec![low.clone(), high.clone()]).await.expect("kept");
    store.pin(pin("user", high.0, PinMode::Recursive)).await.expect("pinned");
    let options = GcOptions { compact: false, ..at_once() };
    let report = store.gc(vec![], options.clone()).await.expect("collected");
    assert_eq!((report.missing, report.damaged, report.freed_blobs), (2, 0, 2));
    drop(store);

    let store = open(dir.path(), small()).expect("open");
    store.put(vec![blob(2)]).await.expect("kept");
    let packs = (0..9).map(|number| pack(&dir, number)).filter(|path| path.exists());
    let holds = |path: &PathBuf| {
        let bytes = fs::read(path).expect("a pack");
        bytes.windows(36).any(|window| window == low.0.to_bytes())
    };
    let path = packs.filter(holds).last().expect("it is in one");
    // In the pack of the node above its CID stands too, but later in the file.
    flip(&path, place(&path, &low.0) + 12 + 36);
    for _ in 0..2 {
        let report = store.gc(vec![], options.clone()).await.expect("marked");
        assert_eq!((report.damaged, report.freed_blobs), (1, 0));
        assert!(!report.is_complete);
    }
    assert_eq!(store.damaged(None, 9).await, Ok(vec![low.0]));
    store.put(vec![low]).await.expect("healed");
    assert_eq!(store.damaged(None, 9).await, Ok(vec![]));
    let report = store.gc(vec![], options).await.expect("collected");
    assert_eq!((report.damaged, report.freed_blobs), (0, 1));
    assert_reads(&store, [1]).await;
}

#[tokio::test]
async fn more_than_the_quota_is_refused_until_something_is_collected() {
    let dir = tempfile::tempdir().expect("a directory");
    let size = |number: usize| blob(number).1.len() as u64;
    let quota_bytes = size(1) + size(2) + size(3);
    let config = Config { quota_bytes, ..small() };
    let store = open(dir.path(), config).expect("open");
    store.put(vec![blob(1), blob(2)]).await.expect("kept");
    let refused = store.put(vec![blob(3), blob(4)]).await.expect_err("too much");
    let used_bytes = size(1) + size(2);
    let new_bytes = size(3) + size(4);
    assert_eq!(refused, BlobError::Quota { used_bytes, new_bytes, quota_bytes });
    assert_eq!(here(&store, 5).await, [false, true, true, false, false]);
    store.put(vec![blob(3), blob(1)]).await.expect("it just fits");
    assert!(store.status().await.expect("status").wants_gc());
    store.put(vec![blob(2)]).await.expect("what is here takes nothing");
    store.pin(pin("user", blob(1).0, PinMode::Direct)).await.expect("pinned");
    store.gc(vec![], at_once()).await.expect("collected");
    assert!(!store.status().await.expect("status").wants_gc());
    store.put(vec![blob(2), blob(3)]).await.expect("there is room again");
}

#[tokio::test]
async fn a_collection_ends_with_its_time_its_asker_or_its_store() {
    let dir = filled(30).await;
    let store = open(dir.path(), small()).expect("open");
    let mut pending = Box::pin(store.gc(vec![], at_once()));
    assert!(futures::poll!(&mut pending).is_pending());
    drop(pending);
    let tight = GcOptions { budget_ms: 1, ..GcOptions::default() };
    store.gc(vec![], tight).await.expect("it ends in order");
    let little = Config { gc_memory_bytes: 1 << 10, ..small() };
    drop(store);
    let store = open(dir.path(), little).expect("open");
    let nodes: Vec<_> = (0..20).map(|number| node(number, &[])).collect();
    let links: Vec<_> = nodes.iter().map(|(cid, _)| *cid).collect();
    let root = node(99, &links);
    store.put(nodes).await.expect("kept");
    store.put(vec![root.clone()]).await.expect("kept");
    store.pin(pin("user", root.0, PinMode::Recursive)).await.expect("pinned");
    let refused = store.gc(vec![], at_once()).await.expect_err("too many nodes");
    assert!(matches!(refused, Error::Marking { limit_bytes: 1024, .. }));
    assert_eq!(store.get(root.0).await, Ok(Some(root.1)));
}
