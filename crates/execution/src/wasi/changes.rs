//! What opening, making, removing, renaming and writing do, in whichever preview they are asked for.

use super::{
    World, cost,
    errno::{Answer, Errno},
    meter::Meter,
    paths::Place,
    rights::{CREAT, EXCL, MUST_BE_DIRECTORY, TRUNC},
    tree::{Kind, NodeId},
};

impl World {
    /// Opens what is at a place, or makes a file there, as the bits of `how` say. The node is held:
    /// whoever has it releases it.
    pub(crate) fn open(&mut self, place: Place<'_>, how: u32, write: bool) -> Answer<NodeId> {
        let node = match place.node {
            Some(_) => self.open_existing(place, how, write)?,
            None => self.open_new(place, how)?,
        };
        self.tree.hold(node);
        Ok(node)
    }

    fn open_existing(&mut self, place: Place<'_>, how: u32, write: bool) -> Answer<NodeId> {
        let node = place.existing(&self.tree)?;
        if how & CREAT != 0 && how & EXCL != 0 {
            return Err(Errno::Exist.into());
        }
        if self.tree.kind(node) == Kind::Directory {
            let as_file = write || how & (TRUNC | CREAT) != 0;
            return if as_file { Err(Errno::Isdir.into()) } else { Ok(node) };
        }
        if how & MUST_BE_DIRECTORY != 0 {
            return Err(Errno::Notdir.into());
        }
        if (write || how & TRUNC != 0) && !self.tree.is_writable(node) {
            return Err(Errno::Rofs.into());
        }
        if how & TRUNC != 0 {
            self.tree.cut(node, 0, &mut self.budget)?;
        }
        Ok(node)
    }

    fn open_new(&mut self, place: Place<'_>, how: u32) -> Answer<NodeId> {
        if how & CREAT == 0 {
            return Err(Errno::Noent.into());
        }
        if how & MUST_BE_DIRECTORY != 0 {
            return Err(Errno::Inval.into());
        }
        if place.slash {
            return Err(Errno::Isdir.into());
        }
        let name = place.name.ok_or(Errno::Isdir)?;
        self.tree.create(place.directory, name, Kind::File)
    }

    pub(crate) fn make_directory(&mut self, place: Place<'_>) -> Answer {
        let name = place.name.filter(|_| place.node.is_none()).ok_or(Errno::Exist)?;
        self.tree.create(place.directory, name, Kind::Directory)?;
        Ok(())
    }

    pub(crate) fn remove(&mut self, place: Place<'_>, kind: Kind) -> Answer {
        let node = place.existing(&self.tree)?;
        place.name.ok_or(Errno::Inval)?;
        self.tree.remove(node, kind, &mut self.budget)
    }

    /// What a rename would move.
    pub(crate) fn moved(&self, place: Place<'_>) -> Answer<NodeId> {
        let node = place.existing(&self.tree)?;
        place.name.ok_or(Errno::Busy)?;
        Ok(node)
    }

    /// Moves a node to a place.
    pub(crate) fn rename(&mut self, node: NodeId, place: Place<'_>) -> Answer {
        if place.slash && self.tree.kind(node) == Kind::File {
            return Err(Errno::Notdir.into());
        }
        let name = place.name.ok_or(Errno::Busy)?;
        self.tree.rename(node, place.directory, name, &mut self.budget)
    }

    /// Makes a file at least `size` bytes long, and pays for the zeros.
    pub(crate) fn extend(&mut self, node: NodeId, size: u64, meter: &mut Meter) -> Answer {
        let held = self.tree.bytes(node).len() as u64;
        // The limit comes first: a file of a petabyte is an output limit, not a want of fuel.
        self.budget.check(size.saturating_sub(held))?;
        meter.pay(size.saturating_sub(held))?;
        self.tree.extend(node, size, &mut self.budget)
    }

    /// The inode number of a node, which its path decides.
    pub(crate) fn inode(&self, node: NodeId, meter: &mut Meter) -> Answer<u64> {
        let path = self.tree.path(node);
        meter.pay((path.len() as u64).saturating_mul(cost::PATH_BYTE))?;
        Ok(super::tree::inode(&path))
    }
}
