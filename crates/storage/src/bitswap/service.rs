//! Starting and ending bitswap.

use super::{Bitswap, Config, OLDER, PROTOCOL, engine::Engine, reader::Reader, writer};
use crate::{
    desk::{Desk, Room, Server},
    exchange::Serve,
};
use protocol::port::{Blobs, Clock, Protocol, StreamError, Streams};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Serves `blobs` to whoever asks over bitswap, as far as `gate` allows, and gives a handle that
/// fetches from others into `blobs`. When the server ends, fetches fail. Has to be called on a
/// tokio runtime.
///
/// # Errors
/// [`StreamError::Taken`] if the protocol is served already, [`StreamError::Closed`].
pub fn start(
    blobs: Arc<dyn Blobs>,
    streams: Arc<dyn Streams>,
    clock: Arc<dyn Clock>,
    gate: Arc<dyn Serve>,
    config: Config,
) -> Result<(Bitswap, Server), StreamError> {
    let room = Room { streams: config.streams, per_peer: config.streams_per_peer };
    let protocols: Vec<Protocol> = [PROTOCOL].into_iter().chain(OLDER).collect();
    let desk = Desk::open(&streams, &protocols, room)?;
    let engine = Arc::new(Engine::new(blobs, streams, clock, gate, config));
    let running = Running { engine: engine.clone() };
    let server = Server::start(async move { running.run(desk).await });
    Ok((Bitswap { engine }, server))
}

/// Closes the engine however the task ends.
struct Running {
    engine: Arc<Engine>,
}

impl Running {
    async fn run(self, mut desk: Desk) {
        let engine = &self.engine;
        let mut writers = JoinSet::new();
        let mut look = next_look(engine);
        let read = |peer, stream| {
            let reader = Reader::new(engine, peer);
            async move {
                match reader {
                    Some(reader) => reader.run(stream).await,
                    None => Ok(()),
                }
            }
        };
        loop {
            tokio::select! {
                is_open = desk.step(&read) => if !is_open { break },
                () = engine.to_write.notified() => {
                    for peer in engine.to_write() {
                        writers.spawn(writer::run(engine.clone(), peer));
                    }
                }
                () = &mut look => {
                    engine.look().await;
                    look = next_look(engine);
                }
                Some(done) = writers.join_next() => {
                    if let Err(error) = done {
                        tracing::error!(%error, "writing to a peer panicked");
                    }
                }
            }
        }
    }
}

fn next_look(engine: &Engine) -> protocol::port::Answer<'static, ()> {
    engine.clock.pause(engine.config.look_ms)
}

impl Drop for Running {
    fn drop(&mut self) {
        self.engine.close();
    }
}
