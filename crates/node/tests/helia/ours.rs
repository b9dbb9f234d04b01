//! The parts of a node that have to do with blocks, in this process.

use bytes::Bytes;
use futures::FutureExt;
use identity::{Digest, NetworkId, SecretKey};
use network::{Address, GuestConfig, Network};
use objects::{Cid, FileWalker};
use protocol::{
    Time,
    port::{Answer, Blobs, Clock, Offence},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use storage::{
    Store, bitswap,
    exchange::{DagLimits, FetchError},
};
use tokio::runtime::Runtime;

/// Network, store and bitswap.
pub(crate) struct Ours {
    runtime: Runtime,
    network: Network,
    service: network::Service,
    bitswap: bitswap::Bitswap,
    blocks: bitswap::Server,
    store: Store,
    dir: PathBuf,
}

/// The time since the start.
struct Watch(Instant);

impl Clock for Watch {
    fn now(&self) -> Time {
        Time(u64::try_from(self.0.elapsed().as_millis()).unwrap())
    }

    fn until(&self, at: Time) -> Answer<'static, ()> {
        tokio::time::sleep(Duration::from_millis(at.since_ms(self.now()))).boxed()
    }
}

impl Ours {
    /// Starts with the store in `dir`. Listens nowhere.
    pub(crate) fn start(dir: &Path) -> Self {
        let runtime = Runtime::new().unwrap();
        let _inside = runtime.enter();
        let guests = GuestConfig { allowed: true, ..GuestConfig::default() };
        let config = network::Config { listen: Vec::new(), guests, ..network::Config::default() };
        let key = SecretKey::from_seed([50; 32]);
        let (network, service) = network::start(config, &key, NetworkId(Digest([1; 32]))).unwrap();
        let store = storage::open(dir, storage::Config::default()).unwrap();
        let (bitswap, blocks) = bitswap::start(
            Arc::new(store.clone()),
            Arc::new(network.clone()),
            Arc::new(Watch(Instant::now())),
            Arc::new(|_: identity::PublicKey, _: &Cid| true),
            bitswap::Config::default(),
        )
        .unwrap();
        drop(_inside);
        Self { runtime, network, service, bitswap, blocks, store, dir: dir.into() }
    }

    /// Fetches everything below a root from one peer.
    pub(crate) fn fetch_dag(&self, root: Cid, from: &str) -> Result<u64, FetchError> {
        let address: Address = from.parse().unwrap();
        self.network.know_guest(&address).unwrap();
        let limits = DagLimits { blocks: 100_000, bytes: 1 << 30 };
        self.runtime.block_on(self.bitswap.fetch_dag(root, &[address.peer], limits))
    }

    /// The digest of a file that is here.
    pub(crate) fn digest(&self, root: Cid) -> String {
        let block = |cid| self.runtime.block_on(self.store.get(cid)).unwrap().expect("it is here");
        super::content::hex(&read_file(root, block))
    }

    /// What the peers did wrong that were here.
    pub(crate) fn offences(&self) -> Vec<Offence> {
        let records = self.network.offences().into_iter();
        records
            .flat_map(|(_, record)| vec![Offence::BadContent; record.bad_content as usize])
            .collect()
    }

    /// Ends it and waits until the store is free.
    pub(crate) fn stop(self) {
        let Self { runtime, network, service, bitswap, blocks, store, dir } = self;
        runtime.block_on(async {
            blocks.stop().await;
            service.shutdown().await.unwrap();
        });
        drop((runtime, network, bitswap, store));
        super::until("the store to be free", || {
            std::fs::File::open(dir.join("lock")).unwrap().try_lock().ok()
        });
    }
}

/// The content of a file, block by block.
pub(crate) fn read_file(root: Cid, mut block: impl FnMut(Cid) -> Bytes) -> Vec<u8> {
    let mut walker = FileWalker::new(root, 1 << 30);
    let mut content = Vec::new();
    while let Some(cid) = walker.wanted() {
        content.extend_from_slice(&walker.give(cid, block(cid)).unwrap());
    }
    content
}
