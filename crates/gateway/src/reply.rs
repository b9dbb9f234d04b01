//! Failures on the wire: the one place that gives a code its status.

use api::{ApiError, Code, path};
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

/// A failure, ready to be sent.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) ApiError);

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.0).expect("an error has a JSON form");
        (status(self.0.code), [(header::CONTENT_TYPE, path::JSON)], body).into_response()
    }
}

fn status(code: Code) -> StatusCode {
    match code {
        Code::Malformed | Code::Cut | Code::BadSignature | Code::ContentMismatch => {
            StatusCode::BAD_REQUEST
        }
        Code::Unauthorized => StatusCode::UNAUTHORIZED,
        Code::NotAdmitted | Code::WrongHost => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::Unsupported => StatusCode::METHOD_NOT_ALLOWED,
        Code::Duplicate | Code::NotFinished => StatusCode::CONFLICT,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::ForeignNetwork | Code::Expired | Code::Refused | Code::MissingObject => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Code::Busy => StatusCode::TOO_MANY_REQUESTS,
        Code::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        Code::ObjectUnavailable | Code::Unavailable | Code::Unreachable => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Code::Internal | Code::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
