//! The engine put together: votes, blocks, backfill and storage, over any of commonware's runtimes
//! and any of its networks.

use crate::{
    Application, Config, Event, Progress,
    block::Sealed,
    bridge::Bridge,
    config::Timing,
    convert::{Finalized, Key},
    deliver::{self, Delivery, Inbox, Retained, UNCONFIRMED},
    desk::{Arrival, Desk},
    elastic::{Elastic, Runtime},
    evidence::Witness,
    gossip, journal,
    pace::Pace,
    pool::Pool,
};
use commonware_broadcast::buffered;
use commonware_codec::CodecShared;
use commonware_consensus::{
    CertifiableAutomaton, Relay, Reporter, Reporters,
    marshal::{
        self, Start,
        core::Actor,
        resolver::p2p as backfill,
        standard::{Inline, Standard},
    },
    simplex::{
        self, Floor, ForwardPolicy, SkipBudget, SkipPolicy,
        elector::RoundRobin,
        scheme::ed25519::Scheme,
        types::{Activity, Context},
    },
    types::{Epoch, FixedEpocher, ViewDelta},
};
use commonware_cryptography::{
    Digested, Digestible,
    certificate::{ConstantProvider, Verifier},
    sha256,
};
use commonware_macros::select;
use commonware_p2p::{Blocker, Provider, Receiver, Sender};
use commonware_parallel::Sequential;
use commonware_runtime::{Clock, Handle, buffer::paged::CacheRef};
use commonware_storage::{archive::prunable, translator::EightCap};
use commonware_utils::{NZDuration, NZU16, NZU64, NZUsize, ordered::Set};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use identity::NetworkId;
use protocol::Height;
use std::{
    fmt,
    num::{NonZeroU16, NonZeroU64, NonZeroUsize},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};
use tokio::sync::{mpsc, watch};

/// One set of validators, one epoch; the first has this number.
const EPOCH: Epoch = Epoch::new(0);
/// Messages that an actor of the engine may have waiting.
const MAILBOX: NonZeroUsize = NZUsize!(1024);
/// Views behind the last final one that are kept, in memory and one file each.
const VIEWS: ViewDelta = ViewDelta::new(64);
/// Blocks of one sender that are kept until they are asked for.
const BLOCKS_OF_ONE_SENDER: usize = 16;
/// Heights that are fetched at once by a validator that was away.
const REPAIR: NonZeroUsize = NZUsize!(64);
const FETCH_TIMEOUT: Duration = Duration::from_secs(1);
const FETCH_RETRY: Duration = Duration::from_millis(20);
/// Fresh transactions on their way to other validators; what finds no room is sent a second later.
const FRESH: usize = 4_096;
/// With its checksum, a page fills a block of the disk.
const PAGE_BYTES: NonZeroU16 = NZU16!(4084);
const PAGES: NonZeroUsize = NZUsize!(512);
const WRITE_BUFFER: NonZeroUsize = NZUsize!(64 << 10);
const REPLAY_BUFFER: NonZeroUsize = NZUsize!(1 << 20);
/// For how long time passes at full speed after a validator connected: it may have been away, and
/// learns of the last block with the next one.
const WELCOME: Duration = Duration::from_secs(2);
/// How often at most, so that a connection that comes and goes does not keep an idle chain busy.
/// Whoever comes while time passes at full speed is welcomed at once, which makes it twice as long.
const WELCOME_AGAIN: Duration = Duration::from_secs(30);

/// A network that carries the engine's messages.
pub(crate) trait Net {
    type Sender: Sender<PublicKey = Key>;
    type Receiver: Receiver<PublicKey = Key>;
    type Blocker: Blocker<PublicKey = Key>;
    type Peers: Provider<PublicKey = Key>;
}

/// Both ends of one channel.
pub(crate) type Channel<N> = (<N as Net>::Sender, <N as Net>::Receiver);

/// The channels of one validator.
pub(crate) struct Channels<N: Net> {
    pub(crate) votes: Channel<N>,
    pub(crate) certificates: Channel<N>,
    pub(crate) resolver: Channel<N>,
    pub(crate) backfill: Channel<N>,
    pub(crate) blocks: Channel<N>,
    pub(crate) mempool: Channel<N>,
    pub(crate) blocker: N::Blocker,
    pub(crate) peers: N::Peers,
    /// Changes whenever a validator connects.
    pub(crate) arrivals: watch::Receiver<u64>,
}

/// What the engine is told.
pub(crate) struct Setup {
    pub(crate) network: NetworkId,
    pub(crate) me: Key,
    pub(crate) validators: Set<Key>,
    pub(crate) scheme: Scheme,
    pub(crate) timing: Timing,
    pub(crate) config: Config,
    pub(crate) app: Arc<dyn Application>,
    pub(crate) pool: Arc<Pool>,
    /// Transactions on their way to the desk, from here and from there.
    pub(crate) desk: mpsc::Sender<Arrival>,
    pub(crate) arrivals: mpsc::Receiver<Arrival>,
    /// Heights below which the application has everything, and what makes them final.
    pub(crate) floors: mpsc::Receiver<(Height, Finalized)>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) progress: watch::Sender<Progress>,
    /// Before the names of all partitions; empty unless several validators share one storage.
    pub(crate) prefix: String,
}

/// The largest messages of votes, certificates and the resolver; of blocks and backfill.
pub(crate) fn message_limits(validators: usize) -> (usize, usize) {
    let validators = u32::try_from(validators).expect("validators are few");
    (
        simplex::max_payload_size::<Scheme, sha256::Digest>(validators),
        marshal::max_payload_size::<Standard<Sealed>, Scheme>(validators, &()),
    )
}

/// The parts of a running engine; each ends only with a reason.
type Parts = FuturesUnordered<BoxFuture<'static, String>>;
type Archive<E, V> = prunable::Archive<EightCap, E, sha256::Digest, V>;
type Store = marshal::core::Mailbox<Scheme, Standard<Sealed>>;

/// Runs the engine until a part of it stops, which none should; gives the reason.
pub(crate) async fn run<E: Runtime, N: Net>(
    context: E,
    setup: Setup,
    channels: Channels<N>,
) -> String {
    match Assembly::<E>::new(context, setup) {
        Ok(assembly) => match assembly.start::<N>(channels).await {
            Ok(mut parts) => parts.next().await.expect("an engine has parts"),
            Err(reason) => reason,
        },
        Err(reason) => reason,
    }
}

/// An engine on its way.
struct Assembly<E> {
    context: E,
    setup: Setup,
    genesis: Digested<Sealed>,
    pace: Arc<Pace>,
    cache: CacheRef,
    parts: Parts,
}

impl<E: Runtime> Assembly<E> {
    fn new(context: E, setup: Setup) -> Result<Self, String> {
        let genesis = Sealed::new(setup.app.genesis()).map_err(|e| format!("block 0: {e}"))?;
        let pace = Arc::new(Pace::new(context.current(), setup.timing.slowdown));
        let cache = CacheRef::new(PAGE_BYTES, PAGES);
        Ok(Self { context, setup, genesis, pace, cache, parts: Parts::new() })
    }

    async fn start<N: Net>(mut self, channels: Channels<N>) -> Result<Parts, String> {
        let Channels { votes, certificates, resolver, mempool, arrivals, .. } = channels;
        let Channels { backfill, blocks, blocker, peers, .. } = channels;
        let (store, applied) = self.start_store(backfill, blocks, blocker.clone(), peers).await?;
        self.setup.pool.want(self.setup.app.wants_block());
        let bridge = Bridge {
            network: self.setup.network,
            app: self.setup.app.clone(),
            pool: self.setup.pool.clone(),
            pace: self.pace.clone(),
            applied,
            idle: self.setup.timing.idle,
        };
        let automaton = Inline::new(self.context.child("automaton"), bridge, store, epochs());
        let config = self.voter_config(automaton, blocker.clone());
        let context = Elastic::new(self.context.child("voter"), self.pace.clone());
        let voter = simplex::Engine::new(context, config);
        self.adopt("voting", voter.start(votes, certificates, resolver));
        self.start_pace(arrivals);
        self.start_gossip(mempool, blocker);
        Ok(self.parts)
    }

    /// Final blocks: dissemination, backfill, archives, and their delivery to the application.
    async fn start_store<B: Blocker<PublicKey = Key>, P: Provider<PublicKey = Key>>(
        &mut self,
        backfill: (impl Sender<PublicKey = Key>, impl Receiver<PublicKey = Key>),
        blocks: (impl Sender<PublicKey = Key>, impl Receiver<PublicKey = Key>),
        blocker: B,
        peers: P,
    ) -> Result<(Store, Arc<AtomicU64>), String> {
        let config = backfill::Config {
            public_key: self.setup.me.clone(),
            peer_provider: peers.clone(),
            blocker,
            mailbox_size: MAILBOX,
            fetch_timeout: NZDuration!(FETCH_TIMEOUT),
            fetch_retry_delay: FETCH_RETRY,
            priority_requests: false,
            priority_responses: false,
        };
        let resolver = backfill::init(self.context.child("backfill"), config, backfill);
        let config = buffered::Config {
            public_key: self.setup.me.clone(),
            mailbox_size: MAILBOX,
            deque_size: BLOCKS_OF_ONE_SENDER,
            priority: true,
            codec_config: (),
            peer_provider: peers,
            strategy: Sequential,
        };
        let (broadcast, buffer) = buffered::Engine::new(self.context.child("blocks"), config);
        self.adopt("the exchange of blocks", broadcast.start(blocks));

        let unbounded = Scheme::certificate_codec_config_unbounded();
        let certificates: Archive<E, Finalized> = self.archive("certificates", unbounded).await?;
        let archive: Archive<E, Arc<Sealed>> = self.archive("blocks", ()).await?;
        let context = self.context.child("store");
        let config = self.store_config();
        let (actor, store, floor) = Actor::init(context, certificates, archive, config).await;
        let height = floor.processed().map_or(0, |processed| processed.height().get());
        let applied = Arc::new(AtomicU64::new(height));
        let (inbox, delivered) = Inbox::new(self.setup.progress.clone());
        let delivery = Delivery {
            app: self.setup.app.clone(),
            pool: self.setup.pool.clone(),
            applied: applied.clone(),
            progress: self.setup.progress.clone(),
            store: store.clone(),
            retained: Retained::new(&self.setup.config),
        };
        self.adopt("the store of blocks", actor.start(inbox, buffer, resolver));
        let context = self.context.child("delivery");
        self.adopt("delivery", context.spawn(move |_| delivery.run(delivered)));
        let floors = std::mem::replace(&mut self.setup.floors, mpsc::channel(1).1);
        let advance = deliver::advance(floors, store.clone(), applied.clone());
        let context = self.context.child("advance");
        self.adopt("advance", context.spawn(move |_| advance));
        Ok((store, applied))
    }

    fn archive<V: CodecShared>(
        &self,
        name: &'static str,
        codec: V::Cfg,
    ) -> impl Future<Output = Result<Archive<E, V>, String>> + Send + use<E, V> {
        let prefix = &self.setup.prefix;
        let config = prunable::Config {
            translator: EightCap,
            metadata_partition: format!("{prefix}{name}-metadata"),
            key_partition: format!("{prefix}{name}-keys"),
            key_page_cache: self.cache.clone(),
            value_partition: format!("{prefix}{name}-values"),
            compression: None,
            codec_config: codec,
            items_per_section: NZU64!(4_096),
            key_write_buffer: WRITE_BUFFER,
            value_write_buffer: WRITE_BUFFER,
            replay_buffer: REPLAY_BUFFER,
        };
        let context = self.context.child("archive").with_attribute("of", name);
        async move {
            let opened = prunable::Archive::init(context, config).await;
            opened.map_err(|e| format!("the archive of {name} cannot be opened: {e}"))
        }
    }

    fn store_config(
        &self,
    ) -> marshal::Config<Schemes, FixedEpocher, Sequential, Sealed, Digested<Sealed>> {
        marshal::Config {
            provider: Schemes::new(self.setup.scheme.clone()),
            epocher: epochs(),
            start: Start::Genesis(self.genesis.clone()),
            partition_prefix: format!("{}store", self.setup.prefix),
            mailbox_size: MAILBOX,
            view_retention: VIEWS,
            prunable_items_per_section: NZU64!(64),
            page_cache: self.cache.clone(),
            replay_buffer: REPLAY_BUFFER,
            key_write_buffer: WRITE_BUFFER,
            value_write_buffer: WRITE_BUFFER,
            block_codec_config: (),
            max_repair: REPAIR,
            max_pending_acks: UNCONFIRMED,
            strategy: Sequential,
        }
    }

    fn voter_config<A, B>(&self, automaton: A, blocker: B) -> VoterConfig<E, A, B>
    where
        A: CertifiableAutomaton<Context = Context<sha256::Digest, Key>>
            + Relay
            + Reporter<Activity = Activity<Scheme, sha256::Digest>>,
        B: Blocker<PublicKey = Key>,
    {
        let Setup { scheme, validators, events, timing, prefix, .. } = &self.setup;
        let random = self.context.child("witness");
        let witness = Witness::new(random, scheme.clone(), validators.clone(), events.clone());
        simplex::Config {
            scheme: scheme.clone(),
            elector: RoundRobin::default(),
            blocker,
            reporter: Reporters::from((witness, automaton.clone())),
            relay: automaton.clone(),
            automaton,
            track_historical_votes: true,
            strategy: Sequential,
            partition: format!("{prefix}{}", journal::VOTES),
            mailbox_size: MAILBOX,
            epoch: EPOCH,
            floor: Floor::Genesis(self.genesis.digest()),
            replay_buffer: REPLAY_BUFFER,
            write_buffer: WRITE_BUFFER,
            page_cache: self.cache.clone(),
            leader_timeout: timing.leader,
            certification_timeout: timing.certification(),
            timeout_retry: timing.retry(),
            view_retention: VIEWS,
            skip: SkipPolicy::Enabled { timeout: timing.skip(), budget: SkipBudget::Participants },
            fetch_timeout: NZDuration!(FETCH_TIMEOUT),
            fetch_retry_delay: FETCH_RETRY,
            forward: ForwardPolicy::SilentVoters,
        }
    }

    fn start_pace(&mut self, arrivals: watch::Receiver<u64>) {
        let (pace, pool) = (self.pace.clone(), self.setup.pool.clone());
        let context = self.context.child("pace");
        self.adopt("time", context.spawn(move |clock| keep_pace(clock, pace, pool, arrivals)));
    }

    fn start_gossip(
        &mut self,
        (sender, receiver): (impl Sender<PublicKey = Key>, impl Receiver<PublicKey = Key>),
        blocker: impl Blocker<PublicKey = Key>,
    ) {
        let (fresh, outgoing) = mpsc::channel(FRESH);
        let pool = self.setup.pool.clone();
        let context = self.context.child("spread");
        let spread = context.spawn(move |clock| gossip::spread(clock, pool, outgoing, sender));
        self.adopt("sending transactions", spread);
        let (app, pool) = (self.setup.app.clone(), self.setup.pool.clone());
        let arrivals = std::mem::replace(&mut self.setup.arrivals, mpsc::channel(1).1);
        let context = self.context.child("desk");
        let desk = Desk { app, pool, fresh };
        self.adopt("checking transactions", context.spawn(move |_| desk.run(arrivals)));
        let (pool, desk) = (self.setup.pool.clone(), self.setup.desk.clone());
        let context = self.context.child("gather");
        let gather = context.spawn(move |_| gossip::gather(pool, desk, receiver, blocker));
        self.adopt("receiving transactions", gather);
    }

    /// Makes a task a part: whatever it ends with is a reason to stop.
    fn adopt<T: Send + fmt::Debug + 'static>(&mut self, name: &'static str, task: Handle<T>) {
        let reason = async move {
            match task.await {
                Ok(reason) => format!("{name} ended: {reason:?}"),
                Err(error) => format!("{name} failed: {error}"),
            }
        };
        self.parts.push(reason.boxed());
    }
}

type Schemes = ConstantProvider<Scheme, Epoch>;
type VoterConfig<E, A, B> = simplex::Config<
    Scheme,
    RoundRobin,
    B,
    sha256::Digest,
    A,
    A,
    Reporters<Witness<E>, A>,
    Sequential,
>;

/// One epoch, for ever.
fn epochs() -> FixedEpocher {
    FixedEpocher::new(NonZeroU64::MAX)
}

/// Tells the engine's time when there is work, or somebody to welcome.
async fn keep_pace(
    clock: impl Clock,
    pace: Arc<Pace>,
    pool: Arc<Pool>,
    mut arrivals: watch::Receiver<u64>,
) -> &'static str {
    let mut welcome = true;
    let mut next_welcome = clock.current();
    let mut awake_until = next_welcome;
    loop {
        let seen = pool.changes().count();
        let now = clock.current();
        pace.set_busy(now, pool.has_work());
        let again = now >= next_welcome;
        if welcome && (again || now < awake_until) {
            pace.awaken(now, WELCOME);
            welcome = false;
            if again {
                (awake_until, next_welcome) = (now + WELCOME, now + WELCOME_AGAIN);
            }
        }
        let due = async {
            match welcome {
                true => clock.sleep_until(next_welcome).await,
                false => futures::future::pending().await,
            }
        };
        select! {
            _ = pool.changes().after(seen) => {},
            arrived = arrivals.changed() => match arrived {
                Ok(()) => welcome = true,
                Err(_) => return "the network closed",
            },
            () = due => {},
        }
    }
}

#[cfg(test)]
mod tests;
