//! Peers tell each other whom they are connected to, so that one bootstrap peer is enough.
//!
//! A stream per piece of news: to a new peer everybody, later each change. It is never kept open,
//! or it would keep a surplus connection alive. A frame is a [`Say`] in canonical bytes.

use crate::{Network, address};
use bytes::Bytes;
use futures::{AsyncWriteExt, StreamExt};
use identity::{PublicKey, canonical};
use libp2p::Multiaddr;
use protocol::port::{
    Incoming, Offence, PeerEvent, Protocol, Stream, Streams, read_frame, write_frame,
};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, io};
use tokio::task::{AbortHandle, JoinSet};

/// The protocol's name.
const PEERS: Protocol = Protocol("/polity/peers/1");
/// Peers told in one frame.
const MAX_PEERS: usize = 64;
/// Characters of one address.
const MAX_ADDRESS: usize = 128;
/// Frames of one piece of news.
const MAX_FRAMES: usize = 1_024;
/// Peers heard at once; others wait, or are told to come again.
const MAX_HEARERS: usize = 32;
/// Bytes of one frame: more than the bounds above make possible.
const MAX_FRAME_BYTES: usize = 256 * 1024;

/// What is said: peers that the speaker is connected to, and where they listen.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
struct Say {
    peers: Vec<Listens>,
}

/// One peer.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
struct Listens {
    peer: PublicKey,
    /// Multiaddr texts.
    at: Vec<String>,
}

/// Tells and hears until it is dropped.
pub(crate) async fn run(network: Network) {
    let mut incoming = match network.accept(PEERS) {
        Ok(incoming) => incoming,
        Err(error) => return tracing::error!(%error, "peers cannot be exchanged"),
    };
    let mut events = network.events();
    let mut tellers = JoinSet::new();
    let mut told = HashMap::<PublicKey, AbortHandle>::new();
    let mut hearers = JoinSet::new();
    loop {
        tokio::select! {
            Some(event) = events.next() => match event {
                PeerEvent::Up(peer) => {
                    let teller = tellers.spawn(tell(network.clone(), peer));
                    if let Some(old) = told.insert(peer, teller) {
                        old.abort();
                    }
                }
                PeerEvent::Down(peer) => {
                    if let Some(teller) = told.remove(&peer) {
                        teller.abort();
                    }
                }
            },
            Some(Incoming { peer, stream }) = incoming.next(), if hearers.len() < MAX_HEARERS => {
                let hear = hear(network.clone(), peer, stream);
                hearers.spawn(tokio::time::timeout(network.config().open_timeout(), hear));
            }
            Some(_) = tellers.join_next() => {}
            Some(_) = hearers.join_next() => {}
            else => return,
        }
    }
}

/// Tells `peer` about all others, and then about each change, until it is stopped.
async fn tell(network: Network, peer: PublicKey) {
    let pause = network.config().dial_interval();
    let mut versions = network.book_versions();
    let mut told = 0;
    loop {
        let version = *versions.borrow_and_update();
        match tell_news(&network, peer, told).await {
            Ok(()) => {
                told = version;
                if versions.changed().await.is_err() {
                    return;
                }
            }
            Err(error) => tracing::debug!(?peer, %error, "telling about peers failed for now"),
        }
        // Also lets several changes become one piece of news.
        tokio::time::sleep(pause).await;
    }
}

async fn tell_news(network: &Network, peer: PublicKey, since: u64) -> io::Result<()> {
    let mut news = network.book_news(since);
    news.retain(|(other, _)| *other != peer);
    if news.is_empty() {
        return Ok(());
    }
    let mut stream = network.open(peer, PEERS).await.map_err(io::Error::other)?;
    for part in news.chunks(MAX_PEERS) {
        let peers = part.iter().map(|(peer, at)| Listens {
            peer: *peer,
            at: at.iter().map(Multiaddr::to_string).collect(),
        });
        write_frame(&mut stream, &canonical::encode(&Say { peers: peers.collect() })).await?;
    }
    stream.close().await
}

/// Learns what `peer` tells.
async fn hear(network: Network, peer: PublicKey, mut stream: Stream) {
    for _ in 0..MAX_FRAMES {
        match read_frame(&mut stream, MAX_FRAME_BYTES).await {
            Ok(Some(frame)) => match read(&frame) {
                Some(said) => network.book_hear(peer, said),
                None => return network.penalise(peer, Offence::Malformed),
            },
            Ok(None) => return,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return network.penalise(peer, Offence::Oversized);
            }
            Err(error) => {
                return tracing::debug!(?peer, %error, "hearing about peers was interrupted");
            }
        }
    }
    network.penalise(peer, Offence::Flooding);
}

/// `None` if the frame is not what may be said. A text that is no address of ours is only
/// skipped: a later version may know more transports.
fn read(frame: &Bytes) -> Option<Vec<(PublicKey, Vec<Multiaddr>)>> {
    let said: Say = canonical::decode(frame, MAX_FRAME_BYTES).ok()?;
    let too_long = |listens: &Listens| {
        listens.at.len() > address::MAX_ADDRESSES
            || listens.at.iter().any(|text| text.len() > MAX_ADDRESS)
    };
    if said.peers.len() > MAX_PEERS || said.peers.iter().any(too_long) {
        return None;
    }
    let places = said.peers.into_iter().map(|listens| {
        (listens.peer, listens.at.iter().filter_map(|text| text.parse().ok()).collect())
    });
    Some(places.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(peers: usize, addresses: usize, text: &str) -> Bytes {
        let at = vec![text.to_string(); addresses];
        let listens = |n| Listens { peer: PublicKey([n; 32]), at: at.clone() };
        let peers = (0..peers).map(|n| listens(u8::try_from(n % 256).expect("a byte"))).collect();
        canonical::encode(&Say { peers }).into()
    }

    #[test]
    fn the_bytes_of_a_frame_stay_the_same() {
        let frame = say(1, 1, "/ip4/10.0.0.1/tcp/1");
        let expected = [
            b"\xa1\x65peers\x81\xa2\x62at\x81\x73/ip4/10.0.0.1/tcp/1\x64peer\x58\x20".as_slice(),
            &[0; 32],
        ]
        .concat();
        assert_eq!(frame, expected);
        let place = (PublicKey([0; 32]), vec!["/ip4/10.0.0.1/tcp/1".parse().expect("an address")]);
        assert_eq!(read(&frame), Some(vec![place]));
    }

    #[test]
    fn a_frame_beyond_its_bounds_is_malformed() {
        let at = "/ip4/10.0.0.1/tcp/1";
        assert!(read(&say(MAX_PEERS, address::MAX_ADDRESSES, &"x".repeat(MAX_ADDRESS))).is_some());
        assert!(
            say(MAX_PEERS, address::MAX_ADDRESSES, &"x".repeat(MAX_ADDRESS)).len()
                < MAX_FRAME_BYTES
        );
        assert_eq!(read(&say(MAX_PEERS + 1, 1, at)), None);
        assert_eq!(read(&say(1, address::MAX_ADDRESSES + 1, at)), None);
        assert_eq!(read(&say(1, 1, &"x".repeat(MAX_ADDRESS + 1))), None);
        assert_eq!(read(&Bytes::from_static(b"hello")), None);
        assert_eq!(read(&Bytes::new()), None);
        assert_eq!(read(&say(1, 1, "garbage")), Some(vec![(PublicKey([0; 32]), vec![])]));
    }
}
