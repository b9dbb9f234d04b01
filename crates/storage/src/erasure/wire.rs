//! Frames of `/polity/keep/1`: canonical bytes of a question, then of its answers.

use super::Error;
use crate::exchange::within;
use identity::{PublicKey, canonical};
use protocol::{
    durability::{KeepReply, KeepRequest},
    limits,
    port::{Clock, Offence, Protocol, Stream, Streams, read_frame, write_frame},
    printable,
};
use serde::{Serialize, de::DeserializeOwned};
use std::io;

/// Characters of a node's reason that are told.
const REASON: usize = 512;

/// The protocol under which nodes are asked to keep shards.
pub const PROTOCOL: Protocol = Protocol("/polity/keep/1");

/// Sends a noun.
pub(super) async fn send<T: Serialize>(
    clock: &dyn Clock,
    limit_ms: u64,
    stream: &mut Stream,
    noun: &T,
) -> io::Result<()> {
    within(clock, limit_ms, write_frame(stream, &canonical::encode(noun))).await
}

/// Receives a noun; `None` if the stream ended. What is too large or no such noun is an offence of
/// the peer.
pub(super) async fn receive<T: Serialize + DeserializeOwned>(
    (clock, streams, peer): (&dyn Clock, &dyn Streams, PublicKey),
    limit_ms: u64,
    stream: &mut Stream,
) -> io::Result<Option<T>> {
    let frame = match within(clock, limit_ms, read_frame(stream, limits::KEEP_BYTES)).await {
        Ok(Some(frame)) => frame,
        Ok(None) => return Ok(None),
        Err(error) => {
            if error.kind() == io::ErrorKind::InvalidData {
                streams.penalise(peer, Offence::Oversized);
            }
            return Err(error);
        }
    };
    match canonical::decode(&frame, limits::KEEP_BYTES) {
        Ok(noun) => Ok(Some(noun)),
        Err(error) => {
            streams.penalise(peer, Offence::Malformed);
            Err(io::Error::new(io::ErrorKind::InvalidData, error))
        }
    }
}

/// Asks a node, and answers what it says in the end.
pub(super) async fn ask(
    clock: &dyn Clock,
    streams: &dyn Streams,
    node: PublicKey,
    request: &KeepRequest,
    (request_ms, progress_ms): (u64, u64),
) -> Result<KeepReply, Error> {
    let broken = |error: io::Error| Error::Peer { node, reason: error.to_string() };
    let mut stream = streams.open(node, PROTOCOL).await?;
    send(clock, request_ms, &mut stream, request).await.map_err(broken)?;
    let mut done = None;
    loop {
        let reply = receive((clock, streams, node), progress_ms, &mut stream).await;
        match reply.map_err(broken)? {
            // Every sign of life has to be one of progress, or it could go on for ever.
            Some(KeepReply::Under { bytes, of }) if Some(bytes) > done && bytes <= of => {
                done = Some(bytes);
            }
            Some(KeepReply::Under { .. }) => return Err(beside_the_point(streams, node)),
            Some(KeepReply::Refused(why)) => {
                return Err(Error::Peer { node, reason: printable(&why.to_string(), REASON) });
            }
            Some(reply) => return Ok(reply),
            None => {
                let reason = "it closed the stream without an answer".into();
                return Err(Error::Peer { node, reason });
            }
        }
    }
}

/// The failure of a node that answers another question.
pub(super) fn beside_the_point(streams: &dyn Streams, node: PublicKey) -> Error {
    streams.penalise(node, Offence::Malformed);
    Error::Peer { node, reason: "its answer was to another question".into() }
}
