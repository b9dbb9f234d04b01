//! What holds of a cluster, against a log in memory and a clock that is moved by hand.

mod clock;
mod contract;
mod disk;
mod failures;
mod faults;
mod flow;
mod held;
mod peers;
mod probe;
mod records;
mod recovery;
pub(crate) mod runtime;
mod society;
mod stand_in;
mod store;
mod tally;
mod ticks;

use crate::Told as Said;
use crate::{Begin, Cluster, Config, Parts, engine::Member, start};
use clock::Hands;
use identity::PublicKey;
use protocol::port::{Clock, Log};
use sim::streams::Mesh;
use std::{collections::BTreeMap, sync::Arc};
use tally::{Tally, Told, Wish};
use tokio::sync::mpsc;

/// The contract suite numbers its members.
impl From<u64> for Member {
    fn from(number: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        Self(PublicKey(key))
    }
}

fn key(byte: u8) -> PublicKey {
    PublicKey([byte; 32])
}

/// What a cluster of one needs, which key 1 founds.
fn alone<M>(config: &Config, initial: M, log: Arc<dyn Log>, clock: Arc<dyn Clock>) -> Parts<M> {
    Parts {
        config: config.clone(),
        me: key(1),
        labels: BTreeMap::new(),
        initial,
        begin: Begin::Found { name: "home".into() },
        log,
        clock,
        streams: Mesh::new().node(key(1)),
        admits: Arc::new(|_| true),
        life: 1,
    }
}

/// A running cluster with its effects.
struct Node {
    cluster: Cluster<Tally>,
    effects: mpsc::Receiver<Said<Wish>>,
    clock: Arc<Hands>,
}

impl Node {
    async fn start(config: &Config, log: &Arc<impl Log>) -> Self {
        let clock = Arc::new(Hands::at(1_000));
        Self::with(config, log, &clock).await
    }

    async fn with(config: &Config, log: &Arc<impl Log>, clock: &Arc<Hands>) -> Self {
        let parts = alone(config, Tally::default(), log.clone(), clock.clone());
        let (cluster, effects) = start(parts).await.unwrap();
        Self { cluster, effects, clock: clock.clone() }
    }

    async fn tell(&self, told: Told) {
        self.cluster.propose(told).await.unwrap();
    }

    async fn tally(&self) -> Tally {
        self.cluster.read(Tally::clone).await.unwrap()
    }

    async fn wishes(&mut self) -> Vec<Wish> {
        self.effects.recv().await.unwrap().effects
    }
}
