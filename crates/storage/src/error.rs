//! Why a store or a journal cannot be opened, or a call beyond the ports failed.

use objects::Cid;
use protocol::port::BlobError;
use std::{io, path::Path, path::PathBuf};

/// A directory cannot be used, or one call on a store failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Another process has the directory open.
    #[error(
        "{dir} is in use by another process; stop the node that runs there, or give this one \
         another data directory"
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// A newer program wrote here.
    #[error(
        "{path} was written by a newer version (format {found}, this one knows up to {known}); \
         run that version, or use another data directory"
    )]
    Newer {
        /// The directory or file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// The directory holds something else.
    #[error("{dir} holds other files and is no {kind} of polity; use an empty directory")]
    Foreign {
        /// The directory.
        dir: PathBuf,
        /// What it was to be.
        kind: &'static str,
    },
    /// What was acknowledged has changed on disk.
    #[error(
        "{path} is damaged: {reason}; entries that were acknowledged are lost. Move the directory \
         away and let this node fetch its history again; a validator then needs a new key"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A setting out of its range.
    #[error("storage setting {field}: {reason}")]
    Config {
        /// The field's name.
        field: &'static str,
        /// What it must be.
        reason: String,
    },
    /// The disk or the system refused.
    #[error("{path}: {reason}; check the disk and the permissions of the directory")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A text that is no label.
    #[error("{0:?} is no label of a pin: use 1 to 128 ASCII letters, digits and any of - _ . : /")]
    Label(String),
    /// A note that is too long.
    #[error("a note of {size_bytes} bytes, at most {limit_bytes} are allowed")]
    Note {
        /// Its bytes.
        size_bytes: usize,
        /// Bytes allowed.
        limit_bytes: usize,
    },
    /// What is to be pinned is not here.
    #[error("{0} is not here and cannot be pinned; put or fetch it first")]
    Missing(Cid),
    /// Marking what is live needs more memory than it may have. Nothing was freed.
    #[error(
        "more than {nodes} blocks with links are pinned, which do not fit gc_memory_bytes = \
         {limit_bytes}; raise it and collect again"
    )]
    Marking {
        /// Blocks that were marked.
        nodes: usize,
        /// The setting.
        limit_bytes: usize,
    },
    /// So much was put again or pinned during a collection that it ended.
    #[error("too much was put or pinned while garbage was collected; try again later")]
    Busy,
    /// Blobs could not be read or written.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl Error {
    /// Names the file that an I/O error is about.
    pub(crate) fn io(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |error| Self::Io { path: path.to_path_buf(), reason: error.to_string() }
    }
}
