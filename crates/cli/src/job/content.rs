//! Content that goes with an order: files of this machine, and bytes in memory.

use bytes::Bytes;
use objects::{Block, Cid, FileBuilder, FileRoot};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

const STEP_BYTES: usize = 256 << 10;

/// Where bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    File(PathBuf),
    Bytes(Bytes),
}

/// What content is as a UnixFS file: its root, and the names of all its blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) root: FileRoot,
    pub(crate) blocks: Vec<Cid>,
}

impl Content {
    /// Names the content. Holds no more than a chunk of it.
    pub(crate) fn name(&self) -> io::Result<Named> {
        let mut reader = self.open()?;
        let (mut names, mut blocks) = (Vec::new(), Vec::new());
        while reader.step(&mut blocks)? {
            names.extend(blocks.drain(..).map(|block| block.cid));
        }
        let root = reader.finish(&mut blocks);
        names.extend(blocks.drain(..).map(|block| block.cid));
        Ok(Named { root, blocks: names })
    }

    pub(crate) fn open(&self) -> io::Result<Blocks> {
        let source = match self {
            Self::File(path) => Source::File(open_file(path)?),
            Self::Bytes(bytes) => Source::Bytes(io::Cursor::new(bytes.clone())),
        };
        Ok(Blocks { source, builder: FileBuilder::new(), buffer: vec![0; STEP_BYTES] })
    }
}

/// Opens a file for reading; a directory is none.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(file)
}

enum Source {
    File(File),
    Bytes(io::Cursor<Bytes>),
}

/// The blocks of some content, step by step.
pub(crate) struct Blocks {
    source: Source,
    builder: FileBuilder,
    buffer: Vec<u8>,
}

impl Blocks {
    /// Reads on and appends the blocks that are complete; false at the end.
    pub(crate) fn step(&mut self, blocks: &mut Vec<Block>) -> io::Result<bool> {
        let read = match &mut self.source {
            Source::File(file) => file.read(&mut self.buffer),
            Source::Bytes(bytes) => bytes.read(&mut self.buffer),
        };
        match read {
            Ok(0) => Ok(false),
            Ok(read) => {
                self.builder.push(&self.buffer[..read], blocks);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Appends the last blocks.
    pub(crate) fn finish(self, blocks: &mut Vec<Block>) -> FileRoot {
        self.builder.finish(blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_its_bytes_have_one_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        for size in [0, 5, (1 << 20) - 1, 1 << 20, (3 << 20) + 7] {
            let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            let bytes = Bytes::from(bytes);
            let (root, blocks) = objects::file(&bytes);
            let expected = Named { root, blocks: blocks.iter().map(|b| b.cid).collect() };
            assert_eq!(Content::File(path.clone()).name().unwrap(), expected, "{size}");
            assert_eq!(Content::Bytes(bytes).name().unwrap(), expected, "{size}");
        }
    }

    #[test]
    fn a_directory_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let error = Content::File(dir.path().into()).name().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
    }
}
