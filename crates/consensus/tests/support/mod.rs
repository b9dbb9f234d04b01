//! Validators in one process, over streams in memory.
#![allow(dead_code, unreachable_pub)]

pub mod chain;
pub mod mesh;

use chain::{Chain, Ledger, keys, settings, tx};
use consensus::{Config, Error, Event, Handle, Journal, Settings, start};
use futures::future::join_all;
use identity::{Digest, SecretKey};
use mesh::Mesh;
use protocol::NamedTx;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};

/// A test that takes longer has failed; nothing is asserted about the time itself.
pub const GUARD: Duration = Duration::from_secs(120);

/// Waits for what must happen.
pub async fn guard<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(GUARD, future).await {
        Ok(value) => value,
        Err(_) => panic!("it never happened: {what}"),
    }
}

/// Some validators with their directories and ledgers; any of them may be down.
pub struct Network {
    pub mesh: Mesh,
    pub keys: Vec<SecretKey>,
    pub settings: Settings,
    pub chains: Vec<Arc<Chain>>,
    pub handles: Vec<Option<Handle>>,
    pub events: Vec<Option<mpsc::Receiver<Event>>>,
    dir: TempDir,
}

impl Network {
    /// Validators that are all down.
    pub fn new(count: usize) -> Self {
        // Quiet unless RUST_LOG asks; a second network of one process keeps the first's.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let keys = keys(count);
        Self {
            mesh: Mesh::default(),
            settings: settings(count),
            chains: keys.iter().map(|key| Chain::new(key.public())).collect(),
            handles: (0..count).map(|_| None).collect(),
            events: (0..count).map(|_| None).collect(),
            dir: tempfile::tempdir().expect("a directory for the test"),
            keys,
        }
    }

    /// Validators that all run.
    pub fn started(count: usize) -> Self {
        let mut network = Self::new(count);
        for place in 0..count {
            network.start(place);
        }
        network
    }

    pub fn dir(&self, place: usize) -> PathBuf {
        self.dir.path().join(place.to_string())
    }

    pub fn start(&mut self, place: usize) {
        self.try_start(place, false).expect("the validator starts");
    }

    pub fn try_start(&mut self, place: usize, required: bool) -> Result<(), Error> {
        let key = &self.keys[place];
        let journal = Journal { dir: self.dir(place), required };
        let streams = self.mesh.port(key.public());
        let app = Arc::new(Ledger(self.chains[place].clone()));
        let settings = self.settings.clone();
        let config = Config { threads: 1, ..Config::default() };
        let (handle, events) = start(config, key, settings, &journal, streams, app)?;
        self.handles[place] = Some(handle);
        self.events[place] = Some(events);
        Ok(())
    }

    /// Stops one validator in order.
    pub async fn stop(&mut self, place: usize) {
        self.mesh.remove(self.keys[place].public());
        let handle = self.handles[place].take().expect("it runs");
        handle.shutdown().await.expect("it had not failed");
    }

    pub fn submit(&self, place: usize, number: u64) -> Digest {
        let tx = tx(number);
        let handle = self.handles[place].as_ref().expect("it runs");
        let (tx, runtime) = (NamedTx::new(tx), tokio::runtime::Handle::current());
        let digest = tx.digest();
        let taken = tokio::task::block_in_place(|| runtime.block_on(handle.submit(tx)));
        taken.expect("there is room");
        digest
    }

    /// Waits until these validators have this transaction.
    pub async fn all_have(&self, places: &[usize], digest: Digest) {
        guard(
            "a transaction is final",
            join_all(places.iter().map(|&p| self.chains[p].has(digest))),
        )
        .await;
    }

    /// Stops everything, and checks that no two validators differ at any height.
    pub async fn finish(mut self) -> Self {
        for place in 0..self.handles.len() {
            if self.handles[place].is_some() {
                self.stop(place).await;
            }
        }
        self.assert_one_chain();
        self
    }

    pub fn assert_one_chain(&self) {
        let chains: Vec<_> = self.chains.iter().map(|chain| chain.blocks()).collect();
        let longest = chains.iter().max_by_key(|chain| chain.len()).expect("validators");
        for chain in &chains {
            for (ours, theirs) in chain.iter().zip(longest) {
                assert_eq!(ours.block.header, theirs.block.header);
            }
        }
    }

    /// Checks every certificate of one chain, and that headers follow each other.
    pub fn assert_certified(&self, place: usize) -> usize {
        let mut certified = 0;
        for entry in self.chains[place].blocks() {
            let Some(certificate) = entry.certificate else { continue };
            assert_eq!(certificate.payload, entry.block.header.digest());
            certificate
                .verify(self.settings.network, &self.settings.validators)
                .expect("the certificate holds");
            certified += 1;
        }
        certified
    }
}
