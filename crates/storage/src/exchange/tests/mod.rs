//! Nodes exchange blobs, and liars gain nothing by it.

mod fetching;
mod serving;

use super::*;
use bytes::Bytes;
use futures::future;
use identity::{PublicKey, SecretKey};
use objects::Cid;
use protocol::{
    Time,
    port::{Answer, Blobs, Streams},
};
use sim::{
    blobs::{MemoryBlobs, blob},
    streams::{Mesh, MeshNode},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

fn key(seed: u8) -> PublicKey {
    SecretKey::from_seed([seed; 32]).public()
}

/// A clock that stands still, until patience is at its end.
#[derive(Default)]
struct Patience {
    is_over: AtomicBool,
}

impl Clock for Patience {
    fn now(&self) -> Time {
        Time(0)
    }

    fn until(&self, _: Time) -> Answer<'static, ()> {
        if self.is_over.load(Ordering::Relaxed) {
            Box::pin(future::ready(()))
        } else {
            Box::pin(future::pending())
        }
    }
}

/// A node that serves what it has.
struct Node {
    streams: Arc<MeshNode>,
    blobs: MemoryBlobs,
    _server: Server,
}

fn node(mesh: &Mesh, seed: u8, config: Config) -> Node {
    let (streams, blobs) = (mesh.node(key(seed)), MemoryBlobs::new());
    let anyone = |_: PublicKey, _: &Cid| true;
    let server = serve(
        Arc::new(blobs.clone()),
        streams.clone(),
        Arc::new(Patience::default()),
        Arc::new(anyone),
        config,
    );
    Node { streams, blobs, _server: server.expect("the protocol is free") }
}

impl Node {
    fn fetcher(&self, config: Config) -> Fetcher {
        self.patient_fetcher(config, Arc::new(Patience::default()))
    }

    fn patient_fetcher(&self, config: Config, clock: Arc<Patience>) -> Fetcher {
        Fetcher::new(Arc::new(self.blobs.clone()), self.streams.clone(), clock, config)
    }

    async fn has(&self, cid: Cid) -> bool {
        self.blobs.has(vec![cid]).await.expect("memory answers")[0]
    }
}
