//! Writes one good input for each decoder of `protocol` to `fuzz/corpus`, for the fuzzer to start
//! from: `cargo run --example seeds` in this directory.

#[path = "../crates/protocol/tests/decoders/list.rs"]
mod list;
#[path = "../crates/protocol/tests/decoders/specimens.rs"]
mod specimens;

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, decoder) in list::DECODERS {
        let seed = specimens::specimen(name);
        assert!(decoder(&seed), "{name} refuses its own specimen");
        fs::create_dir_all(corpus.join(name))?;
        fs::write(corpus.join(name).join("specimen"), seed)?;
    }
    println!("{} seeds in {}", list::DECODERS.len(), corpus.display());
    Ok(())
}
