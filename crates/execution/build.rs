//! Turns the text of the known-answer programs into WebAssembly.
#![allow(clippy::unwrap_used)]

use std::{env, fs, path::Path};

fn main() {
    let (from, to) = (Path::new("src/known"), env::var_os("OUT_DIR").unwrap());
    println!("cargo:rerun-if-changed={}", from.display());
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let program = wat::parse_file(&path).unwrap_or_else(|error| panic!("{error}"));
        let name = path.with_extension("wasm");
        fs::write(Path::new(&to).join(name.file_name().unwrap()), program).unwrap();
    }
}
