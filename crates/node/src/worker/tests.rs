//! What peers can do to a worker by what they ask.

use super::*;
use crate::clock::SystemClock;
use bytes::Bytes;
use execution::Engine;
use futures::{FutureExt, StreamExt};
use identity::{Digest, NetworkId};
use objects::{Cid, Codec};
use protocol::{
    Founder, Genesis, Input, Limits, Params, Placement, TaskSpec, TaskTable, Time, Verification,
    limits,
    port::{Blobs, Protocol},
};
use sim::{log::MemoryLog, streams::Mesh};
use storage::{Store, exchange::Fetcher};
use tokio::sync::oneshot;

const WORK: Protocol = Protocol("/polity/work/1");
const TASK: TaskIndex = TaskIndex(0);

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

/// A worker on node 101 of owner 1; node 102 is of owner 2.
struct World {
    parts: Parts,
    store: Store,
    mesh: Mesh,
    _dir: tempfile::TempDir,
}

async fn world() -> World {
    let founder = |n: u8| {
        let node = key(100 + n).public();
        let founder = Founder { node, name: n.to_string(), addresses: Vec::new() };
        Signed::new(founder, NetworkId::FOUNDING, &key(n))
    };
    let founders = [1, 2].map(founder).into();
    let genesis = Genesis::found("work".into(), Time(1), founders, 1, Params::default()).unwrap();
    let chain = Chain::open(genesis, Arc::new(MemoryLog::new())).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = storage::open(dir.path(), storage::Config::default()).unwrap();
    let (mesh, clock) = (Mesh::new(), Arc::new(SystemClock::new()));
    let streams = mesh.node(key(101).public());
    let blobs = Arc::new(store.clone());
    let fetcher = Fetcher::new(blobs, streams.clone(), clock.clone(), Default::default());
    let threads = execution::Config { threads: 1, ..execution::Config::default() };
    let engine = Engine::new(&threads, None).unwrap();
    let withheld = Arc::new(Withheld::default());
    let executor = Executor::new(engine, store.clone(), fetcher, withheld.clone());
    let parts = Parts {
        key: key(101),
        chain,
        clock,
        post: Post::new(streams.clone()).0,
        streams,
        executor: Arc::new(executor),
        conduct: Arc::new(Honest),
        sworn: Arc::default(),
        withheld,
    };
    World { parts, store, mesh, _dir: dir }
}

impl World {
    /// A job of owner 2 at its home 102 with one task.
    fn order(&self, program: Cid, table: &TaskTable) -> Signed<Job> {
        let now = self.parts.clock.now();
        let job = Job {
            network: self.parts.chain.network(),
            home: key(102).public(),
            program,
            table: table.cid(),
            tasks: 1,
            seed: Digest([1; 32]),
            limits: Limits {
                fuel: 1_000_000,
                memory_bytes: 1 << 20,
                output_bytes: 1 << 10,
                wall_ms: 60_000,
            },
            placement: Placement::Fast,
            verification: Verification { k: 1, n: 1 },
            issued: now,
            expires: now.after_ms(600_000),
            engine: Engine::fingerprint(),
            nonce: Digest([2; 32]),
            terms: protocol::Terms::default(),
        };
        Signed::new(job, self.parts.chain.network(), &key(2))
    }
}

#[tokio::test]
async fn strangers_are_not_answered() {
    let world = world().await;
    let node = |n: u8| world.mesh.node(key(n).public());
    let mut at_stranger = node(200).accept(WORK).unwrap();
    let mut at_home = node(102).accept(WORK).unwrap();
    let table = TaskTable::of(Vec::new(), Vec::new());
    let order = world.order(Cid::of(Codec::Raw, b"program"), &table);
    let mut spoiled = order.clone();
    spoiled.payload.seed = Digest([9; 32]);
    let (letters, inbox) = mpsc::channel(1);
    let working = tokio::spawn(run(world.parts, inbox));
    // The home is answered: by then a stranger would have been.
    for (from, order) in [(200, order), (200, spoiled.clone()), (102, spoiled)] {
        let (done, handled) = oneshot::channel();
        let replicas = vec![(TASK, Attempt(0))];
        let message = ToWorker::Assign { order, drawn: Height(0), replicas };
        letters.send(Letter { from: key(from).public(), message, done }).await.unwrap();
        handled.await.unwrap();
    }
    assert_eq!(at_home.next().await.unwrap().peer, key(101).public());
    assert!(at_stranger.next().now_or_never().is_none());
    assert_eq!(world.mesh.opened(key(101).public()), 1);
    drop(letters);
    working.await.unwrap();
}

#[tokio::test]
async fn what_a_submitter_claims_of_its_inputs_takes_no_room_from_others() {
    let world = world().await;
    let text = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;
    let program: Bytes = wat::parse_str(text).unwrap().into();
    let input = Bytes::from_static(b"what a task reads");
    let (program_cid, cid) = (Cid::of(Codec::Raw, &program), Cid::of(Codec::Raw, &input));
    let (root, blocks) = objects::file(&vec![7; limits::BLOB_BYTES * 2].into());
    let mut blobs: Vec<_> = blocks.into_iter().map(|block| (block.cid, block.bytes)).collect();
    blobs.extend([(program_cid, program), (cid, input.clone())]);
    world.store.put(blobs).await.unwrap();
    let run = async |inputs: &[(Cid, u64)]| {
        let input = |(at, (cid, size_bytes)): (usize, &(Cid, u64))| Input {
            name: at.to_string(),
            cid: *cid,
            size_bytes: *size_bytes,
        };
        let inputs = inputs.iter().enumerate().map(input).collect();
        let task = TaskSpec { name: "task".into(), inputs, stdin: None, params: Vec::new() };
        let table = TaskTable::of(Vec::new(), vec![task]);
        let bytes = identity::canonical::encode(&table).into();
        world.store.put(vec![(table.cid(), bytes)]).await.unwrap();
        let order = world.order(program_cid, &table);
        let done = world.parts.executor.rerun(&order, TASK, &[]).await;
        done.map(drop)
    };
    let (right, large) = (input.len() as u64, root.size_bytes);
    assert_eq!(run(&[(cid, right), (root.cid, large)]).await, Ok(()));
    let wrong = [right - 1, right + 1, u64::MAX];
    for claim in wrong {
        assert_eq!(run(&[(cid, claim)]).await, Err(NoResult::Refused), "{claim}");
    }
    for claim in [large - 1, large + 1, 1] {
        assert_eq!(run(&[(root.cid, claim)]).await, Err(NoResult::Refused), "{claim}");
    }
    let twice = [(cid, 1 << 30), (cid, 1 << 30), (cid, right)];
    assert_eq!(run(&twice).await, Err(NoResult::Refused), "more than there is room for");
    assert_eq!(run(&[(cid, right)]).await, Ok(()));
}
