//! A [`NodeApi`] that is somewhere else: the requests of [`crate::path`] over HTTP.

mod body;
mod cluster;
mod exchange;
mod storage;

use crate::{
    ApiError, Code, DisputeInfo, EvidenceInfo, FinalBlock, JobDetail, JobSummary, JoinLine,
    KnownTask, NodeApi, NodeInfo, PlacedTx, SanctionInfo, Status, Submission,
    door::{JobEvents, Reply},
    event_line,
    frame::Frame,
    path::{self, InviteRequest, SecondRequest},
};
use bytes::{Bytes, BytesMut};
use exchange::{Request, Response, exchange};
use futures::{FutureExt, StreamExt, future, stream};
use identity::{Digest, PublicKey, canonical};
use objects::Cid;
use protocol::{
    Header, Height, InvitationKind, JobEvent, JobId, TaskIndex, TaskKey, limits,
    port::{Answer, Events, Stream},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{io, sync::Arc};
use zeroize::Zeroizing;

/// Opens a connection to the node. The hands that do it are the caller's.
pub trait Connect: Send + Sync + 'static {
    /// A fresh connection.
    fn connect(&self) -> Answer<'static, io::Result<Stream>>;
}

/// A node behind HTTP.
pub struct Client<C> {
    connect: C,
    host: String,
    token: Arc<Zeroizing<String>>,
    /// What the node's log calls these requests.
    request: Option<String>,
}

impl<C: Connect> Client<C> {
    /// A client. `host` is what the Host header says (`127.0.0.1:PORT`), `token` the content of
    /// the token file.
    pub fn new(connect: C, host: String, token: String) -> Self {
        Self { connect, host, token: Arc::new(Zeroizing::new(token)), request: None }
    }

    /// The same, whose requests the node's log calls by this id: see [`path::REQUEST_ID`].
    pub fn called(self, request: String) -> Self {
        Self { request: Some(request), ..self }
    }

    async fn send(
        &self,
        method: &'static str,
        path: String,
        media: &'static str,
        body: Body,
    ) -> Result<Response, ApiError> {
        let stream = self.connect.connect().await.map_err(|error| {
            ApiError::new(Code::Unreachable, format!("no node answers at {}: {error}", self.host))
                .next("start one with: polity up")
        })?;
        let request = Request {
            method,
            path,
            host: self.host.clone(),
            token: self.token.clone(),
            request: self.request.clone(),
            media,
            body,
        };
        let response = exchange(stream, request).await?;
        if response.status < 400 {
            return Ok(response);
        }
        let status = response.status;
        let bytes = collect(response.body, path::REQUEST_BYTES).await?;
        Err(serde_json::from_slice(&bytes).unwrap_or_else(|_| {
            ApiError::new(Code::Unknown, format!("the node answered with status {status}"))
        }))
    }

    async fn bytes(&self, path: String) -> Result<Bytes, ApiError> {
        let response = self.send("GET", path, path::BYTES, Body::Empty).await?;
        collect(response.body, path::ANSWER_BYTES).await
    }

    async fn get<T: DeserializeOwned>(&self, path: String) -> Result<T, ApiError> {
        json(&self.bytes(path).await?)
    }

    async fn post<Q: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        question: &Q,
    ) -> Result<T, ApiError> {
        let body = serde_json::to_vec(question).map_err(unreadable)?;
        let body = Body::Whole(body.into());
        let response = self.send("POST", path.into(), path::JSON, body).await?;
        json(&collect(response.body, path::ANSWER_BYTES).await?)
    }

    async fn cbor<T: Serialize + DeserializeOwned>(&self, path: String) -> Result<T, ApiError> {
        let bytes = self.bytes(path).await?;
        canonical::decode(&bytes, path::ANSWER_BYTES).map_err(unreadable)
    }
}

/// What a request carries.
enum Body {
    Empty,
    Whole(Bytes),
    Stream(Events<Result<Bytes, ApiError>>),
}

fn unreadable(error: impl ToString) -> ApiError {
    ApiError::new(
        Code::Malformed,
        format!("the node's answer cannot be read: {}", error.to_string()),
    )
    .next("is the node of another version? compare: polity --version, polity node describe")
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(unreadable)
}

fn one_each<T>(answers: Vec<T>, questions: usize) -> Result<Vec<T>, ApiError> {
    match answers.len() {
        count if count == questions => Ok(answers),
        count => Err(unreadable(format!("{count} answers to {questions} questions"))),
    }
}

async fn collect(
    mut body: Events<Result<Bytes, ApiError>>,
    limit_bytes: usize,
) -> Result<Bytes, ApiError> {
    let mut all = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece?;
        if all.len() + piece.len() > limit_bytes {
            return Err(unreadable(format!("more than {limit_bytes} bytes")));
        }
        all.extend_from_slice(&piece);
    }
    Ok(all.freeze())
}

/// What happens to a job, out of lines.
fn events_of(body: Events<Result<Bytes, ApiError>>) -> JobEvents {
    let cut = || {
        ApiError::new(Code::Cut, "the node stopped answering; the job goes on")
            .next("see where it stands with: polity job list")
    };
    happenings(body, |event| matches!(event, JobEvent::Finished { .. }), cut)
}

/// What happens, out of lines. A stream that ends without a last event was cut.
fn happenings<E: DeserializeOwned + Send + 'static>(
    body: Events<Result<Bytes, ApiError>>,
    is_last: fn(&E) -> bool,
    cut: fn() -> ApiError,
) -> Events<Result<E, ApiError>> {
    let lines = body::lines(body).map(|line| line.and_then(|line| event_line::decode(&line)));
    // After the last event, or the first error, there is nothing to wait for.
    stream::unfold(Some(lines.boxed()), move |lines| async move {
        let mut lines = lines?;
        match lines.next().await {
            Some(Ok(event)) if is_last(&event) => Some((Ok(event), None)),
            Some(Ok(event)) => Some((Ok(event), Some(lines))),
            Some(Err(error)) => Some((Err(error), None)),
            None => Some((Err(cut()), None)),
        }
    })
    .boxed()
}

impl<C: Connect> NodeApi for Client<C> {
    fn submit(&self, submission: Submission) -> Reply<'_, JobEvents> {
        let Submission { order, after, blobs } = submission;
        let held = (!after.is_empty()).then_some(Frame::After(after));
        let first = held.into_iter().chain([Frame::Order(Box::new(order))]);
        let first = stream::iter(first.map(Ok));
        let rest = blobs.map(|blob| blob.map(|(cid, bytes)| Frame::Blob(cid, bytes)));
        let end = stream::once(future::ready(Ok(Frame::End)));
        let frames = first.chain(rest).chain(end).map(|frame| frame.map(|frame| frame.encode()));
        let body = Body::Stream(frames.boxed());
        async move {
            let response = self.send("POST", path::JOBS_PATH.into(), path::FRAMES, body).await?;
            Ok(events_of(response.body))
        }
        .boxed()
    }

    fn events(&self, job: JobId) -> Reply<'_, JobEvents> {
        async move {
            let path = format!("{}/{job}/events", path::JOBS_PATH);
            let response = self.send("GET", path, path::NDJSON, Body::Empty).await?;
            Ok(events_of(response.body))
        }
        .boxed()
    }

    fn jobs(&self) -> Reply<'_, Vec<JobSummary>> {
        self.get(path::JOBS_PATH.into()).boxed()
    }

    fn job(&self, job: JobId, from: TaskIndex) -> Reply<'_, JobDetail> {
        self.get(format!("{}/{job}?from={from}", path::JOBS_PATH)).boxed()
    }

    fn cancel(&self, job: JobId) -> Reply<'_, ()> {
        async move {
            let path = format!("{}/{job}", path::JOBS_PATH);
            let response = self.send("DELETE", path, path::JSON, Body::Empty).await?;
            collect(response.body, path::REQUEST_BYTES).await.map(drop)
        }
        .boxed()
    }

    fn pause(&self, job: JobId, on: bool) -> Reply<'_, ()> {
        async move {
            let path = format!("{}/{job}/pause", path::JOBS_PATH);
            let method = if on { "PUT" } else { "DELETE" };
            let response = self.send(method, path, path::JSON, Body::Empty).await?;
            collect(response.body, path::REQUEST_BYTES).await.map(drop)
        }
        .boxed()
    }

    fn receipt(&self, job: JobId) -> Reply<'_, Bytes> {
        self.bytes(format!("{}/{job}/receipt", path::JOBS_PATH)).boxed()
    }

    fn blob(&self, cid: Cid) -> Reply<'_, Bytes> {
        async move {
            let bytes = self.bytes(format!("{}/{cid}", path::BLOBS_PATH)).await?;
            cid.check(&bytes).map_err(|e| ApiError::new(Code::ContentMismatch, e.to_string()))?;
            Ok(bytes)
        }
        .boxed()
    }

    fn blobs(&self, cids: Vec<Cid>) -> Reply<'_, Vec<Bytes>> {
        async move {
            let body = Body::Whole(serde_json::to_vec(&cids).map_err(unreadable)?.into());
            let path = path::BLOBS_PATH.to_string();
            let response = self.send("POST", path, path::JSON, body).await?;
            let limit_bytes = 2 * path::BLOBS_BYTES + limits::BLOB_BYTES;
            let answer = collect(response.body, limit_bytes).await?;
            let found: Vec<Bytes> = canonical::decode(&answer, limit_bytes).map_err(unreadable)?;
            if found.len() > cids.len() || found.is_empty() != cids.is_empty() {
                let (got, asked) = (found.len(), cids.len());
                return Err(unreadable(format!("{got} blocks, {asked} were asked for")));
            }
            for (cid, bytes) in cids.iter().zip(&found) {
                cid.check(bytes)
                    .map_err(|e| ApiError::new(Code::ContentMismatch, e.to_string()))?;
            }
            Ok(found)
        }
        .boxed()
    }

    fn has(&self, cids: Vec<Cid>) -> Reply<'_, Vec<bool>> {
        async move {
            let answers: Vec<bool> = self.post(path::HAS_PATH, &cids).await?;
            one_each(answers, cids.len())
        }
        .boxed()
    }

    fn known(&self, keys: Vec<TaskKey>) -> Reply<'_, Vec<Option<KnownTask>>> {
        async move {
            let answers: Vec<_> = self.post(path::KNOWN_PATH, &keys).await?;
            one_each(answers, keys.len())
        }
        .boxed()
    }

    fn status(&self) -> Reply<'_, Status> {
        self.get(path::STATUS_PATH.into()).boxed()
    }

    fn metrics(&self) -> Reply<'_, String> {
        async move {
            let bytes = self.bytes(path::METRICS_PATH.into()).await?;
            String::from_utf8(bytes.to_vec()).map_err(unreadable)
        }
        .boxed()
    }

    fn nodes(&self) -> Reply<'_, Vec<NodeInfo>> {
        self.get(path::NODES_PATH.into()).boxed()
    }

    fn head(&self) -> Reply<'_, Header> {
        self.cbor(path::HEAD_PATH.into()).boxed()
    }

    fn block(&self, height: Height) -> Reply<'_, FinalBlock> {
        self.cbor(format!("{}/{height}", path::BLOCKS_PATH)).boxed()
    }

    fn tx(&self, digest: Digest) -> Reply<'_, PlacedTx> {
        self.cbor(format!("{}/{digest}", path::TXS_PATH)).boxed()
    }

    fn disputes(&self) -> Reply<'_, Vec<DisputeInfo>> {
        self.get(path::DISPUTES_PATH.into()).boxed()
    }

    fn sanctions(&self) -> Reply<'_, Vec<SanctionInfo>> {
        self.get(path::SANCTIONS_PATH.into()).boxed()
    }

    fn evidence(&self) -> Reply<'_, Vec<EvidenceInfo>> {
        self.get(path::EVIDENCE_PATH.into()).boxed()
    }

    fn evidence_file(&self, id: Digest) -> Reply<'_, Bytes> {
        self.bytes(format!("{}/{id}", path::EVIDENCE_PATH)).boxed()
    }

    fn second(&self, owner: PublicKey) -> Reply<'_, Digest> {
        async move { self.post(path::SECONDINGS_PATH, &SecondRequest { owner }).await }.boxed()
    }

    fn invite(&self, kind: InvitationKind, lifetime_ms: u64) -> Reply<'_, JoinLine> {
        async move { self.post(path::INVITATIONS_PATH, &InviteRequest { kind, lifetime_ms }).await }
            .boxed()
    }
}
