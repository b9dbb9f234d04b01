//! Receiving: what all peers sent on one channel.

use crate::convert::Key;
use bytes::Bytes;
use commonware_p2p::{Message, Receiver};
use commonware_runtime::IoBuf;
use std::num::NonZeroUsize;
use tokio::sync::mpsc;

/// Bytes that may wait here; past that, readers wait, and with them their peers.
const BYTES: usize = 8 << 20;
const FRAMES_AT_LEAST: usize = 4;
const FRAMES_AT_MOST: usize = 1_024;

/// The receiving end of one channel.
#[derive(Debug)]
pub(crate) struct LinkReceiver {
    frames: mpsc::Receiver<(Key, Bytes)>,
    capacity: NonZeroUsize,
}

/// Nothing will arrive any more.
#[derive(Debug, thiserror::Error)]
#[error("the channel closed")]
pub(crate) struct Closed;

impl LinkReceiver {
    /// A channel of frames of at most `frame_bytes`, and where they are put in.
    pub(super) fn new(frame_bytes: usize) -> (mpsc::Sender<(Key, Bytes)>, Self) {
        let frames = (BYTES / frame_bytes.max(1)).clamp(FRAMES_AT_LEAST, FRAMES_AT_MOST);
        let capacity = NonZeroUsize::new(frames).expect("clamped above zero");
        let (sender, frames) = mpsc::channel(frames);
        (sender, Self { frames, capacity })
    }
}

impl Receiver for LinkReceiver {
    type Error = Closed;
    type PublicKey = Key;

    async fn recv(&mut self) -> Result<Message<Key>, Closed> {
        let (peer, frame) = self.frames.recv().await.ok_or(Closed)?;
        Ok((peer, IoBuf::from(frame)))
    }

    fn capacity(&self) -> NonZeroUsize {
        self.capacity
    }
}
