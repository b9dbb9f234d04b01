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
use tokio::sync::{Notify, OwnedSemaphorePermit};

/// Bytes of blocks in one message, unless one block has more.
const BLOCKS_BYTES: usize = 1 << 20;
/// How long the end of a stream may take to be said, in milliseconds.
const CLOSING_MS: u64 = 1_000;

/// Writes until there is nothing to say for a while, or the peer is lost.
pub(super) async fn run(engine: Arc<Engine>, peer: PublicKey) {
    let Some(wake) = engine.with_peer(peer, |known| known.wake.clone()) else { return };
    let to = To { engine, peer };
    let mut writer = Writer { to, wake, stream: None, ahead: Loaded::default() };
    loop {
        let batch = writer.to.batch();
        if !batch.is_empty() || !writer.ahead.blocks.is_empty() {
            if writer.send(batch).await.is_none() {
                return;
            }
        } else if !writer.is_woken().await && writer.to.engine.stop_writing(peer) {
            return writer.close().await;
        }
    }
}

/// To whom is written.
struct To {
    engine: Arc<Engine>,
    peer: PublicKey,
}

/// Blocks of one message, with the memory that they may take.
#[derive(Default)]
struct Loaded {
    blocks: Vec<Payload>,
    _memory: Option<OwnedSemaphorePermit>,
}

impl To {
    /// What there is to say now.
    fn batch(&self) -> Batch {
        self.engine.with_peer(self.peer, |known| known.batch()).unwrap_or_default()
    }

    /// Memory for the blocks of a message.
    async fn memory(&self) -> OwnedSemaphorePermit {
        let budget = self.engine.outgoing.clone();
        budget.acquire_many_owned(self.units()).await.expect("it is never closed")
    }

    /// Memory for the blocks of the message after the next, as long as there is plenty.
    fn spare_memory(&self) -> Option<OwnedSemaphorePermit> {
        let budget = self.engine.outgoing.clone();
        let is_plenty = budget.available_permits() > self.engine.config.memory_units() / 2;
        is_plenty.then(|| budget.try_acquire_many_owned(self.units()).ok()).flatten()
    }

    fn units(&self) -> u32 {
        let size_bytes = self.engine.config.block_bytes.min(MESSAGE_BYTES);
        u32::try_from(units(size_bytes)).expect("64 at most")
    }

    /// Reads the first of these blocks from the store. Those that may not be sent, or are gone,
    /// count as missing.
    async fn load(&self, wants: Vec<Want>, memory: OwnedSemaphorePermit) -> Loaded {
        let may = |want: &&Want| self.engine.gate.may_serve(self.peer, &want.cid);
        let open: Vec<Cid> = wants.iter().take_while(may).map(|want| want.cid).collect();
        let mut found: Vec<Option<Bytes>> = Vec::new();
        if !open.is_empty() {
            match self.engine.blobs.get_some_to_send(open, BLOCKS_BYTES).await {
                Ok(some) => found = some,
                Err(error) => tracing::warn!(%error, "blobs that a peer wants cannot be read"),
            }
        }
        if found.is_empty() {
            found.push(None);
        }
        Loaded { blocks: self.take(wants, found), _memory: Some(memory) }
    }

    /// Reads blocks that the peer waits for while something else is sent.
    async fn look_ahead(&self) -> Loaded {
        let wants = self.engine.with_peer(self.peer, |known| known.blocks()).unwrap_or_default();
        if wants.is_empty() {
            return Loaded::default();
        }
        match self.spare_memory() {
            Some(memory) => self.load(wants, memory).await,
            None => Loaded::default(),
        }
    }

    /// Takes blocks from what the peer waits for, unless it does not any more.
    fn take(&self, wants: Vec<Want>, found: Vec<Option<Bytes>>) -> Vec<Payload> {
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
    async fn write(&self, open: &mut Option<Stream>, parts: Vec<Bytes>) -> Result<(), Refusal> {
        let clock = &*self.engine.clock;
        let limit_ms = self.engine.config.message_ms;
        if let Some(mut stream) = open.take() {
            match within(clock, limit_ms, write(&mut stream, &parts)).await {
                Ok(()) => {
                    *open = Some(stream);
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
        let written = within(clock, limit_ms, write(&mut stream, &parts)).await;
        written.map_err(|error| Refusal::Broken(error.to_string()))?;
        *open = Some(stream);
        Ok(())
    }

    /// A new stream, of the newest version that the peer knows.
    async fn open(&self) -> Result<Stream, StreamError> {
        let mut opened = self.engine.streams.open(self.peer, PROTOCOL).await;
        for older in OLDER {
            if matches!(opened, Err(StreamError::Unsupported(..))) {
                opened = self.engine.streams.open(self.peer, older).await;
            }
        }
        opened
    }
}

struct Writer {
    to: To,
    wake: Arc<Notify>,
    stream: Option<Stream>,
    /// What was read from the store while the last message was sent.
    ahead: Loaded,
}

impl Writer {
    /// Sends one message; `None` if the peer is lost. The blocks of the next one are read
    /// meanwhile.
    async fn send(&mut self, batch: Batch) -> Option<()> {
        let Batch { asks, presences, blocks } = batch;
        let mut loaded = std::mem::take(&mut self.ahead);
        if loaded.blocks.is_empty() && !blocks.is_empty() {
            loaded = self.to.load(blocks, self.to.memory().await).await;
        }
        let Loaded { blocks, _memory: memory } = loaded;
        let mut message = Message { presences, ..Message::default() };
        message.wants = asks.iter().map(|(cid, ask)| entry(cid, *ask)).collect();
        message.blocks = blocks;
        let is_empty = message.wants.is_empty() && message.presences.is_empty();
        if is_empty && message.blocks.is_empty() {
            return Some(());
        }
        let parts = message.encode();
        drop(message);
        let Self { to, stream, .. } = self;
        let write = async {
            let written = to.write(stream, parts).await;
            drop(memory);
            written
        };
        let (written, ahead) = futures::join!(write, to.look_ahead());
        self.ahead = ahead;
        match written {
            Ok(()) => Some(()),
            Err(refusal) => {
                tracing::debug!(peer = %to.peer.short(), %refusal, "a peer cannot be told");
                to.engine.lost(to.peer, asks, &refusal);
                None
            }
        }
    }

    /// Waits for something to say, but not for long.
    async fn is_woken(&mut self) -> bool {
        let Engine { clock, config, .. } = &*self.to.engine;
        let end = clock.pause(config.idle_ms);
        tokio::select! {
            () = self.wake.notified() => true,
            () = end => false,
        }
    }

    async fn close(mut self) {
        if let Some(mut stream) = self.stream.take() {
            let closed = within(&*self.to.engine.clock, CLOSING_MS, stream.close()).await;
            if let Err(error) = closed {
                tracing::trace!(peer = %self.to.peer.short(), %error, "a stream ended badly");
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
