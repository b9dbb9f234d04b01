//! What peers can do to a home by what they say, and by coming and going.

use super::*;
use crate::{clock::SystemClock, join, post::Letters};
use identity::{Digest, NetworkId, Signed};
use objects::{Cid, Codec};
use protocol::{
    Attempt, CommitBatch, Commitment, Founder, Genesis, InvitationKind, Job, Limits, NamedBlock,
    NoResult, Params, Placement, TaskIndex, TaskSpec, TaskTable, Verification, limits,
    port::{Blobs, Offence},
};
use sim::{log::MemoryLog, streams::Mesh};
use tokio::sync::oneshot;

const TASK: TaskIndex = TaskIndex(0);

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

fn node(n: u8) -> PublicKey {
    key(n).public()
}

/// The home on node 101, of owner 1; the nodes 102 and 103 are of owners 2 and 3.
struct World {
    home: Home,
    mesh: Mesh,
    letters: Letters,
    effects: mpsc::Receiver<Told<Effect>>,
    _dir: tempfile::TempDir,
}

async fn world(input_bytes: usize) -> World {
    let founder = |n: u8| {
        let founder = Founder { node: node(100 + n), name: n.to_string(), addresses: Vec::new() };
        Signed::new(founder, NetworkId::FOUNDING, &key(n))
    };
    let founders = [1, 2, 3].map(founder).into();
    let genesis = Genesis::found("home".into(), Time(1), founders, 1, Params::default()).unwrap();
    let chain = Chain::open(genesis, Arc::new(MemoryLog::new())).await.unwrap();
    let (mesh, clock) = (Mesh::new(), Arc::new(SystemClock::new()));
    let streams = mesh.node(node(101));
    let (post, letters) = Post::new(streams.clone());
    let dir = tempfile::tempdir().unwrap();
    let store = storage::open(dir.path(), storage::Config::default()).unwrap();
    let blobs = Arc::new(store.clone());
    let fetcher =
        storage::exchange::Fetcher::new(blobs, streams.clone(), clock.clone(), Default::default());
    let parts = cluster::Parts {
        config: cluster::Config { input_bytes, ..cluster::Config::default() },
        me: node(101),
        labels: Default::default(),
        initial: Work::new(work::Config::default(), node(101), chain.network()),
        begin: cluster::Begin::Found { name: "home".into() },
        log: Arc::new(MemoryLog::new()),
        clock: clock.clone(),
        streams: streams.clone(),
        admits: Arc::new(|_| true),
        life: 1,
    };
    let (cluster, effects) = cluster::start(parts).await.unwrap();
    let home = Home {
        key: key(101),
        chain,
        clock,
        streams,
        post,
        submit: Arc::new(|_| Box::pin(async { Ok(()) })),
        store,
        fetcher,
        hub: Arc::default(),
        known: Arc::new(Known::new(Arc::new(MemoryLog::new()), Default::default())),
        cluster,
        keeping: Arc::new(Semaphore::new(KEEPING)),
        hosting: Arc::new(Plain),
        troubles: Arc::default(),
        writing: Arc::default(),
        heard: Heard::default(),
        own: Own::of(Vec::new()),
        metrics: Arc::default(),
    };
    World { home, mesh, letters, effects, _dir: dir }
}

impl World {
    /// A job whose only task is given to nodes 102 and 103, with what they were given.
    async fn give(&self) -> (JobId, Vec<(PublicKey, Attempt)>) {
        let (program, table) = (Cid::of(Codec::Raw, b"program"), Cid::of(Codec::DagCbor, b"table"));
        let id = self.submit(self.order(program, table, 2)).await;
        let (given, _) = self.home.cluster.look(|work| work.job(&id).unwrap().replicas(TASK));
        let given: Vec<_> = given.into_iter().map(|(attempt, by, _)| (by, attempt)).collect();
        assert_eq!(given.len(), 3);
        (id, given)
    }

    fn order(&self, program: Cid, table: Cid, nonce: u8) -> Signed<Job> {
        let (home, now) = (&self.home, self.home.clock.now());
        let job = Job {
            network: home.chain.network(),
            home: node(101),
            program,
            table,
            tasks: 1,
            seed: Digest([1; 32]),
            limits: Limits::default(),
            placement: Placement::Fast,
            verification: Verification { k: 3, n: 3 },
            issued: now,
            expires: now.after_ms(600_000),
            engine: Digest([3; 32]),
            nonce: Digest([nonce; 32]),
            terms: protocol::Terms::default(),
        };
        Signed::new(job, home.chain.network(), &key(1))
    }

    async fn submit(&self, order: Signed<Job>) -> JobId {
        let (id, ledger, home) = (order.payload.id(), self.home.chain.ledger(), &self.home);
        let (height, roster) = (ledger.roster_since(), ledger.roster().as_ref().clone());
        home.tell(Input::Roster { height, roster }).await.unwrap();
        for n in [102, 103] {
            home.tell(Input::Connected(node(n))).await.unwrap();
        }
        let (drawn, beacon) = (ledger.tip().height, ledger.tip().beacon);
        home.tell(Input::Submit { order, drawn, beacon }).await.unwrap();
        id
    }

    /// Hears a message, and gives what was ignored so far.
    async fn hear(&self, from: PublicKey, message: ToHome) -> work::Counts {
        let (done, handled) = oneshot::channel();
        self.home.clone().read(Letter { from, message, done }).await.unwrap();
        handled.await.unwrap();
        self.home.cluster.look(|work| work.counts().clone()).0
    }

    fn committed(&self, job: JobId, by: u8, attempt: Attempt) -> ToHome {
        let leaf = Commitment { task: TASK, attempt, hidden: Digest([by; 32]) };
        let network = self.home.chain.network();
        ToHome::Committed(CommitBatch::sign(job, vec![leaf], network, &key(by)))
    }
}

#[tokio::test]
async fn only_what_a_node_was_asked_for_reaches_the_log() {
    let world = world(cluster::Config::default().input_bytes).await;
    let (job, given) = world.give().await;
    let attempt = |n: u8| given.iter().find(|(by, _)| *by == node(n)).unwrap().1;
    let none = work::Counts::default();
    let before = world.home.cluster.status().last;
    // A stranger; somebody's else replica; a job that nobody knows.
    let stranger = world.committed(job, 200, Attempt(0));
    assert_eq!(world.hear(node(200), stranger).await, none);
    let foreign = world.committed(job, 102, attempt(103));
    assert_eq!(world.hear(node(102), foreign).await, none);
    let unknown = JobId(Cid::of(Codec::Raw, b"unknown"));
    let unknown = world.committed(unknown, 102, Attempt(0));
    assert_eq!(world.hear(node(102), unknown).await, none);
    let after = world.home.cluster.status().last;
    assert_eq!(before, after, "nothing was written");
    assert_eq!(world.mesh.offences(), []);
    let own = world.committed(job, 102, attempt(102));
    world.hear(node(102), own).await;
    assert!(world.home.cluster.status().last > after);
    drop((world.letters, world.effects));
}

#[tokio::test]
async fn a_message_over_a_bound_is_its_senders_fault_and_the_home_goes_on() {
    let world = world(8 << 10).await;
    let (job, given) = world.give().await;
    let (by, attempt) = given.into_iter().find(|(by, _)| *by != node(101)).unwrap();
    let again = |count: usize| {
        let replicas = vec![(TASK, attempt, NoResult::HostOutOfMemory); count];
        ToHome::NoResult { job, replicas }
    };
    world.hear(by, again(limits::BATCH_LEAVES)).await;
    world.hear(by, again(limits::BATCH_LEAVES + 1)).await;
    let kinds: Vec<_> = world.mesh.offences().into_iter().map(|(_, _, kind)| kind).collect();
    assert_eq!(kinds, [Offence::Oversized, Offence::Malformed]);
    world.hear(by, again(1)).await;
    assert_eq!(world.mesh.offences().len(), 2);
    drop((world.letters, world.effects));
}

#[tokio::test]
async fn strangers_that_come_are_not_spoken_of_until_they_are_admitted() {
    let world = world(cluster::Config::default().input_bytes).await;
    let watching = tokio::spawn(world.home.clone().watch_peers());
    let knows = |n: u8| world.home.cluster.look(|work| work.node(&node(n)).is_some()).0;
    let come = async |n: u8| {
        world.mesh.node(node(n));
        while !knows(n) {
            tokio::task::yield_now().await;
        }
    };
    come(102).await;
    world.mesh.node(node(104));
    come(103).await;
    assert!(!knows(104), "it came before");

    let (chain, now) = (&world.home.chain, world.home.clock.now());
    let expires = now.after_ms(60_000);
    let line = join::invite(chain, &key(1), key(50), InvitationKind::Machine, expires, Vec::new());
    let admission = join::admission(&line, None, &key(104), "1".into()).unwrap();
    let tx = chain.check(&Tx::Admit(Box::new(admission))).unwrap();
    let (block, refused) = chain.ledger().propose(&key(101), now, &[tx.as_ref().clone()]);
    assert_eq!(refused, []);
    chain.extend(&NamedBlock::new(block), None).await.unwrap();
    while !knows(104) {
        tokio::task::yield_now().await;
    }
    watching.abort();
    drop((world.letters, world.effects));
}

#[tokio::test]
async fn what_one_job_lacks_keeps_no_other_waiting() {
    let world = world(cluster::Config::default().input_bytes).await;
    let dir = tempfile::tempdir().unwrap();
    let store = storage::open(dir.path(), storage::Config::default()).unwrap();
    let program = bytes::Bytes::from_static(b"a program");
    let task =
        TaskSpec { name: "task".into(), inputs: Vec::new(), stdin: None, params: Vec::new() };
    let table = TaskTable::of(Vec::new(), vec![task]);
    let (had, table_cid) = (Cid::of(Codec::Raw, &program), table.cid());
    let blobs = vec![(had, program), (table_cid, identity::canonical::encode(&table).into())];
    store.put(blobs).await.unwrap();
    let serving = storage::exchange::serve(
        Arc::new(store),
        world.mesh.node(node(102)),
        world.home.clock.clone(),
        Arc::new(crate::worker::Withheld::default()),
        Default::default(),
    );
    let gone = world.order(Cid::of(Codec::Raw, b"gone"), table_cid, 1);
    // Its turn comes later.
    let mut orders = (2..=u8::MAX).map(|nonce| world.order(had, table_cid, nonce));
    let later = orders.find(|order| order.payload.id() > gone.payload.id()).unwrap();
    drop(orders);
    world.submit(gone).await;
    world.submit(later).await;
    let recalling = tokio::spawn(world.home.clone().recall_objects());
    while !world.home.store.has(vec![had]).await.unwrap()[0] {
        tokio::task::yield_now().await;
    }
    recalling.abort();
    drop((serving, world.letters, world.effects));
}
