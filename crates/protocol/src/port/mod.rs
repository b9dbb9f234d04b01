//! The ports: what hands offer each other, declared once. `node` plugs them together.
//!
//! A port has a real adapter in a hand and a fake one in `sim`; both pass the same contract.

mod blobs;
mod clock;
mod crew;
mod gossip;
mod log;
mod providers;
mod streams;

pub use blobs::{BlobError, Blobs};
pub use clock::Clock;
pub use crew::{Alone, Crew};
pub use gossip::{Gossip, GossipError, Message, Topic};
pub use log::{Log, LogError};
pub use providers::{ProvideError, Providers};
pub use streams::{
    Duplex, Incoming, Offence, PeerEvent, Protocol, Stream, StreamError, Streams, read_frame,
    write_frame,
};

/// A future behind a port.
pub type Answer<'a, T> = futures::future::BoxFuture<'a, T>;
/// A stream of events behind a port.
pub type Events<T> = futures::stream::BoxStream<'static, T>;
