//! Serving blobs to other nodes.

use super::{
    Config, PROTOCOL, Serve,
    wire::{REQUEST_BYTES, decode_request, write_answer},
    within,
};
use crate::desk::{Desk, Room, Server};
use bytes::Bytes;
use identity::PublicKey;
use objects::Cid;
use protocol::port::{Blobs, Clock, Offence, Stream, StreamError, Streams, read_frame};
use std::{io, sync::Arc};

/// Bytes that one stream holds in memory, unless one blob has more.
const AT_ONCE_BYTES: usize = 1 << 20;

/// What every stream needs.
struct Shared {
    blobs: Arc<dyn Blobs>,
    streams: Arc<dyn Streams>,
    clock: Arc<dyn Clock>,
    gate: Arc<dyn Serve>,
    config: Config,
}

/// Serves `blobs` to peers, as far as `gate` allows. Has to be called on a tokio runtime.
///
/// # Errors
/// [`StreamError::Taken`] if the protocol is served already, [`StreamError::Closed`].
pub fn serve(
    blobs: Arc<dyn Blobs>,
    streams: Arc<dyn Streams>,
    clock: Arc<dyn Clock>,
    gate: Arc<dyn Serve>,
    config: Config,
) -> Result<Server, StreamError> {
    let room = Room { streams: config.serve_streams, per_peer: config.serve_streams_per_peer };
    let desk = Desk::open(&streams, &[PROTOCOL], room)?;
    let shared = Arc::new(Shared { blobs, streams, clock, gate, config });
    Ok(desk.serve(move |peer, stream| Visit { shared: shared.clone(), peer }.answer_all(stream)))
}

/// A peer with one stream.
struct Visit {
    shared: Arc<Shared>,
    peer: PublicKey,
}

impl Visit {
    async fn answer_all(self, mut stream: Stream) -> io::Result<()> {
        let Shared { clock, config, .. } = &*self.shared;
        loop {
            let request = read_frame(&mut stream, REQUEST_BYTES);
            let frame = match within(&**clock, config.serve_idle_ms, request).await {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(()),
                Err(error) => {
                    if error.kind() == io::ErrorKind::InvalidData {
                        self.shared.streams.penalise(self.peer, Offence::Oversized);
                    }
                    return Err(error);
                }
            };
            let Some(wants) = decode_request(&frame) else {
                self.shared.streams.penalise(self.peer, Offence::Malformed);
                return Err(io::Error::new(io::ErrorKind::InvalidData, "not a request"));
            };
            let mut left = &wants[..];
            while !left.is_empty() {
                let found = self.find(left).await;
                for blob in &found {
                    let answer = write_answer(&mut stream, blob.as_ref());
                    within(&**clock, config.serve_answer_ms, answer).await?;
                }
                left = &left[found.len()..];
            }
        }
    }

    /// The first of these blobs, one at least.
    async fn find(&self, wants: &[Cid]) -> Vec<Option<Bytes>> {
        let may = |cid: &&Cid| self.shared.gate.may_serve(self.peer, cid);
        let open: Vec<Cid> = wants.iter().take_while(may).copied().collect();
        if open.is_empty() {
            return vec![None];
        }
        match self.shared.blobs.get_some_to_send(open, AT_ONCE_BYTES).await {
            Ok(found) if !found.is_empty() => found,
            Ok(_) => vec![None],
            Err(error) => {
                tracing::warn!(%error, "blobs that a peer asked for cannot be read");
                vec![None]
            }
        }
    }
}
