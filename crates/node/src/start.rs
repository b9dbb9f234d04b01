//! Starts and stops everything of a node, top to bottom.

use crate::{
    about::{Abouts, Heard},
    basis::Basis,
    chain::{self, Chain, Proposer, Submit},
    door::Door,
    durability::{self, Members, Pins},
    events::Hub,
    executors::{self, Beside},
    home::{self, Home, Known},
    idle::Need,
    ipfs::Ipfs,
    join,
    measure::{self, Own},
    membership, metrics, misbehave,
    post::{Letter, Post},
    rerun,
    upkeep::Care,
    vote,
    worker::{self, Executor, Withheld},
};
use anyhow::{Context, bail};
use api::NodeApi;
use cli::{Ready, UpOptions, data::DataDir};
use cluster::Cluster;
use execution::Engine;
use identity::SecretKey;
use network::Network;
use protocol::{
    NamedTx, ToWorker, Tx,
    port::{Clock, Gossip, Log, Streams},
};
use std::sync::{Arc, OnceLock};
use storage::{
    Journal, Store,
    erasure::{self, Keeper},
    exchange,
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::{JoinHandle, JoinSet},
};
use work::Work;

/// A running node.
pub(crate) struct Node {
    data: DataDir,
    roles: JoinSet<anyhow::Result<()>>,
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

        // The network, and what is said over it.
        let (network, service) = connect(&basis)?;
        let streams: Arc<dyn Streams> = Arc::new(network.clone());
        let gossip: Arc<dyn Gossip> = Arc::new(network.clone());
        let withheld = Arc::new(Withheld::default());
        let mut roles = JoinSet::new();
        // Peers write as soon as they see this node, once. What they write waits until worker and
        // home run, however long the start takes.
        let (post, letters) = Post::new(streams.clone());
        let receiving = post.clone();
        roles.spawn(async move { Ok(receiving.receive().await?) });
        let serving = exchange::serve(
            Arc::new(store.clone()),
            streams.clone(),
            basis.clock.clone(),
            withheld.clone(),
            basis.config.exchange.clone(),
        )?;
        roles.spawn(async move { serving.ended().await.context("the exchange of objects") });
        let ipfs = Ipfs::start(&basis, &store, &network, &withheld, &mut roles)?;
        let fetcher = exchange::Fetcher::new(
            Arc::new(store.clone()),
            streams.clone(),
            basis.clock.clone(),
            basis.config.exchange.clone(),
        );

        // The chain: voted on by validators, followed by everybody else.
        let chain = Chain::open(basis.genesis.clone(), chain_log).await?;
        // Peers are answered before this node votes: they ask each other before their first vote.
        let (submit, way) = submission();
        let (served, answered) = (chain.clone(), submit.clone());
        let asked = streams.clone();
        roles.spawn(async move { Ok(chain::serve(served, asked, answered).await?) });
        let consensus =
            order(&basis, &chain, &streams, &gossip, (&submit, &way, &mut roles)).await?;
        roles.spawn(announce(chain.clone(), gossip, basis.clock.clone()));
        enter(&basis, &chain, &streams, &submit).await?;
        let entered = enter_executors(&basis, &chain, &streams, &submit, &mut roles);

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
        roles.spawn(async move {
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
        roles.spawn(async move {
            taken.run().await;
            drop(keeping);
            Ok(())
        });

        // The front door, last: who can knock finds everything in place.
        tell_about(&basis, &home, &network, &mut roles);
        roles.spawn(metrics::count_blocks(home.clone(), home.metrics.clone()));
        let door = Door {
            home,
            network,
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
        roles.spawn(tell(ready, entered));
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
            Some(ended) = self.roles.join_next() => {
                ended.context("a part of the node broke")??;
                bail!("a part of the node stopped by itself")
            }
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

/// The way that transactions take, known once this node votes or follows.
type Way = Arc<OnceLock<Submit>>;

/// A way for transactions that is told later.
fn submission() -> (Submit, Way) {
    let way = Way::default();
    let known = way.clone();
    let submit: Submit = Arc::new(move |tx| match known.get() {
        Some(submit) => submit(tx),
        None => Box::pin(async { Err("the node is still starting".to_string()) }),
    });
    (submit, way)
}

/// Starts voting on a validator, following elsewhere.
async fn order(
    basis: &Basis,
    chain: &Chain,
    streams: &Arc<dyn Streams>,
    gossip: &Arc<dyn Gossip>,
    (submit, way, roles): (&Submit, &Way, &mut JoinSet<anyhow::Result<()>>),
) -> anyhow::Result<Option<Arc<consensus::Handle>>> {
    let me = basis.key.public();
    if !basis.genesis.validators.contains(&me) {
        let following = chain::follow(chain.clone(), streams.clone(), gossip.clone());
        roles.spawn(async move { Ok(following.await?) });
        way.get_or_init(|| chain::submit_to_validators(chain, streams));
        return Ok(None);
    }
    let root = basis.options.data.root();
    let dir = root.join("consensus");
    vote::may_vote(chain, streams, me, root, &dir).await?;
    let proposing = misbehave::proposing(basis.config.misbehave, &basis.key, &basis.genesis);
    let app = Proposer::new(chain.clone(), basis.key.clone(), proposing);
    let (handle, events) = consensus::start(
        basis.config.consensus.clone(),
        &basis.key,
        consensus::Settings::of(&basis.genesis),
        &consensus::Journal { dir, required: true },
        streams.clone(),
        Arc::new(app),
    )?;
    let (key, clock) = (basis.key.clone(), basis.clock.clone());
    let accusing = chain::accuse_contradicting(chain.clone(), key, clock, submit.clone(), events);
    roles.spawn(async move {
        accusing.await;
        Ok(())
    });
    let handle = Arc::new(handle);
    let pool = handle.clone();
    way.get_or_init(|| {
        Arc::new(move |tx: Tx| {
            let pool = pool.clone();
            let submit = async move { pool.submit(NamedTx::new(tx)).await };
            Box::pin(async move { submit.await.map_err(|error| error.to_string()) })
        })
    });
    Ok(Some(handle))
}

/// Tells peers of new blocks, and this machine's owner if its clock is behind them.
async fn announce(
    chain: Chain,
    gossip: Arc<dyn Gossip>,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<()> {
    let mut head = chain.head();
    let watched = chain.clone();
    let watch = async move {
        while head.changed().await.is_ok() {
            head.borrow_and_update();
            let ledger = watched.ledger();
            let (block, now) = (ledger.tip().time, clock.now());
            if block.since_ms(now) > ledger.params().clock_drift_ms {
                tracing::warn!(%now, %block, "this machine's clock is behind the last block's: set it");
            }
        }
    };
    tokio::join!(chain::announce(chain, gossip), watch);
    Ok(())
}

/// Joins with the line that was given, unless this node is admitted already.
async fn enter(
    basis: &Basis,
    chain: &Chain,
    streams: &Arc<dyn Streams>,
    submit: &Submit,
) -> anyhow::Result<()> {
    let me = basis.key.public();
    let Some(line) = &basis.options.join else {
        if chain.ledger().roster().node(&me).is_none() {
            tracing::warn!("this node is not admitted; start it with --join LINE");
        }
        return Ok(());
    };
    let name = basis.options.owner_name.clone();
    let admission = join::admission(line, basis.owner.as_ref(), &basis.key, name)?;
    join::join(chain, basis.clock.as_ref(), streams, submit, admission).await?;
    Ok(())
}

/// Has further executors of this process admitted, and tells when they are.
fn enter_executors(
    basis: &Basis,
    chain: &Chain,
    streams: &Arc<dyn Streams>,
    submit: &Submit,
    roles: &mut JoinSet<anyhow::Result<()>>,
) -> oneshot::Receiver<()> {
    let (keys, owner, clock) = (basis.executors.clone(), basis.owner.clone(), basis.clock.clone());
    let (chain, streams, submit) = (chain.clone(), streams.clone(), submit.clone());
    let (told, entered) = oneshot::channel();
    roles.spawn(async move {
        let place = (&chain, clock.as_ref());
        executors::admit(&keys, owner.as_ref(), place, &streams, &submit).await?;
        // Nobody may wait for it.
        let _unheard = told.send(());
        std::future::pending().await
    });
    entered
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

/// What the roles of a node share.
struct Hands {
    store: Store,
    streams: Arc<dyn Streams>,
    withheld: Arc<Withheld>,
    fetcher: exchange::Fetcher,
    post: Post,
    chain: Chain,
    submit: Submit,
}

/// Starts what this node, and each further executor, does for others: replicas of their tasks,
/// verdicts, audits.
fn employ(
    basis: &Basis,
    hands: &Hands,
    engine: Engine,
    letters: mpsc::Receiver<Letter<ToWorker>>,
    roles: &mut JoinSet<anyhow::Result<()>>,
) -> Arc<Executor> {
    let Hands { store, streams, withheld, fetcher, post, chain, submit } = hands;
    if basis.config.misbehave == Some(misbehave::Misbehaviour::FalseAccuser) {
        let (chain, submit) = (chain.clone(), submit.clone());
        let (key, clock, streams) = (basis.key.clone(), basis.clock.clone(), streams.clone());
        roles.spawn(misbehave::accuse_falsely(chain, key, clock, streams, submit));
    }
    let executor = Executor::new(engine, store.clone(), fetcher.clone(), withheld.clone());
    let executor = Arc::new(executor);
    employ_one(basis, hands, (&basis.key, post.clone(), letters), executor.clone(), roles);
    for key in &basis.executors {
        let (post, letters) = post.beside(key.public());
        employ_one(basis, hands, (key, post, letters), executor.clone(), roles);
    }
    executor
}

/// Measures what this machine does, in the background.
fn measure(
    basis: &Basis,
    hands: &Hands,
    executor: Arc<Executor>,
    roles: &mut JoinSet<anyhow::Result<()>>,
) -> Own {
    let (measuring, own) = measure::start(measure::Parts {
        keys: std::iter::once(&basis.key).chain(&basis.executors).cloned().collect(),
        chain: hands.chain.clone(),
        clock: basis.clock.clone(),
        executor,
        store: hands.store.clone(),
        dir: basis.options.data.root().join("store"),
        labels: basis.config.labels.clone(),
        price: basis.config.price,
        cores: u16::try_from(basis.config.execution.threads()).unwrap_or(u16::MAX),
    });
    roles.spawn(measuring);
    own
}

/// Starts what one executor does.
fn employ_one(
    basis: &Basis,
    hands: &Hands,
    (key, post, letters): (&SecretKey, Post, mpsc::Receiver<Letter<ToWorker>>),
    executor: Arc<Executor>,
    roles: &mut JoinSet<anyhow::Result<()>>,
) {
    let Hands { store, streams, withheld, chain, submit, .. } = hands;
    let conduct = misbehave::conduct(basis.config.misbehave, key, store, withheld);
    let sworn = Arc::new(worker::Sworn::default());
    let again = rerun::Parts {
        key: key.clone(),
        chain: chain.clone(),
        clock: basis.clock.clone(),
        streams: streams.clone(),
        submit: submit.clone(),
        executor: executor.clone(),
        conduct: conduct.clone(),
        sworn: sworn.clone(),
    };
    roles.spawn(async move { Ok(rerun::run(again).await?) });
    let parts = worker::Parts {
        key: key.clone(),
        chain: chain.clone(),
        clock: basis.clock.clone(),
        streams: streams.clone(),
        post,
        executor,
        conduct,
        sworn,
        withheld: withheld.clone(),
    };
    roles.spawn(async move {
        worker::run(parts, letters).await;
        Ok(())
    });
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
fn tell_about(
    basis: &Basis,
    home: &Home,
    network: &Network,
    roles: &mut JoinSet<anyhow::Result<()>>,
) {
    let abouts = Abouts {
        me: basis.key.public(),
        own: home.own.clone(),
        chain: home.chain.clone(),
        clock: basis.clock.clone(),
        streams: Arc::new(network.clone()),
        engine: Engine::fingerprint(),
        heard: home.heard.clone(),
    };
    roles.spawn(async move { Ok(abouts.run().await?) });
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
