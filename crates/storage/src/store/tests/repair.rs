//! Scrub and verification: what the disk changed is found and can come back.

use super::*;
use std::sync::Mutex;

fn fast() -> ScrubOptions {
    ScrubOptions { bytes_per_second: 0, budget_ms: 0 }
}

fn find(dir: &TempDir, cid: &Cid) -> (PathBuf, u64) {
    let paths = (0..99).map(|number| pack(dir, number)).filter(|path| path.exists());
    let holds = |path: &PathBuf| {
        let bytes = fs::read(path).expect("a pack");
        bytes.windows(36).any(|window| window == cid.to_bytes())
    };
    let path = paths.into_iter().find(holds).expect("it is in one");
    let at = place(&path, cid);
    (path, at)
}

#[tokio::test]
async fn a_scrub_finds_every_kind_of_damage_and_a_put_heals_it() {
    // A bit of the mark, of the length, of the checksum, of the CID, of the content. The first three
    // can be mended at once: a reader with an index does not need them.
    for (at, is_lost) in [(1, false), (5, false), (9, false), (20, true), (48, true)] {
        let dir = filled(20).await;
        let store = open(dir.path(), small()).expect("open");
        let clean = store.scrub(fast()).await.expect("read");
        assert_eq!((clean.damaged, clean.is_complete), (0, true));
        assert!(clean.records >= 20 && clean.bytes > 1000);
        let (cid, bytes) = blob(3);
        let (path, from) = find(&dir, &cid);
        flip(&path, from + at);
        let report = store.scrub(fast()).await.expect("read");
        let expected = if is_lost { (1, 0) } else { (0, 1) };
        assert_eq!((report.damaged, report.healed), expected, "byte {at}");
        if !is_lost {
            drop(store);
            fs::remove_file(dir.path().join("index.redb")).expect("removed");
            let store = open(dir.path(), small()).expect("rebuilt");
            assert_reads(&store, 0..20).await;
            continue;
        }
        assert_eq!(store.damaged(None, 99).await, Ok(vec![cid]));
        assert_eq!(store.status().await.expect("status").damaged, 1);
        assert_eq!(store.get(cid).await, Ok(None));
        store.put(vec![(cid, bytes)]).await.expect("healed");
        assert_eq!(store.damaged(None, 99).await, Ok(vec![]));
        assert_reads(&store, 0..20).await;
        assert_eq!(store.scrub(fast()).await.expect("read").damaged, 0);
    }
}

#[tokio::test]
async fn a_lost_pack_is_noticed() {
    let dir = filled(20).await;
    let store = open(dir.path(), small()).expect("open");
    fs::remove_file(pack(&dir, 0)).expect("removed");
    drop(store);
    let store = open(dir.path(), small()).expect("open");
    let report = store.verify(|_| {}).await.expect("read");
    let lost = here(&store, 20).await.iter().filter(|here| !**here).count() as u64;
    assert!(lost > 0);
    assert_eq!((report.damaged, report.is_complete), (lost, true));
    let cids = store.damaged(None, 99).await.expect("a list");
    store
        .put((0..20).map(blob).filter(|(cid, _)| cids.contains(cid)).collect())
        .await
        .expect("kept");
    assert_reads(&store, 0..20).await;
    assert_eq!(store.damaged(None, 99).await, Ok(vec![]));
}

#[tokio::test]
async fn the_damaged_record_of_a_pin_is_written_again() {
    let dir = filled(1).await;
    let store = open(dir.path(), Config { pack_bytes: 1 << 20, ..small() }).expect("open");
    let pinned = pin("user/of/this/pin", blob(0).0, PinMode::Direct);
    store.pin(pinned.clone()).await.expect("pinned");
    store.put(vec![blob(1)]).await.expect("kept");
    let bytes = fs::read(pack(&dir, 0)).expect("a pack");
    let at = bytes.windows(16).position(|window| window == b"user/of/this/pin");
    flip(&pack(&dir, 0), at.expect("it is there") as u64);
    let report = store.verify(|_| {}).await.expect("read");
    assert_eq!((report.damaged, report.healed), (0, 1));
    assert_eq!(store.verify(|_| {}).await.expect("read").healed, 0);
    drop(store);
    fs::remove_file(dir.path().join("index.redb")).expect("removed");
    let store = open(dir.path(), small()).expect("rebuilt");
    assert_eq!(store.pins("", None, 9).await, Ok(vec![pinned]));
}

#[tokio::test]
async fn a_scrub_goes_on_where_it_was() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path(), Config { pack_bytes: 8 << 20, ..small() }).expect("open");
    for number in 0..6u8 {
        let block = Block::of(Codec::Raw, vec![number; 4 << 20]);
        store.put(vec![(block.cid, block.bytes)]).await.expect("kept");
    }
    let step = ScrubOptions { bytes_per_second: 0, budget_ms: 1 };
    let mut before = ScrubState::default();
    let mut parts = 0;
    loop {
        let report = store.scrub(step.clone()).await.expect("read");
        let state = store.status().await.expect("status").scrub;
        parts += 1;
        if report.is_complete {
            assert!(state.finished_ms.is_some());
            assert_eq!((state.pack, state.offset), (0, 0));
            break;
        }
        assert!((state.pack, state.offset) > (before.pack, before.offset), "{state:?}");
        before = state;
        assert!(parts < 100);
    }
    assert!(parts > 1, "reading 4 MiB takes longer than a millisecond");
    assert_eq!(store.damaged(None, 9).await, Ok(vec![]));
}

#[tokio::test]
async fn verification_tells_how_far_it_is() {
    let dir = filled(20).await;
    let store = open(dir.path(), small()).expect("open");
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = told.clone();
    let report = store.verify(move |progress| crate::lock::lock(&telling).push(progress)).await;
    let told = crate::lock::lock(&told);
    assert!(told.windows(2).all(|pair| pair[0].bytes <= pair[1].bytes));
    let last = told.last().expect("it told");
    assert_eq!(last.bytes, report.expect("read").bytes);
    assert!(last.bytes <= last.all_bytes && last.bytes > 0);
}

#[tokio::test]
async fn a_rebuild_knows_what_is_damaged() {
    let dir = filled(20).await;
    let (cid, bytes) = blob(2);
    let (path, from) = find(&dir, &cid);
    flip(&path, from + 50);
    fs::remove_file(dir.path().join("index.redb")).expect("removed");
    let store = open(dir.path(), small()).expect("rebuilt");
    assert_eq!(store.damaged(None, 9).await, Ok(vec![cid]));
    store.put(vec![(cid, bytes)]).await.expect("healed");
    assert_eq!(store.damaged(None, 9).await, Ok(vec![]));
}

#[tokio::test]
async fn dropping_the_store_ends_a_slow_scrub() {
    let dir = filled(20).await;
    let store = open(dir.path(), small()).expect("open");
    // At this pace it would take hours.
    let slow = ScrubOptions { bytes_per_second: 1, budget_ms: 0 };
    let mut scrub = Box::pin({
        let store = store.clone();
        async move { store.scrub(slow).await }
    });
    assert!(futures::poll!(&mut scrub).is_pending());
    drop(scrub);
    drop(store);
    open(dir.path(), small()).expect("free again");
}
