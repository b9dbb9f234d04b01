//! The engine on commonware's deterministic runtime and simulated network: the same seed gives the
//! same run, and an hour passes in a second.

use super::*;
use crate::{
    convert,
    tests::{Chain, Ledger, keys, settings, tx},
};
use commonware_p2p::simulated::{self, Link, Oracle};
use commonware_runtime::{
    Quota, Runner as _, Spawner as _, Supervisor as _, deterministic, deterministic::Context as Sim,
};
use commonware_utils::{NZU32, probability};
use identity::Digest;

struct Simulated;

impl Net for Simulated {
    type Sender = simulated::Sender<Key, Sim>;
    type Receiver = simulated::Receiver<Key>;
    type Blocker = simulated::Control<Key, Sim>;
    type Peers = simulated::Manager<Key, Sim>;
}

/// A validator.
struct Seat {
    key: Key,
    chain: Arc<Chain>,
    pool: Arc<Pool>,
    fresh: mpsc::Sender<Bytes>,
    floors: mpsc::Sender<(Height, Finalized)>,
    arrivals: watch::Sender<u64>,
    task: Handle<String>,
}

impl Seat {
    fn submit(&self, number: u64) -> Digest {
        let tx = tx(number);
        let (digest, bytes) = (tx.digest(), Bytes::from(tx.encode()));
        assert_eq!(self.pool.insert(tx, bytes.clone(), None), Ok(true));
        self.fresh.try_send(bytes).expect("there is room");
        digest
    }
}

/// Validators on one simulated network.
struct World {
    context: Sim,
    oracle: Oracle<Key, Sim>,
    seats: Vec<Seat>,
}

impl World {
    async fn new(context: Sim, count: usize) -> Self {
        let keys: Vec<Key> = convert::validators(&settings(count)).unwrap().into_iter().collect();
        let (_, large) = message_limits(count);
        let config = simulated::Config {
            max_size: u32::try_from(large).unwrap(),
            max_peers_per_set: NonZeroUsize::new(count).unwrap(),
            disconnect_on_block: true,
            tracked_peer_sets: NZUsize!(1),
        };
        let (network, oracle) =
            simulated::Network::new_with_peers(context.child("network"), config, keys.clone())
                .await;
        network.start();
        let mut world = Self { context, oracle, seats: Vec::new() };
        for (place, key) in keys.iter().enumerate().take(count) {
            let chain = Chain::new(convert::public(key));
            let seat = world.seat(place, count, chain).await;
            world.seats.push(seat);
        }
        world.link(|_, _| true).await;
        world
    }

    /// Starts the validator of one place on its journals, if there are any.
    async fn seat(&self, place: usize, count: usize, chain: Arc<Chain>) -> Seat {
        let (settings, secret) = (settings(count), &keys(count)[place]);
        let key = convert::key(&secret.public()).unwrap();
        let config = Config::default();
        let pool = Arc::new(Pool::new(&config));
        let (fresh, fresh_receiver) = mpsc::channel(64);
        let (floors, floor_receiver) = mpsc::channel(1);
        let arrivals = watch::Sender::new(0);
        let control = self.oracle.control(key.clone());
        // Never reached; but the engine makes room for as many messages.
        let quota = Quota::per_second(NZU32!(4_096));
        let mut channels = Vec::new();
        for channel in 0..6 {
            channels.push(control.register(channel, quota).await.expect("a free channel"));
        }
        let mut channels = channels.into_iter();
        let mut channel = || channels.next().expect("six channels");
        let channels = Channels::<Simulated> {
            votes: channel(),
            certificates: channel(),
            resolver: channel(),
            backfill: channel(),
            blocks: channel(),
            mempool: channel(),
            blocker: control.clone(),
            peers: self.oracle.manager(),
            arrivals: arrivals.subscribe(),
        };
        let setup = Setup {
            network: settings.network,
            me: key.clone(),
            validators: convert::validators(&settings).unwrap(),
            scheme: convert::scheme(&settings, secret).unwrap(),
            timing: settings.timing(),
            config,
            app: Arc::new(Ledger(chain.clone())),
            pool: pool.clone(),
            fresh: fresh_receiver,
            floors: floor_receiver,
            events: mpsc::channel(64).0,
            progress: watch::Sender::new(Progress::default()),
            prefix: format!("seat-{place}-"),
        };
        let context = self.context.child("seat").with_attribute("place", place);
        let task = context.spawn(move |context| run::<_, Simulated>(context, setup, channels));
        Seat { key, chain, pool, fresh, floors, arrivals, task }
    }

    /// Links exactly the pairs that are wanted.
    async fn link(&self, wanted: impl Fn(usize, usize) -> bool) {
        let link = Link {
            latency: Duration::from_millis(10),
            jitter: Duration::from_millis(3),
            success_rate: probability!(1.0),
        };
        for (i, from) in self.seats.iter().enumerate() {
            for (j, to) in self.seats.iter().enumerate().filter(|(j, _)| *j != i) {
                // A link that is there already, or not, is as it should be after this.
                let (from, to) = (from.key.clone(), to.key.clone());
                let _ = self.oracle.remove_link(from.clone(), to.clone()).await;
                if wanted(i, j) {
                    self.oracle.add_link(from, to, link.clone()).await.expect("no such link");
                }
            }
        }
    }

    /// Kills a validator between two steps of its tasks, without any goodbye.
    async fn kill(&mut self, place: usize) {
        let seat = &mut self.seats[place];
        seat.task.abort();
        assert!((&mut seat.task).await.is_err(), "it ran until now");
    }

    async fn restart(&mut self, place: usize) {
        let chain = self.seats[place].chain.clone();
        self.seats[place] = self.seat(place, self.seats.len(), chain).await;
        for seat in &self.seats {
            seat.arrivals.send_modify(|count| *count += 1);
        }
    }

    async fn all_have(&self, digest: Digest) {
        for seat in &self.seats {
            seat.chain.has(digest).await;
        }
    }

    async fn rest(&self, span: Duration) {
        self.context.sleep(span).await;
    }

    fn heights(&self) -> Vec<u64> {
        self.seats.iter().map(|seat| seat.chain.height()).collect()
    }

    fn assert_one_chain(&self) {
        let chains: Vec<_> = self.seats.iter().map(|seat| seat.chain.blocks()).collect();
        let longest = chains.iter().max_by_key(|chain| chain.len()).unwrap();
        for (ours, theirs) in chains.iter().flat_map(|chain| chain.iter().zip(longest)) {
            assert_eq!(ours.block.header, theirs.block.header);
        }
    }
}

/// Runs a test in a world of four validators; gives the state of the runtime's auditor.
fn simulate<F: Future<Output = World>>(seed: u64, test: impl FnOnce(World) -> F) -> String {
    let config = deterministic::Config::new()
        .with_seed(seed)
        .with_timeout(Some(Duration::from_secs(24 * 3_600)));
    deterministic::Runner::new(config).start(|context| async move {
        let auditor = context.auditor();
        let world = test(World::new(context, 4).await).await;
        world.assert_one_chain();
        auditor.state()
    })
}

#[test]
fn one_seed_is_one_run() {
    let run = |seed| {
        simulate(seed, |world| async move {
            for number in 0..12 {
                let digest = world.seats[number as usize % 4].submit(number);
                world.all_have(digest).await;
            }
            world
        })
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn a_partition_into_halves_makes_nothing_final_and_heals() {
    for seed in 0..4 {
        simulate(seed, |world| async move {
            let digest = world.seats[0].submit(1);
            world.all_have(digest).await;
            world.link(|i, j| i / 2 == j / 2).await;
            world.rest(Duration::from_secs(1)).await;
            let before = world.heights();
            let waiting = [world.seats[0].submit(2), world.seats[3].submit(3)];
            world.rest(Duration::from_secs(120)).await;
            assert_eq!(world.heights(), before, "seed {seed}");
            world.link(|_, _| true).await;
            for digest in waiting {
                world.all_have(digest).await;
            }
            world
        });
    }
}

#[test]
fn without_work_there_is_one_block_per_heartbeat() {
    simulate(1, |world| async move {
        let digest = world.seats[2].submit(1);
        world.all_have(digest).await;
        // The start is quick, so that those who were away learn where the others are.
        world.rest(Duration::from_secs(60)).await;
        let before = world.heights()[0];
        world.rest(Duration::from_secs(3_600)).await;
        let made = world.heights()[0] - before;
        assert!((55..=65).contains(&made), "{made} blocks in 60 heartbeats");
        world
    });
}

#[test]
fn a_dead_leader_stalls_work_for_its_timeout_and_not_for_a_heartbeat() {
    for seed in 0..4 {
        simulate(seed, |mut world| async move {
            let digest = world.seats[0].submit(0);
            world.all_have(digest).await;
            world.kill(3).await;
            let mut worst = Duration::ZERO;
            for number in 1..12 {
                // At rest, in whatever view the last heartbeat left.
                world.rest(Duration::from_secs(47)).await;
                let start = world.context.current();
                let digest = world.seats[number as usize % 3].submit(number);
                for seat in &world.seats[..3] {
                    seat.chain.has(digest).await;
                }
                let took = world.context.current().duration_since(start).unwrap();
                worst = worst.max(took);
            }
            let bound = 2 * Duration::from_millis(settings(4).leader_timeout_ms);
            assert!(worst < bound, "seed {seed}: {worst:?}");
            world
        });
    }
}

#[test]
fn a_dead_validator_is_passed_over_after_a_few_stalls() {
    simulate(9, |mut world| async move {
        let digest = world.seats[0].submit(0);
        world.all_have(digest).await;
        world.kill(0).await;
        let stall = Duration::from_millis(settings(4).leader_timeout_ms);
        let mut stalls = Vec::new();
        for number in 1..=60 {
            let start = world.context.current();
            let digest = world.seats[1].submit(number);
            world.seats[1].chain.has(digest).await;
            if world.context.current().duration_since(start).unwrap() >= stall {
                stalls.push(number);
            }
        }
        assert!(stalls.len() <= 5 && stalls.iter().all(|number| *number < 30), "{stalls:?}");
        world
    });
}

#[test]
fn a_leader_that_dies_while_it_proposes_stalls_work_for_a_few_timeouts_at_most() {
    simulate(3, |mut world| async move {
        let digest = world.seats[0].submit(0);
        world.all_have(digest).await;
        // Each in turn, so the leader of the moment is among them: its proposal reaches one other
        // validator only, and then it dies.
        for dying in 0..4 {
            world.rest(Duration::from_secs(100)).await;
            world.link(|i, j| i != dying || j == (dying + 1) % 4).await;
            world.seats[dying].submit(10 + dying as u64);
            world.rest(Duration::from_millis(12)).await;
            world.kill(dying).await;
            world.link(|_, _| true).await;
            let start = world.context.current();
            let digest = world.seats[(dying + 2) % 4].submit(20 + dying as u64);
            for place in (0..4).filter(|place| *place != dying) {
                world.seats[place].chain.has(digest).await;
            }
            let took = world.context.current().duration_since(start).unwrap();
            let bound = 6 * Duration::from_millis(settings(4).leader_timeout_ms);
            assert!(took < bound, "{dying}: {took:?}");
            world.restart(dying).await;
            world.seats[dying].chain.has(digest).await;
        }
        world
    });
}

#[test]
fn validators_killed_in_the_middle_of_anything_go_on_with_one_chain() {
    for seed in 0..6 {
        simulate(seed, |mut world| async move {
            for round in 0..4_u64 {
                let digest = world.seats[0].submit(round * 10);
                world.all_have(digest).await;
                for place in 0..4 {
                    world.seats[place].submit(round * 10 + 1 + place as u64);
                }
                // Somewhere between proposal, votes and finality.
                world.rest(Duration::from_millis(7 + 9 * round + seed)).await;
                for place in 0..4 {
                    world.kill(place).await;
                }
                world.assert_one_chain();
                for place in 0..4 {
                    world.restart(place).await;
                }
            }
            let digest = world.seats[1].submit(1_000);
            world.all_have(digest).await;
            world
        });
    }
}

#[test]
fn one_that_was_away_learns_at_rest_where_the_others_are() {
    simulate(5, |mut world| async move {
        world.kill(2).await;
        for number in 0..30 {
            let digest = world.seats[0].submit(number);
            for place in [0, 1, 3] {
                world.seats[place].chain.has(digest).await;
            }
        }
        world.rest(Duration::from_secs(300)).await;
        let height = world.heights()[0];
        let start = world.context.current();
        world.restart(2).await;
        world.seats[2].chain.reaches(height).await;
        let took = world.context.current().duration_since(start).unwrap();
        assert!(took < Duration::from_secs(10), "{took:?}");
        world
    });
}

#[test]
fn one_that_got_its_blocks_elsewhere_goes_on_from_there() {
    simulate(6, |mut world| async move {
        world.kill(1).await;
        for number in 0..30 {
            let digest = world.seats[0].submit(number);
            for place in [0, 2, 3] {
                world.seats[place].chain.has(digest).await;
            }
        }
        let blocks = world.seats[0].chain.blocks();
        let certified = |block: &&crate::tests::Final| block.certificate.is_some();
        let floor = blocks.iter().skip(20).find(certified).expect("most blocks are").clone();
        let height = floor.block.header.height;
        let own = &world.seats[1].chain;
        own.copy(&blocks[own.height() as usize..height.0 as usize - 1]);
        let certificate = convert::finalization(&floor.certificate.unwrap(), 4);

        world.restart(1).await;
        world.seats[1].floors.send((height, certificate)).await.expect("it runs");
        let digest = world.seats[1].submit(100);
        world.all_have(digest).await;
        let delivered = world.seats[1].chain.delivered();
        assert!(delivered.contains(&height.0), "{delivered:?}");
        assert!(!delivered.contains(&(height.0 - 1)), "{delivered:?}");
        world
    });
}

#[test]
fn a_connection_that_comes_and_goes_does_not_keep_an_idle_chain_busy() {
    simulate(2, |world| async move {
        let digest = world.seats[0].submit(1);
        world.all_have(digest).await;
        world.rest(Duration::from_secs(60)).await;
        let before = world.heights()[0];
        for _ in 0..600 {
            for seat in &world.seats {
                seat.arrivals.send_modify(|count| *count += 1);
            }
            world.rest(Duration::from_secs(1)).await;
        }
        let made = world.heights()[0] - before;
        assert!(made < 300, "{made} blocks in ten minutes");
        world
    });
}
