//! A node that answers what the tests expect, and a client of its gateway.

use crate::storage::Kept;
use api::{
    AboutInfo, ApiError, AuditCount, ClaimInfo, Client, Code, DisputeInfo, DisputeState,
    EvidenceInfo, FinalBlock, JobDetail, JobEvents, JobState, JobSummary, JobTimes, JoinLine,
    KnownPeer, KnownTask, LostRight, NodeApi, NodeInfo, PlacedTx, ReplicaDetail, ReplicaState,
    Reply, SanctionInfo, Status, Step, Submission, TaskDetail, TaskState, Trouble, client::Connect,
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, future, stream};
use gateway::{Config, Running, serve};
use identity::{Digest, NetworkId, PublicKey, SecretKey, Signed};
use objects::{Cid, Codec};
use protocol::{
    Attempt, Block, Cause, Distinct, End, Finding, Founder, Genesis, Header, Height, Invitation,
    InvitationKind, Job, JobEvent, JobId, Limits, NoResult, OutcomeDigest, Params, Placement,
    Right, Sanction, Seconding, TaskIndex, TaskKey, Time, Tx, Verification, dispute_name,
    port::{Answer, Stream},
};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::compat::TokioAsyncReadCompatExt;

pub(crate) const TOKEN: &str = "a token of the tests";

/// What a submission turned out to be: its order, what it is held for, and its blobs up to the
/// first error.
pub(crate) type Submitted = (Signed<Job>, Vec<JobId>, Vec<Result<(Cid, Bytes), ApiError>>);

/// Answers like a node. Submissions are read to their end and sent to the test.
pub(crate) struct Fake {
    submitted: mpsc::Sender<Submitted>,
    /// Refuse a submission before its blobs are read.
    pub(crate) refuse: bool,
    /// What `cancel` was asked.
    pub(crate) cancelled: Mutex<Vec<JobId>>,
    /// What `pause` was asked.
    pub(crate) paused: Mutex<Vec<(JobId, bool)>>,
    /// What its store was asked.
    pub(crate) kept: Mutex<Kept>,
}

pub(crate) fn job() -> JobId {
    JobId(Cid::of(Codec::DagCbor, b"job"))
}

pub(crate) fn blob() -> Bytes {
    Bytes::from_static(b"some bytes")
}

pub(crate) fn order() -> Signed<Job> {
    let key = SecretKey::from_seed([1; 32]);
    let network = NetworkId(Digest([2; 32]));
    let job = Job {
        network,
        home: key.public(),
        program: Cid::of(Codec::Raw, b"program"),
        table: Cid::of(Codec::DagCbor, b"table"),
        tasks: 1,
        seed: Digest([3; 32]),
        limits: Limits::default(),
        placement: Placement::Fast,
        verification: Verification::SINGLE,
        issued: Time(1),
        expires: Time(2),
        engine: Digest([6; 32]),
        nonce: Digest([4; 32]),
        terms: protocol::Terms::default(),
    };
    Signed::new(job, network, &key)
}

pub(crate) fn genesis() -> Genesis {
    let founder = Founder {
        node: SecretKey::from_seed([9; 32]).public(),
        name: "lab".into(),
        addresses: Vec::new(),
    };
    let key = SecretKey::from_seed([8; 32]);
    let founder = Signed::new(founder, NetworkId::FOUNDING, &key);
    Genesis::found("net".into(), Time(5), vec![founder], 1, Params::default()).unwrap()
}

pub(crate) fn header() -> Header {
    Header::of_genesis(&genesis(), Digest([7; 32]))
}

pub(crate) fn tx() -> Tx {
    let seconding = Seconding { owner: PublicKey([3; 32]) };
    Tx::Second(Signed::new(seconding, genesis().network(), &SecretKey::from_seed([5; 32])))
}

pub(crate) fn events() -> Vec<JobEvent> {
    let (task, node) = (TaskIndex(0), PublicKey([7; 32]));
    vec![
        JobEvent::Admitted {
            job: job(),
            tasks: 1,
            drawn: Some(Height(3)),
            verification: Verification::SINGLE,
        },
        JobEvent::Started { task, attempt: Attempt(0), node },
        JobEvent::Outcome { task, node, end: End::Exit(3) },
        JobEvent::Final { tasks: vec![task], height: Height(4) },
        JobEvent::Finished { settled: 1, unsettled: 0, receipt: Cid::of(Codec::Raw, b"r") },
    ]
}

pub(crate) fn summary() -> JobSummary {
    JobSummary {
        job: job(),
        submitter: PublicKey([1; 32]),
        issued: Time(1),
        state: JobState::Running,
        tasks: 1,
        agreed: 0,
        settled: 0,
        unsettled: 0,
        receipt: None,
        priority: Default::default(),
        deadline: None,
        paused: false,
        running: 0,
    }
}

pub(crate) fn detail(from: TaskIndex) -> JobDetail {
    let task = TaskDetail {
        task: from,
        name: "a.csv".into(),
        state: TaskState::Waiting { why: "nobody is there".into() },
        replicas: vec![ReplicaDetail {
            attempt: Attempt(0),
            node: PublicKey([3; 32]),
            state: ReplicaState::Lost,
            since: Some(Time(4)),
            due: Some(Time(5)),
            no_result: Some(NoResult::MissingObject),
        }],
        skipped: Vec::new(),
        awaited: vec![PublicKey([4; 32])],
        retry: Some(Time(12)),
        began: Some(Time(3)),
        agreed: None,
        fuel: Some(9),
        dispute: Some(dispute().state),
    };
    JobDetail {
        summary: summary(),
        order: order(),
        ordered: Some(Height(2)),
        drawn: Some(Height(3)),
        after: vec![job()],
        audits: AuditCount { picked: 2, audited: 1 },
        times: JobTimes { admitted: Some(Time(2)), ..JobTimes::default() },
        offered: Some(Time(7)),
        troubles: vec![Trouble { step: Step::Publish, at: Time(8), reason: "no".into() }],
        missing: vec![order().payload.program],
        tasks: vec![task],
        placing: Default::default(),
    }
}

pub(crate) fn status() -> Status {
    Status {
        node: PublicKey([1; 32]),
        owner: PublicKey([2; 32]),
        network: genesis().network(),
        network_name: "net".into(),
        version: "0.1.0".into(),
        addresses: vec!["/ip4/127.0.0.1/udp/1/quic-v1".into()],
        validator: true,
        admitted: true,
        validators: 4,
        height: Height(9),
        head_time: Time(10),
        clock: Time(11),
        peers: 3,
        parties: 4,
        fingerprint: Digest([6; 32]),
        job_lifetime_ms: 1_000,
        distinct: Distinct::Nodes,
        heartbeat_ms: 60_000,
        reserve_bytes: 1,
        totals: Default::default(),
    }
}

pub(crate) fn info() -> NodeInfo {
    NodeInfo {
        node: PublicKey([1; 32]),
        owner: PublicKey([2; 32]),
        owner_name: "lab".into(),
        party: PublicKey([2; 32]),
        barred_until: Some(Time(90)),
        lost: vec![LostRight { right: Right::Execute, until: Time(90) }],
        validator: false,
        connected: true,
        addresses: Vec::new(),
        profile: None,
        rtt_ms: None,
        load: None,
        about: Some(AboutInfo {
            version: "0.1.0".into(),
            engine: Digest([6; 32]),
            height: Height(8),
            ahead_ms: -5,
            within_ms: 2,
            at: Time(10),
        }),
    }
}

pub(crate) fn known_key() -> TaskKey {
    TaskKey(Digest([8; 32]))
}

pub(crate) fn known_task() -> KnownTask {
    KnownTask {
        job: job(),
        task: TaskIndex(2),
        verification: Verification { k: 2, n: 3 },
        height: Height(5),
        time: Time(6),
    }
}

fn claim(outcome: Option<OutcomeDigest>) -> ClaimInfo {
    let (node, owner) = (PublicKey([1; 32]), PublicKey([2; 32]));
    ClaimInfo { node, owner, owner_name: "lab".into(), outcome }
}

pub(crate) fn dispute() -> DisputeInfo {
    let (task, outcome) = (TaskIndex(4), OutcomeDigest(Digest([5; 32])));
    DisputeInfo {
        id: dispute_name(&job(), task),
        job: job(),
        task,
        filer: PublicKey([2; 32]),
        opened: Height(3),
        after_final: false,
        claims: vec![claim(Some(outcome))],
        rulings: vec![claim(None)],
        state: DisputeState::Decided {
            outcome,
            height: Some(Height(5)),
            refuted: vec![PublicKey([1; 32])],
        },
    }
}

fn finding() -> Finding {
    let cause = Cause::Refuted { job: job(), task: TaskIndex(4) };
    let (node, owner) = (PublicKey([1; 32]), PublicKey([2; 32]));
    Finding { node, owner, cause, tx: tx().digest(), height: Height(5), time: Time(6) }
}

pub(crate) fn sanction() -> SanctionInfo {
    let finding = finding();
    let (owner, right, until) = (finding.owner, finding.cause.right(), Time(90));
    let sanction = Sanction { owner, right, finding, strike: 1, until, released: None };
    SanctionInfo::of(sanction, "lab".into())
}

pub(crate) fn proven() -> EvidenceInfo {
    EvidenceInfo::of(finding(), "lab".into()).unwrap()
}

pub(crate) fn join_line(kind: InvitationKind, lifetime_ms: u64) -> JoinLine {
    let key = SecretKey::from_seed([7; 32]);
    let invitation = Invitation { kind, key: key.public(), expires: Time(lifetime_ms) };
    let sponsor = SecretKey::from_seed([8; 32]);
    let invitation = Signed::new(invitation, genesis().network(), &sponsor);
    let peers = vec![KnownPeer { node: key.public(), addresses: Vec::new() }];
    JoinLine { genesis: genesis(), invitation, key, peers }
}

fn reply<T: Send + 'static>(value: T) -> Reply<'static, T> {
    future::ready(Ok(value)).boxed()
}

fn missing<T: Send + 'static>() -> Reply<'static, T> {
    let error = ApiError::new(Code::NotFound, "there is none").next("look elsewhere");
    future::ready(Err(error)).boxed()
}

fn told() -> JobEvents {
    stream::iter(events().into_iter().map(Ok)).boxed()
}

impl NodeApi for Fake {
    fn submit(&self, submission: Submission) -> Reply<'_, JobEvents> {
        let Submission { order, after, mut blobs } = submission;
        async move {
            if self.refuse {
                return Err(ApiError::new(Code::Expired, "too late").next("send it again"));
            }
            let mut all = Vec::new();
            while let Some(blob) = blobs.next().await {
                all.push(blob);
            }
            let failed = all.last().and_then(|last| last.as_ref().err()).cloned();
            self.submitted.send((order, after, all)).await.unwrap();
            match failed {
                Some(error) => Err(error),
                None => Ok(told()),
            }
        }
        .boxed()
    }

    fn events(&self, wanted: JobId) -> Reply<'_, JobEvents> {
        if wanted == job() {
            return reply(told());
        }
        // Another job ends without a last event, as if the node were cut off.
        reply(stream::iter(events().into_iter().take(2).map(Ok)).boxed())
    }

    fn jobs(&self) -> Reply<'_, Vec<JobSummary>> {
        reply(vec![summary()])
    }

    fn job(&self, _job: JobId, from: TaskIndex) -> Reply<'_, JobDetail> {
        reply(detail(from))
    }

    fn cancel(&self, job: JobId) -> Reply<'_, ()> {
        self.cancelled.lock().unwrap().push(job);
        reply(())
    }

    fn pause(&self, job: JobId, on: bool) -> Reply<'_, ()> {
        self.paused.lock().unwrap().push((job, on));
        reply(())
    }

    fn receipt(&self, wanted: JobId) -> Reply<'_, Bytes> {
        if wanted == job() { reply(Bytes::from_static(b"receipt")) } else { missing() }
    }

    fn blob(&self, cid: Cid) -> Reply<'_, Bytes> {
        // What does not exist is answered with other bytes: the client must notice.
        if cid == Cid::of(Codec::Raw, b"gone") { missing() } else { reply(blob()) }
    }

    fn blobs(&self, cids: Vec<Cid>) -> Reply<'_, Vec<Bytes>> {
        // The first two at most, and other bytes for what does not exist.
        reply(cids.iter().take(2).map(|_| blob()).collect())
    }

    fn has(&self, cids: Vec<Cid>) -> Reply<'_, Vec<bool>> {
        let there = Cid::of(Codec::Raw, &blob());
        reply(cids.into_iter().map(|cid| cid == there).collect())
    }

    fn known(&self, keys: Vec<TaskKey>) -> Reply<'_, Vec<Option<KnownTask>>> {
        reply(keys.into_iter().map(|key| (key == known_key()).then(known_task)).collect())
    }

    fn status(&self) -> Reply<'_, Status> {
        reply(status())
    }

    fn metrics(&self) -> Reply<'_, String> {
        reply("polity_peers 3\n".into())
    }

    fn nodes(&self) -> Reply<'_, Vec<NodeInfo>> {
        reply(vec![info()])
    }

    fn head(&self) -> Reply<'_, Header> {
        reply(header())
    }

    fn block(&self, height: Height) -> Reply<'_, FinalBlock> {
        if height != Height(0) {
            return missing();
        }
        let block = Block { header: header(), txs: Vec::new() };
        reply(FinalBlock { block, finality: None })
    }

    fn tx(&self, digest: Digest) -> Reply<'_, PlacedTx> {
        if digest != tx().digest() {
            return missing();
        }
        reply(PlacedTx { height: Height(2), index: 1, tx: tx() })
    }

    fn disputes(&self) -> Reply<'_, Vec<DisputeInfo>> {
        reply(vec![dispute()])
    }

    fn sanctions(&self) -> Reply<'_, Vec<SanctionInfo>> {
        reply(vec![sanction()])
    }

    fn evidence(&self) -> Reply<'_, Vec<EvidenceInfo>> {
        reply(vec![proven()])
    }

    fn evidence_file(&self, id: Digest) -> Reply<'_, Bytes> {
        if id == proven().id { reply(Bytes::from_static(b"evidence")) } else { missing() }
    }

    fn second(&self, owner: PublicKey) -> Reply<'_, Digest> {
        if owner == PublicKey([3; 32]) { reply(tx().digest()) } else { missing() }
    }

    fn invite(&self, kind: InvitationKind, lifetime_ms: u64) -> Reply<'_, JoinLine> {
        reply(join_line(kind, lifetime_ms))
    }
}

/// Connects over TCP.
pub(crate) struct Tcp(pub(crate) SocketAddr);

impl Connect for Tcp {
    fn connect(&self) -> Answer<'static, io::Result<Stream>> {
        let addr = self.0;
        async move {
            let stream = tokio::net::TcpStream::connect(addr).await?;
            Ok(Box::new(stream.compat()) as Stream)
        }
        .boxed()
    }
}

/// A gateway before a fake node.
pub(crate) struct House {
    pub(crate) running: Running,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) submitted: mpsc::Receiver<Submitted>,
    pub(crate) node: Arc<Fake>,
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::with(Config::default(), false).await
    }

    pub(crate) async fn with(config: Config, refuse: bool) -> Self {
        let (sender, submitted) = mpsc::channel(4);
        let (cancelled, paused, kept) = Default::default();
        let node = Arc::new(Fake { submitted: sender, refuse, cancelled, paused, kept });
        let (stop, stopped) = oneshot::channel();
        let running = serve(config, node.clone(), TOKEN, stopped).await.unwrap();
        Self { running, stop: Some(stop), submitted, node }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.running.addr()
    }

    pub(crate) fn client(&self) -> Client<Tcp> {
        self.client_with(&self.addr().to_string(), TOKEN)
    }

    pub(crate) fn client_with(&self, host: &str, token: &str) -> Client<Tcp> {
        Client::new(Tcp(self.addr()), host.into(), token.into())
    }
}
