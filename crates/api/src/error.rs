//! What a node answers when it does not do what was asked.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The stable names of failures. They never change; new ones may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The request cannot be read.
    Malformed,
    /// More bytes, or more of something, than is allowed.
    TooLarge,
    /// The token is missing or wrong.
    Unauthorized,
    /// The request is for another host: a web page may be behind it.
    WrongHost,
    /// There is no such job, block, transaction or object.
    NotFound,
    /// The method or the version of the path is not known.
    Unsupported,
    /// The order is for another network.
    ForeignNetwork,
    /// A signature does not hold.
    BadSignature,
    /// The owner or the node is not admitted.
    NotAdmitted,
    /// The order, or the invitation, is past its time, or too far ahead.
    Expired,
    /// The same order was here before.
    Duplicate,
    /// The order is well formed but may not be done.
    Refused,
    /// Bytes do not match their CID.
    ContentMismatch,
    /// Something that the order names did not come with it and is not here.
    MissingObject,
    /// Nobody who is connected has the object now.
    ObjectUnavailable,
    /// Too many requests, or too many jobs, at once.
    Busy,
    /// The node has no room left.
    DiskFull,
    /// The sender stopped in the middle.
    Cut,
    /// The node starts, stops, or has no connection to its polity.
    Unavailable,
    /// The job has no receipt yet, or the dispute no ruling.
    NotFinished,
    /// The node could not be reached at all. Only clients say this.
    Unreachable,
    /// A fault of the node itself.
    Internal,
    /// A code that this version does not know.
    #[serde(other)]
    Unknown,
}

impl Code {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Unauthorized => "unauthorized",
            Self::WrongHost => "wrong_host",
            Self::NotFound => "not_found",
            Self::Unsupported => "unsupported",
            Self::ForeignNetwork => "foreign_network",
            Self::BadSignature => "bad_signature",
            Self::NotAdmitted => "not_admitted",
            Self::Expired => "expired",
            Self::Duplicate => "duplicate",
            Self::Refused => "refused",
            Self::ContentMismatch => "content_mismatch",
            Self::MissingObject => "missing_object",
            Self::ObjectUnavailable => "object_unavailable",
            Self::Busy => "busy",
            Self::DiskFull => "disk_full",
            Self::Cut => "cut",
            Self::Unavailable => "unavailable",
            Self::NotFinished => "not_finished",
            Self::Unreachable => "unreachable",
            Self::Internal => "internal",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why something was not done, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What kind of failure, for programs.
    pub code: Code,
    /// What happened, for people: one sentence without a full stop.
    pub message: String,
    /// What to type or do next, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl ApiError {
    /// A failure without advice.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), next: None }
    }

    /// The same failure with advice.
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_code_is_its_json() {
        for code in [Code::Malformed, Code::DiskFull, Code::ObjectUnavailable, Code::Unknown] {
            assert_eq!(serde_json::to_string(&code).unwrap(), format!("\"{code}\""));
        }
        assert_eq!(serde_json::from_str::<Code>("\"later\"").unwrap(), Code::Unknown);
    }
}
