//! The fuzz target of every decoder: the one that the variable `DECODER` names.

#![no_main]

mod decoders;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static DECODER: LazyLock<fn(&[u8]) -> bool> = LazyLock::new(|| {
    let wanted = std::env::var("DECODER").unwrap_or_default();
    let named = decoders::all().find(|(name, _)| *name == wanted);
    let names = || decoders::all().map(|(name, _)| name).collect::<Vec<_>>().join(" ");
    named.unwrap_or_else(|| panic!("set DECODER to one of these: {}", names())).1
});

fuzz_target!(|bytes: &[u8]| {
    DECODER(bytes);
});
