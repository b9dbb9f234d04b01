//! What waits to be written to one stream: bounded, urgent frames first, the oldest dropped first.

use bytes::Bytes;
use commonware_utils::sync::Mutex;
use std::collections::VecDeque;
use tokio::sync::Notify;

/// Frames that wait at most.
const FRAMES: usize = 1_024;
/// Bytes that are written at once, if several frames wait.
const BATCH_BYTES: usize = 96 << 10;

/// A queue with one reader.
pub(super) struct Queue {
    limit_bytes: usize,
    state: Mutex<State>,
    ready: Notify,
}

#[derive(Default)]
struct State {
    urgent: VecDeque<Bytes>,
    plain: VecDeque<Bytes>,
    bytes: usize,
}

impl Queue {
    /// A queue of frames of at most `frame_bytes`; a few of that size fit.
    pub(super) fn new(frame_bytes: usize) -> Self {
        let limit_bytes = 2 * frame_bytes + (1 << 20);
        Self { limit_bytes, state: Mutex::default(), ready: Notify::new() }
    }

    /// Adds a frame. The newest matter most to the engine, so the oldest make room.
    pub(super) fn push(&self, frame: Bytes, urgent: bool) {
        let mut state = self.state.lock();
        state.bytes += frame.len();
        if urgent { &mut state.urgent } else { &mut state.plain }.push_back(frame);
        while state.bytes > self.limit_bytes || state.urgent.len() + state.plain.len() > FRAMES {
            let dropped = state.plain.pop_front().or_else(|| state.urgent.pop_front());
            state.bytes -= dropped.map_or(0, |frame| frame.len());
        }
        drop(state);
        self.ready.notify_one();
    }

    /// Waits for frames, and takes as many as are written at once.
    pub(super) async fn batch(&self) -> Vec<Bytes> {
        loop {
            let frames = self.take();
            if !frames.is_empty() {
                return frames;
            }
            self.ready.notified().await;
        }
    }

    /// Forgets what waits.
    pub(super) fn clear(&self) {
        *self.state.lock() = State::default();
    }

    fn take(&self) -> Vec<Bytes> {
        let mut state = self.state.lock();
        let mut frames = Vec::new();
        let mut size = 0;
        while size < BATCH_BYTES {
            let Some(frame) = state.urgent.pop_front().or_else(|| state.plain.pop_front()) else {
                break;
            };
            size += frame.len();
            frames.push(frame);
        }
        state.bytes -= size;
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn frame(byte: u8, size: usize) -> Bytes {
        vec![byte; size].into()
    }

    fn firsts(frames: &[Bytes]) -> Vec<u8> {
        frames.iter().map(|frame| frame[0]).collect()
    }

    #[test]
    fn urgent_frames_go_first_and_batches_are_bounded() {
        let queue = Queue::new(1 << 20);
        for byte in 1..=4 {
            queue.push(frame(byte, 40 << 10), byte % 2 == 0);
        }
        let first = queue.batch().now_or_never().expect("frames wait");
        assert_eq!(firsts(&first), [2, 4, 1]);
        assert_eq!(firsts(&queue.batch().now_or_never().expect("one more")), [3]);
        assert!(queue.batch().now_or_never().is_none());
    }

    #[test]
    fn the_oldest_plain_frames_make_room() {
        let queue = Queue::new(0);
        for byte in 0..3 {
            queue.push(frame(byte, 400 << 10), false);
        }
        queue.push(frame(9, 10), true);
        let taken: Vec<_> = std::iter::from_fn(|| Some(queue.take()).filter(|f| !f.is_empty()))
            .flat_map(|frames| firsts(&frames))
            .collect();
        assert_eq!(taken, [9, 1, 2]);
        for _ in 0..2 * FRAMES {
            queue.push(frame(1, 1), false);
        }
        assert_eq!(queue.take().len(), FRAMES);
        queue.push(frame(1, 1), true);
        queue.clear();
        assert!(queue.take().is_empty());
    }
}
