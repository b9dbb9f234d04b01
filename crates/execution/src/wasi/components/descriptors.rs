//! Functions of `wasi:filesystem/types` about what is open.

use super::{
    call::Call,
    filesystem::Descriptor,
    streams::{InputStream, OutputStream, READ_BYTES, write_at},
    types::{Advice, DescriptorFlags, DescriptorStat, DescriptorType, MetadataHash, NewTimestamp},
};
use crate::{
    stop::Stop,
    wasi::{
        errno::{Answer, Errno},
        tree::{Kind, NodeId},
    },
};
use wasmtime::component::{Resource, WasmList};

impl Call<'_> {
    /// A file, if it was opened so.
    fn file_opened(
        &self,
        descriptor: &Resource<Descriptor>,
        so: impl FnOnce(&Descriptor) -> bool,
    ) -> Result<NodeId, Errno> {
        let descriptor = self.get(descriptor);
        if self.world.tree.kind(descriptor.node) == Kind::Directory {
            return Err(Errno::Isdir);
        }
        if so(descriptor) { Ok(descriptor.node) } else { Err(Errno::Badf) }
    }

    pub(super) fn read_via_stream(
        &mut self,
        file: Resource<Descriptor>,
        offset: u64,
    ) -> Answer<Resource<InputStream>> {
        let node = self.file_opened(&file, |file| file.read)?;
        self.world.tree.hold(node);
        Ok(self.push(InputStream::File { node, offset })?)
    }

    pub(super) fn write_via_stream(
        &mut self,
        file: Resource<Descriptor>,
        offset: u64,
    ) -> Answer<Resource<OutputStream>> {
        let node = self.file_opened(&file, |file| file.write)?;
        self.world.tree.hold(node);
        Ok(self.push(OutputStream::File { node, offset })?)
    }

    pub(super) fn append_via_stream(
        &mut self,
        file: Resource<Descriptor>,
    ) -> Answer<Resource<OutputStream>> {
        let node = self.file_opened(&file, |file| file.write)?;
        self.world.tree.hold(node);
        Ok(self.push(OutputStream::Append(node))?)
    }

    pub(super) fn advise(
        &mut self,
        file: Resource<Descriptor>,
        _offset: u64,
        _len: u64,
        _advice: Advice,
    ) -> Answer {
        self.file_opened(&file, |_| true)?;
        Ok(())
    }

    /// Files are in memory: what was written is kept.
    pub(super) fn sync(&mut self, _of: Resource<Descriptor>) -> Answer {
        Ok(())
    }

    pub(super) fn flags(&mut self, of: Resource<Descriptor>) -> Answer<DescriptorFlags> {
        let descriptor = *self.get(&of);
        let directory = self.world.tree.kind(descriptor.node) == Kind::Directory;
        let writable = self.world.tree.is_writable(descriptor.node);
        let mut flags = DescriptorFlags::empty();
        if descriptor.read {
            flags |= DescriptorFlags::READ;
        }
        if descriptor.write {
            flags |= DescriptorFlags::WRITE;
        }
        if directory && writable {
            flags |= DescriptorFlags::MUTATE_DIRECTORY;
        }
        Ok(flags)
    }

    pub(super) fn kind(&mut self, of: Resource<Descriptor>) -> Answer<DescriptorType> {
        Ok(self.world.tree.kind(self.get(&of).node).into())
    }

    pub(super) fn set_size(&mut self, file: Resource<Descriptor>, size: u64) -> Answer {
        let node = self.file_opened(&file, |file| file.write)?;
        self.world.tree.cut(node, size, &mut self.world.budget)?;
        self.world.extend(node, size, &mut self.meter)
    }

    /// The times of files are fixed: asking to set them is accepted where it would be allowed, and
    /// changes nothing.
    pub(super) fn set_times(
        &mut self,
        of: Resource<Descriptor>,
        _accessed: NewTimestamp,
        _modified: NewTimestamp,
    ) -> Answer {
        self.check_times(self.get(&of).node)
    }

    pub(super) fn check_times(&self, node: NodeId) -> Answer {
        if self.world.tree.is_writable(node) { Ok(()) } else { Err(Errno::Rofs.into()) }
    }

    /// The bytes, and whether there are none because the file ends here.
    pub(super) fn read_file(
        &mut self,
        file: Resource<Descriptor>,
        len: u64,
        offset: u64,
    ) -> Answer<(Vec<u8>, bool)> {
        let node = self.file_opened(&file, |file| file.read)?;
        let size = self.world.tree.bytes(node).len();
        let start = usize::try_from(offset).map_or(size, |offset| offset.min(size));
        let len = len.min(READ_BYTES).min((size - start) as u64) as usize;
        self.pay(len, 1)?;
        Ok((self.world.tree.bytes(node)[start..start + len].to_vec(), len == 0))
    }

    pub(super) fn write_file(
        &mut self,
        file: Resource<Descriptor>,
        bytes: WasmList<u8>,
        offset: u64,
    ) -> Answer<u64> {
        let node = self.file_opened(&file, |file| file.write)?;
        let bytes = bytes.as_le_slice(&self.store);
        write_at(self.world, &mut self.meter, node, offset, bytes)?;
        Ok(bytes.len() as u64)
    }

    pub(super) fn stat(&mut self, of: Resource<Descriptor>) -> Answer<DescriptorStat> {
        Ok(self.stat_of(self.get(&of).node))
    }

    pub(super) fn stat_of(&self, node: NodeId) -> DescriptorStat {
        DescriptorStat::new(self.world.tree.kind(node), self.world.tree.bytes(node).len() as u64)
    }

    pub(super) fn is_same(
        &mut self,
        of: Resource<Descriptor>,
        other: Resource<Descriptor>,
    ) -> Result<bool, Stop> {
        Ok(self.get(&of).node == self.get(&other).node)
    }

    pub(super) fn metadata_hash(&mut self, of: Resource<Descriptor>) -> Answer<MetadataHash> {
        self.hash_of(self.get(&of).node)
    }

    /// The inode number that preview 1 shows.
    pub(super) fn hash_of(&mut self, node: NodeId) -> Answer<MetadataHash> {
        let lower = self.world.inode(node, &mut self.meter)?;
        Ok(MetadataHash { lower, upper: 0 })
    }
}
