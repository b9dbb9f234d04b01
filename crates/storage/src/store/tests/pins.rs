//! Pins: durable, found again, and of known roots only.

use super::*;

async fn all(store: &Store, prefix: &str) -> Vec<Pin> {
    store.pins(prefix, None, 100).await.expect("the index answers")
}

#[tokio::test]
async fn pins_survive_the_loss_of_the_index() {
    let dir = filled(3).await;
    let store = open(dir.path(), small()).expect("open");
    let mut noted = pin("user", blob(0).0, PinMode::Direct);
    noted.note = Some("thesis".into());
    let job = pin("job/1", blob(1).0, PinMode::Recursive);
    let gone = pin("job/2", blob(1).0, PinMode::Recursive);
    for pin in [&noted, &job, &gone] {
        store.pin(pin.clone()).await.expect("pinned");
    }
    assert_eq!(store.unpin(gone.label.clone(), gone.root).await, Ok(true));
    assert_eq!(store.unpin(gone.label, gone.root).await, Ok(false));
    drop(store);
    for is_lost in [false, true] {
        if is_lost {
            fs::remove_file(dir.path().join("index.redb")).expect("removed");
        }
        let store = open(dir.path(), small()).expect("open");
        assert_eq!(all(&store, "").await, [job.clone(), noted.clone()]);
        assert_eq!(store.status().await.expect("status").pins, 2);
    }
}

#[tokio::test]
async fn a_pin_needs_its_root_and_names_it_if_it_is_missing() {
    let dir = filled(1).await;
    let store = open(dir.path(), small()).expect("open");
    let missing = pin("user", blob(9).0, PinMode::Direct);
    let refused = store.pin(missing).await.expect_err("it is missing");
    assert_eq!(refused, Error::Missing(blob(9).0));
    assert!(refused.to_string().contains(&blob(9).0.to_string()));
    let mut long = pin("user", blob(0).0, PinMode::Direct);
    long.note = Some("x".repeat(257));
    assert!(matches!(store.pin(long).await, Err(Error::Note { size_bytes: 257, .. })));
    assert_eq!(all(&store, "").await, []);
}

#[tokio::test]
async fn a_note_stays_until_there_is_another_one() {
    let dir = filled(1).await;
    let store = open(dir.path(), small()).expect("open");
    let plain = pin("user", blob(0).0, PinMode::Direct);
    let noted = |note: &str| Pin { note: Some(note.into()), ..plain.clone() };
    let below = Pin { mode: PinMode::Recursive, ..plain.clone() };
    for (given, is) in [
        (noted("thesis"), noted("thesis")),
        (plain.clone(), noted("thesis")),
        (below.clone(), Pin { note: Some("thesis".into()), ..below.clone() }),
        (noted("book"), noted("book")),
    ] {
        store.pin(given).await.expect("pinned");
        assert_eq!(all(&store, "").await, [is]);
    }
}

#[tokio::test]
async fn the_same_key_is_one_pin_and_the_last_one_counts() {
    let dir = filled(1).await;
    let store = open(dir.path(), small()).expect("open");
    let first = pin("user", blob(0).0, PinMode::Direct);
    let second = Pin { mode: PinMode::Recursive, since_ms: 2, ..first.clone() };
    store.pin(first.clone()).await.expect("pinned");
    store.pin(second.clone()).await.expect("pinned");
    assert_eq!(all(&store, "").await, std::slice::from_ref(&second));
    // Said together they are done one after the other.
    let (a, b, c) = tokio::join!(
        store.unpin(first.label.clone(), first.root),
        store.pin(first.clone()),
        store.pin(second.clone()),
    );
    assert_eq!((a, b, c), (Ok(true), Ok(()), Ok(())));
    assert_eq!(all(&store, "").await, [second]);
}

#[tokio::test]
async fn pins_are_listed_by_label_and_page() {
    let dir = filled(5).await;
    let store = open(dir.path(), small()).expect("open");
    for label in ["job/1", "job/2", "jobs", "a", "user"] {
        for number in 0..5 {
            store.pin(pin(label, blob(number).0, PinMode::Direct)).await.expect("pinned");
        }
    }
    assert_eq!(all(&store, "job/").await.len(), 10);
    assert_eq!(all(&store, "job").await.len(), 15);
    assert_eq!(all(&store, "job/1").await.len(), 5);
    assert_eq!(all(&store, "z").await.len(), 0);
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = store.pins("job/", after, 3).await.expect("a page");
        let Some(last) = page.last() else { break };
        after = Some((last.label.clone(), last.root));
        seen.extend(page);
    }
    assert_eq!(seen, all(&store, "job/").await);
    let before = Some(("a".parse().expect("a label"), blob(0).0));
    assert_eq!(store.pins("job/", before, 100).await.expect("a page").len(), 10);
}

#[tokio::test]
async fn blobs_are_listed_by_page() {
    let dir = filled(10).await;
    let store = open(dir.path(), small()).expect("open");
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = store.list(after, 3).await.expect("a page");
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        seen.extend(page);
    }
    let mut expected: Vec<_> =
        (0..10).map(blob).map(|(cid, bytes)| (cid, bytes.len() as u64)).collect();
    expected.sort_by_key(|(cid, _)| cid.to_bytes());
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn packs_of_version_1_are_read_and_never_continued() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(dir.path().join("packs")).expect("made");
    fs::write(dir.path().join("FORMAT"), "polity store 1\n").expect("written");
    let framing = crate::frame::Framing::new(0, 1 << 20);
    let head = crate::frame::FileHead { version: 1, salt: 0, number: 0 };
    let mut bytes = head.encode(b"plt-pack").to_vec();
    for number in 0..3 {
        let (cid, content) = blob(number);
        framing.put(&mut bytes, &[&cid.to_bytes(), &content]);
    }
    fs::write(pack(&dir, 0), &bytes).expect("written");
    for _ in 0..2 {
        let store = open(dir.path(), Config { pack_bytes: 1 << 20, ..small() }).expect("open");
        assert_reads(&store, 0..3).await;
        store.pin(pin("user", blob(0).0, PinMode::Direct)).await.expect("pinned");
        store.put(vec![blob(3)]).await.expect("kept");
    }
    assert_eq!(fs::read(pack(&dir, 0)).expect("a pack"), bytes);
    assert!(pack(&dir, 1).exists() && !pack(&dir, 2).exists());
    let format = fs::read_to_string(dir.path().join("FORMAT")).expect("a text");
    assert_eq!(format, "polity store 2\n");
    fs::remove_file(dir.path().join("index.redb")).expect("removed");
    let store = open(dir.path(), small()).expect("rebuilt");
    assert_reads(&store, 0..4).await;
    assert_eq!(all(&store, "").await.len(), 1);
}

#[tokio::test]
async fn a_blob_cannot_forge_a_pin() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path(), small()).expect("open");
    let forged = record::Control::Pin(pin("user", blob(0).0, PinMode::Direct)).encode();
    let mut bytes = b"harmless".to_vec();
    crate::frame::Framing::new(0, 1 << 20).put(&mut bytes, &[&forged]);
    let block = Block::of(Codec::Raw, bytes);
    store.put(vec![(block.cid, block.bytes), blob(0)]).await.expect("kept");
    drop(store);
    // Damage in front of it makes the reader look for the next record.
    flip(&pack(&dir, 0), place(&pack(&dir, 0), &block.cid) + 12);
    fs::remove_file(dir.path().join("index.redb")).expect("removed");
    let store = open(dir.path(), small()).expect("rebuilt");
    assert_eq!(all(&store, "").await, []);
    assert_reads(&store, [0]).await;
}
