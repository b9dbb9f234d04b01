//! No bytes in the place of a pack make its reader panic, or a store give wrong content.
#![allow(missing_docs)]

mod list;
#[path = "../../../protocol/tests/decoders/mutate.rs"]
mod mutate;
mod specimens;

use list::DECODERS;
use mutate::Random;
use protocol::port::Blobs;
use specimens::specimen;
use std::{fs, path::Path};
use storage::{Config, Error, PackImage, Store};

/// Damaged inputs per decoder.
const ROUNDS: u64 = 1_500;
/// Damaged packs that a store is opened on.
const STORES: u64 = 60;

#[test]
fn every_decoder_takes_its_specimen() {
    for (name, decoder) in DECODERS {
        assert!(decoder(&specimen(name)), "{name}");
    }
}

#[test]
fn nothing_and_no_random_or_damaged_bytes_make_the_reader_panic() {
    let all: Vec<_> = DECODERS.iter().map(|(name, _)| specimen(name)).collect();
    for ((name, decoder), good) in DECODERS.iter().zip(&all) {
        let mut random = Random::of(name);
        decoder(&[]);
        for round in 0..ROUNDS {
            let length = random.below(300);
            decoder(&random.bytes(length));
            let mut bytes = good.clone();
            for _ in 0..=round % 4 {
                random.damage(&mut bytes, &all);
            }
            decoder(&bytes);
        }
    }
}

#[test]
fn a_pack_that_is_cut_anywhere_keeps_the_records_before() {
    let good = specimen("pack");
    let records = |bytes: &[u8]| {
        PackImage::new(bytes.to_vec(), 1 << 20).expect("memory").records().expect("memory")
    };
    let all = records(&good);
    for length in 0..good.len() {
        let whole = all.iter().filter(|record| record.end <= length as u64).count();
        assert_eq!(records(&good[..length]), all[..whole], "cut after {length} bytes");
    }
}

/// Opens a store whose only pack has these bytes, and which has no index.
fn open(dir: &Path, bytes: &[u8]) -> Result<Store, Error> {
    let config = Config { reserve_bytes: 0, ..Config::default() };
    if !dir.exists() {
        drop(storage::open(dir, config.clone())?);
    }
    for pack in fs::read_dir(dir.join("packs")).expect("packs") {
        fs::remove_file(pack.expect("a pack").path()).expect("removed");
    }
    fs::remove_file(dir.join("index.redb")).expect("removed");
    fs::write(dir.join("packs/00000000.pack"), bytes).expect("written");
    storage::open(dir, config)
}

#[tokio::test]
async fn a_store_on_any_pack_opens_and_gives_only_what_matches_its_name() {
    let scratch = tempfile::tempdir().expect("a directory");
    let all = [specimen("pack")];
    let mut random = Random::of("stores");
    let mut given = 0;
    for round in 0..STORES {
        let mut bytes = all[0].clone();
        if round % 8 == 7 {
            let length = random.below(300);
            bytes = random.bytes(length);
        }
        for _ in 0..round % 4 {
            random.damage(&mut bytes, &all);
        }
        let store = match open(&scratch.path().join("store"), &bytes) {
            Ok(store) => store,
            Err(Error::Newer { .. }) => continue,
            Err(error) => panic!("round {round}: {error}"),
        };
        let image = PackImage::new(bytes, 1 << 30).expect("memory");
        for (cid, _) in image.records().expect("memory").into_iter().filter_map(|own| own.blob) {
            let Some(bytes) = store.get(cid).await.expect("readable") else { continue };
            cid.check(&bytes).expect("what is given matches its name");
            given += 1;
        }
    }
    assert!(given > STORES, "{given} blobs were read");
}
