//! The API through the real client and a node that only remembers, and what hostile bytes get.

#![allow(clippy::unwrap_used)]

use api::{
    ApiError, Client, Code, FinalBlock, JobDetail, JobEvents, JobState, JobSummary, JoinLine,
    NodeApi, NodeInfo, PlacedTx, Reply, Status, Submission, blobs_of, client::Connect,
    frame::Frame,
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream};
use gateway::{Config, Running, serve};
use identity::{Digest, NetworkId, PublicKey, SecretKey, Signed};
use objects::{Cid, Codec};
use protocol::{
    Block, Founder, Genesis, Header, Height, Invitation, InvitationKind, Job, JobEvent, JobId,
    Limits, Params, Placement, TaskIndex, Time, Tx, Verification,
    port::{Answer, Stream},
};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
};
use tokio_util::compat::TokioAsyncReadCompatExt;

const TOKEN: &str = "right";

fn genesis() -> Genesis {
    let (owner, node) = (SecretKey::from_seed([1; 32]), SecretKey::from_seed([2; 32]).public());
    let founder = Founder { node, name: "one".into(), addresses: Vec::new() };
    let founder = Signed::new(founder, NetworkId::FOUNDING, &owner);
    Genesis::found("net".into(), Time(1), vec![founder], 1, Params::default()).unwrap()
}

fn order() -> Signed<Job> {
    let key = SecretKey::from_seed([1; 32]);
    let job = Job {
        network: genesis().network(),
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
        nonce: Digest([4; 32]),
    };
    Signed::new(job, genesis().network(), &key)
}

fn header() -> Header {
    Header::of_genesis(&genesis(), Digest([5; 32]))
}

fn event() -> JobEvent {
    JobEvent::Final { tasks: vec![TaskIndex(0)], height: Height(3) }
}

/// A node that remembers what it was handed, and answers the same things always.
#[derive(Default)]
struct Remembering {
    blobs: Mutex<Vec<(Cid, Bytes)>>,
    failures: Mutex<Vec<Code>>,
}

fn told() -> JobEvents {
    let error = ApiError::new(Code::Expired, "too late").next("sooner");
    stream::iter(vec![Ok(event()), Err(error)]).boxed()
}

fn reply<T: Send + 'static>(value: T) -> Reply<'static, T> {
    async move { Ok(value) }.boxed()
}

impl NodeApi for Remembering {
    fn submit(&self, mut submission: Submission) -> Reply<'_, JobEvents> {
        async move {
            assert_eq!(submission.order, order());
            while let Some(blob) = submission.blobs.next().await {
                match blob {
                    Ok(blob) => self.blobs.lock().unwrap().push(blob),
                    Err(error) => {
                        self.failures.lock().unwrap().push(error.code);
                        return Err(error);
                    }
                }
            }
            Ok(told())
        }
        .boxed()
    }
    fn events(&self, _: JobId) -> Reply<'_, JobEvents> {
        reply(told())
    }
    fn jobs(&self) -> Reply<'_, Vec<JobSummary>> {
        reply(vec![summary()])
    }
    fn job(&self, _: JobId, from: TaskIndex) -> Reply<'_, JobDetail> {
        let drawn = Height(u64::from(from.0));
        reply(JobDetail { summary: summary(), order: order(), drawn, tasks: Vec::new() })
    }
    fn cancel(&self, _: JobId) -> Reply<'_, ()> {
        async { Err(ApiError::new(Code::NotFound, "no such job")) }.boxed()
    }
    fn receipt(&self, _: JobId) -> Reply<'_, Bytes> {
        reply(Bytes::from_static(b"receipt"))
    }
    fn blob(&self, _: Cid) -> Reply<'_, Bytes> {
        reply(Bytes::from_static(b"block"))
    }
    fn has(&self, cids: Vec<Cid>) -> Reply<'_, Vec<bool>> {
        reply(cids.iter().map(|cid| cid.codec() == Codec::Raw).collect())
    }
    fn status(&self) -> Reply<'_, Status> {
        reply(Status {
            node: PublicKey([1; 32]),
            owner: PublicKey([2; 32]),
            network: genesis().network(),
            network_name: "net".into(),
            version: "1".into(),
            addresses: Vec::new(),
            validator: true,
            admitted: true,
            validators: 1,
            height: Height(3),
            head_time: Time(4),
            clock: Time(5),
            peers: 6,
            parties: 7,
            fingerprint: Digest([8; 32]),
            job_lifetime_ms: 9,
        })
    }
    fn nodes(&self) -> Reply<'_, Vec<NodeInfo>> {
        reply(Vec::new())
    }
    fn head(&self) -> Reply<'_, Header> {
        reply(header())
    }
    fn block(&self, _: Height) -> Reply<'_, FinalBlock> {
        reply(FinalBlock { block: Block { header: header(), txs: Vec::new() }, finality: None })
    }
    fn tx(&self, _: Digest) -> Reply<'_, PlacedTx> {
        let seconding = protocol::Seconding { owner: PublicKey([3; 32]) };
        let key = SecretKey::from_seed([1; 32]);
        let tx = Tx::Second(Signed::new(seconding, genesis().network(), &key));
        reply(PlacedTx { height: Height(1), index: 0, tx })
    }
    fn invite(&self, kind: InvitationKind, lifetime_ms: u64) -> Reply<'_, JoinLine> {
        let key = SecretKey::from_seed([6; 32]);
        let invitation = Invitation { kind, key: key.public(), expires: Time(lifetime_ms) };
        let sponsor = SecretKey::from_seed([1; 32]);
        let invitation = Signed::new(invitation, genesis().network(), &sponsor);
        reply(JoinLine { genesis: genesis(), invitation, key, peers: Vec::new() })
    }
}

fn summary() -> JobSummary {
    JobSummary {
        job: order().payload.id(),
        submitter: PublicKey([1; 32]),
        issued: Time(1),
        state: JobState::Running,
        tasks: 1,
        agreed: 0,
        settled: 0,
        unsettled: 0,
        receipt: None,
    }
}

struct Dial(SocketAddr);

impl Connect for Dial {
    fn connect(&self) -> Answer<'static, io::Result<Stream>> {
        let addr = self.0;
        Box::pin(async move {
            let stream = TcpStream::connect(addr).await?.compat();
            Ok(Box::new(stream) as Stream)
        })
    }
}

struct Gate {
    running: Running,
    node: Arc<Remembering>,
    _stop: oneshot::Sender<()>,
}

impl Gate {
    async fn open() -> Self {
        let node = Arc::new(Remembering::default());
        let (stop, stopped) = oneshot::channel();
        let running = serve(Config::default(), node.clone(), TOKEN, stopped).await.unwrap();
        Self { running, node, _stop: stop }
    }

    fn client(&self, token: &str) -> Client<Dial> {
        let addr = self.running.addr();
        Client::new(Dial(addr), addr.to_string(), token.into())
    }

    /// Sends bytes as they are, and gives the whole answer.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.running.addr()).await.unwrap();
        // The other side may answer and close before it has read everything.
        let _early = stream.write_all(bytes).await;
        let _early = stream.shutdown().await;
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn asked(&self, request: &str, body: &[u8]) -> String {
        let head = format!(
            "{request} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {TOKEN}\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n",
            self.running.addr(),
            body.len()
        );
        self.raw(&[head.as_bytes(), body].concat()).await
    }
}

#[tokio::test]
async fn every_question_is_answered_through_the_client() {
    let gate = Gate::open().await;
    let client = gate.client(TOKEN);
    let job = order().payload.id();
    assert_eq!(client.jobs().await.unwrap(), [summary()]);
    assert_eq!(client.job(job, TaskIndex(7)).await.unwrap().drawn, Height(7));
    assert_eq!(client.cancel(job).await.unwrap_err().code, Code::NotFound);
    assert_eq!(client.receipt(job).await.unwrap(), "receipt");
    let block = Cid::of(Codec::Raw, b"block");
    assert_eq!(client.blob(block).await.unwrap(), "block");
    let other = client.blob(job.0).await.unwrap_err();
    assert_eq!(other.code, Code::ContentMismatch, "the client checks what it gets");
    let cids = vec![Cid::of(Codec::Raw, b"a"), Cid::of(Codec::DagPb, b"a")];
    assert_eq!(client.has(cids).await.unwrap(), [true, false]);
    assert_eq!(client.status().await.unwrap().parties, 7);
    assert_eq!(client.nodes().await.unwrap(), []);
    assert_eq!(client.head().await.unwrap(), header());
    assert_eq!(client.block(Height(0)).await.unwrap().block.header, header());
    assert_eq!(client.tx(Digest([1; 32])).await.unwrap().height, Height(1));
    let line = client.invite(InvitationKind::Machine, 60_000).await.unwrap();
    assert_eq!(line.invitation.payload.expires, Time(60_000));
    let events: Vec<_> = client.events(job).await.unwrap().collect().await;
    assert_eq!(events[0], Ok(event()));
    assert_eq!(events[1].as_ref().unwrap_err().code, Code::Expired);
}

#[tokio::test]
async fn a_submission_arrives_whole_and_its_events_come_back() {
    let gate = Gate::open().await;
    let large = Bytes::from(vec![7; 4 << 20]);
    let blobs =
        vec![(Cid::of(Codec::Raw, &large), large), (Cid::of(Codec::Raw, b""), Bytes::new())];
    let submission = Submission { order: order(), blobs: blobs_of(blobs.clone()) };
    let client = gate.client(TOKEN);
    let mut events = client.submit(submission).await.unwrap();
    assert_eq!(events.next().await, Some(Ok(event())));
    assert_eq!(*gate.node.blobs.lock().unwrap(), blobs);
}

#[tokio::test]
async fn whoever_lacks_the_token_or_names_another_host_is_refused() {
    let gate = Gate::open().await;
    for token in ["", "wrong", "righ", "rightt"] {
        let refused = gate.client(token).status().await.unwrap_err();
        assert_eq!(refused.code, Code::Unauthorized, "{token:?}");
    }
    let addr = gate.running.addr();
    let other = Client::new(Dial(addr), "polity.example:80".into(), TOKEN.into());
    assert_eq!(other.status().await.unwrap_err().code, Code::WrongHost);
}

#[tokio::test]
async fn a_submission_that_stops_is_cut_and_nothing_is_admitted() {
    let gate = Gate::open().await;
    let cid = Cid::of(Codec::Raw, b"x");
    let whole = [
        Frame::Order(Box::new(order())).encode(),
        Frame::Blob(cid, Bytes::from_static(b"x")).encode(),
    ]
    .concat();
    for length in [3, 40, whole.len() - 1, whole.len()] {
        let answer = gate.asked("POST /v1/jobs", &whole[..length]).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{length}: {answer}");
        assert!(answer.contains("\"cut\""), "{length}: {answer}");
    }
    let cuts = gate.node.failures.lock().unwrap().clone();
    assert!(!cuts.is_empty() && cuts.iter().all(|code| *code == Code::Cut), "{cuts:?}");
}

#[tokio::test]
async fn bytes_that_make_no_sense_get_an_error_with_a_code() {
    let gate = Gate::open().await;
    let cases: [(&str, &[u8], &str); 9] = [
        ("POST /v1/jobs", &[0, 0, 0, 1, 9], "malformed"),
        ("POST /v1/jobs", &[255, 255, 255, 255, 1], "too_large"),
        ("GET /v1/jobs/nonsense", b"", "malformed"),
        ("GET /v1/jobs/nonsense/events", b"", "malformed"),
        ("GET /v1/blobs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG", b"", "malformed"),
        ("GET /v1/ledger/blocks/-1", b"", "malformed"),
        ("POST /v1/blobs/has", b"{", "malformed"),
        ("DELETE /v1/status", b"", "unsupported"),
        ("GET /v2/status", b"", "not_found"),
    ];
    for (request, body, code) in cases {
        let answer = gate.asked(request, body).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{request}: {answer}");
        assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{request}: {answer}");
    }
    let cids = vec![Cid::of(Codec::Raw, b"a"); api::path::CIDS + 1];
    let refused = gate.client(TOKEN).has(cids).await.unwrap_err();
    assert_eq!(refused.code, Code::TooLarge);
    let oversized = vec![b' '; api::path::REQUEST_BYTES + 1];
    let answer = gate.asked("POST /v1/invitations", &oversized).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(!gate.raw(b"nonsense\r\n\r\n").await.starts_with("HTTP/1.1 2"));
    assert_eq!(gate.client(TOKEN).jobs().await.unwrap().len(), 1, "it still answers");
}

#[tokio::test]
async fn it_listens_on_loopback_only_and_says_who_has_the_port() {
    let (_stop, stopped) = oneshot::channel();
    let config = Config { addr: "0.0.0.0:0".parse().unwrap(), ..Config::default() };
    let node: Arc<dyn NodeApi> = Arc::new(Remembering::default());
    let refused = serve(config, node.clone(), TOKEN, stopped).await.unwrap_err();
    assert!(refused.to_string().contains("loopback"), "{refused}");
    let gate = Gate::open().await;
    let (_stop, stopped) = oneshot::channel();
    let config = Config { addr: gate.running.addr(), ..Config::default() };
    let refused = serve(config, node, TOKEN, stopped).await.unwrap_err();
    assert!(refused.to_string().contains("another node"), "{refused}");
}

#[tokio::test]
async fn it_ends_when_it_is_told_to() {
    let node: Arc<dyn NodeApi> = Arc::new(Remembering::default());
    let (stop, stopped) = oneshot::channel();
    let mut running = serve(Config::default(), node, TOKEN, stopped).await.unwrap();
    stop.send(()).unwrap();
    running.ended().await;
    let client = Client::new(Dial(running.addr()), running.addr().to_string(), TOKEN.into());
    assert_eq!(client.status().await.unwrap_err().code, Code::Unreachable);
}
