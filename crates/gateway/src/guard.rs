//! Who may ask: whoever has the token, and says the right host.

use crate::reply::Failure;
use api::{ApiError, Code, path};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use identity::Digest;
use std::sync::Arc;
use tracing::{Instrument, Span};

/// The digest of the token: comparing digests takes the same time whatever differs.
#[derive(Clone)]
pub(crate) struct Guard(Arc<Digest>);

impl Guard {
    pub(crate) fn new(token: &str) -> Self {
        Self(Arc::new(digest(token)))
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        // A page in a browser can send requests here, but not choose the Host that it was
        // reached under (DNS rebinding).
        if !is_for(headers, &LOOPBACK) {
            return Err(ApiError::new(Code::WrongHost, "this API answers to loopback names only")
                .next("ask for 127.0.0.1"));
        }
        let token = text(headers, header::AUTHORIZATION).strip_prefix("Bearer ");
        match token {
            Some(token) if digest(token) == *self.0 => Ok(()),
            _ => Err(ApiError::new(Code::Unauthorized, "the token is missing or wrong")
                .next("send 'Authorization: Bearer' with the content of api.token")),
        }
    }
}

/// Names of loopback.
pub(crate) const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Whether a request was sent to one of these names, whatever the port.
pub(crate) fn is_for(headers: &HeaderMap, names: &[impl AsRef<str>]) -> bool {
    let host = text(headers, header::HOST);
    names.iter().any(|name| {
        let rest = host.strip_prefix(name.as_ref());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    })
}

fn digest(token: &str) -> Digest {
    Digest::of("polity api token", &[token.as_bytes()])
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// What is logged while a request is answered carries its id, if whoever asks gave it one. It is the
/// node's log: what is shown of that shows this.
fn span_of(headers: &HeaderMap) -> Span {
    let id = headers.get(path::REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |id: &&str| {
        (1..=path::REQUEST_ID_BYTES).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    id.filter(plain)
        .map_or_else(Span::none, |request| tracing::info_span!(target: "node", "api", request))
}

/// Lets a request pass, or answers why not.
pub(crate) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.check(request.headers()) {
        Ok(()) => {
            let span = span_of(request.headers());
            next.run(request).instrument(span).await
        }
        Err(error) => Failure(error).into_response(),
    }
}
