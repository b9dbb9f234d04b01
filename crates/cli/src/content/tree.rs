//! What lies below a path of this machine.

use crate::failure::Failure;
use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

/// Levels of directories, at most.
const DEPTH: usize = 1_000;

/// Everything below one path, parents before what is in them.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    items: Vec<Item>,
    /// Bytes of all files, when they were listed.
    pub(crate) bytes: u64,
}

/// A file, a directory or a symbolic link.
#[derive(Debug)]
pub(crate) struct Item {
    /// The place of the directory that it is in; its own for the root.
    pub(crate) parent: usize,
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    /// With what it leads to.
    Symlink(String),
}

impl Tree {
    /// Lists a file, or a directory with everything below it. A symbolic link that is named itself
    /// is followed, those below it are not.
    pub(crate) fn list(root: &Path) -> Result<Self, Failure> {
        let found = fs::metadata(root).map_err(|error| Failure::file(root, &error))?;
        let kind = kind_of(root, &found.file_type())?;
        let bytes = if kind == Kind::File { found.len() } else { 0 };
        let items = vec![Item { parent: 0, name: String::new(), kind }];
        let mut tree = Self { root: root.into(), items, bytes };
        let mut open: Vec<_> = tree.directory_at(0).into_iter().collect();
        while let Some((at, depth)) = open.pop() {
            if depth > DEPTH {
                let path = tree.path(at);
                let message = format!("{}: over {DEPTH} directories deep", path.display());
                return Err(Failure::usage(message));
            }
            let first = tree.items.len();
            tree.list_directory(at)?;
            let below = (first..tree.items.len()).rev();
            open.extend(
                below.filter_map(|at| tree.directory_at(at)).map(|(at, _)| (at, depth + 1)),
            );
        }
        Ok(tree)
    }

    fn directory_at(&self, at: usize) -> Option<(usize, usize)> {
        (self.items[at].kind == Kind::Directory).then_some((at, 1))
    }

    fn list_directory(&mut self, at: usize) -> Result<(), Failure> {
        let dir = self.path(at);
        let failed = |error: io::Error| Failure::file(&dir, &error);
        let mut entries = Vec::new();
        for entry in fs::read_dir(&dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let failed = |error: io::Error| Failure::file(&path, &error);
            let name = named(&path, entry.file_name())?;
            let kind = kind_of(&path, &entry.file_type().map_err(failed)?)?;
            if kind == Kind::File {
                self.bytes += entry.metadata().map_err(failed)?.len();
            }
            entries.push(Item { parent: at, name, kind });
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        self.items.append(&mut entries);
        Ok(())
    }

    /// All items; the root is the first.
    pub(crate) fn items(&self) -> &[Item] {
        &self.items
    }

    /// The places of all files.
    pub(crate) fn files(&self) -> Vec<usize> {
        (0..self.items.len()).filter(|at| self.items[*at].kind == Kind::File).collect()
    }

    /// Where an item is on this machine.
    pub(crate) fn path(&self, mut at: usize) -> PathBuf {
        let mut names = Vec::new();
        while at != 0 {
            names.push(self.items[at].name.as_str());
            at = self.items[at].parent;
        }
        let mut path = self.root.clone();
        path.extend(names.into_iter().rev());
        path
    }
}

fn named(path: &Path, name: OsString) -> Result<String, Failure> {
    name.into_string().map_err(|_| {
        Failure::usage(format!("{}: its name is not UTF-8", path.display()))
            .next("names in content are text: give it another one")
    })
}

fn kind_of(path: &Path, found: &fs::FileType) -> Result<Kind, Failure> {
    if found.is_file() {
        return Ok(Kind::File);
    }
    if found.is_dir() {
        return Ok(Kind::Directory);
    }
    if !found.is_symlink() {
        let message = format!("{}: neither a file, a directory nor a link", path.display());
        return Err(Failure::usage(message)
            .next("pipes, sockets and devices have no content: move it away"));
    }
    let target = fs::read_link(path).map_err(|error| Failure::file(path, &error))?;
    Ok(Kind::Symlink(named(path, target.into_os_string())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::{ffi::OsStringExt, fs::symlink, net::UnixListener};

    #[test]
    fn parents_come_before_what_is_in_them_and_names_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        };
        ["b/y", "b/x/1", "a", ".hidden", "c"].into_iter().for_each(write);
        symlink("../nowhere", dir.path().join("link")).unwrap();
        let tree = Tree::list(dir.path()).unwrap();
        let paths: Vec<_> = (1..tree.items().len()).map(|at| tree.path(at)).collect();
        let paths: Vec<_> =
            paths.iter().map(|path| path.strip_prefix(dir.path()).unwrap().to_str()).collect();
        let expected = [".hidden", "a", "b", "c", "link", "b/x", "b/y", "b/x/1"].map(Some);
        assert_eq!(paths, expected);
        assert_eq!(tree.items()[5].kind, Kind::Symlink("../nowhere".into()));
        assert_eq!((tree.files().len(), tree.bytes), (5, 17));
        assert!(tree.items().iter().enumerate().skip(1).all(|(at, item)| item.parent < at));
    }

    #[test]
    fn a_file_is_a_tree_and_a_link_that_is_named_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "12345").unwrap();
        symlink("file", dir.path().join("link")).unwrap();
        for name in ["file", "link"] {
            let tree = Tree::list(&dir.path().join(name)).unwrap();
            assert_eq!((tree.items().len(), tree.bytes), (1, 5));
            assert_eq!(tree.path(0), dir.path().join(name));
        }
    }

    #[test]
    fn what_has_no_content_or_no_text_as_a_name_is_refused_with_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let _listener = UnixListener::bind(dir.path().join("socket")).unwrap();
        let failure = Tree::list(dir.path()).unwrap_err();
        assert!(failure.message.contains("socket: neither a file"), "{failure}");
        fs::remove_file(dir.path().join("socket")).unwrap();
        fs::write(dir.path().join(OsString::from_vec(vec![b'x', 0xff])), "").unwrap();
        let failure = Tree::list(dir.path()).unwrap_err();
        assert!(failure.message.contains("not UTF-8"), "{failure}");
        let failure = Tree::list(&dir.path().join("gone")).unwrap_err();
        assert!(failure.message.contains("gone: No such file"), "{failure}");
    }
}
