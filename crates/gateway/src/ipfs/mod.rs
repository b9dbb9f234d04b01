//! The IPFS gateway: content by CID over plain HTTP, for tools that know nothing of this node.
//!
//! Source: specs.ipfs.tech, "Trustless Gateway" and "Path Gateway". `/ipfs/{cid}[/path]` gives files
//! and listings; with `format=raw` or `format=car`, or an `Accept` that says so, it gives blocks
//! that whoever asks can check. It has a listener of its own and asks for no token: whoever reaches
//! it can read whatever this node can get. IPNS, TAR and conversions of codecs are not offered.

mod accept;
mod ahead;
mod ask;
mod car;
mod config;
mod disposition;
mod door;
mod entity_bytes;
mod file;
mod head;
mod listing;
mod media;
mod plain;
mod range;
mod refusal;
mod resolve;

pub use config::Config;
pub use door::serve;
