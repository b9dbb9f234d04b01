//! The listener of the IPFS gateway, and the way of a request through it.

use super::{
    Config,
    accept::{Format, RAW},
    ahead::Source,
    ask::{Ask, Root},
    car,
    disposition::disposition,
    file::{self, Content},
    head::{FOR_EVER, Head},
    plain,
    refusal::Refusal,
    resolve::{Way, resolve},
};
use crate::{
    Error,
    service::{Limits, Running, listen},
};
use api::NodeApi;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use objects::{Cid, Node, Resolved};
use std::{sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

#[derive(Clone)]
struct Door {
    source: Source,
    answers: Arc<Semaphore>,
    begin: Duration,
    car_blocks: u64,
}

/// Offers what `api` can get to whoever reaches the address, until `stop` is sent or dropped.
/// Answers nothing if the configuration names no address.
///
/// # Errors
/// [`Error::Listen`], with the way out.
pub async fn serve(
    config: &Config,
    api: Arc<dyn NodeApi>,
    stop: oneshot::Receiver<()>,
) -> Result<Option<Running>, Error> {
    let Some(addr) = config.addr else { return Ok(None) };
    let door = Door {
        source: Source { api, limit: Duration::from_millis(config.block_ms) },
        answers: Arc::new(Semaphore::new(config.answers)),
        begin: Duration::from_millis(config.begin_ms),
        car_blocks: config.car_blocks,
    };
    let limits = Limits {
        connections: config.connections,
        head: Duration::from_millis(config.head_ms),
        silence: Some(Duration::from_millis(config.silence_ms)),
    };
    let router = Router::new().fallback(handle).with_state(door);
    listen(addr, router, limits, stop).await.map(Some)
}

async fn handle(State(door): State<Door>, request: Request) -> Response {
    let head = match *request.method() {
        Method::GET => false,
        Method::HEAD => true,
        _ => {
            let message = "content can be read, not changed";
            let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message);
            return ([(header::ALLOW, "GET, HEAD")], refusal).into_response();
        }
    };
    match Ask::read(request.uri(), request.headers(), head) {
        Ok(ask) => door.answer(ask).await.unwrap_or_else(Refusal::into_response),
        Err(refusal) => refusal.into_response(),
    }
}

impl Door {
    async fn answer(&self, ask: Ask) -> Result<Response, Refusal> {
        let place = self.answers.clone().try_acquire_owned().map_err(|_| {
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too many answers are under way")
        })?;
        let given = tokio::time::timeout(self.begin, self.give(&ask, place)).await;
        let mut response = given
            .unwrap_or_else(|_| Err(Refusal::late("what is asked for did not arrive in time")))?;
        if let Some(location) = location(&ask) {
            response.headers_mut().insert(header::CONTENT_LOCATION, location);
        }
        Ok(response)
    }

    async fn give(&self, ask: &Ask, place: OwnedSemaphorePermit) -> Result<Response, Refusal> {
        let Root::Cid(root) = ask.root else { return self.probe(ask, place) };
        if ask.cached && !self.is_here(root).await? {
            let message = format!("{root} is not here, and nothing may be fetched");
            return Err(Refusal::new(StatusCode::PRECONDITION_FAILED, message));
        }
        // A block needs no reading: it may be of any kind, and malformed.
        if ask.format == Format::Raw && ask.segments.is_empty() {
            let bytes = self.source.block(root).await?;
            root.check(&bytes)?;
            return Ok(self.raw(ask, root, vec![root], bytes, place));
        }
        let way = if ask.format == Format::Car && ask.segments.is_empty() {
            self.unread(root).await?
        } else {
            resolve(&self.source, root, ask.segments.clone()).await?
        };
        match ask.format {
            Format::Plain => plain::answer(ask, way, &self.source, place).await,
            Format::Car => car::answer(ask, way, &self.source, self.car_blocks, place),
            Format::Raw => Ok(self.raw(ask, way.end.cid, way.end.roots, way.end.bytes, place)),
        }
    }

    /// A block as the end of a path, of whatever kind it is.
    async fn unread(&self, cid: Cid) -> Result<Way, Refusal> {
        let bytes = self.source.block(cid).await?;
        cid.check(&bytes)?;
        // What is no UnixFS is one block, or everything below it.
        let node = Node::parse(cid, bytes.clone()).ok();
        let end = Resolved { cid, bytes, node, roots: vec![cid] };
        Ok(Way { end, before: Vec::new() })
    }

    async fn is_here(&self, cid: Cid) -> Result<bool, Refusal> {
        let here = tokio::time::timeout(self.source.limit, self.source.api.has(vec![cid])).await;
        let here = here.map_err(|_| Refusal::late("the node did not answer in time"))?;
        Ok(here?.first().copied().unwrap_or(false))
    }

    fn raw(
        &self,
        ask: &Ask,
        cid: Cid,
        roots: Vec<Cid>,
        bytes: Bytes,
        place: OwnedSemaphorePermit,
    ) -> Response {
        let name = ask.filename.clone().unwrap_or_else(|| format!("{cid}.bin"));
        let head = Head {
            etag: format!("\"{cid}.raw\""),
            cache: FOR_EVER,
            media: RAW.into(),
            disposition: Some(disposition(true, Some(&name))),
            roots,
            size_bytes: None,
            ranges: true,
        };
        file::answer(ask, head, Content::Here(bytes), &self.source, place)
    }

    /// The CID of nothing is asked for to find out what is given here.
    fn probe(&self, ask: &Ask, place: OwnedSemaphorePermit) -> Result<Response, Refusal> {
        if !ask.segments.is_empty() || ask.slash {
            return Err(Refusal::new(StatusCode::NOT_FOUND, "there is nothing below nothing"));
        }
        if ask.format == Format::Car {
            return Ok(car::probe(ask));
        }
        let raw = ask.format == Format::Raw;
        let head = Head {
            etag: if raw { "\"bafkqaaa.raw\"".into() } else { "\"bafkqaaa\"".into() },
            cache: FOR_EVER,
            media: if raw { RAW } else { "application/octet-stream" }.into(),
            disposition: raw.then(|| disposition(true, Some("bafkqaaa.bin"))),
            roots: Vec::new(),
            size_bytes: Some(0),
            ranges: true,
        };
        drop(place);
        Ok(head.answer(ask, StatusCode::OK, Body::empty()))
    }
}

/// Where an answer is whose form only the header chose, for caches that look at the path alone.
fn location(ask: &Ask) -> Option<HeaderValue> {
    let format = match ask.format {
        Format::Raw if ask.negotiated => "raw",
        Format::Car if ask.negotiated => "car",
        _ => return None,
    };
    let more = ask.query.as_ref().map(|query| format!("&{query}")).unwrap_or_default();
    HeaderValue::from_str(&format!("{}?format={format}{more}", ask.path)).ok()
}
