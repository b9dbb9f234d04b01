//! Writes one good input for each decoder of `protocol` and `storage` to `fuzz/corpus`, for the
//! fuzzer to start from: `cargo run --example seeds` in this directory.

mod bitswap;
#[path = "../crates/protocol/tests/decoders/list.rs"]
mod list;
#[path = "../crates/storage/tests/packs/list.rs"]
mod packs;
#[path = "../crates/storage/tests/packs/specimens.rs"]
mod packs_specimens;
#[path = "../crates/protocol/tests/decoders/specimens.rs"]
mod specimens;

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let nouns = list::DECODERS.iter().map(|own| (own, specimens::specimen(own.0)));
    let messages = bitswap::DECODERS.iter().map(|own| (own, bitswap::specimen(own.0)));
    let packs = packs::DECODERS.iter().map(|own| (own, packs_specimens::specimen(own.0)));
    let all: Vec<_> = nouns.chain(messages).chain(packs).collect();
    for ((name, decoder), seed) in &all {
        assert!(decoder(seed), "{name} refuses its own specimen");
        fs::create_dir_all(corpus.join(name))?;
        fs::write(corpus.join(name).join("specimen"), seed)?;
    }
    println!("{} seeds in {}", all.len(), corpus.display());
    Ok(())
}
