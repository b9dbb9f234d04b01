//! Accepting streams and reading frames from them.

use super::{
    kind::Kind,
    table::{Peer, Table},
};
use crate::convert::Key;
use bytes::Bytes;
use commonware_macros::select;
use commonware_runtime::{Handle, Spawner};
use futures::{AsyncWriteExt, StreamExt, io::BufReader};
use identity::PublicKey;
use protocol::port::{Events, Incoming, Offence, Stream, read_frame};
use std::{collections::BTreeMap, io, sync::Arc};
use tokio::sync::mpsc;

/// What an acceptor writes first.
pub(super) const WELCOME: u8 = 1;

/// Accepts the streams of one channel.
pub(super) struct Acceptor {
    pub(super) table: Arc<Table>,
    pub(super) kind: Kind,
    pub(super) limit: usize,
    pub(super) inbox: mpsc::Sender<(Key, Bytes)>,
    /// Told when no more streams will arrive.
    pub(super) end: mpsc::Sender<String>,
}

impl Acceptor {
    /// Reads from the newest stream of each validator; an older one is dropped.
    pub(super) async fn run(self, context: impl Spawner, mut incoming: Events<Incoming>) {
        let mut readers: BTreeMap<PublicKey, Handle<()>> = BTreeMap::new();
        while let Some(Incoming { peer: name, stream }) = incoming.next().await {
            let Some(peer) = self.table.find(&name) else {
                tracing::warn!(peer = ?name, "no validator, but it opens a validator's stream");
                self.table.streams.penalise(name, Offence::Malformed);
                continue;
            };
            if peer.is_blocked() {
                continue;
            }
            let (table, peer) = (self.table.clone(), peer.clone());
            let (limit, inbox) = (self.limit, self.inbox.clone());
            let reader = context.child("reader").spawn(move |_| async move {
                let mut blocked = peer.blocked.subscribe();
                select! {
                    _ = blocked.wait_for(|blocked| *blocked) => {},
                    ended = read(&peer, limit, stream, inbox) => judge(&table, &peer, ended),
                }
            });
            if let Some(older) = readers.insert(name, reader) {
                older.abort();
            }
        }
        // Before the channel closes, or the engine would stop without this reason.
        let reason = format!("no more streams arrive for {}", self.kind.protocol());
        if self.end.try_send(reason).is_err() {
            tracing::debug!("consensus has stopped before its streams");
        }
    }
}

async fn read(
    peer: &Peer,
    limit: usize,
    mut stream: Stream,
    inbox: mpsc::Sender<(Key, Bytes)>,
) -> io::Result<()> {
    stream.write_all(&[WELCOME]).await?;
    stream.flush().await?;
    let mut stream = BufReader::new(stream);
    while let Some(frame) = read_frame(&mut stream, limit).await? {
        if inbox.send((peer.key.clone(), frame)).await.is_err() {
            break;
        }
    }
    Ok(())
}

fn judge(table: &Table, peer: &Peer, ended: io::Result<()>) {
    match ended {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            table.block(&peer.name, Offence::Oversized);
        }
        Err(error) => tracing::debug!(peer = ?peer.name, %error, "a validator's stream broke"),
        Ok(()) => {}
    }
}
