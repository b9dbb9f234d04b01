//! A directory of `fuzz/corpus` for each decoder, with one good input for the fuzzer to start from:
//! `cargo run --example seeds` in this directory.

mod decoders;
#[path = "../crates/storage/tests/packs/specimens.rs"]
mod packs_specimens;
#[path = "../crates/protocol/tests/decoders/specimens.rs"]
mod specimens;

use decoders::bitswap;
use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, decoder) in decoders::all() {
        fs::create_dir_all(corpus.join(name))?;
        let seed = match name.split('_').next() {
            // What a decoder of lines takes, the fuzzer finds by itself.
            Some("api") => continue,
            Some("bitswap") => bitswap::specimen(name),
            Some("pack") => packs_specimens::specimen(name),
            _ => specimens::specimen(name),
        };
        assert!(decoder(&seed), "{name} refuses its own specimen");
        fs::write(corpus.join(name).join("specimen"), seed)?;
    }
    println!("{} decoders in {}", decoders::all().count(), corpus.display());
    Ok(())
}
