//! One function for each path: read the question, ask the node, write the answer.

use crate::{reply::Failure, submit};
use api::{
    ApiError, Code, NodeApi, event_line,
    path::{self, InviteRequest, SecondRequest},
};
use axum::{
    body::{Body, Bytes},
    extract::{
        Path, Query, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use identity::canonical;
use objects::Cid;
use protocol::{Height, JobId, TaskIndex, TaskKey, port::Events};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{str::FromStr, sync::Arc, time::Duration};

/// Events that are written at once, if they are there.
const TOGETHER: usize = 256;

/// What every handler has.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) api: Arc<dyn NodeApi>,
    pub(crate) silence: Duration,
}

pub(crate) type Answer = Result<Response, Failure>;
/// A body in memory, or why it cannot be.
pub(crate) type Whole = Result<Bytes, BytesRejection>;
/// A part of the path, or why it cannot be read.
pub(crate) type Part = Result<Path<String>, PathRejection>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct From {
    #[serde(default)]
    from: u32,
}

pub(crate) async fn submit_job(State(door): State<Door>, body: Body) -> Answer {
    let submission = submit::read(body, door.silence).await?;
    let events = door.api.submit(submission).await?;
    Ok(events_response(events))
}

pub(crate) async fn job_events(State(door): State<Door>, job: Part) -> Answer {
    let events = door.api.events(parse::<JobId>(job)?).await?;
    Ok(events_response(events))
}

pub(crate) async fn jobs(State(door): State<Door>) -> Answer {
    json(&door.api.jobs().await?)
}

pub(crate) async fn job(
    State(door): State<Door>,
    job: Part,
    query: Result<Query<From>, axum::extract::rejection::QueryRejection>,
) -> Answer {
    let Query(From { from }) = query.map_err(|e| malformed(e.body_text()))?;
    json(&door.api.job(parse(job)?, TaskIndex(from)).await?)
}

pub(crate) async fn cancel(State(door): State<Door>, job: Part) -> Answer {
    door.api.cancel(parse(job)?).await?;
    json(&())
}

pub(crate) async fn pause(State(door): State<Door>, job: Part) -> Answer {
    door.api.pause(parse(job)?, true).await?;
    json(&())
}

pub(crate) async fn resume(State(door): State<Door>, job: Part) -> Answer {
    door.api.pause(parse(job)?, false).await?;
    json(&())
}

pub(crate) async fn receipt(State(door): State<Door>, job: Part) -> Answer {
    Ok(bytes(door.api.receipt(parse(job)?).await?, path::BYTES))
}

pub(crate) async fn blob(State(door): State<Door>, cid: Part) -> Answer {
    Ok(bytes(door.api.blob(parse::<Cid>(cid)?).await?, path::BYTES))
}

pub(crate) async fn blobs(State(door): State<Door>, body: Whole) -> Answer {
    let cids = cids(body)?;
    Ok(cbor(&door.api.blobs(cids).await?))
}

pub(crate) async fn has(State(door): State<Door>, body: Whole) -> Answer {
    let cids = cids(body)?;
    json(&door.api.has(cids).await?)
}

fn cids(body: Whole) -> Result<Vec<Cid>, Failure> {
    let cids: Vec<Cid> = question(body)?;
    if cids.len() > path::CIDS {
        let message = format!("{} CIDs, at most {} at once", cids.len(), path::CIDS);
        return Err(ApiError::new(Code::TooLarge, message).into());
    }
    Ok(cids)
}

pub(crate) async fn known(State(door): State<Door>, body: Whole) -> Answer {
    let keys: Vec<TaskKey> = question(body)?;
    if keys.len() > path::KEYS {
        let message = format!("{} keys, at most {} at once", keys.len(), path::KEYS);
        return Err(ApiError::new(Code::TooLarge, message).into());
    }
    json(&door.api.known(keys).await?)
}

pub(crate) async fn status(State(door): State<Door>) -> Answer {
    json(&door.api.status().await?)
}

pub(crate) async fn metrics(State(door): State<Door>) -> Answer {
    Ok(bytes(door.api.metrics().await?.into(), path::METRICS))
}

pub(crate) async fn nodes(State(door): State<Door>) -> Answer {
    json(&door.api.nodes().await?)
}

pub(crate) async fn head(State(door): State<Door>) -> Answer {
    Ok(cbor(&door.api.head().await?))
}

pub(crate) async fn block(State(door): State<Door>, height: Part) -> Answer {
    let height = Height(parse(height)?);
    Ok(cbor(&door.api.block(height).await?))
}

pub(crate) async fn tx(State(door): State<Door>, digest: Part) -> Answer {
    Ok(cbor(&door.api.tx(parse(digest)?).await?))
}

pub(crate) async fn disputes(State(door): State<Door>) -> Answer {
    json(&door.api.disputes().await?)
}

pub(crate) async fn sanctions(State(door): State<Door>) -> Answer {
    json(&door.api.sanctions().await?)
}

pub(crate) async fn evidence(State(door): State<Door>) -> Answer {
    json(&door.api.evidence().await?)
}

pub(crate) async fn evidence_file(State(door): State<Door>, id: Part) -> Answer {
    Ok(bytes(door.api.evidence_file(parse(id)?).await?, path::BYTES))
}

pub(crate) async fn second(State(door): State<Door>, body: Whole) -> Answer {
    let SecondRequest { owner } = question(body)?;
    json(&door.api.second(owner).await?)
}

pub(crate) async fn invite(State(door): State<Door>, body: Whole) -> Answer {
    let InviteRequest { kind, lifetime_ms } = question(body)?;
    json(&door.api.invite(kind, lifetime_ms).await?)
}

pub(crate) async fn unknown() -> Failure {
    Failure(
        ApiError::new(Code::NotFound, "there is no such path").next("see the docs of api::path"),
    )
}

pub(crate) async fn unsupported() -> Failure {
    Failure(ApiError::new(Code::Unsupported, "this path has no such method"))
}

pub(crate) fn events_response<E: Serialize + Send + 'static>(
    events: Events<Result<E, ApiError>>,
) -> Response {
    // What happened together travels together.
    let lines = events.ready_chunks(TOGETHER).map(|events| {
        Ok::<_, std::convert::Infallible>(
            events.iter().map(event_line::encode).collect::<Vec<_>>().concat(),
        )
    });
    ([(header::CONTENT_TYPE, path::NDJSON)], Body::from_stream(lines)).into_response()
}

pub(crate) fn json<T: Serialize>(value: &T) -> Answer {
    let body = serde_json::to_vec(value)
        .map_err(|error| ApiError::new(Code::Internal, error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, path::JSON)], body).into_response())
}

fn cbor<T: Serialize>(value: &T) -> Response {
    bytes(canonical::encode(value).into(), path::DAG_CBOR)
}

fn bytes(body: Bytes, media: &'static str) -> Response {
    ([(header::CONTENT_TYPE, media)], body).into_response()
}

pub(crate) fn question<T: DeserializeOwned>(body: Whole) -> Result<T, Failure> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(Code::TooLarge, rejection.body_text()),
        _ => malformed(rejection.body_text()),
    })?;
    serde_json::from_slice(&body).map_err(|error| malformed(error).into())
}

pub(crate) fn parse<T: FromStr<Err: std::fmt::Display>>(part: Part) -> Result<T, Failure> {
    let Path(text) = part.map_err(|rejection| malformed(rejection.body_text()))?;
    text.parse().map_err(|error: T::Err| malformed(error).into())
}

pub(crate) fn malformed(reason: impl ToString) -> ApiError {
    ApiError::new(Code::Malformed, reason.to_string())
}
