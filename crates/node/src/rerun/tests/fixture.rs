//! A chain of five founders, of which four vote, and one node that runs tasks again.

use crate::{
    chain::{Chain, Submit},
    rerun::{Parts, Rerun},
    worker::{Executor, Honest, Oath, Sworn, Withheld},
};
use bytes::Bytes;
use execution::Engine;
use identity::{Digest, NetworkId, PublicKey, SecretKey, Signed, canonical};
use objects::{Cid, Codec};
use protocol::{
    Agreed, Agreements, Attempt, Claim, CommitBatch, Commitment, Dispute, Founder, Genesis, Height,
    Job, Limits, Member, NamedBlock, OutcomeDigest, Params, Placement, Reveal, RevealBatch, Salt,
    TaskIndex, TaskSpec, TaskTable, Time, Tx, Verification, commitment_of, draw,
    port::{Answer, Blobs, Clock},
    set_digest,
};
use sim::{log::MemoryLog, streams::Mesh};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};
use storage::{Store, exchange::Fetcher};
use tempfile::TempDir;

pub(super) const TASK: TaskIndex = TaskIndex(0);
const SALT: Salt = Salt([7; 16]);

pub(super) fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

pub(super) fn lie() -> OutcomeDigest {
    OutcomeDigest(Digest([66; 32]))
}

pub(super) fn other_lie() -> OutcomeDigest {
    OutcomeDigest(Digest([67; 32]))
}

/// A clock that tests set.
#[derive(Default)]
pub(super) struct Hand(AtomicU64);

impl Hand {
    pub(super) fn set(&self, time: Time) {
        self.0.store(time.0, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }
    fn until(&self, _: Time) -> Answer<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// Owners 1 to 5 with nodes 101 to 105; the first four nodes vote. The clock is at the last block.
pub(super) struct World {
    pub(super) chain: Chain,
    pub(super) clock: Arc<Hand>,
    pub(super) sworn: Arc<Sworn>,
    pub(super) executor: Arc<Executor>,
    store: Store,
    mesh: Mesh,
    sent: Arc<Mutex<Vec<Tx>>>,
    _dir: TempDir,
}

impl World {
    pub(super) async fn new() -> Self {
        let founder = |n: u8| {
            let (node, name) = (key(100 + n).public(), format!("owner {n}"));
            let founder = Founder { node, name, addresses: Vec::new() };
            Signed::new(founder, NetworkId::FOUNDING, &key(n))
        };
        let params =
            Params { audit_per_mille: 1_000, auditors: 1, verdict_ms: 6_000, ..Params::default() };
        let founders = (1..=5).map(founder).collect();
        let genesis = Genesis::found("again".into(), Time(1_000), founders, 4, params).unwrap();
        let chain = Chain::open(genesis, Arc::new(MemoryLog::new())).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let store = storage::open(dir.path(), storage::Config::default()).unwrap();
        let (mesh, clock) = (Mesh::new(), Arc::new(Hand::default()));
        clock.set(Time(1_000));
        let streams = mesh.node(key(101).public());
        let blobs = Arc::new(store.clone());
        let fetcher = Fetcher::new(blobs, streams, clock.clone(), Default::default());
        let threads = execution::Config { threads: 1, ..execution::Config::default() };
        let engine = Engine::new(&threads, None).unwrap();
        let executor = Executor::new(engine, store.clone(), fetcher, Arc::new(Withheld::default()));
        let (executor, sworn, sent) = (Arc::new(executor), Arc::default(), Arc::default());
        Self { chain, clock, sworn, executor, store, mesh, sent, _dir: dir }
    }

    /// The role on the node with this number, as after a start.
    pub(super) fn rerun(&self, node: u8) -> Rerun {
        Rerun::new(self.parts(node), self.chain.ledger().tip().height)
    }

    pub(super) fn parts(&self, node: u8) -> Parts {
        let sent = self.sent.clone();
        let submit: Submit = Arc::new(move |tx| {
            sent.lock().unwrap().push(tx);
            Box::pin(async { Ok(()) })
        });
        self.parts_with(node, submit)
    }

    pub(super) fn parts_with(&self, node: u8, submit: Submit) -> Parts {
        Parts {
            key: key(node),
            chain: self.chain.clone(),
            clock: self.clock.clone(),
            streams: self.mesh.node(key(node).public()),
            submit,
            executor: self.executor.clone(),
            conduct: Arc::new(Honest),
            sworn: self.sworn.clone(),
        }
    }

    /// What was submitted since this was asked last.
    pub(super) fn sent(&self) -> Vec<Tx> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }

    pub(super) fn height(&self) -> Height {
        self.chain.ledger().tip().height
    }

    /// Puts transactions on the ledger, all of which must apply.
    pub(super) async fn block(&self, txs: Vec<Tx>) {
        let ledger = self.chain.ledger();
        let checked: Vec<_> =
            txs.into_iter().map(|tx| self.chain.check(&tx).unwrap().as_ref().clone()).collect();
        let time = ledger.tip().time.after_ms(100);
        let (block, refused) = ledger.propose(&key(101), time, &checked);
        assert_eq!(refused, []);
        assert_eq!(block.txs.len(), checked.len());
        self.chain.extend(&NamedBlock::new(block), None).await.unwrap();
        self.clock.set(time);
    }

    /// Puts the program and the table where the node finds them.
    pub(super) async fn store_inputs(&self) {
        let (program, table) = (program(), table());
        let table = (table.cid(), canonical::encode(&table).into());
        let (_, blocks) = objects::file(&program);
        let mut blobs: Vec<_> = blocks.into_iter().map(|block| (block.cid, block.bytes)).collect();
        blobs.push(table);
        self.store.put(blobs).await.unwrap();
    }

    /// A job of owner 1 whose only task does nothing.
    pub(super) fn order(&self) -> Signed<Job> {
        self.order_for(Engine::fingerprint())
    }

    pub(super) fn order_for(&self, engine: Digest) -> Signed<Job> {
        let limits = Limits {
            fuel: 1_000_000,
            memory_bytes: 1 << 20,
            output_bytes: 1 << 10,
            wall_ms: 60_000,
        };
        let job = Job {
            network: self.chain.network(),
            home: key(101).public(),
            program: Cid::of(Codec::Raw, &program()),
            table: table().cid(),
            tasks: 1,
            seed: Digest([1; 32]),
            limits,
            placement: Placement::Fast,
            verification: Verification { k: 2, n: 3 },
            issued: Time(1_000),
            expires: Time(100_000),
            engine,
            nonce: Digest([2; 32]),
            terms: protocol::Terms::default(),
        };
        Signed::new(job, self.chain.network(), &key(1))
    }

    /// What an honest node finds.
    pub(super) async fn honest(&self, order: &Signed<Job>) -> OutcomeDigest {
        self.executor.rerun(order, TASK, &[]).await.unwrap().digest()
    }

    /// The home's dispute: these nodes claim these outcomes.
    pub(super) fn dispute(&self, order: &Signed<Job>, said: &[(u8, OutcomeDigest)]) -> Tx {
        let claim = |(node, outcome): &(u8, OutcomeDigest)| {
            let oath = self.oath(order, *node, *outcome);
            oath.claim((order.payload.id(), TASK), self.chain.network(), &key(*node)).unwrap()
        };
        let mut claims: Vec<_> = said.iter().map(claim).collect();
        claims.sort_by_key(Claim::node);
        let (order, drawn) = (order.clone(), self.height());
        let dispute = Dispute { order, drawn, task: TASK, claims, audits: Vec::new() };
        Tx::Dispute(Box::new(Signed::new(dispute, self.chain.network(), &key(101))))
    }

    /// What a node committed to, without a reveal.
    pub(super) fn oath(&self, order: &Signed<Job>, node: u8, outcome: OutcomeDigest) -> Oath {
        let attempt = Attempt(u16::from(node));
        let hidden = commitment_of(&key(node).public(), &SALT, &outcome);
        let leaf = Commitment { task: TASK, attempt, hidden };
        let network = self.chain.network();
        let batch = CommitBatch::sign(order.payload.id(), vec![leaf], network, &key(node));
        let (expires, commit) = (order.payload.expires, Arc::new(batch));
        Oath { attempt, outcome, salt: SALT, expires, commit, revealed: None }
    }

    /// The drawn nodes, in the order of the draw.
    pub(super) fn candidates(&self, order: &Signed<Job>) -> Vec<u8> {
        let ledger = self.chain.ledger();
        let beacon = ledger.beacon_at(self.height()).unwrap();
        let all = draw::candidates(beacon, &order.payload.id(), TASK, ledger.roster());
        all.into_iter().map(|candidate| number(&candidate.node)).collect()
    }

    /// Agreements of the first two drawn nodes.
    pub(super) fn agreed(&self, order: &Signed<Job>, outcome: OutcomeDigest) -> Agreements {
        let (id, network) = (order.payload.id(), self.chain.network());
        let nodes: Vec<_> = self.candidates(order).into_iter().take(2).collect();
        let attempts = [Attempt(0), Attempt(1)];
        let members: Vec<_> = nodes.iter().zip(attempts).map(member_of(outcome)).collect();
        let set = set_digest(&id, TASK, &members);
        let (mut commits, mut reveals) = (Vec::new(), Vec::new());
        for (node, Member { attempt, hidden, .. }) in nodes.iter().zip(members) {
            let leaf = Commitment { task: TASK, attempt, hidden };
            commits.push(CommitBatch::sign(id, vec![leaf], network, &key(*node)));
            let leaf = Reveal { task: TASK, attempt, set, outcome, salt: SALT };
            reveals.push(RevealBatch::sign(id, vec![leaf], network, &key(*node)));
        }
        let (sets, skipped) = (vec![attempts.to_vec()], Vec::new());
        let tasks =
            vec![Agreed { task: TASK, outcome, sets, skipped, decided: false, first: None }];
        Agreements { order: order.clone(), drawn: self.height(), commits, reveals, tasks }
    }

    /// An agreement on the ledger, and the beacon that names who audits it.
    pub(super) async fn audited(&self, order: &Signed<Job>, outcome: OutcomeDigest) -> u8 {
        let agreements = self.agreed(order, outcome);
        self.block(vec![Tx::Agree(Box::new(agreements))]).await;
        self.block(Vec::new()).await;
        let ledger = self.chain.ledger();
        let duty = ledger.duties().next().expect("every final task is audited");
        number(&duty.auditors[0])
    }
}

fn member_of(outcome: OutcomeDigest) -> impl Fn((&u8, Attempt)) -> Member {
    move |(node, attempt)| {
        let node = key(*node).public();
        Member { node, attempt, hidden: commitment_of(&node, &SALT, &outcome) }
    }
}

fn number(node: &PublicKey) -> u8 {
    (101..=105).find(|n| key(*n).public() == *node).expect("it is a founder's node")
}

fn program() -> Bytes {
    let text = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;
    wat::parse_str(text).unwrap().into()
}

fn table() -> TaskTable {
    let task =
        TaskSpec { name: "task".into(), inputs: Vec::new(), stdin: None, params: Vec::new() };
    TaskTable::of(Vec::new(), vec![task])
}
