//! Writing to one peer: questions, answers and blocks, over one stream that stays open while there
//! is something to say.

use super::{
    OLDER, PROTOCOL,
    engine::{Engine, units},
    message::{Entry, Kind, MESSAGE_BYTES, Message, Payload, write},
    name::Name,
    peer::{Ask, Batch, Want},
};
use crate::exchange::{Refusal, within};
use bytes::Bytes;
use futures::AsyncWriteExt;
use identity::PublicKey;
use objects::Cid;
use protocol::port::{Stream, StreamError};
use std::{io, sync::Arc};
use tokio::sync::Notify;

/// Bytes of blocks in one message, unless one block has more.
const BLOCKS_BYTES: usize = 1 << 20;
/// How long the end of a stream may take to be said, in milliseconds.
const CLOSING_MS: u64 = 1_000;

/// Writes until there is nothing to say for a while, or the peer is lost.
pub(super) async fn run(engine: Arc<Engine>, peer: PublicKey) {
    let Some(wake) = engine.with_peer(peer, |known| known.wake.clone()) else { return };
    let mut writer = Writer { engine, peer, wake, stream: None };
    loop {
        let batch = writer.engine.with_peer(peer, |known| known.batch()).unwrap_or_default();
        if !batch.is_empty() {
            if writer.send(batch).await.is_none() {
                return;
            }
        } else if !writer.is_woken().await && writer.engine.stop_writing(peer) {
            return writer.close().await;
        }
    }
}

struct Writer {
    engine: Arc<Engine>,
    peer: PublicKey,
    wake: Arc<Notify>,
    stream: Option<Stream>,
}

impl Writer {
    /// Sends one message; `None` if the peer is lost.
    async fn send(&mut self, batch: Batch) -> Option<()> {
        let Batch { asks, presences, blocks } = batch;
        let size_bytes = if blocks.is_empty() { 0 } else { self.engine.config.block_bytes };
        let units = u32::try_from(units(size_bytes.min(MESSAGE_BYTES))).expect("64 at most");
        let budget = self.engine.outgoing.clone();
        let _memory = budget.acquire_many_owned(units).await.expect("it is never closed");
        let mut message = Message { presences, ..Message::default() };
        message.wants = asks.iter().map(|(cid, ask)| entry(cid, *ask)).collect();
        message.blocks = self.load(blocks).await;
        let is_empty = message.wants.is_empty() && message.presences.is_empty();
        if is_empty && message.blocks.is_empty() {
            return Some(());
        }
        match self.write(&message.encode()).await {
            Ok(()) => Some(()),
            Err(refusal) => {
                tracing::debug!(peer = %self.peer.short(), %refusal, "a peer cannot be told");
                self.engine.lost(self.peer, asks, &refusal);
                None
            }
        }
    }

    /// Reads the first of these blocks from the store. Those that may not be sent, or are gone,
    /// count as missing.
    async fn load(&mut self, wants: Vec<Want>) -> Vec<Payload> {
        let may = |want: &&Want| self.engine.gate.may_serve(self.peer, &want.cid);
        let open: Vec<Cid> = wants.iter().take_while(may).map(|want| want.cid).collect();
        let mut found: Vec<Option<Bytes>> = Vec::new();
        if !open.is_empty() {
            match self.engine.blobs.get_some(open, BLOCKS_BYTES).await {
                Ok(some) => found = some,
                Err(error) => tracing::warn!(%error, "blobs that a peer wants cannot be read"),
            }
        }
        if found.is_empty() && !wants.is_empty() {
            found.push(None);
        }
        let now = self.engine.clock.now();
        let mut blocks = Vec::new();
        self.engine.with_peer(self.peer, |known| {
            for (want, bytes) in wants.into_iter().zip(found) {
                if !known.take(&want.name) {
                    continue;
                }
                match bytes.filter(|bytes| bytes.len() <= self.engine.config.block_bytes) {
                    Some(data) => {
                        blocks.push(Payload { prefix: want.name.prefix().into(), data });
                    }
                    None => {
                        self.engine.note_missing(known, want, now);
                    }
                }
            }
        });
        blocks
    }

    /// Writes a message over the stream that is open, or a new one. The peer may have closed the
    /// former while nothing was said.
    async fn write(&mut self, parts: &[Bytes]) -> Result<(), Refusal> {
        let limit_ms = self.engine.config.message_ms;
        if let Some(mut stream) = self.stream.take() {
            let written = within(&*self.engine.clock, limit_ms, write(&mut stream, parts)).await;
            match written {
                Ok(()) => {
                    self.stream = Some(stream);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    return Err(Refusal::Broken(error.to_string()));
                }
                Err(error) => {
                    tracing::trace!(peer = %self.peer.short(), %error, "a stream was closed");
                }
            }
        }
        let mut stream = self.open().await?;
        let written = within(&*self.engine.clock, limit_ms, write(&mut stream, parts)).await;
        written.map_err(|error| Refusal::Broken(error.to_string()))?;
        self.stream = Some(stream);
        Ok(())
    }

    /// A new stream, of the newest version that the peer knows.
    async fn open(&mut self) -> Result<Stream, StreamError> {
        let mut opened = self.engine.streams.open(self.peer, PROTOCOL).await;
        for older in OLDER {
            if matches!(opened, Err(StreamError::Unsupported(..))) {
                opened = self.engine.streams.open(self.peer, older).await;
            }
        }
        opened
    }

    /// Waits for something to say, but not for long.
    async fn is_woken(&mut self) -> bool {
        let clock = &self.engine.clock;
        let end = clock.until(clock.now().after_ms(self.engine.config.idle_ms));
        tokio::select! {
            () = self.wake.notified() => true,
            () = end => false,
        }
    }

    async fn close(mut self) {
        if let Some(mut stream) = self.stream.take() {
            let closed = within(&*self.engine.clock, CLOSING_MS, stream.close()).await;
            if let Err(error) = closed {
                tracing::trace!(peer = %self.peer.short(), %error, "a stream ended badly");
            }
        }
    }
}

fn entry(cid: &Cid, ask: Ask) -> Entry {
    Entry {
        name: Name::of(cid),
        priority: 1,
        cancel: ask == Ask::Cancel,
        kind: if ask == Ask::Have { Kind::Have } else { Kind::Block },
        send_dont_have: ask != Ask::Cancel,
    }
}
