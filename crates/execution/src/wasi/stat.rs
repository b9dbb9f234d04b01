//! Calls that describe descriptors and files. Times and inode numbers say nothing of the host.

use super::{
    call::Call,
    cost,
    errno::{Answer, Errno},
    files::Object,
    paths, rights,
    tree::{Kind, NodeId},
    world::START_NS,
};

const UNKNOWN: u8 = 0;
const DIRECTORY: u8 = 3;
const REGULAR: u8 = 4;

impl Call<'_> {
    pub(crate) fn fd_fdstat_get(&mut self, fd: u32, result: u32) -> Answer {
        let (kind, flags, base, inheriting) = match self.world.descriptors.get(fd)? {
            Object::Stdin => (UNKNOWN, 0, rights::FD_READ | rights::POLL_FD_READWRITE, 0),
            Object::Stdout | Object::Stderr => {
                (UNKNOWN, 0, rights::FD_WRITE | rights::POLL_FD_READWRITE, 0)
            }
            Object::File(file) => (REGULAR, file.flags, rights::of_file(file.read, file.write), 0),
            Object::Directory(_) => (DIRECTORY, 0, rights::DIRECTORY, rights::INHERITED),
        };
        let mut record = [0; 24];
        record[0] = kind;
        record[2..4].copy_from_slice(&flags.to_le_bytes());
        record[8..16].copy_from_slice(&base.to_le_bytes());
        record[16..24].copy_from_slice(&inheriting.to_le_bytes());
        Ok(self.memory.put(result, &record)?)
    }

    pub(crate) fn fd_filestat_get(&mut self, fd: u32, result: u32) -> Answer {
        match self.world.descriptors.get(fd)?.node() {
            Some(node) => self.put_filestat(node, result),
            // A stream has neither size nor inode number.
            None => Ok(self.memory.put(result, &filestat(UNKNOWN, 0, 0))?),
        }
    }

    pub(crate) fn path_filestat_get(
        &mut self,
        fd: u32,
        _flags: u32,
        path: u32,
        path_len: u32,
        result: u32,
    ) -> Answer {
        self.memory.range(result, 64)?;
        let node = self.look_up(fd, path, path_len)?;
        self.put_filestat(node, result)
    }

    fn put_filestat(&mut self, node: NodeId, result: u32) -> Answer {
        let (kind, size) = match self.world.tree.kind(node) {
            Kind::Directory => (DIRECTORY, 0),
            Kind::File => (REGULAR, self.world.tree.bytes(node).len() as u64),
        };
        let inode = self.world.inode(node, &mut self.meter)?;
        Ok(self.memory.put(result, &filestat(kind, inode, size))?)
    }

    /// The times of files are fixed: asking to set them is accepted where it would be allowed, and
    /// changes nothing.
    pub(crate) fn fd_filestat_set_times(
        &mut self,
        fd: u32,
        _accessed: u64,
        _modified: u64,
        flags: u32,
    ) -> Answer {
        let node = self.world.descriptors.get(fd)?.node().ok_or(Errno::Badf)?;
        self.check_times(node, flags)
    }

    #[expect(clippy::too_many_arguments, reason = "the call has so many")]
    pub(crate) fn path_filestat_set_times(
        &mut self,
        fd: u32,
        _flags: u32,
        path: u32,
        path_len: u32,
        _accessed: u64,
        _modified: u64,
        times: u32,
    ) -> Answer {
        let node = self.look_up(fd, path, path_len)?;
        self.check_times(node, times)
    }

    fn check_times(&self, node: NodeId, flags: u32) -> Answer {
        let (accessed, modified) = (flags & 3, flags >> 2 & 3);
        if flags > 15 || accessed == 3 || modified == 3 {
            return Err(Errno::Inval.into());
        }
        if self.world.tree.is_writable(node) { Ok(()) } else { Err(Errno::Rofs.into()) }
    }

    pub(crate) fn fd_prestat_get(&mut self, fd: u32, result: u32) -> Answer {
        let path = self.preopen(fd)?;
        let mut record = [0; 8];
        record[4..].copy_from_slice(&(path.len() as u32).to_le_bytes());
        Ok(self.memory.put(result, &record)?)
    }

    pub(crate) fn fd_prestat_dir_name(&mut self, fd: u32, result: u32, len: u32) -> Answer {
        let path = self.preopen(fd)?;
        if path.len() > len as usize {
            return Err(Errno::Nametoolong.into());
        }
        Ok(self.memory.put(result, path.as_bytes())?)
    }

    fn preopen(&self, fd: u32) -> Result<&'static str, Errno> {
        match self.world.descriptors.get(fd)? {
            Object::Directory(directory) => directory.preopen.ok_or(Errno::Badf),
            _ => Err(Errno::Badf),
        }
    }

    /// The node that a path leads to.
    pub(crate) fn look_up(&mut self, fd: u32, path: u32, path_len: u32) -> Answer<NodeId> {
        let (base, path) = self.path_of(fd, path, path_len)?;
        let tree = &self.world.tree;
        Ok(paths::resolve(tree, base, &path)?.existing(tree)?)
    }

    /// The directory and the path that a call names.
    pub(crate) fn path_of(&mut self, fd: u32, path: u32, len: u32) -> Answer<(NodeId, String)> {
        let base = self.world.descriptors.get(fd)?.directory()?.node;
        if len as usize > paths::PATH_BYTES {
            return Err(Errno::Nametoolong.into());
        }
        let path = self.memory.text(path, len)?.to_owned();
        self.pay(path.len(), cost::PATH_BYTE)?;
        Ok((base, path))
    }
}

/// The number of a kind of file.
pub(crate) fn filetype(kind: Kind) -> u8 {
    match kind {
        Kind::Directory => DIRECTORY,
        Kind::File => REGULAR,
    }
}

fn filestat(kind: u8, inode: u64, size: u64) -> [u8; 64] {
    let mut record = [0; 64];
    // The device: one, as there is one filesystem.
    record[0] = 1;
    record[8..16].copy_from_slice(&inode.to_le_bytes());
    record[16] = kind;
    record[24] = 1;
    record[32..40].copy_from_slice(&size.to_le_bytes());
    for time in [40, 48, 56] {
        record[time..time + 8].copy_from_slice(&START_NS.to_le_bytes());
    }
    record
}
