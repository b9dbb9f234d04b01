//! A node that has some blocks, is slow with some, and wrong about others; and a client that sees
//! every byte.

use api::{
    ApiError, BackupBytes, Blocks, Chore, Chores, ClusterApi, ClusterChange, ClusterInfo, Code,
    DisputeInfo, EvidenceInfo, FinalBlock, JobDetail, JobEvents, JobSummary, JoinLine, KnownTask,
    NodeApi, NodeInfo, PinInfo, PlacedTx, Received, Reply, SanctionInfo, Status, Stock, StorageApi,
    Submission, Whereabouts,
};
use bytes::Bytes;
use futures::{FutureExt, future};
use gateway::{
    Running,
    ipfs::{Config, serve},
};
use identity::{Digest, PublicKey};
use objects::{Block, Cid, DirectoryBuilder, Entry, Error, FileBuilder};
use protocol::{Header, Height, InvitationKind, JobId, TaskIndex, TaskKey};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, oneshot},
};

/// What the node does with a block that is not simply there.
#[derive(Clone)]
pub(crate) enum Trouble {
    /// It never comes.
    Never,
    /// It comes once this is told.
    After(Arc<Notify>),
    /// Other bytes come.
    Wrong,
}

#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) blocks: Mutex<HashMap<Cid, Bytes>>,
    pub(crate) troubles: Mutex<HashMap<Cid, Trouble>>,
    /// Blocks that were asked for, in order.
    pub(crate) asked: Mutex<Vec<Cid>>,
}

impl Fake {
    pub(crate) fn add(&self, block: Block) -> Cid {
        self.blocks.lock().unwrap().insert(block.cid, block.bytes);
        block.cid
    }

    /// Adds a file, in chunks of 1 MiB.
    pub(crate) fn file(&self, content: &[u8]) -> Cid {
        let (mut builder, mut blocks) = (FileBuilder::new(), Vec::new());
        builder.push(content, &mut blocks);
        let root = builder.finish(&mut blocks);
        for block in blocks {
            self.add(block);
        }
        root.cid
    }

    /// Adds a directory.
    pub(crate) fn directory(&self, entries: &[(&str, Cid)]) -> Cid {
        let mut builder = DirectoryBuilder::new();
        for (name, cid) in entries {
            let entry = Entry { name: (*name).into(), cid: *cid, size_bytes: 1 };
            builder.push(entry).unwrap();
        }
        let root = builder.finish::<Error>(|block| {
            self.add(block);
            Ok(())
        });
        root.unwrap().cid
    }

    pub(crate) fn trouble(&self, cid: Cid, trouble: Trouble) {
        self.troubles.lock().unwrap().insert(cid, trouble);
    }

    pub(crate) fn forget(&self, cid: Cid) {
        self.blocks.lock().unwrap().remove(&cid).unwrap();
    }

    /// The blocks that were asked for since this was called last.
    pub(crate) fn asked(&self) -> Vec<Cid> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn none<T: Send + 'static>() -> Reply<'static, T> {
    future::ready(Err(ApiError::new(Code::NotFound, "there is none"))).boxed()
}

impl ClusterApi for Fake {
    fn cluster(&self) -> Reply<'_, ClusterInfo> {
        none()
    }

    fn cluster_current(&self) -> Reply<'_, ClusterInfo> {
        none()
    }

    fn manage(&self, _: ClusterChange) -> Reply<'_, ()> {
        none()
    }

    fn backup(&self) -> Reply<'_, BackupBytes> {
        none()
    }
}

impl StorageApi for Fake {
    fn put(&self, _: Blocks) -> Reply<'_, Received> {
        none()
    }
    fn pins(&self, _: Option<String>, _: Option<(String, Cid)>) -> Reply<'_, Vec<PinInfo>> {
        none()
    }
    fn unpin(&self, _: String, _: Cid) -> Reply<'_, ()> {
        none()
    }
    fn stock(&self) -> Reply<'_, Stock> {
        none()
    }
    fn whereabouts(&self, _: Cid) -> Reply<'_, Vec<Whereabouts>> {
        none()
    }
    fn chore(&self, _: Chore) -> Reply<'_, Chores> {
        none()
    }
}

impl NodeApi for Fake {
    fn blob(&self, cid: Cid) -> Reply<'_, Bytes> {
        self.asked.lock().unwrap().push(cid);
        let found = self.blocks.lock().unwrap().get(&cid).cloned();
        let trouble = self.troubles.lock().unwrap().get(&cid).cloned();
        async move {
            match trouble {
                None => {}
                Some(Trouble::Never) => future::pending().await,
                Some(Trouble::After(told)) => told.notified().await,
                Some(Trouble::Wrong) => return Ok(Bytes::from_static(b"other bytes")),
            }
            found.ok_or_else(|| ApiError::new(Code::NotFound, format!("{cid} is nowhere")))
        }
        .boxed()
    }

    fn has(&self, cids: Vec<Cid>) -> Reply<'_, Vec<bool>> {
        let blocks = self.blocks.lock().unwrap();
        let has = cids.iter().map(|cid| blocks.contains_key(cid)).collect();
        future::ready(Ok(has)).boxed()
    }

    fn submit(&self, _: Submission) -> Reply<'_, JobEvents> {
        none()
    }
    fn events(&self, _: JobId) -> Reply<'_, JobEvents> {
        none()
    }
    fn jobs(&self) -> Reply<'_, Vec<JobSummary>> {
        none()
    }
    fn job(&self, _: JobId, _: TaskIndex) -> Reply<'_, JobDetail> {
        none()
    }
    fn cancel(&self, _: JobId) -> Reply<'_, ()> {
        none()
    }
    fn pause(&self, _: JobId, _: bool) -> Reply<'_, ()> {
        none()
    }
    fn receipt(&self, _: JobId) -> Reply<'_, Bytes> {
        none()
    }
    fn blobs(&self, _: Vec<Cid>) -> Reply<'_, Vec<Bytes>> {
        none()
    }
    fn known(&self, _: Vec<TaskKey>) -> Reply<'_, Vec<Option<KnownTask>>> {
        none()
    }
    fn status(&self) -> Reply<'_, Status> {
        none()
    }
    fn metrics(&self) -> Reply<'_, String> {
        none()
    }
    fn nodes(&self) -> Reply<'_, Vec<NodeInfo>> {
        none()
    }
    fn head(&self) -> Reply<'_, Header> {
        none()
    }
    fn block(&self, _: Height) -> Reply<'_, FinalBlock> {
        none()
    }
    fn tx(&self, _: Digest) -> Reply<'_, PlacedTx> {
        none()
    }
    fn disputes(&self) -> Reply<'_, Vec<DisputeInfo>> {
        none()
    }
    fn sanctions(&self) -> Reply<'_, Vec<SanctionInfo>> {
        none()
    }
    fn evidence(&self) -> Reply<'_, Vec<EvidenceInfo>> {
        none()
    }
    fn evidence_file(&self, _: Digest) -> Reply<'_, Bytes> {
        none()
    }
    fn second(&self, _: PublicKey) -> Reply<'_, Digest> {
        none()
    }
    fn invite(&self, _: InvitationKind, _: u64) -> Reply<'_, JoinLine> {
        none()
    }
}

/// A gateway before a fake node.
pub(crate) struct House {
    pub(crate) node: Arc<Fake>,
    pub(crate) running: Running,
    _stop: oneshot::Sender<()>,
}

/// On loopback, on any port.
pub(crate) fn config() -> Config {
    Config { addr: Some(SocketAddr::from(([127, 0, 0, 1], 0))), ..Config::default() }
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::with(config()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let node = Arc::new(Fake::default());
        let (stop, stopped) = oneshot::channel();
        let running = serve(&config, node.clone(), stopped).await.unwrap().unwrap();
        Self { node, running, _stop: stop }
    }

    pub(crate) async fn get(&self, path: impl AsRef<str>) -> Answer {
        self.ask("GET", path, &[]).await
    }

    pub(crate) async fn ask(
        &self,
        method: &str,
        path: impl AsRef<str>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut stream = self.send(method, path.as_ref(), headers).await;
        let mut bytes = Vec::new();
        // A connection that is reset has still sent what it has sent.
        let _ = stream.read_to_end(&mut bytes).await;
        Answer::read(&bytes)
    }

    /// Sends a request and reads nothing.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> TcpStream {
        let mut request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if headers.iter().all(|(name, _)| *name != "host") {
            request += "host: 127.0.0.1\r\n";
        }
        headers.iter().for_each(|(name, value)| request += &format!("{name}: {value}\r\n"));
        request += "\r\n";
        let mut stream = TcpStream::connect(self.running.addr()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end.
    pub(crate) whole: bool,
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let mut lines = std::str::from_utf8(&bytes[..end]).unwrap().lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: HashMap<_, _> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_string()))
            .collect();
        let rest = &bytes[end + 4..];
        let (body, whole) = if headers.contains_key("transfer-encoding") {
            chunks(rest)
        } else {
            let length = headers.get("content-length").map(|length| length.parse().unwrap());
            (rest.to_vec(), length.is_none_or(|length: usize| length == rest.len()))
        };
        Self { status, headers, body, whole }
    }

    /// A header; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// The body of chunks, and whether it was ended.
fn chunks(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..at]).unwrap(), 16).unwrap();
        if length == 0 {
            return (body, true);
        }
        let Some(chunk) = rest.get(at + 2..at + 2 + length) else { break };
        body.extend(chunk);
        let Some(next) = rest.get(at + 4 + length..) else { break };
        rest = next;
    }
    (body, false)
}
