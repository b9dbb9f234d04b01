//! The virtual filesystem: `/in`, read-only, and `/out`, in memory.
//!
//! Nodes are found by id, and named by the path from the root. There are no links of any kind, so
//! every node has one path and `..` is never ambiguous.

use super::{
    errno::{Answer, Errno},
    output::{Budget, reserve},
    paths,
};
use crate::stop::Stop;
use bytes::Bytes;
use identity::Digest;
use protocol::limits;
use std::{collections::BTreeMap, ops::Bound, sync::Arc};

/// A node of the tree; never seen by the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(u64);

const ROOT: NodeId = NodeId(0);
/// The directory `/in`.
pub(crate) const IN: NodeId = NodeId(1);
/// The directory `/out`.
pub(crate) const OUT: NodeId = NodeId(2);

/// Files or directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    File,
}

enum Content {
    Directory(BTreeMap<Arc<str>, NodeId>),
    Given(Bytes),
    Written(Vec<u8>),
}

struct Node {
    parent: NodeId,
    /// One component; the whole path, once the node is removed.
    name: Arc<str>,
    content: Content,
    writable: bool,
    /// Descriptors that refer to it.
    opens: u32,
    /// Whether a directory names it. A removed file stays until its last descriptor is closed.
    linked: bool,
}

/// All files and directories of one guest.
pub(crate) struct Tree {
    nodes: BTreeMap<NodeId, Node>,
    next: u64,
}

impl Tree {
    /// A tree with `inputs` under `/in` and nothing under `/out`; `None` if a name is not one
    /// plain name, or two are equal.
    pub(crate) fn new(inputs: Vec<(String, Bytes)>) -> Option<Self> {
        let mut tree = Self { nodes: BTreeMap::new(), next: 3 };
        for (id, name, writable) in [(ROOT, "", false), (IN, "in", false), (OUT, "out", true)] {
            let content = Content::Directory(BTreeMap::new());
            tree.nodes.insert(id, Node::new(ROOT, name.into(), content, writable));
        }
        for (name, bytes) in inputs {
            paths::check_name(&name).ok()?;
            if tree.child(IN, &name).ok()?.is_some() {
                return None;
            }
            tree.link(IN, name.into(), Content::Given(bytes), false);
        }
        Some(tree)
    }

    pub(crate) fn kind(&self, id: NodeId) -> Kind {
        match self.node(id).content {
            Content::Directory(_) => Kind::Directory,
            Content::Given(_) | Content::Written(_) => Kind::File,
        }
    }

    /// Whether the guest may change the node, or what is in it.
    pub(crate) fn is_writable(&self, id: NodeId) -> bool {
        self.node(id).writable
    }

    /// The directory that names the node.
    pub(crate) fn parent(&self, id: NodeId) -> NodeId {
        self.node(id).parent
    }

    /// The bytes of a file; none of a directory.
    pub(crate) fn bytes(&self, id: NodeId) -> &[u8] {
        match &self.node(id).content {
            Content::Directory(_) => &[],
            Content::Given(bytes) => bytes,
            Content::Written(bytes) => bytes,
        }
    }

    /// The node called `name` in a directory.
    pub(crate) fn child(&self, directory: NodeId, name: &str) -> Result<Option<NodeId>, Errno> {
        Ok(self.entries(directory)?.get(name).copied())
    }

    /// Names and kinds of what is in a directory, sorted by name.
    pub(crate) fn listing(&self, directory: NodeId) -> Result<Vec<(Arc<str>, Kind)>, Errno> {
        let entries = self.entries(directory)?;
        Ok(entries.iter().map(|(name, &id)| (name.clone(), self.kind(id))).collect())
    }

    /// The first entry of a directory whose name comes after `after`.
    pub(crate) fn entry_after(
        &self,
        directory: NodeId,
        after: Option<&str>,
    ) -> Result<Option<(Arc<str>, Kind)>, Errno> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut later = self.entries(directory)?.range::<str, _>((start, Bound::Unbounded));
        Ok(later.next().map(|(name, &id)| (name.clone(), self.kind(id))))
    }

    /// The absolute path of a node. A removed node keeps the last one, marked.
    pub(crate) fn path(&self, id: NodeId) -> String {
        let mut node = self.node(id);
        if !node.linked {
            return format!("{} (removed)", node.name);
        }
        let mut names = Vec::new();
        while !node.name.is_empty() {
            names.push(&*node.name);
            node = self.node(node.parent);
        }
        names.iter().rev().fold(String::new(), |path, name| path + "/" + name)
    }

    /// Makes a file or a directory.
    pub(crate) fn create(&mut self, directory: NodeId, name: &str, kind: Kind) -> Answer<NodeId> {
        self.check_place(directory, name, 0)?;
        if self.made() >= limits::OUTPUTS {
            return Err(Stop::OutputLimit.into());
        }
        let content = match kind {
            Kind::Directory => Content::Directory(BTreeMap::new()),
            Kind::File => Content::Written(Vec::new()),
        };
        Ok(self.link(directory, name.into(), content, true))
    }

    /// Makes a file hold at least `size` bytes, the new ones zero.
    pub(crate) fn extend(&mut self, id: NodeId, size: u64, budget: &mut Budget) -> Answer {
        let Content::Written(bytes) = &mut self.node_mut(id).content else {
            return Err(Errno::Rofs.into());
        };
        let Some(more) = size.checked_sub(bytes.len() as u64) else { return Ok(()) };
        budget.take(more)?;
        let size = usize::try_from(size).map_err(|_| Stop::OutputLimit)?;
        reserve(bytes, size - bytes.len())?;
        bytes.resize(size, 0);
        Ok(())
    }

    /// Cuts a file to at most `size` bytes.
    pub(crate) fn cut(&mut self, id: NodeId, size: u64, budget: &mut Budget) -> Answer {
        let Content::Written(bytes) = &mut self.node_mut(id).content else {
            return Err(Errno::Rofs.into());
        };
        let Some(less) = (bytes.len() as u64).checked_sub(size) else { return Ok(()) };
        budget.give_back(less);
        bytes.truncate(usize::try_from(size).map_err(|_| Errno::Fbig)?);
        bytes.shrink_to_fit();
        Ok(())
    }

    /// Overwrites bytes that the file holds already.
    pub(crate) fn overwrite(&mut self, id: NodeId, offset: u64, new: &[u8]) -> Answer {
        let Content::Written(bytes) = &mut self.node_mut(id).content else {
            return Err(Errno::Rofs.into());
        };
        let start = usize::try_from(offset).map_err(|_| Errno::Fbig)?;
        let held = bytes.get_mut(start..start.saturating_add(new.len())).ok_or(Errno::Fbig)?;
        held.copy_from_slice(new);
        Ok(())
    }

    /// Removes a file, or an empty directory, from its directory.
    pub(crate) fn remove(&mut self, id: NodeId, kind: Kind, budget: &mut Budget) -> Answer {
        if !self.is_writable(id) {
            return Err(Errno::Rofs.into());
        }
        match (kind, self.kind(id)) {
            (Kind::File, Kind::Directory) => return Err(Errno::Isdir.into()),
            (Kind::Directory, Kind::File) => return Err(Errno::Notdir.into()),
            (Kind::Directory, Kind::Directory) if !self.entries(id)?.is_empty() => {
                return Err(Errno::Notempty.into());
            }
            _ => {}
        }
        let path = self.path(id);
        self.unlink(id);
        let node = self.node_mut(id);
        node.name = path.into();
        node.parent = ROOT;
        node.linked = false;
        self.drop_unused(id, budget);
        Ok(())
    }

    /// Gives a node another name, in the same or another directory, replacing what has it.
    pub(crate) fn rename(
        &mut self,
        id: NodeId,
        directory: NodeId,
        name: &str,
        budget: &mut Budget,
    ) -> Answer {
        if !self.is_writable(id) {
            return Err(Errno::Rofs.into());
        }
        self.check_place(directory, name, self.depth_bytes(id))?;
        let mut above = directory;
        while above != ROOT {
            if above == id {
                return Err(Errno::Inval.into());
            }
            above = self.parent(above);
        }
        match self.child(directory, name)? {
            Some(same) if same == id => return Ok(()),
            Some(old) => self.remove(old, self.kind(id), budget)?,
            None => {}
        }
        self.unlink(id);
        let name: Arc<str> = name.into();
        let node = self.node_mut(id);
        node.name = name.clone();
        node.parent = directory;
        self.entries_mut(directory).insert(name, id);
        Ok(())
    }

    /// A descriptor refers to the node.
    pub(crate) fn hold(&mut self, id: NodeId) {
        self.node_mut(id).opens += 1;
    }

    /// A descriptor no longer refers to it.
    pub(crate) fn release(&mut self, id: NodeId, budget: &mut Budget) {
        self.node_mut(id).opens -= 1;
        self.drop_unused(id, budget);
    }

    /// Files and directories that the guest has made.
    pub(crate) fn made(&self) -> usize {
        let given = match &self.node(IN).content {
            Content::Directory(entries) => entries.len(),
            _ => 0,
        };
        self.nodes.len() - 3 - given
    }

    /// The files under `/out`, by path relative to it, sorted.
    pub(crate) fn into_outputs(mut self) -> Vec<(String, Bytes)> {
        let mut found = Vec::new();
        let mut open = vec![(OUT, String::new())];
        while let Some((id, path)) = open.pop() {
            match self.nodes.remove(&id).map(|node| node.content) {
                Some(Content::Directory(entries)) => {
                    open.extend(entries.iter().map(|(name, &id)| {
                        let slash = if path.is_empty() { "" } else { "/" };
                        (id, format!("{path}{slash}{name}"))
                    }))
                }
                Some(Content::Written(bytes)) => found.push((path, bytes.into())),
                Some(Content::Given(_)) | None => {}
            }
        }
        found.sort_unstable();
        found
    }

    /// Whether a node may get this name here; `below` bytes of path follow the name.
    fn check_place(&self, directory: NodeId, name: &str, below: usize) -> Answer {
        let place = self.node(directory);
        if !place.linked {
            return Err(Errno::Noent.into());
        }
        if !place.writable {
            return Err(Errno::Rofs.into());
        }
        paths::check_name(name)?;
        if self.path(directory).len() + 1 + name.len() + below > paths::PATH_BYTES {
            return Err(Errno::Nametoolong.into());
        }
        Ok(())
    }

    /// The bytes of the longest path below a node.
    fn depth_bytes(&self, id: NodeId) -> usize {
        let mut longest = 0;
        let mut open = vec![(id, 0)];
        while let Some((id, bytes)) = open.pop() {
            longest = longest.max(bytes);
            if let Content::Directory(entries) = &self.node(id).content {
                open.extend(entries.iter().map(|(name, &id)| (id, bytes + 1 + name.len())));
            }
        }
        longest
    }

    fn link(&mut self, parent: NodeId, name: Arc<str>, content: Content, writable: bool) -> NodeId {
        let id = NodeId(self.next);
        self.next += 1;
        self.nodes.insert(id, Node::new(parent, name.clone(), content, writable));
        self.entries_mut(parent).insert(name, id);
        id
    }

    fn unlink(&mut self, id: NodeId) {
        let node = self.node(id);
        let (parent, name) = (node.parent, node.name.clone());
        self.entries_mut(parent).remove(&name);
    }

    fn drop_unused(&mut self, id: NodeId, budget: &mut Budget) {
        let node = self.node(id);
        if !node.linked && node.opens == 0 {
            budget.give_back(self.bytes(id).len() as u64);
            self.nodes.remove(&id);
        }
    }

    fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(&id).expect("a node that is named or open exists")
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes.get_mut(&id).expect("a node that is named or open exists")
    }

    fn entries(&self, id: NodeId) -> Result<&BTreeMap<Arc<str>, NodeId>, Errno> {
        match &self.node(id).content {
            Content::Directory(entries) => Ok(entries),
            _ => Err(Errno::Notdir),
        }
    }

    fn entries_mut(&mut self, id: NodeId) -> &mut BTreeMap<Arc<str>, NodeId> {
        match &mut self.node_mut(id).content {
            Content::Directory(entries) => entries,
            _ => panic!("only a directory has entries"),
        }
    }
}

impl Node {
    fn new(parent: NodeId, name: Arc<str>, content: Content, writable: bool) -> Self {
        Self { parent, name, content, writable, opens: 0, linked: true }
    }
}

/// The inode number of a path: a function of the path only.
pub(crate) fn inode(path: &str) -> u64 {
    let digest = Digest::of("polity inode", &[path.as_bytes()]);
    u64::from_be_bytes(std::array::from_fn(|i| digest.as_bytes()[i]))
}

#[cfg(test)]
mod tests {
    use super::{Budget, Errno, IN, Kind, NodeId, OUT, Tree, inode};
    use crate::{stop::Stop, wasi::errno::Fault};
    use protocol::limits;

    fn file(tree: &mut Tree, directory: NodeId, name: &str, bytes: &[u8]) -> NodeId {
        let mut budget = Budget::new(1 << 20);
        let id = tree.create(directory, name, Kind::File).unwrap();
        tree.extend(id, bytes.len() as u64, &mut budget).unwrap();
        tree.overwrite(id, 0, bytes).unwrap();
        id
    }

    fn tree() -> Tree {
        Tree::new(vec![("b".into(), "B".into()), ("a".into(), "A".into())]).unwrap()
    }

    fn fails<T>(answer: Result<T, Fault>) -> Fault {
        answer.map(|_| ()).expect_err("an error was expected")
    }

    #[test]
    fn inputs_need_plain_names_of_their_own() {
        for names in [&["a", "a"][..], &["a/b"], &[".."], &[""], &["a\0"]] {
            let inputs = names.iter().map(|&name| (name.into(), "x".into())).collect();
            assert!(Tree::new(inputs).is_none(), "{names:?}");
        }
    }

    #[test]
    fn inputs_are_listed_sorted_and_never_change() {
        let mut tree = tree();
        let names: Vec<_> = tree.listing(IN).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a".into(), "b".into()]);
        let after = |last| tree.entry_after(IN, last).unwrap().map(|(name, _)| name.to_string());
        let one_by_one = [None, Some("a"), Some("ab"), Some("b")].map(after);
        assert_eq!(one_by_one, [Some("a".into()), Some("b".into()), Some("b".into()), None]);
        let a = tree.child(IN, "a").unwrap().unwrap();
        let mut budget = Budget::new(100);
        let rofs = Fault::Errno(Errno::Rofs);
        assert_eq!(fails(tree.create(IN, "c", Kind::File)), rofs);
        assert_eq!(fails(tree.extend(a, 9, &mut budget)), rofs);
        assert_eq!(fails(tree.cut(a, 0, &mut budget)), rofs);
        assert_eq!(fails(tree.overwrite(a, 0, b"x")), rofs);
        assert_eq!(fails(tree.remove(a, Kind::File, &mut budget)), rofs);
        assert_eq!(fails(tree.rename(a, OUT, "a", &mut budget)), rofs);
        let made = file(&mut tree, OUT, "f", b"1");
        assert_eq!(fails(tree.rename(made, IN, "f", &mut budget)), rofs);
    }

    #[test]
    fn outputs_are_sorted_by_their_whole_path() {
        let mut tree = tree();
        let d = tree.create(OUT, "d", Kind::Directory).unwrap();
        tree.create(OUT, "empty", Kind::Directory).unwrap();
        file(&mut tree, d, "x", b"1");
        file(&mut tree, OUT, "d.csv", b"2");
        file(&mut tree, OUT, "c", b"");
        let names: Vec<_> = tree.into_outputs().into_iter().map(|(path, _)| path).collect();
        assert_eq!(names, ["c", "d.csv", "d/x"]);
    }

    #[test]
    fn a_removed_file_lives_until_it_is_closed_and_then_gives_back_its_bytes() {
        let mut tree = tree();
        let mut budget = Budget::new(10);
        let id = tree.create(OUT, "f", Kind::File).unwrap();
        tree.extend(id, 10, &mut budget).unwrap();
        tree.hold(id);
        tree.remove(id, Kind::File, &mut budget).unwrap();
        assert_eq!(tree.bytes(id).len(), 10);
        assert_eq!(tree.path(id), "/out/f (removed)");
        assert_eq!(tree.made(), 1);
        assert_eq!(budget.take(1), Err(Stop::OutputLimit));
        let mut budget = Budget::new(0);
        tree.release(id, &mut budget);
        assert_eq!(tree.made(), 0);
        assert_eq!(budget.take(10), Ok(()));
    }

    #[test]
    fn a_removed_directory_takes_nothing_in() {
        let mut tree = tree();
        let mut budget = Budget::new(10);
        let d = tree.create(OUT, "d", Kind::Directory).unwrap();
        tree.hold(d);
        tree.remove(d, Kind::Directory, &mut budget).unwrap();
        assert_eq!(fails(tree.create(d, "f", Kind::File)), Fault::Errno(Errno::Noent));
        tree.release(d, &mut budget);
    }

    #[test]
    fn renaming_follows_posix() {
        let mut tree = tree();
        let mut budget = Budget::new(100);
        let d = tree.create(OUT, "d", Kind::Directory).unwrap();
        let e = tree.create(d, "e", Kind::Directory).unwrap();
        let f = file(&mut tree, OUT, "f", b"f");
        let g = file(&mut tree, e, "g", b"g");
        let errno = |errno| Fault::Errno(errno);
        assert_eq!(fails(tree.rename(d, e, "d", &mut budget)), errno(Errno::Inval));
        assert_eq!(fails(tree.rename(d, d, "x", &mut budget)), errno(Errno::Inval));
        assert_eq!(fails(tree.rename(d, OUT, "f", &mut budget)), errno(Errno::Notdir));
        assert_eq!(fails(tree.rename(f, OUT, "d", &mut budget)), errno(Errno::Isdir));
        assert_eq!(fails(tree.rename(e, OUT, "d", &mut budget)), errno(Errno::Notempty));
        assert_eq!(fails(tree.rename(f, OUT, "a/b", &mut budget)), errno(Errno::Inval));
        tree.rename(f, OUT, "f", &mut budget).unwrap();
        tree.rename(f, e, "g", &mut budget).unwrap();
        assert_eq!(tree.path(f), "/out/d/e/g");
        tree.rename(d, OUT, "moved", &mut budget).unwrap();
        assert_eq!(tree.path(f), "/out/moved/e/g");
        assert_eq!(tree.made(), 3, "the replaced file is gone: {g:?}");
    }

    #[test]
    fn no_rename_makes_a_path_too_long() {
        let mut tree = tree();
        let mut budget = Budget::new(100);
        let long = "n".repeat(limits::NAME_BYTES);
        let mut deep = tree.create(OUT, "deep", Kind::Directory).unwrap();
        let other = tree.create(OUT, "other", Kind::Directory).unwrap();
        file(&mut tree, other, &long, b"");
        while let Ok(next) = tree.create(deep, &long, Kind::Directory) {
            deep = next;
        }
        let depth = tree.path(deep).len();
        assert!(depth <= 4096 && depth + 256 > 4096, "{depth}");
        let too_long = Fault::Errno(Errno::Nametoolong);
        assert_eq!(fails(tree.rename(other, deep, "o", &mut budget)), too_long);
    }

    #[test]
    fn there_are_no_more_files_than_a_receipt_names() {
        let mut tree = tree();
        for name in 0..limits::OUTPUTS {
            tree.create(OUT, &name.to_string(), Kind::File).unwrap();
        }
        let stopped = fails(tree.create(OUT, "one more", Kind::Directory));
        assert_eq!(stopped, Fault::Stop(Stop::OutputLimit));
    }

    #[test]
    fn an_inode_number_says_nothing_but_the_path() {
        assert_eq!(inode("/in/a"), inode("/in/a"));
        assert_ne!(inode("/in/a"), inode("/in/b"));
    }
}
