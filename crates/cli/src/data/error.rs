//! What can be wrong with a data directory.

use identity::NetworkId;
use std::{io, path::PathBuf};

/// Failure to use a data directory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No directory was named and there is no home to put one in.
    #[error("no data directory: neither --data, POLITY_DATA, XDG_DATA_HOME nor HOME is set")]
    NoHome,
    /// The file system.
    #[error("{path}: {}", plain(error), path = path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What it says.
        error: io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} cannot be read: {reason}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A secret that others can read.
    #[error("{path} can be read by others (mode {mode:03o}); it holds a secret",
        path = path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The directory belongs to another network.
    #[error("{path} is of network {kept}, not of {given}", path = path.display())]
    OtherNetwork {
        /// The genesis file.
        path: PathBuf,
        /// The network of the directory.
        kept: NetworkId,
        /// The network that was given.
        given: NetworkId,
    },
}

/// What the system says, without the number, which says nothing to a person.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_string()
}

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>, error: io::Error) -> Self {
        Self::Io { path: path.into(), error }
    }

    /// What to do about it, if that is known.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::NoHome => Some("name a directory with --data DIR".into()),
            Self::Exposed { path, .. } => {
                Some(format!("if nobody else saw it, type: chmod 600 {}", path.display()))
            }
            Self::OtherNetwork { .. } => {
                Some("a directory belongs to one network; name another one with --data DIR".into())
            }
            Self::Malformed { .. } => {
                Some("put back a copy of it, or name another directory with --data DIR".into())
            }
            Self::Io { error, .. } if error.kind() == io::ErrorKind::PermissionDenied => Some(
                "does it belong to another user? Name another directory with --data DIR".into(),
            ),
            Self::Io { error, .. } if error.kind() == io::ErrorKind::NotADirectory => {
                Some("a file is there; name a directory with --data DIR".into())
            }
            Self::Io { .. } => None,
        }
    }
}
