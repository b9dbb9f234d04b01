//! Opening streams to one validator, writing what waits for it, and beginning again when it breaks.

use super::{
    accept::WELCOME,
    kind::Kind,
    queue::Queue,
    table::{Peer, Table},
};
use commonware_macros::select;
use commonware_runtime::Clock;
use futures::{
    AsyncReadExt, AsyncWriteExt, StreamExt,
    future::{select_all, try_join_all},
};
use protocol::port::{PeerEvent, Stream};
use std::{io, sync::Arc, time::Duration};

/// How long a stream may take to open; an open may hang on a connection that is gone.
const OPEN: Duration = Duration::from_secs(5);
/// How long a write may take: a peer that reads nothing for so long is as good as gone.
const WRITE: Duration = Duration::from_secs(30);
/// The wait before the next attempt, which doubles up to the second.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// Tells keepers of connections that come and go.
pub(super) async fn watch(table: Arc<Table>) {
    let mut events = table.streams.events();
    while let Some(event) = events.next().await {
        let (name, up) = match event {
            PeerEvent::Up(name) => (name, true),
            PeerEvent::Down(name) => (name, false),
        };
        if let Some(peer) = table.find(&name) {
            if up { &peer.came } else { &peer.went }.send_modify(|count| *count += 1);
        }
    }
}

/// Keeps streams open to one validator until it is blocked.
pub(super) async fn keep(clock: impl Clock, table: Arc<Table>, peer: Arc<Peer>) {
    let mut blocked = peer.blocked.subscribe();
    select! {
        _ = blocked.wait_for(|blocked| *blocked) => {},
        () = keep_open(&clock, &table, &peer) => {},
    }
}

async fn keep_open(clock: &impl Clock, table: &Table, peer: &Peer) {
    let mut came = peer.came.subscribe();
    let mut wait = RETRY.0;
    loop {
        came.mark_unchanged();
        let mut went = peer.went.subscribe();
        match open_all(clock, table, peer).await {
            Ok(streams) => {
                wait = RETRY.0;
                table.set_connected(peer, true);
                select! {
                    error = write_all(clock, peer, streams) => {
                        tracing::debug!(peer = ?peer.name, %error, "a validator cannot be written to");
                    },
                    _ = went.changed() => {},
                }
                table.set_connected(peer, false);
            }
            Err(error) => {
                tracing::debug!(peer = ?peer.name, %error, "a validator cannot be reached");
                wait = (wait * 2).min(RETRY.1);
            }
        }
        select! {
            _ = came.changed() => wait = RETRY.0,
            _ = clock.sleep(wait) => {},
        }
    }
}

async fn open_all(clock: &impl Clock, table: &Table, peer: &Peer) -> io::Result<Vec<Stream>> {
    try_join_all(Kind::ALL.map(|kind| async move {
        select! {
            stream = open(table, peer, kind) => stream,
            _ = clock.sleep(OPEN) => Err(io::ErrorKind::TimedOut.into()),
        }
    }))
    .await
}

async fn open(table: &Table, peer: &Peer, kind: Kind) -> io::Result<Stream> {
    let mut stream =
        table.streams.open(peer.name, kind.protocol()).await.map_err(io::Error::other)?;
    let mut welcome = [0];
    stream.read_exact(&mut welcome).await?;
    if welcome != [WELCOME] {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not welcome"));
    }
    Ok(stream)
}

/// Writes to all streams until one breaks.
async fn write_all(clock: &impl Clock, peer: &Peer, streams: Vec<Stream>) -> io::Error {
    let writers = Kind::ALL
        .into_iter()
        .zip(streams)
        .map(|(kind, stream)| Box::pin(write(clock, peer.queue(kind), stream)));
    select_all(writers).await.0
}

async fn write(clock: &impl Clock, queue: &Queue, mut stream: Stream) -> io::Error {
    loop {
        let mut buffer = Vec::new();
        for frame in queue.batch().await {
            let length = u32::try_from(frame.len()).expect("frames are bounded");
            buffer.extend(length.to_be_bytes());
            buffer.extend(frame);
        }
        let written = async {
            stream.write_all(&buffer).await?;
            stream.flush().await
        };
        select! {
            result = written => if let Err(error) = result { return error },
            _ = clock.sleep(WRITE) => return io::ErrorKind::TimedOut.into(),
        }
    }
}
