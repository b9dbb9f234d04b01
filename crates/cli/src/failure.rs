//! Why a command was not done, and what to type next.

use crate::{data, exit::Exit};
use api::{ApiError, Code};
use std::path::Path;

/// A command that was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// One sentence without a full stop.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) next: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), next: None }
    }

    /// The command line or an input makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A file of this machine cannot be used.
    pub(crate) fn file(path: &Path, error: &std::io::Error) -> Self {
        Self::usage(format!("{}: {}", path.display(), data::plain(error)))
    }

    /// This machine failed.
    pub(crate) fn internal(error: impl ToString) -> Self {
        Self::new(Exit::Internal, error.to_string())
    }

    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let exit = match error.code {
            Code::Unreachable | Code::Unavailable | Code::Cut => Exit::NoNode,
            Code::Internal | Code::Unknown => Exit::Internal,
            Code::Malformed | Code::NotFound | Code::Unsupported => Exit::Usage,
            Code::ContentMismatch | Code::ObjectUnavailable => Exit::Unverified,
            _ => Exit::Refused,
        };
        let usual = match error.code {
            Code::Unreachable | Code::Unavailable | Code::Cut => {
                Some("see how the node is with: polity status")
            }
            Code::Unauthorized => {
                Some("was the node started with another directory? See with: polity status")
            }
            Code::NotFinished => Some("see where it stands with: polity job explain"),
            Code::Busy => Some("see what it works on with: polity job list"),
            Code::DiskFull => Some("see how much it keeps, and where, with: polity status"),
            Code::Internal => Some("the node's log says more"),
            _ => None,
        };
        let next = error.next.or_else(|| usual.map(str::to_string));
        Self { exit, message: error.message, next }
    }
}

impl From<data::Error> for Failure {
    fn from(error: data::Error) -> Self {
        Self { exit: Exit::Usage, next: error.advice(), message: error.to_string() }
    }
}
