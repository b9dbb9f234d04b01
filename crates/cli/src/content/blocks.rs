//! A tree, or a stream of bytes, as blocks.

use super::tree::{Kind, Tree};
use crate::{failure::Failure, job::content::Content};
use objects::{Block, Cid, DirectoryBuilder, Entry, FileBuilder, symlink};
use protocol::port::Crew;
use std::{
    collections::HashMap,
    io::Read,
    path::Path,
    sync::{Mutex, OnceLock, PoisonError},
};

/// Bytes that are read from a stream at once.
const STEP_BYTES: usize = 256 << 10;

/// Content that has its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) cid: Cid,
    /// Bytes of the files below it.
    pub(crate) bytes: u64,
    /// Bytes of all blocks below it.
    pub(crate) dag_bytes: u64,
}

/// Takes blocks one after the other, on any thread, and may refuse to go on.
pub(crate) type Take<'a> = dyn Fn(Block) -> Result<(), Failure> + Sync + 'a;

/// Makes the blocks of a tree, several files at once, and names it. `take` gets every block; the
/// blocks of directories come last.
pub(crate) fn of_tree(tree: &Tree, crew: &dyn Crew, take: &Take<'_>) -> Result<Named, Failure> {
    let named: Vec<OnceLock<Named>> = tree.items().iter().map(|_| OnceLock::new()).collect();
    let failed: Mutex<Option<Failure>> = Mutex::new(None);
    let fault = || failed.lock().unwrap_or_else(PoisonError::into_inner);
    let files = tree.files();
    crew.each(files.len(), &|at| {
        // After the first fault the rest is not read.
        if fault().is_some() {
            return;
        }
        let at = files[at];
        match of_file(&tree.path(at), take) {
            Ok(file) => drop(named[at].set(file)),
            Err(failure) => drop(fault().get_or_insert(failure)),
        }
    });
    if let Some(failure) = fault().take() {
        return Err(failure);
    }
    directories(tree, &named, take)
}

/// Makes directories, those first that are in others.
fn directories(tree: &Tree, named: &[OnceLock<Named>], take: &Take<'_>) -> Result<Named, Failure> {
    let mut open: HashMap<usize, (DirectoryBuilder, u64)> = HashMap::new();
    for (at, item) in tree.items().iter().enumerate().rev() {
        let done = match &item.kind {
            Kind::File => *named[at].get().expect("every file was named"),
            Kind::Symlink(target) => {
                let block = symlink(target);
                let dag_bytes = block.bytes.len() as u64;
                let named = Named { cid: block.cid, bytes: 0, dag_bytes };
                take(block)?;
                named
            }
            Kind::Directory => {
                let (builder, bytes) = open.remove(&at).unwrap_or_default();
                let root = builder.finish(|block| take(block).map_err(Stop::Taken));
                let root = root.map_err(|stop| stop.failure(&tree.path(at)))?;
                Named { cid: root.cid, bytes, dag_bytes: root.dag_size_bytes }
            }
        };
        if at == 0 {
            return Ok(done);
        }
        let (builder, bytes) = open.entry(item.parent).or_default();
        *bytes += done.bytes;
        let entry = Entry { name: item.name.clone(), cid: done.cid, size_bytes: done.dag_bytes };
        builder.push(entry).map_err(|error| Stop::Object(error).failure(&tree.path(at)))?;
    }
    unreachable!("the root is the last of the items from behind")
}

/// Why a directory was not made.
enum Stop {
    Object(objects::Error),
    Taken(Failure),
}

impl From<objects::Error> for Stop {
    fn from(error: objects::Error) -> Self {
        Self::Object(error)
    }
}

impl Stop {
    fn failure(self, path: &Path) -> Failure {
        match self {
            Self::Object(error) => Failure::usage(format!("{}: {error}", path.display())),
            Self::Taken(failure) => failure,
        }
    }
}

fn of_file(path: &Path, take: &Take<'_>) -> Result<Named, Failure> {
    let failed = |error: std::io::Error| Failure::file(path, &error);
    let mut reader = Content::File(path.into()).open().map_err(failed)?;
    let mut blocks = Vec::new();
    while reader.step(&mut blocks).map_err(failed)? {
        blocks.drain(..).try_for_each(take)?;
    }
    let root = reader.finish(&mut blocks);
    blocks.drain(..).try_for_each(take)?;
    Ok(Named { cid: root.cid, bytes: root.size_bytes, dag_bytes: root.dag_size_bytes })
}

/// Makes the blocks of a stream to its end, and names it.
pub(crate) fn of_stream(mut stream: impl Read, take: &Take<'_>) -> Result<Named, Failure> {
    let (mut builder, mut blocks) = (FileBuilder::new(), Vec::new());
    let mut buffer = vec![0; STEP_BYTES];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => builder.push(&buffer[..read], &mut blocks),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::file(Path::new("stdin"), &error)),
        }
        blocks.drain(..).try_for_each(take)?;
    }
    let root = builder.finish(&mut blocks);
    blocks.drain(..).try_for_each(take)?;
    Ok(Named { cid: root.cid, bytes: root.size_bytes, dag_bytes: root.dag_size_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::Threads;
    use objects::{Codec, directory, file};
    use protocol::port::Alone;
    use std::fs;

    fn blocks_of(tree: &Tree, crew: &dyn Crew) -> (Named, HashMap<Cid, bytes::Bytes>) {
        let blocks = Mutex::new(HashMap::new());
        let take = |block: Block| {
            blocks.lock().unwrap().insert(block.cid, block.bytes);
            Ok(())
        };
        let named = of_tree(tree, crew, &take).unwrap();
        (named, blocks.into_inner().unwrap())
    }

    #[test]
    fn a_tree_has_one_name_however_many_threads_name_it() {
        let dir = tempfile::tempdir().unwrap();
        let large = vec![7; (2 << 20) + 5];
        fs::create_dir_all(dir.path().join("sub/empty")).unwrap();
        fs::write(dir.path().join("sub/large"), &large).unwrap();
        fs::write(dir.path().join("small"), "small").unwrap();
        std::os::unix::fs::symlink("small", dir.path().join("link")).unwrap();
        let tree = Tree::list(dir.path()).unwrap();
        let (named, blocks) = blocks_of(&tree, &Alone);
        assert_eq!(blocks_of(&tree, &Threads::of_this_machine()), (named, blocks.clone()));

        let large = file(&large.into()).0;
        let small = Block::of(Codec::Raw, &b"small"[..]);
        let link = symlink("small");
        let empty = directory(&[]).unwrap();
        let entry = |name: &str, cid, size_bytes| Entry { name: name.into(), cid, size_bytes };
        let sub = directory(&[
            entry("empty", empty.cid, empty.bytes.len() as u64),
            entry("large", large.cid, large.dag_size_bytes),
        ])
        .unwrap();
        let below = (empty.bytes.len() + sub.bytes.len()) as u64 + large.dag_size_bytes;
        let root = directory(&[
            entry("sub", sub.cid, below),
            entry("small", small.cid, 5),
            entry("link", link.cid, link.bytes.len() as u64),
        ])
        .unwrap();
        assert_eq!(named.cid, root.cid);
        assert_eq!(named.bytes, large.size_bytes + 5);
        assert_eq!(blocks[&root.cid], root.bytes);
    }

    #[test]
    fn the_first_fault_ends_the_work() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..50 {
            fs::write(dir.path().join(n.to_string()), n.to_string()).unwrap();
        }
        let tree = Tree::list(dir.path()).unwrap();
        fs::remove_file(dir.path().join("17")).unwrap();
        let failure = of_tree(&tree, &Alone, &|_| Ok(())).unwrap_err();
        assert!(failure.message.contains("17: No such file"), "{failure}");
        let full = |_| Err(Failure::usage("no more"));
        assert_eq!(of_tree(&tree, &Alone, &full).unwrap_err().message, "no more");
    }

    #[test]
    fn a_stream_is_a_file() {
        let bytes = vec![3; (1 << 20) + 1];
        let named = of_stream(&bytes[..], &|_| Ok(())).unwrap();
        let (root, _) = file(&bytes.into());
        let expected =
            Named { cid: root.cid, bytes: root.size_bytes, dag_bytes: root.dag_size_bytes };
        assert_eq!(named, expected);
    }
}
