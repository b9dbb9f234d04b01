//! Starts and stops everything of a node, top to bottom.

mod polity;
mod roles;

pub(crate) use roles::Roles;

use crate::{
    about::Abouts,
    basis::Basis,
    chain::{self, Chain},
    door::Door,
    durability::{self, Members, Pins},
    events::Hub,
    executors::Beside,
    heard::Heard,
    home::{self, Home, Known},
    idle::Need,
    ipfs::Ipfs,
    measure::Own,
    membership, metrics, misbehave,
    post::Post,
    upkeep::Care,
    worker::Withheld,
};
use anyhow::{Context, bail};
use api::NodeApi;
use cli::{Ready, UpOptions, data::DataDir};
use cluster::Cluster;
use execution::Engine;
use identity::SecretKey;
use network::Network;
use protocol::port::{Gossip, Log, Streams};
use roles::{Hands, employ, measure};
use std::sync::Arc;
use storage::{
    Journal,
    erasure::{self, Keeper},
    exchange,
};
use tokio::{
    sync::{Semaphore, oneshot},
    task::JoinHandle,
};
use work::Work;

/// A running node.
pub(crate) struct Node {
    data: DataDir,
    roles: Roles,
    cluster: Cluster<Work>,
    consensus: Option<Arc<consensus::Handle>>,
    service: network::Service,
    gateway: gateway::Running,
    stop_gateway: oneshot::Sender<()>,
    ipfs_gateway: Option<(gateway::Running, oneshot::Sender<()>)>,
    /// After how long without being needed it ends.
    idle_exit_ms: u64,
}

impl Node {
    /// Starts a node, and tells whoever waits for it when it is ready.
    ///
    /// # Errors
    /// One clear sentence and the way out.
    pub(crate) async fn start(options: UpOptions, ready: Option<Ready>) -> anyhow::Result<Self> {
        let basis = Basis::of(options)?;
        let root = basis.options.data.root().to_path_buf();

        // Hands that need nothing but the disk and the processor.
        let store = storage::open(root.join("store"), basis.config.storage.clone())?;
        let chain_log: Arc<dyn Log> = Arc::new(Journal::open(root.join("chain"))?);
        let cluster_log: Arc<dyn Log> = Arc::new(Journal::open(root.join("cluster"))?);
        let engine = engine(&basis);
        // Who is served depends on who is admitted.
        let chain = Chain::open(basis.genesis.clone(), chain_log).await?;

        // The network, and what is said over it.
        let (network, service) = connect(&basis)?;
        let streams: Arc<dyn Streams> = Arc::new(network.clone());
        let gossip: Arc<dyn Gossip> = Arc::new(network.clone());
        let withheld = Arc::new(Withheld::default());
        let mut roles = Roles::default();
        // Peers write as soon as they see this node, once. What they write waits until worker and
        // home run, however long the start takes.
        let (post, letters) = Post::new(streams.clone());
        let receiving = post.clone().receive(chain.is_admitted());
        roles.play("what peers write", async move { Ok(receiving.await?) });
        let serving = exchange::serve(
            Arc::new(store.clone()),
            streams.clone(),
            basis.clock.clone(),
            withheld.clone(),
            basis.config.exchange.clone(),
        )?;
        roles.play("the exchange of objects", async move { Ok(serving.ended().await?) });
        let ipfs = Ipfs::start(&basis, &store, &network, &withheld, &mut roles)?;
        let fetcher = exchange::Fetcher::new(
            Arc::new(store.clone()),
            streams.clone(),
            basis.clock.clone(),
            basis.config.exchange.clone(),
        );

        // The chain: voted on by validators, followed by everybody else.
        // Peers are answered before this node votes: they ask each other before their first vote.
        let (submit, way) = polity::submission();
        let (served, answered) = (chain.clone(), submit.clone());
        let asked = streams.clone();
        roles.play("answers about the chain", async move {
            Ok(chain::serve(served, asked, answered).await?)
        });
        let consensus =
            polity::order(&basis, &chain, &streams, &gossip, (&submit, &way, &mut roles)).await?;
        let announcing = polity::announce(chain.clone(), gossip, basis.clock.clone());
        roles.play("news of blocks", announcing);
        polity::enter(&basis, &chain, &streams, &submit).await?;
        let entered = polity::enter_executors(&basis, &chain, &streams, &submit, &mut roles);

        // Work: the home of this owner's jobs, and the worker for everybody's.
        let (cluster, effects) = membership::begin(&basis, &chain, &streams, cluster_log).await?;
        let gate = withheld.clone();
        let hands = Hands { store, streams, withheld, fetcher, post, chain, submit };
        let engine = engine.await.context("the engine")??;
        let executor = employ(&basis, &hands, engine, letters.for_worker, &mut roles);
        let own = measure(&basis, &hands, executor, &mut roles);
        let heard = Heard::default();
        let home = home_of(&basis, hands, cluster.clone(), (heard.clone(), own.clone()))?;
        let running = home.clone();
        roles.play("the home of jobs", async move {
            Ok(home::run(running, effects, letters.for_home, letters.lost).await?)
        });

        let peers = Arc::new(network.clone());
        let members = Members {
            chain: home.chain.clone(),
            peers: peers.clone(),
            lend_bytes: basis.config.durability.lend_bytes,
        };
        let keeper = keeper_of(&basis, &home, peers.clone()).await?;
        let keeping = durability::start(&keeper, &members, gate)?;
        let config = basis.config.upkeep.clone();
        let care = Care { home: home.clone(), peers, ipfs, keeper, members, config };
        let taken = care.clone();
        roles.play("the care of the store", async move {
            taken.run().await;
            drop(keeping);
            Ok(())
        });

        // The front door, last: who can knock finds everything in place.
        tell_about(&basis, &home, &network, &mut roles);
        let counting = metrics::count_blocks(home.clone(), home.metrics.clone());
        roles.play("what is counted of blocks", counting);
        let door = Door {
            home,
            network: network.clone(),
            owner: basis.owner.clone(),
            fingerprint: Engine::fingerprint(),
            heard,
            own,
            reserve_bytes: basis.config.storage.reserve_bytes,
            care,
        };
        let door: Arc<dyn NodeApi> = Arc::new(door);
        let (gateway, stop_gateway) = open_door(&basis, door.clone()).await?;
        let (stop_ipfs, stopped) = oneshot::channel();
        let ipfs_gateway = gateway::ipfs::serve(&basis.config.ipfs.gateway, door, stopped).await?;
        if let Some(running) = &ipfs_gateway {
            tracing::info!(addr = %running.addr(), "content is there for tools of IPFS");
        }
        let ipfs_gateway = ipfs_gateway.map(|running| (running, stop_ipfs));
        say_ready(&basis, &network, gateway.addr());
        roles.play("the word that it is ready", tell(ready, entered));
        let (data, idle_exit_ms) = (basis.options.data, basis.config.idle_exit_ms);
        Ok(Self {
            data,
            roles,
            cluster,
            consensus,
            service,
            gateway,
            stop_gateway,
            ipfs_gateway,
            idle_exit_ms,
        })
    }

    /// Waits until something stops the node: `stop`, that nobody needs it, or a failure that it
    /// cannot live with.
    ///
    /// # Errors
    /// The failure.
    pub(crate) async fn run(&mut self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let mut cluster_failed = self.cluster.failed();
        let consensus = self.consensus.as_ref();
        let engine_failed = async {
            match consensus {
                Some(consensus) => consensus.failed().await,
                None => std::future::pending().await,
            }
        };
        let need = Need {
            data: self.data.clone(),
            addr: self.gateway.addr(),
            cluster: self.cluster.clone(),
            connections: self.gateway.connections(),
        };
        tokio::select! {
            () = stop => Ok(()),
            over = need.over(self.idle_exit_ms) => {
                tracing::info!("nobody has needed this node for a while");
                over
            }
            reason = engine_failed => bail!("{reason}"),
            failed = cluster_failed.wait_for(Option::is_some) => match failed {
                Ok(reason) => bail!("{}", reason.clone().unwrap_or_default()),
                Err(_) => bail!("the cluster's log stopped"),
            },
            () = self.service.ended() => bail!("the network stopped by itself"),
            ended = self.roles.ended() => Err(ended),
        }
    }

    /// Stops everything in the reverse order of the start.
    ///
    /// # Errors
    /// What did not stop cleanly. Nothing that was acknowledged is lost by that.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.data.remove_api()?;
        membership::leave_office(&self.cluster).await;
        // The gateway may have ended before.
        let _ended = self.stop_gateway.send(());
        self.gateway.ended().await;
        if let Some((mut running, stop)) = self.ipfs_gateway {
            let _ended = stop.send(());
            running.ended().await;
        }
        self.cluster.retire();
        self.roles.shutdown().await;
        self.cluster.shutdown().await?;
        if let Some(consensus) = self.consensus.and_then(Arc::into_inner) {
            consensus.shutdown().await?;
        }
        self.service.shutdown().await?;
        Ok(())
    }
}

/// The engine, tested beside everything else that starts.
fn engine(basis: &Basis) -> JoinHandle<anyhow::Result<Engine>> {
    let cache = basis.options.data.root().join("cache");
    let config = basis.config.execution.clone();
    tokio::task::spawn_blocking(move || {
        let engine = Engine::new(&config, Some(&cache))?;
        engine.self_test()?;
        Ok(engine)
    })
}

fn connect(basis: &Basis) -> anyhow::Result<(Network, network::Service)> {
    let network = basis.genesis.network();
    let mut config = basis.config.network.clone();
    config.guests.allowed = basis.config.ipfs.enabled;
    config.providers.table = basis.config.ipfs.table();
    let (handle, service) = network::start(config, &basis.key, network)?;
    let me = basis.key.public();
    for founder in &basis.genesis.founders {
        let peer = founder.payload.node;
        if peer != me && !founder.payload.addresses.is_empty() {
            handle.know(peer, founder.payload.addresses.clone());
        }
    }
    for peer in basis.options.join.iter().flat_map(|line| &line.peers) {
        if peer.node != me {
            handle.know(peer.node, peer.addresses.clone());
        }
    }
    Ok((handle, service))
}

/// Says who this node is and where it can be reached.
fn say_ready(basis: &Basis, network: &Network, api: std::net::SocketAddr) {
    let listens: Vec<_> = network.addresses().iter().map(ToString::to_string).collect();
    let (name, node) = (&basis.genesis.name, basis.key.public().short());
    tracing::info!(network = %name, %node, listens = %listens.join(" "), %api, "the node is ready");
}

/// Tells whoever started this node that it is ready.
async fn tell(ready: Option<Ready>, entered: oneshot::Receiver<()>) -> anyhow::Result<()> {
    // Else the node ends with the reason for that.
    if entered.await.is_ok()
        && let Some(ready) = ready
    {
        ready.tell();
    }
    std::future::pending().await
}

/// The home of this owner's jobs.
fn home_of(
    basis: &Basis,
    hands: Hands,
    cluster: Cluster<Work>,
    (heard, own): (Heard, Own),
) -> anyhow::Result<Home> {
    let known = Known::open(&basis.options.data.root().join("known"), &basis.config.known)?;
    let executors: Vec<_> = basis.executors.iter().map(SecretKey::public).collect();
    Ok(Home {
        key: basis.key.clone(),
        chain: hands.chain,
        clock: basis.clock.clone(),
        streams: Arc::new(Beside { network: hands.streams, executors }),
        post: hands.post,
        submit: hands.submit,
        store: hands.store,
        fetcher: hands.fetcher,
        hub: Arc::new(Hub::default()),
        known: Arc::new(known),
        cluster,
        keeping: Arc::new(Semaphore::new(home::KEEPING)),
        hosting: misbehave::hosting(basis.config.misbehave),
        troubles: Arc::default(),
        writing: Arc::default(),
        heard,
        own,
        metrics: Arc::default(),
    })
}

/// What this node does for the durability of objects.
async fn keeper_of(
    basis: &Basis,
    home: &Home,
    streams: Arc<dyn Streams>,
) -> anyhow::Result<Keeper> {
    let pins = Pins { store: home.store.clone(), clock: basis.clock.clone() };
    let parts = erasure::Parts {
        blobs: Arc::new(home.store.clone()),
        streams,
        clock: basis.clock.clone(),
        keep: Arc::new(pins),
        fetcher: home.fetcher.clone(),
        // Beside those of the fetcher: a peer's server takes so many of both.
        exchange: exchange::Config { fetch_streams_per_peer: 2, ..basis.config.exchange.clone() },
        network: home.chain.network(),
        key: basis.key.clone(),
        config: basis.config.durability.clone(),
    };
    Ok(Keeper::open(parts).await?)
}

/// Tells peers what this node is, and hears what they are.
fn tell_about(basis: &Basis, home: &Home, network: &Network, roles: &mut Roles) {
    let abouts = Abouts {
        me: basis.key.public(),
        own: home.own.clone(),
        chain: home.chain.clone(),
        clock: basis.clock.clone(),
        streams: Arc::new(network.clone()),
        engine: Engine::fingerprint(),
        heard: home.heard.clone(),
    };
    roles.play("what nodes say of themselves", async move { Ok(abouts.run().await?) });
}

async fn open_door(
    basis: &Basis,
    door: Arc<dyn NodeApi>,
) -> anyhow::Result<(gateway::Running, tokio::sync::oneshot::Sender<()>)> {
    let data = &basis.options.data;
    let token = match data.token()? {
        Some(token) => token.to_string(),
        None => {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret).context("no randomness")?;
            identity::Digest(secret).to_string()
        }
    };
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let running = gateway::serve(basis.config.gateway.clone(), door, &token, stopped).await?;
    data.set_api(running.addr(), &token)?;
    Ok((running, stop))
}
