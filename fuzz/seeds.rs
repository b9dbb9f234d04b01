//! Writes one good input for each decoder of `protocol`, and of bitswap, to `fuzz/corpus`, for the
//! fuzzer to start from: `cargo run --example seeds` in this directory.

mod bitswap;
#[path = "../crates/protocol/tests/decoders/list.rs"]
mod list;
#[path = "../crates/protocol/tests/decoders/specimens.rs"]
mod specimens;

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let specimens = list::DECODERS.iter().map(|one| (one, specimens::specimen(one.0)));
    let messages = bitswap::DECODERS.iter().map(|one| (one, bitswap::specimen(one.0)));
    for ((name, decoder), seed) in specimens.chain(messages) {
        assert!(decoder(&seed), "{name} refuses its own specimen");
        fs::create_dir_all(corpus.join(name))?;
        fs::write(corpus.join(name).join("specimen"), seed)?;
    }
    let seeds = list::DECODERS.len() + bitswap::DECODERS.len();
    println!("{seeds} seeds in {}", corpus.display());
    Ok(())
}
