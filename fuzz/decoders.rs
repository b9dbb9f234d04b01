//! Every decoder by its name, of all rooms.

#[path = "api.rs"]
mod api_list;
#[path = "bitswap.rs"]
pub(crate) mod bitswap;
#[path = "../crates/protocol/tests/decoders/list.rs"]
mod list;
#[path = "../crates/storage/tests/packs/list.rs"]
mod packs;

use list::Decoder;

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, Decoder)> {
    let lists = [list::DECODERS, api_list::DECODERS, bitswap::DECODERS, packs::DECODERS];
    lists.into_iter().flatten().copied()
}
