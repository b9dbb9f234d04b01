//! Validators on one simulated network, and the checks that every run must pass.

use super::wire::{Ear, Heard, Line, Mouth, Simulated, Tongue};
use crate::{
    Application, Config, Event, Progress, Settings, convert,
    convert::{Finalized, Key},
    desk::{Arrival, Origin},
    engine::{Channel, Channels, Setup, message_limits, run},
    pool::Pool,
    tests::{Chain, Ledger, keys, settings, tx},
};
use bytes::Bytes;
use commonware_p2p::simulated::{self, Link, Oracle, SplitTarget};
use commonware_runtime::{
    Clock as _, Handle, Quota, Runner as _, Spawner as _, Supervisor as _, deterministic,
    deterministic::Context as Sim,
};
use commonware_utils::{NZU32, NZUsize, probability};
use futures::FutureExt;
use identity::{Digest, SecretKey};
use protocol::{Header, Height, NamedTx, Tx};
use std::{collections::BTreeSet, num::NonZeroUsize, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot, watch};

/// Time that a run may take, so that one that hangs ends.
const LONG: Duration = Duration::from_secs(2 * 3_600);

/// Two validators of one key.
#[derive(Clone)]
pub(super) struct Halves {
    /// What each says.
    pub(super) tongues: [Tongue; 2],
    /// Which of them hears what somebody says.
    pub(super) hears: Arc<dyn Fn(&Key) -> SplitTarget + Send + Sync>,
}

/// Makes the application of the validator with this key.
type MakeChain = dyn Fn(&SecretKey) -> Arc<Chain>;

/// Who plays, and which part.
pub(super) struct Cast {
    pub(super) settings: Settings,
    /// Keys in the order of the settings.
    pub(super) keys: Vec<SecretKey>,
    /// An empty record of final blocks for a validator.
    pub(super) chain: Box<MakeChain>,
    /// What a validator runs on its record; called for each of its starts.
    pub(super) app: Box<dyn Fn(usize, Arc<Chain>) -> Arc<dyn Application>>,
    /// Who does not say what its engine says.
    pub(super) tongues: Vec<(usize, Tongue)>,
    /// Who runs twice under one key.
    pub(super) twins: Vec<(usize, Halves)>,
}

impl Cast {
    /// Honest validators with the ledger for tests.
    pub(super) fn plain(count: usize) -> Self {
        Self {
            settings: settings(count),
            keys: keys(count),
            chain: Box::new(|key| Chain::new(key.public())),
            app: Box::new(|_, chain| Arc::new(Ledger(chain))),
            tongues: Vec::new(),
            twins: Vec::new(),
        }
    }
}

/// A validator.
pub(super) struct Seat {
    pub(super) key: Key,
    pub(super) chain: Arc<Chain>,
    desk: mpsc::Sender<Arrival>,
    pub(super) floors: mpsc::Sender<(Height, Finalized)>,
    pub(super) arrivals: watch::Sender<u64>,
    events: mpsc::Receiver<Event>,
    noticed: Vec<Event>,
    heard: Heard,
    task: Handle<String>,
    killed: bool,
    /// The other half of twins.
    twin: Option<Box<Seat>>,
}

impl Seat {
    /// Submits the transaction of this number of the ledger for tests.
    pub(super) fn submit(&self, number: u64) -> Digest {
        self.submit_tx(tx(number))
    }

    pub(super) fn submit_tx(&self, tx: Tx) -> Digest {
        if let Some(twin) = &self.twin {
            twin.submit_tx(tx.clone());
        }
        let tx = Arc::new(NamedTx::new(tx));
        let (digest, from) = (tx.digest(), Origin::Here(oneshot::channel().0));
        assert!(self.desk.try_send(Arrival { tx, from }).is_ok(), "there is no room");
        digest
    }

    /// What was noticed here, in order.
    pub(super) fn events(&mut self) -> &[Event] {
        self.noticed.extend(std::iter::from_fn(|| self.events.try_recv().ok()));
        &self.noticed
    }

    /// The votes that arrived here, in order.
    pub(super) fn heard(&self) -> Vec<(Key, Bytes)> {
        let heard = self.heard.lock().expect("nobody panics with it");
        heard.iter().map(|(from, bytes)| (from.clone(), Bytes::from(bytes.clone()))).collect()
    }
}

/// Validators on one simulated network.
pub(super) struct World {
    pub(super) context: Sim,
    oracle: Oracle<Key, Sim>,
    /// Whether the run is meant to end with more than one chain.
    forked: bool,
    pub(super) cast: Cast,
    pub(super) seats: Vec<Seat>,
}

impl World {
    async fn new(context: Sim, cast: Cast) -> Self {
        let keys: Vec<Key> = convert::validators(&cast.settings).unwrap().into_iter().collect();
        let (_, large) = message_limits(keys.len());
        let config = simulated::Config {
            max_size: u32::try_from(large).unwrap(),
            max_peers_per_set: NonZeroUsize::new(keys.len()).unwrap(),
            disconnect_on_block: true,
            tracked_peer_sets: NZUsize!(1),
        };
        let (network, oracle) =
            simulated::Network::new_with_peers(context.child("network"), config, keys.clone())
                .await;
        network.start();
        let mut world = Self { context, oracle, forked: false, cast, seats: Vec::new() };
        for place in 0..keys.len() {
            let chain = (world.cast.chain)(&world.cast.keys[place]);
            let seat = world.seat(place, chain).await;
            world.seats.push(seat);
        }
        world.link(|_, _| true).await;
        world
    }

    /// Starts the validator of one place on its journals, if there are any.
    async fn seat(&self, place: usize, chain: Arc<Chain>) -> Seat {
        let lines = self.lines(place).await;
        let heard = Heard::default();
        let tongue = |tongues: &[(usize, Tongue)]| {
            tongues.iter().find(|(liar, _)| *liar == place).map(|(_, tongue)| tongue.clone())
        };
        let Some((_, halves)) = self.cast.twins.iter().find(|(twin, _)| *twin == place) else {
            let tongue = tongue(&self.cast.tongues);
            let channels = lines.into_iter().map(|(line, sender, receiver)| {
                channel(line, sender, receiver, tongue.clone(), &heard)
            });
            return self.start(place, "", chain, channels.collect(), heard.clone());
        };
        let (mut one, mut other) = (Vec::new(), Vec::new());
        for (line, sender, receiver) in lines {
            let split = self.context.child("split");
            let (hears, [left, right]) = (halves.hears.clone(), &halves.tongues);
            let (first, second) = receiver.split_with(split, move |said: &(Key, _)| hears(&said.0));
            one.push(channel(line, sender.clone(), first, Some(left.clone()), &heard));
            other.push(channel(line, sender, second, Some(right.clone()), &heard));
        }
        let own = (self.cast.chain)(&self.cast.keys[place]);
        let mut seat = self.start(place, "", chain, one, heard.clone());
        seat.twin = Some(Box::new(self.start(place, "twin-", own, other, heard)));
        seat
    }

    /// Registers the channels of a validator.
    async fn lines(
        &self,
        place: usize,
    ) -> Vec<(Line, simulated::Sender<Key, Sim>, simulated::Receiver<Key>)> {
        let key = convert::key(&self.cast.keys[place].public()).unwrap();
        let control = self.oracle.control(key);
        // Never reached; but the engine makes room for as many messages.
        let quota = Quota::per_second(NZU32!(4_096));
        let mut lines = Vec::new();
        for line in Line::ALL {
            let opened = control.register(line as u64, quota).await;
            let (sender, receiver) = opened.expect("a free channel");
            lines.push((line, sender, receiver));
        }
        lines
    }

    fn start(
        &self,
        place: usize,
        half: &str,
        chain: Arc<Chain>,
        channels: Vec<Channel<Simulated>>,
        heard: Heard,
    ) -> Seat {
        let (settings, secret) = (&self.cast.settings, &self.cast.keys[place]);
        let key = convert::key(&secret.public()).unwrap();
        let config = Config::default();
        let pool = Arc::new(Pool::new(&config));
        let (desk, desk_receiver) = mpsc::channel(64);
        let (floors, floor_receiver) = mpsc::channel(1);
        let (event_sender, events) = mpsc::channel(1_024);
        let arrivals = watch::Sender::new(0);
        let mut channels = channels.into_iter();
        let mut channel = || channels.next().expect("six channels");
        let channels = Channels::<Simulated> {
            votes: channel(),
            certificates: channel(),
            resolver: channel(),
            backfill: channel(),
            blocks: channel(),
            mempool: channel(),
            blocker: self.oracle.control(key.clone()),
            peers: self.oracle.manager(),
            arrivals: arrivals.subscribe(),
        };
        let setup = Setup {
            network: settings.network,
            me: key.clone(),
            validators: convert::validators(settings).unwrap(),
            scheme: convert::scheme(settings, secret).unwrap(),
            timing: settings.timing(),
            config,
            app: (self.cast.app)(place, chain.clone()),
            pool,
            desk: desk.clone(),
            arrivals: desk_receiver,
            floors: floor_receiver,
            events: event_sender,
            progress: watch::Sender::new(Progress::default()),
            prefix: format!("seat-{place}-{half}"),
        };
        let context = self.context.child("seat").with_attribute("place", format!("{half}{place}"));
        let task = context.spawn(move |context| run::<_, Simulated>(context, setup, channels));
        Seat {
            noticed: Vec::new(),
            key,
            chain,
            desk,
            floors,
            arrivals,
            events,
            heard,
            task,
            killed: false,
            twin: None,
        }
    }

    /// Links exactly the pairs that are wanted.
    pub(super) async fn link(&self, wanted: impl Fn(usize, usize) -> bool) {
        let link = Link {
            latency: Duration::from_millis(10),
            jitter: Duration::from_millis(3),
            success_rate: probability!(1.0),
        };
        self.link_by(|i, j| wanted(i, j).then(|| link.clone())).await;
    }

    /// Links each pair as it is wanted, and no other.
    pub(super) async fn link_by(&self, wanted: impl Fn(usize, usize) -> Option<Link>) {
        for (i, from) in self.seats.iter().enumerate() {
            for (j, to) in self.seats.iter().enumerate().filter(|(j, _)| *j != i) {
                // A link that is there already, or not, is as it should be after this.
                let (from, to) = (from.key.clone(), to.key.clone());
                let _ = self.oracle.remove_link(from.clone(), to.clone()).await;
                if let Some(link) = wanted(i, j) {
                    self.oracle.add_link(from, to, link).await.expect("no such link");
                }
            }
        }
    }

    /// Kills a validator between two steps of its tasks, without any goodbye.
    pub(super) async fn kill(&mut self, place: usize) {
        let seat = &mut self.seats[place];
        seat.killed = true;
        seat.task.abort();
        assert!((&mut seat.task).await.is_err(), "it ran until now");
    }

    pub(super) async fn restart(&mut self, place: usize) {
        let chain = self.seats[place].chain.clone();
        self.seats[place] = self.seat(place, chain).await;
        for seat in &self.seats {
            seat.arrivals.send_modify(|count| *count += 1);
        }
    }

    pub(super) async fn all_have(&self, digest: Digest) {
        for seat in &self.seats {
            seat.chain.has(digest).await;
        }
    }

    /// Waits until these have a transaction.
    pub(super) async fn have(&self, places: &[usize], digest: Digest) {
        for place in places {
            self.seats[*place].chain.has(digest).await;
        }
    }

    /// Whose block it is.
    pub(super) fn place_of(&self, header: &Header) -> Option<usize> {
        let proposer = header.proposer?;
        self.cast.settings.validators.iter().position(|validator| *validator == proposer)
    }

    /// Who proposed the blocks of one validator's chain.
    pub(super) fn proposers(&self, place: usize) -> BTreeSet<usize> {
        let blocks = self.seats[place].chain.blocks();
        blocks.iter().filter_map(|entry| self.place_of(&entry.block.header)).collect()
    }

    pub(super) async fn rest(&self, span: Duration) {
        self.context.sleep(span).await;
    }

    /// How long something takes in the world's time.
    pub(super) async fn time(&self, work: impl Future<Output = ()>) -> Duration {
        let start = self.context.current();
        work.await;
        self.context.current().duration_since(start).unwrap()
    }

    pub(super) fn heights(&self) -> Vec<u64> {
        self.seats.iter().map(|seat| seat.chain.height()).collect()
    }

    /// This world's chain is forked, as it was meant to be.
    pub(super) fn forked(mut self) -> Self {
        self.forked = true;
        self
    }

    /// Nobody's engine stopped by itself.
    fn assert_all_run(&mut self) {
        for (place, seat) in self.seats.iter_mut().enumerate().filter(|(_, seat)| !seat.killed) {
            assert!((&mut seat.task).now_or_never().is_none(), "validator {place} stopped");
        }
    }

    /// No two validators differ at any height, and every certificate convinces a stranger.
    pub(super) fn assert_one_chain(&self) {
        let Settings { network, validators, .. } = &self.cast.settings;
        let chains: Vec<_> = self.seats.iter().map(|seat| seat.chain.blocks()).collect();
        let longest = chains.iter().max_by_key(|chain| chain.len()).unwrap();
        for (ours, theirs) in chains.iter().flat_map(|chain| chain.iter().zip(longest)) {
            assert_eq!(ours.block.header, theirs.block.header);
            if let Some(certificate) = &ours.certificate {
                assert_eq!(certificate.payload, ours.block.header.digest());
                assert_eq!(certificate.verify(*network, validators), Ok(()));
            }
        }
    }
}

fn channel(
    line: Line,
    sender: simulated::Sender<Key, Sim>,
    receiver: simulated::Receiver<Key>,
    tongue: Option<Tongue>,
    heard: &Heard,
) -> Channel<Simulated> {
    let heard = (line == Line::Votes).then(|| heard.clone());
    (Mouth { line, network: sender, tongue }, Ear { network: receiver, heard })
}

/// Tells the seed of a run that fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed is {}", self.0);
        }
    }
}

/// Runs a test in a world of four validators; gives the state of the runtime's auditor.
pub(super) fn simulate<F: Future<Output = World>>(
    seed: u64,
    test: impl FnOnce(World) -> F,
) -> String {
    play(seed, Cast::plain(4), test)
}

/// Runs a test in a world of this cast; gives the state of the runtime's auditor.
pub(super) fn play<F: Future<Output = World>>(
    seed: u64,
    cast: Cast,
    test: impl FnOnce(World) -> F,
) -> String {
    let _told = Seed(seed);
    let config = deterministic::Config::new().with_seed(seed).with_timeout(Some(LONG));
    deterministic::Runner::new(config).start(|context| async move {
        let auditor = context.auditor();
        let mut world = test(World::new(context, cast).await).await;
        world.assert_all_run();
        if !world.forked {
            world.assert_one_chain();
        }
        auditor.state()
    })
}
