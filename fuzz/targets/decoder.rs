//! The fuzz target of one decoder: the one that is called as the target is.

#![no_main]

#[path = "../api.rs"]
mod api_list;
#[path = "../bitswap.rs"]
mod bitswap;
#[path = "../../crates/protocol/tests/decoders/list.rs"]
mod list;
#[path = "../../crates/storage/tests/packs/list.rs"]
mod packs_list;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static DECODER: LazyLock<list::Decoder> = LazyLock::new(|| {
    let mut all = list::DECODERS
        .iter()
        .chain(api_list::DECODERS)
        .chain(bitswap::DECODERS)
        .chain(packs_list::DECODERS);
    let (_, decoder) = all
        .find(|(name, _)| *name == env!("CARGO_BIN_NAME"))
        .expect("every target is called like a decoder");
    *decoder
});

fuzz_target!(|bytes: &[u8]| {
    DECODER(bytes);
});
