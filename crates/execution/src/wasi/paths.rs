//! From a guest's path to a place in the tree, never above the directory it starts from.

use super::{
    errno::Errno,
    tree::{Kind, NodeId, Tree},
};
use protocol::limits;

/// Bytes that a path may have, from the root.
pub(crate) const PATH_BYTES: usize = 4096;

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    /// The directory that has, or would have, the last component.
    pub(crate) directory: NodeId,
    /// The last component; `None` if the path ends in `.` or `..`.
    pub(crate) name: Option<&'a str>,
    /// What is there.
    pub(crate) node: Option<NodeId>,
    /// Whether the path ends in a slash, and so can only mean a directory.
    pub(crate) slash: bool,
}

impl Place<'_> {
    /// What is there, if there is something.
    pub(crate) fn existing(&self, tree: &Tree) -> Result<NodeId, Errno> {
        let node = self.node.ok_or(Errno::Noent)?;
        if self.slash && tree.kind(node) != Kind::Directory {
            return Err(Errno::Notdir);
        }
        Ok(node)
    }
}

/// Follows `path` from `base`. Absolute paths, and paths that leave `base`, are refused.
pub(crate) fn resolve<'a>(tree: &Tree, base: NodeId, path: &'a str) -> Result<Place<'a>, Errno> {
    if path.is_empty() {
        return Err(Errno::Noent);
    }
    if path.len() > PATH_BYTES {
        return Err(Errno::Nametoolong);
    }
    if path.starts_with('/') {
        return Err(Errno::Perm);
    }
    let slash = path.ends_with('/');
    let mut place = Place { directory: base, name: None, node: Some(base), slash };
    for name in path.split('/').filter(|name| !name.is_empty()) {
        let at = place.node.ok_or(Errno::Noent)?;
        if tree.kind(at) != Kind::Directory {
            return Err(Errno::Notdir);
        }
        place = match name {
            "." => Place { directory: at, name: None, node: Some(at), slash },
            ".." if at == base => return Err(Errno::Perm),
            ".." => {
                let parent = tree.parent(at);
                Place { directory: parent, name: None, node: Some(parent), slash }
            }
            _ => Place { directory: at, name: Some(name), node: tree.child(at, name)?, slash },
        };
    }
    Ok(place)
}

/// Whether a file may have this name: one component, without control characters, as in the nouns
/// of `protocol`.
pub(crate) fn check_name(name: &str) -> Result<(), Errno> {
    if name.len() > limits::NAME_BYTES {
        return Err(Errno::Nametoolong);
    }
    if name.is_empty() || name == "." || name == ".." || name.contains('/') {
        return Err(Errno::Inval);
    }
    if name.chars().any(char::is_control) {
        return Err(Errno::Ilseq);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Errno, Kind, Tree, check_name, resolve};
    use crate::wasi::tree::{IN, OUT};

    fn tree() -> Tree {
        let mut tree = Tree::new(vec![("a.csv".into(), "1,2".into())]).unwrap();
        let d = tree.create(OUT, "d", Kind::Directory).unwrap();
        tree.create(d, "f", Kind::File).unwrap();
        tree
    }

    #[test]
    fn no_path_leaves_its_base() {
        let tree = tree();
        let d = tree.child(OUT, "d").unwrap().unwrap();
        for path in ["/", "/in/a.csv", "..", "../in/a.csv", "d/../..", "d/../../in", "./../out"] {
            assert_eq!(resolve(&tree, OUT, path), Err(Errno::Perm), "{path}");
        }
        assert_eq!(resolve(&tree, d, ".."), Err(Errno::Perm));
        assert_eq!(resolve(&tree, d, "../d/f"), Err(Errno::Perm));
    }

    #[test]
    fn dots_and_slashes_are_followed() {
        let tree = tree();
        let f = tree.child(tree.child(OUT, "d").unwrap().unwrap(), "f").unwrap();
        for path in ["d/f", "./d//f", "d/../d/f", "d/./f"] {
            assert_eq!(resolve(&tree, OUT, path).unwrap().node, f, "{path}");
        }
        assert_eq!(resolve(&tree, OUT, "d/..").unwrap().node, Some(OUT));
        assert_eq!(resolve(&tree, OUT, "d/f/").unwrap().existing(&tree), Err(Errno::Notdir));
        assert_eq!(resolve(&tree, OUT, "d/f/g"), Err(Errno::Notdir));
        assert_eq!(resolve(&tree, OUT, "e/.."), Err(Errno::Noent));
        assert_eq!(resolve(&tree, IN, "b.csv").unwrap().existing(&tree), Err(Errno::Noent));
        assert_eq!(resolve(&tree, IN, ""), Err(Errno::Noent));
        assert_eq!(resolve(&tree, IN, &"a/".repeat(3000)), Err(Errno::Nametoolong));
    }

    #[test]
    fn names_that_no_receipt_could_carry_are_refused() {
        for name in ["", ".", "..", "a/b", "a\0", "a\n", "\u{85}", &"x".repeat(256)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        check_name("temperature 2026-11 (°C).csv").unwrap();
    }
}
