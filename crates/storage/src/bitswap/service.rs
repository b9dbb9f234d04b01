//! Starting and ending bitswap.

use super::{Bitswap, Config, OLDER, PROTOCOL, engine::Engine, reader::Reader, writer};
use crate::exchange::Serve;
use futures::{StreamExt, stream};
use protocol::port::{Blobs, Clock, Events, Incoming, StreamError, Streams};
use std::sync::Arc;
use tokio::task::{JoinHandle, JoinSet};

/// Bitswap that runs. Dropping it ends it with all its streams; fetches then fail.
#[derive(Debug)]
pub struct Service {
    task: JoinHandle<()>,
}

impl Service {
    /// Waits until it ends by itself, which it does only with the network. Dropping the future ends
    /// it.
    ///
    /// # Errors
    /// [`StreamError::Closed`] when the network is gone.
    ///
    /// # Panics
    /// If it panicked.
    pub async fn ended(mut self) -> Result<(), StreamError> {
        match (&mut self.task).await {
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            _ => Err(StreamError::Closed),
        }
    }

    /// Ends it and waits until nothing of it runs any more.
    pub async fn stop(mut self) {
        self.task.abort();
        // An error says that it was cancelled, which is what was asked for.
        drop((&mut self.task).await);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves `blobs` to whoever asks over bitswap, as far as `gate` allows, and gives a handle that
/// fetches from others into `blobs`. Has to be called on a tokio runtime.
///
/// # Errors
/// [`StreamError::Taken`] if the protocol is served already, [`StreamError::Closed`].
pub fn start(
    blobs: Arc<dyn Blobs>,
    streams: Arc<dyn Streams>,
    clock: Arc<dyn Clock>,
    gate: Arc<dyn Serve>,
    config: Config,
) -> Result<(Bitswap, Service), StreamError> {
    let mut incoming = vec![streams.accept(PROTOCOL)?];
    for older in OLDER {
        incoming.push(streams.accept(older)?);
    }
    let incoming = stream::select_all(incoming).boxed();
    let engine = Arc::new(Engine::new(blobs, streams, clock, gate, config));
    let running = Running { engine: engine.clone() };
    let task = tokio::spawn(async move { running.run(incoming).await });
    Ok((Bitswap { engine }, Service { task }))
}

/// Closes the engine however the task ends.
struct Running {
    engine: Arc<Engine>,
}

impl Running {
    async fn run(self, mut incoming: Events<Incoming>) {
        let engine = &self.engine;
        let mut readers = JoinSet::new();
        let mut writers = JoinSet::new();
        let mut look = next_look(engine);
        loop {
            tokio::select! {
                next = incoming.next() => {
                    let Some(Incoming { peer, stream }) = next else { break };
                    if readers.len() >= engine.config.streams {
                        tracing::debug!(peer = %peer.short(), "too many streams at once");
                    } else if let Some(reader) = Reader::new(engine, peer) {
                        readers.spawn(reader.run(stream));
                    }
                }
                () = engine.to_write.notified() => {
                    for peer in engine.to_write() {
                        writers.spawn(writer::run(engine.clone(), peer));
                    }
                }
                () = &mut look => {
                    engine.look().await;
                    look = next_look(engine);
                }
                Some(done) = readers.join_next() => report(done),
                Some(done) = writers.join_next() => report(done),
            }
        }
    }
}

fn next_look(engine: &Engine) -> protocol::port::Answer<'static, ()> {
    engine.clock.until(engine.clock.now().after_ms(engine.config.look_ms))
}

fn report(done: Result<(), tokio::task::JoinError>) {
    if let Err(error) = done {
        tracing::error!(%error, "a stream of bitswap panicked");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.engine.close();
    }
}
