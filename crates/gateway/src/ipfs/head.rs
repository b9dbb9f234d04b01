//! The heads of answers.

use super::{ask::Ask, refusal::Refusal};
use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use objects::Cid;

/// What is named by a CID never changes.
pub(super) const FOR_EVER: &str = "public, max-age=29030400, immutable";
/// A page that was made here may look otherwise in the next version.
pub(super) const FOR_NOW: &str = "public, max-age=604800, stale-while-revalidate=2678400";

/// What the head of every answer says.
pub(super) struct Head {
    pub(super) etag: String,
    pub(super) cache: &'static str,
    pub(super) media: String,
    pub(super) disposition: Option<String>,
    pub(super) roots: Vec<Cid>,
    /// Bytes of the body, if they are known before it is sent.
    pub(super) size_bytes: Option<u64>,
    /// Whether parts of it can be asked for.
    pub(super) ranges: bool,
}

impl Head {
    /// The answer with this head. A body is left out where only the head is wanted, or where the
    /// client has it.
    pub(super) fn answer(self, ask: &Ask, status: StatusCode, body: Body) -> Response {
        let has = ask.has(&self.etag);
        let status = if has { StatusCode::NOT_MODIFIED } else { status };
        let body = if has || ask.head { Body::empty() } else { body };
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: &str| {
            // Everything here is made of CIDs, of the path as it was sent, or is clean otherwise.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(header::ETAG, &self.etag);
        set(header::CACHE_CONTROL, self.cache);
        set(header::VARY, "Accept");
        set(HeaderName::from_static("x-ipfs-path"), &ask.path);
        let roots: Vec<_> = self.roots.iter().map(Cid::to_string).collect();
        set(HeaderName::from_static("x-ipfs-roots"), &roots.join(","));
        if has {
            return response;
        }
        set(header::CONTENT_TYPE, &self.media);
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(header::ACCEPT_RANGES, if self.ranges { "bytes" } else { "none" });
        if let Some(disposition) = &self.disposition {
            set(header::CONTENT_DISPOSITION, disposition);
        }
        if let Some(size_bytes) = self.size_bytes {
            set(header::CONTENT_LENGTH, &size_bytes.to_string());
        }
        response
    }
}

/// Bytes that are not there were asked for.
pub(super) fn unsatisfiable(size_bytes: u64) -> Response {
    let message = format!("there are {size_bytes} bytes");
    let mut response = Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, message).into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size_bytes}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}

/// Says which part of how much an answer is.
pub(super) fn content_range(response: &mut Response, part: &std::ops::Range<u64>, size_bytes: u64) {
    let text = format!("bytes {}-{}/{size_bytes}", part.start, part.end - 1);
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
}
