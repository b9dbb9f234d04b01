//! Reading what a peer says on one stream.

use super::{
    engine::{Engine, units},
    message::{Message, read_body, read_length},
};
use crate::exchange::within;
use identity::PublicKey;
use protocol::port::{Offence, Stream};
use std::{io, sync::Arc};

/// A stream of a peer that is read.
pub(super) struct Reader {
    engine: Arc<Engine>,
    peer: PublicKey,
}

impl Reader {
    /// `None` if there is no room for one more peer: then the stream is closed.
    pub(super) fn new(engine: &Arc<Engine>, peer: PublicKey) -> Option<Self> {
        engine.with_peer(peer, |known| known.reading += 1)?;
        Some(Self { engine: engine.clone(), peer })
    }

    /// Reads messages until the peer ends the stream, is silent, or says something wrong.
    pub(super) async fn run(self, mut stream: Stream) -> io::Result<()> {
        while self.message(&mut stream).await.inspect_err(|error| self.blame(error))? {}
        Ok(())
    }

    fn blame(&self, error: &io::Error) {
        if error.kind() == io::ErrorKind::InvalidData {
            self.engine.streams.penalise(self.peer, Offence::Oversized);
        }
    }

    /// Reads one message and does what it says. False at the end of the stream.
    async fn message(&self, stream: &mut Stream) -> io::Result<bool> {
        let Engine { clock, config, .. } = &*self.engine;
        // The stream is the peer's: it may be silent for longer than one of ours.
        let patience_ms = config.idle_ms.saturating_mul(6);
        let Some(length) = within(&**clock, patience_ms, read_length(stream)).await? else {
            return Ok(false);
        };
        let Some(turn) = self.engine.with_peer(self.peer, |known| known.turn_to_speak.clone())
        else {
            return Ok(false);
        };
        let _turn = turn.acquire_owned().await.expect("it is never closed");
        let units = u32::try_from(units(length)).expect("64 at most");
        let budget = self.engine.incoming.clone();
        let _memory = budget.acquire_many_owned(units).await.expect("it is never closed");
        let progress = || {
            let now = clock.now();
            self.engine.with_peer(self.peer, |known| known.heard = now);
        };
        let body = within(&**clock, config.message_ms, read_body(stream, length, progress)).await?;
        match Message::decode(body) {
            Ok(message) => self.engine.take(self.peer, message).await,
            Err(reason) => {
                self.engine.streams.penalise(self.peer, Offence::Malformed);
                // The offence is counted; the stream just ends.
                return Err(io::Error::other(reason));
            }
        }
        Ok(true)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.engine.with_peer(self.peer, |known| known.reading = known.reading.saturating_sub(1));
    }
}
