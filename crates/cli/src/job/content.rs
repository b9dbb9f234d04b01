//! Content that goes with an order: files of this machine, and bytes in memory.

use crate::threads::Threads;
use bytes::Bytes;
use objects::{Block, Cid, FileBuilder, FileRoot};
use protocol::port::{Alone, Crew};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

const STEP_BYTES: usize = 256 << 10;
/// Contents, and bytes of them, that one thread names as fast as several do.
const FEW: usize = 64;
const LITTLE_BYTES: u64 = 4 << 20;

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
        // One byte more than there should be, so that the end of a small file is met at once.
        let buffer = match usize::try_from(source.size_bytes()?) {
            // A pipe says that it has none.
            Ok(0) | Err(_) => vec![0; STEP_BYTES],
            Ok(size_bytes) => vec![0; size_bytes.saturating_add(1).min(STEP_BYTES)],
        };
        Ok(Blocks { source, builder: FileBuilder::new(), buffer })
    }

    /// How many bytes there seem to be; of what cannot be read none, which is said when it is.
    fn size_bytes(&self) -> u64 {
        match self {
            Self::File(path) => path.metadata().map_or(0, |metadata| metadata.len()),
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }
}

/// Names many contents, on several threads if that is faster. Answers in their order; of one that
/// cannot be read, its place.
pub(crate) fn name_all(contents: &[Content]) -> Result<Vec<Named>, (usize, io::Error)> {
    let is_little = || contents.iter().map(Content::size_bytes).sum::<u64>() <= LITTLE_BYTES;
    let threads;
    let crew: &dyn Crew = if contents.len() <= FEW && is_little() {
        // Asking how many threads there may be takes longer than naming a little.
        &Alone
    } else {
        threads = Threads::of_this_machine();
        &threads
    };
    let named = crew.map(contents, Content::name).into_iter().enumerate();
    named.map(|(at, named)| named.map_err(|error| (at, error))).collect()
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

impl Source {
    fn size_bytes(&self) -> io::Result<u64> {
        match self {
            Self::File(file) => Ok(file.metadata()?.len()),
            Self::Bytes(bytes) => Ok(bytes.get_ref().len() as u64),
        }
    }
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
    fn many_contents_are_named_in_their_order_and_the_first_fault_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let content = |at: usize| {
            let path = dir.path().join(at.to_string());
            std::fs::write(&path, at.to_string()).unwrap();
            Content::File(path)
        };
        let mut contents: Vec<_> = (0..3 * FEW).map(content).collect();
        let one_by_one: Vec<_> = contents.iter().map(|content| content.name().unwrap()).collect();
        assert_eq!(name_all(&contents).unwrap(), one_by_one);
        contents[7] = Content::File(dir.path().join("gone"));
        contents[9] = Content::File(dir.path().join("gone"));
        let (at, error) = name_all(&contents).unwrap_err();
        assert_eq!((at, error.kind()), (7, io::ErrorKind::NotFound));
    }

    #[test]
    fn a_directory_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let error = Content::File(dir.path().into()).name().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
    }
}
