//! The guest's descriptors: small numbers, the lowest free one first.

use super::{
    errno::Errno,
    files::{Object, OpenDirectory},
    tree::{IN, OUT},
};
use std::collections::BTreeMap;

/// Descriptors that a guest may have open.
pub(crate) const DESCRIPTORS: usize = 1024;
/// Directory entries that all begun listings of a guest may hold.
const LISTED: usize = 65_536;

/// All that a guest has open.
pub(crate) struct Descriptors {
    open: BTreeMap<u32, Object>,
}

impl Descriptors {
    /// 0, 1 and 2 as everywhere; 3 is `/in`, 4 is `/out`.
    pub(crate) fn new() -> Self {
        let directory = |node, path| {
            Object::Directory(OpenDirectory { node, preopen: Some(path), listing: None })
        };
        let objects = [
            Object::Stdin,
            Object::Stdout,
            Object::Stderr,
            directory(IN, "/in"),
            directory(OUT, "/out"),
        ];
        Self { open: (0..).zip(objects).collect() }
    }

    pub(crate) fn get(&self, fd: u32) -> Result<&Object, Errno> {
        self.open.get(&fd).ok_or(Errno::Badf)
    }

    pub(crate) fn get_mut(&mut self, fd: u32) -> Result<&mut Object, Errno> {
        self.open.get_mut(&fd).ok_or(Errno::Badf)
    }

    /// The number that the next object gets.
    pub(crate) fn next(&self) -> Result<u32, Errno> {
        if self.open.len() >= DESCRIPTORS {
            return Err(Errno::Mfile);
        }
        let gap = (0..).zip(self.open.keys()).find(|(number, fd)| number != *fd);
        Ok(gap.map_or(self.open.len() as u32, |(number, _)| number))
    }

    pub(crate) fn set(&mut self, fd: u32, object: Object) {
        self.open.insert(fd, object);
    }

    pub(crate) fn take(&mut self, fd: u32) -> Result<Object, Errno> {
        self.open.remove(&fd).ok_or(Errno::Badf)
    }

    /// Whether a listing of `more` entries may be begun.
    pub(crate) fn may_list(&self, more: usize) -> Result<(), Errno> {
        let listed: usize = self
            .open
            .values()
            .filter_map(|object| object.directory().ok()?.listing.as_ref())
            .map(Vec::len)
            .sum();
        if listed + more > LISTED { Err(Errno::Nomem) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::{DESCRIPTORS, Descriptors, Errno, Object};

    #[test]
    fn the_lowest_free_number_is_next_and_they_run_out() {
        let mut open = Descriptors::new();
        assert_eq!(open.next(), Ok(5));
        open.take(1).unwrap();
        open.take(3).unwrap();
        assert_eq!(open.next(), Ok(1));
        open.set(1, Object::Stdout);
        assert_eq!(open.next(), Ok(3));
        while let Ok(fd) = open.next() {
            open.set(fd, Object::Stdin);
        }
        assert_eq!(open.next(), Err(Errno::Mfile));
        assert!(open.get(DESCRIPTORS as u32 - 1).is_ok());
        assert!(open.get(DESCRIPTORS as u32).is_err());
    }
}
