//! Why something is not given, and the status that says so.

use api::{ApiError, Code};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use objects::Error as Content;

/// Seconds after which a failure that passes is worth another try.
const RETRY_S: u64 = 5;

/// A request that is not fulfilled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// The request cannot be read, or asks for what cannot be.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// Something took too long.
    pub(super) fn late(message: impl Into<String>) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, message)
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        let status = match error.code {
            Code::NotFound | Code::ObjectUnavailable | Code::MissingObject => StatusCode::NOT_FOUND,
            Code::ContentMismatch => StatusCode::BAD_GATEWAY,
            Code::Busy => StatusCode::TOO_MANY_REQUESTS,
            Code::Unavailable | Code::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.message)
    }
}

impl From<Content> for Refusal {
    fn from(error: Content) -> Self {
        let status = match &error {
            Content::NoSuchName { .. } | Content::NotADirectory { .. } => StatusCode::NOT_FOUND,
            Content::InsideValue(_) => StatusCode::NOT_IMPLEMENTED,
            Content::Mismatch(_) => StatusCode::BAD_GATEWAY,
            Content::NotWanted(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, format!("{}\n", self.message)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let passes = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::BAD_GATEWAY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ];
        if passes.contains(&self.status) {
            headers.insert(header::RETRY_AFTER, RETRY_S.into());
        }
        response
    }
}
