//! Functions of `wasi:filesystem/types` that list directories and follow paths.

use super::{
    call::Call,
    filesystem::{Descriptor, Listing},
    types::{
        DescriptorFlags, DescriptorStat, DirectoryEntry, MetadataHash, NewTimestamp, OpenFlags,
        PathFlags,
    },
};
use crate::wasi::{
    World, cost,
    errno::{Answer, Errno},
    paths::{self, Place},
    tree::{Kind, NodeId},
};
use wasmtime::component::{Resource, WasmStr};

impl Call<'_> {
    fn directory(&self, descriptor: &Resource<Descriptor>) -> Result<NodeId, Errno> {
        let node = self.get(descriptor).node;
        match self.world.tree.kind(node) {
            Kind::Directory => Ok(node),
            Kind::File => Err(Errno::Notdir),
        }
    }

    /// Follows a path of the guest and does something there.
    fn at_path<T>(
        &mut self,
        base: &Resource<Descriptor>,
        path: &WasmStr,
        act: impl FnOnce(&mut World, Place<'_>) -> Answer<T>,
    ) -> Answer<T> {
        let base = self.directory(base)?;
        let path = self.text(path)?;
        let place = paths::resolve(&self.world.tree, base, &path)?;
        act(self.world, place)
    }

    /// The node that a path leads to.
    fn look_up(&mut self, base: &Resource<Descriptor>, path: &WasmStr) -> Answer<NodeId> {
        self.at_path(base, path, |world, place| Ok(place.existing(&world.tree)?))
    }

    pub(super) fn read_directory(&mut self, of: Resource<Descriptor>) -> Answer<Resource<Listing>> {
        let node = self.directory(&of)?;
        self.world.tree.hold(node);
        Ok(self.push(Listing { node, last: None })?)
    }

    /// Entries come in the order of names. One that is removed meanwhile hides no other.
    pub(super) fn next_entry(
        &mut self,
        listing: Resource<Listing>,
    ) -> Answer<Option<DirectoryEntry>> {
        self.pay(1, cost::ENTRY)?;
        let Listing { node, last } = self.get(&listing);
        let Some((name, kind)) = self.world.tree.entry_after(*node, last.as_deref())? else {
            return Ok(None);
        };
        self.pay(name.len(), cost::PATH_BYTE)?;
        self.get_mut(&listing).last = Some(name.clone());
        Ok(Some(DirectoryEntry { kind: kind.into(), name: name.to_string() }))
    }

    pub(super) fn create_directory_at(
        &mut self,
        base: Resource<Descriptor>,
        path: WasmStr,
    ) -> Answer {
        self.at_path(&base, &path, World::make_directory)
    }

    pub(super) fn stat_at(
        &mut self,
        base: Resource<Descriptor>,
        _how: PathFlags,
        path: WasmStr,
    ) -> Answer<DescriptorStat> {
        let node = self.look_up(&base, &path)?;
        Ok(self.stat_of(node))
    }

    pub(super) fn set_times_at(
        &mut self,
        base: Resource<Descriptor>,
        _how: PathFlags,
        path: WasmStr,
        _accessed: NewTimestamp,
        _modified: NewTimestamp,
    ) -> Answer {
        let node = self.look_up(&base, &path)?;
        self.check_times(node)
    }

    pub(super) fn link_at(
        &mut self,
        _base: Resource<Descriptor>,
        _how: PathFlags,
        _path: WasmStr,
        _new_base: Resource<Descriptor>,
        _new_path: WasmStr,
    ) -> Answer {
        Err(Errno::Notsup.into())
    }

    /// What may be done in a directory follows from where it is, not from how it was opened.
    pub(super) fn open_at(
        &mut self,
        base: Resource<Descriptor>,
        _how: PathFlags,
        path: WasmStr,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> Answer<Resource<Descriptor>> {
        let read = flags.contains(DescriptorFlags::READ);
        let write = flags.contains(DescriptorFlags::WRITE);
        let [how] = open.as_array();
        let node = self.at_path(&base, &path, |world, place| world.open(place, how, write))?;
        Ok(self.push(Descriptor { node, read, write })?)
    }

    /// There are no symbolic links, so what is there is none.
    pub(super) fn readlink_at(
        &mut self,
        base: Resource<Descriptor>,
        path: WasmStr,
    ) -> Answer<String> {
        self.look_up(&base, &path)?;
        Err(Errno::Inval.into())
    }

    pub(super) fn remove_directory_at(
        &mut self,
        base: Resource<Descriptor>,
        path: WasmStr,
    ) -> Answer {
        self.at_path(&base, &path, |world, place| world.remove(place, Kind::Directory))
    }

    pub(super) fn rename_at(
        &mut self,
        base: Resource<Descriptor>,
        path: WasmStr,
        new_base: Resource<Descriptor>,
        new_path: WasmStr,
    ) -> Answer {
        let node = self.at_path(&base, &path, |world, place| world.moved(place))?;
        // The path of everything below may change.
        self.pay(self.world.tree.made(), cost::ENTRY)?;
        self.at_path(&new_base, &new_path, |world, place| world.rename(node, place))
    }

    pub(super) fn symlink_at(
        &mut self,
        _base: Resource<Descriptor>,
        _old_path: WasmStr,
        _path: WasmStr,
    ) -> Answer {
        Err(Errno::Notsup.into())
    }

    pub(super) fn unlink_file_at(&mut self, base: Resource<Descriptor>, path: WasmStr) -> Answer {
        self.at_path(&base, &path, |world, place| world.remove(place, Kind::File))
    }

    pub(super) fn metadata_hash_at(
        &mut self,
        base: Resource<Descriptor>,
        _how: PathFlags,
        path: WasmStr,
    ) -> Answer<MetadataHash> {
        let node = self.look_up(&base, &path)?;
        self.hash_of(node)
    }
}
