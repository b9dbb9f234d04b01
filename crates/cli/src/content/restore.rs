//! Content onto the disk of this machine.
//!
//! Nothing is written outside of the target, nothing through a symbolic link, and nothing over what
//! is there already, unless it is the same, or the person said so. A file gets its name when it is
//! whole; until then it is a part, with which a later command goes on.

use super::{
    ahead::{AHEAD, Ahead},
    bar::Bar,
    list::{self, unreadable},
};
use crate::{exit::Exit, failure::Failure, job::content::Content, out::Out};
use api::NodeApi;
use bytes::Bytes;
use objects::{CHUNK_BYTES, CaseClashes, Cid, Codec, Entry, FileWalker, Node, safe_name};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{OpenOptionsExt, symlink},
    path::{Component, Path, PathBuf},
};

/// Bytes of one file, at most.
const FILE_BYTES: u64 = 1 << 50;
/// Levels of directories, at most.
const DEPTH: usize = 1_000;
/// Remarks about single names.
const REMARKS: usize = 10;
/// How the name of a part begins.
const PART: &str = ".polity-part-";

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// Files that were there already.
    pub(crate) there: u64,
    /// Links that were not made.
    pub(crate) left_out: u64,
}

/// Writes content out.
pub(crate) struct Restore<'a, N> {
    ahead: &'a mut Ahead<N>,
    bar: &'a Bar,
    out: Out,
    /// Replace what is there and differs.
    force: bool,
    target: PathBuf,
    written: Written,
    remarks: usize,
    /// Made at the end, so that nothing is written through them.
    links: Vec<(PathBuf, String)>,
}

impl<'a, N: NodeApi> Restore<'a, N> {
    pub(crate) fn new(
        ahead: &'a mut Ahead<N>,
        bar: &'a Bar,
        (out, force): (Out, bool),
        target: &Path,
    ) -> Self {
        let (target, written, links) = (target.into(), Written::default(), Vec::new());
        Self { ahead, bar, out, force, target, written, remarks: 0, links }
    }

    /// Writes what `cid` names to the target.
    pub(crate) async fn run(mut self, cid: Cid, block: Bytes) -> Result<Written, Failure> {
        let target = self.target.clone();
        let mut open = vec![];
        self.node(cid, block, &target, 0, &mut open).await?;
        while let Some((cid, path, depth)) = open.pop() {
            if depth > DEPTH {
                let message = format!("{}: over {DEPTH} directories deep", path.display());
                return Err(Failure::new(Exit::Unverified, message));
            }
            self.directory(cid, &path, depth, &mut open).await?;
        }
        for (path, to) in std::mem::take(&mut self.links) {
            self.link(&path, &to)?;
        }
        Ok(self.written)
    }

    async fn node(
        &mut self,
        cid: Cid,
        block: Bytes,
        path: &Path,
        depth: usize,
        open: &mut Vec<(Cid, PathBuf, usize)>,
    ) -> Result<(), Failure> {
        if cid.codec() == Codec::DagCbor {
            let message = format!("{cid} is a DAG-CBOR value, neither a file nor a directory");
            return Err(Failure::usage(message).next(format!("polity export {cid} -o value.car")));
        }
        match Node::parse(cid, block.clone()).map_err(unreadable)? {
            Node::Raw(_) | Node::File(_) => self.file(cid, block, path).await,
            Node::Directory(_) | Node::Shard(_) => {
                open.push((cid, path.into(), depth + 1));
                Ok(())
            }
            Node::Symlink(to) => {
                self.links.push((path.into(), to));
                Ok(())
            }
        }
    }

    async fn directory(
        &mut self,
        cid: Cid,
        path: &Path,
        depth: usize,
        open: &mut Vec<(Cid, PathBuf, usize)>,
    ) -> Result<(), Failure> {
        make_directory(path)?;
        let entries = list::entries(self.ahead, cid).await?;
        let cids: Vec<_> = entries.iter().map(|entry| entry.cid).collect();
        let mut clashes = CaseClashes::new();
        for (at, Entry { name, cid, .. }) in entries.into_iter().enumerate() {
            let name = safe_name(name.as_bytes()).map_err(|error| {
                let dir = path.display();
                Failure::new(Exit::Unverified, format!("not written below {dir}: {error}"))
                    .next("content can be read as it is with: polity export")
            })?;
            if let Some(before) = clashes.add(name) {
                let line = format!("{}: {name} and {before} differ in case only", path.display());
                self.remark(&line);
            }
            let upcoming = &cids[at..cids.len().min(at + AHEAD)];
            let block = self.ahead.next(cid, upcoming).await?;
            self.node(cid, block, &path.join(name), depth, open).await?;
        }
        Ok(())
    }

    async fn file(&mut self, cid: Cid, block: Bytes, path: &Path) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::file(path, &error);
        if let Some(found) = look(path).map_err(failed)? {
            if found.is_file() && is_same(path, cid).map_err(failed)? {
                self.written.there += 1;
                self.bar.add(found.len());
                return Ok(());
            }
            if !self.force || !found.is_file() {
                return Err(Failure::usage(format!("{} is there and differs", path.display()))
                    .next("write elsewhere with -o, or replace files with --force"));
            }
        }
        let bytes = match cid.codec() {
            Codec::Raw => write_new(&part(path, cid), &block).map(|()| block.len() as u64),
            _ => return self.large(cid, block, path).await,
        };
        let bytes = bytes.map_err(failed)?;
        self.bar.add(bytes);
        self.named(cid, path, bytes)
    }

    /// A file of several blocks, of which a part may be there.
    async fn large(&mut self, cid: Cid, root: Bytes, path: &Path) -> Result<(), Failure> {
        let part = part(path, cid);
        let failed = |error: io::Error| Failure::file(&part, &error);
        let mut from = resumable(&part).map_err(failed)?;
        loop {
            let mut file = open_part(&part, from).map_err(failed)?;
            self.bar.add(from);
            let mut walker = FileWalker::range(cid, FILE_BYTES, from..u64::MAX);
            let mut block = Some(root.clone());
            while let Some(wanted) = walker.wanted() {
                let upcoming: Vec<_> = walker.upcoming().take(AHEAD).collect();
                let block = match block.take() {
                    Some(root) => root,
                    None => self.ahead.next(wanted, &upcoming).await?,
                };
                let content = walker.give(wanted, block).map_err(unreadable)?;
                file.write_all(&content).map_err(failed)?;
                self.bar.add(content.len() as u64);
            }
            drop(file);
            let bytes = walker.size_bytes().unwrap_or_default();
            // What an earlier command wrote is not trusted: it may have been cut by a crash.
            if from == 0 || is_same(&part, cid).map_err(failed)? {
                return self.named(cid, path, bytes);
            }
            from = 0;
        }
    }

    /// Gives a part that is whole its name.
    fn named(&mut self, cid: Cid, path: &Path, bytes: u64) -> Result<(), Failure> {
        fs::rename(part(path, cid), path).map_err(|error| Failure::file(path, &error))?;
        self.written.files += 1;
        self.written.bytes += bytes;
        Ok(())
    }

    fn link(&mut self, path: &Path, to: &str) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::file(path, &error);
        if !stays_inside(&self.target, path, to) {
            self.written.left_out += 1;
            self.remark(&format!("{}: a link to {to:?} leads outside: left out", path.display()));
            return Ok(());
        }
        match look(path).map_err(failed)? {
            None => {
                symlink(to, path).map_err(failed)?;
                self.written.files += 1;
                Ok(())
            }
            Some(found)
                if found.is_symlink()
                    && fs::read_link(path).is_ok_and(|is| is == Path::new(to)) =>
            {
                self.written.there += 1;
                Ok(())
            }
            Some(_) => Err(Failure::usage(format!("{} is there and differs", path.display()))
                .next("write elsewhere with -o")),
        }
    }

    fn remark(&mut self, line: &str) {
        self.remarks += 1;
        match self.remarks.cmp(&REMARKS) {
            std::cmp::Ordering::Less => self.out.say(line),
            std::cmp::Ordering::Equal => self.out.say("… and more of that kind"),
            std::cmp::Ordering::Greater => {}
        }
    }
}

/// What is at a path, not following a link.
fn look(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A directory that is there, or is made. A link to one would lead elsewhere.
fn make_directory(path: &Path) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::file(path, &error);
    match look(path).map_err(failed)? {
        Some(found) if found.is_dir() => Ok(()),
        Some(_) => Err(Failure::usage(format!("{} is there and no directory", path.display()))
            .next("write elsewhere with -o")),
        None => fs::create_dir(path).map_err(failed),
    }
}

/// Where a file is until it is whole, beside where it will be. One that gets another name at the
/// same time has another part.
pub(crate) fn part(path: &Path, cid: Cid) -> PathBuf {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let name = Cid::of(Codec::Raw, name).to_string();
    path.with_file_name(format!("{PART}{cid}-{}", &name[name.len() - 8..]))
}

/// Bytes of a part that can stay: whole chunks.
fn resumable(part: &Path) -> io::Result<u64> {
    Ok(match look(part)? {
        Some(found) if found.is_file() => found.len() - found.len() % CHUNK_BYTES as u64,
        _ => 0,
    })
}

fn open_part(part: &Path, from: u64) -> io::Result<File> {
    let mut file = options().create(true).open(part)?;
    file.set_len(from)?;
    file.seek(SeekFrom::Start(from))?;
    Ok(file)
}

fn write_new(part: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = options().create(true).truncate(true).open(part)?;
    file.write_all(content)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(NO_FOLLOW);
    options
}

/// O_NOFOLLOW: a link in the place of a part is not written through.
const NO_FOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits() as i32;

/// Whether a file has the content that a CID names, cut as we cut files.
fn is_same(path: &Path, cid: Cid) -> io::Result<bool> {
    if cid.codec() == Codec::Raw {
        let mut bytes = Vec::new();
        let most = objects::NODE_BYTES as u64 + 1;
        File::open(path)?.take(most).read_to_end(&mut bytes)?;
        return Ok(cid.check(&bytes).is_ok());
    }
    Ok(Content::File(path.into()).name()?.root.cid == cid)
}

/// Whether a link at `path` leads to something at or below `target`. Steps upwards count only at its
/// beginning: behind a name they could start from where another link leads.
fn stays_inside(target: &Path, path: &Path, to: &str) -> bool {
    let Ok(below) = path.strip_prefix(target) else { return false };
    // The target itself stands for a directory if it is one; a lone link has nothing beside it.
    let mut depth = below.components().count() as isize - 1;
    if depth < 0 || to.is_empty() {
        return false;
    }
    let mut named = false;
    for component in Path::new(to).components() {
        match component {
            Component::Normal(_) => named = true,
            Component::CurDir => {}
            Component::ParentDir if !named && depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_may_lead_to_what_is_beside_or_below_them_and_nowhere_else() {
        let inside = |path: &str, to| stays_inside(Path::new("/out"), Path::new(path), to);
        for (path, to) in
            [("/out/a", "b"), ("/out/a", "./b/c"), ("/out/d/a", "../b"), ("/out/d/e/a", "../..")]
        {
            assert!(inside(path, to), "{path} -> {to}");
        }
        for (path, to) in [
            ("/out/a", "../b"),
            ("/out/a", "/etc/passwd"),
            ("/out/a", "b/../c"),
            ("/out/d/a", "../../out/d"),
            ("/out/a", ""),
            ("/out", "b"),
            ("/elsewhere/a", "b"),
        ] {
            assert!(!inside(path, to), "{path} -> {to}");
        }
    }
}
