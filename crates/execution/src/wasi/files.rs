//! What descriptors refer to, and what is read from and written to it.

use super::{
    errno::{Answer, Errno},
    rights,
    tree::{Kind, NodeId},
};
use std::sync::Arc;

/// What a descriptor refers to.
pub(crate) enum Object {
    /// What the order gives to read.
    Stdin,
    /// Kept as a file.
    Stdout,
    /// Kept as a file.
    Stderr,
    /// A file of the tree.
    File(OpenFile),
    /// A directory of the tree.
    Directory(OpenDirectory),
}

/// A file, opened.
pub(crate) struct OpenFile {
    pub(crate) node: NodeId,
    pub(crate) offset: u64,
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) flags: u16,
}

impl OpenFile {
    pub(crate) fn appends(&self) -> bool {
        self.flags & rights::APPEND != 0
    }
}

/// A directory, opened.
pub(crate) struct OpenDirectory {
    pub(crate) node: NodeId,
    /// The path by which the guest knows it from the start.
    pub(crate) preopen: Option<&'static str>,
    /// What was in it when the guest began to read it: a guest that removes what it reads misses
    /// nothing.
    pub(crate) listing: Option<Vec<(Arc<str>, Kind)>>,
}

impl Object {
    /// The node of a file or a directory.
    pub(crate) fn node(&self) -> Option<NodeId> {
        match self {
            Self::Stdin | Self::Stdout | Self::Stderr => None,
            Self::File(file) => Some(file.node),
            Self::Directory(directory) => Some(directory.node),
        }
    }

    pub(crate) fn file(&self) -> Result<&OpenFile, Errno> {
        match self {
            Self::File(file) => Ok(file),
            Self::Directory(_) => Err(Errno::Isdir),
            Self::Stdin | Self::Stdout | Self::Stderr => Err(Errno::Spipe),
        }
    }

    pub(crate) fn file_mut(&mut self) -> Result<&mut OpenFile, Errno> {
        match self {
            Self::File(file) => Ok(file),
            Self::Directory(_) => Err(Errno::Isdir),
            Self::Stdin | Self::Stdout | Self::Stderr => Err(Errno::Spipe),
        }
    }

    /// The file, if it was opened for writing.
    pub(crate) fn written(&mut self) -> Answer<&mut OpenFile> {
        let file = self.file_mut()?;
        if file.write { Ok(file) } else { Err(Errno::Badf.into()) }
    }

    pub(crate) fn directory(&self) -> Result<&OpenDirectory, Errno> {
        match self {
            Self::Directory(directory) => Ok(directory),
            _ => Err(Errno::Notdir),
        }
    }

    pub(crate) fn directory_mut(&mut self) -> Result<&mut OpenDirectory, Errno> {
        match self {
            Self::Directory(directory) => Ok(directory),
            _ => Err(Errno::Notdir),
        }
    }
}
