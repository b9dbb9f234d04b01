//! Calls that read, write and move through what a descriptor refers to.

use super::{
    call::Call,
    errno::{Answer, Errno},
    files::Object,
    memory::{Buffers, GuestMemory},
    rights,
};
use bytes::Buf;

impl Call<'_> {
    pub(crate) fn fd_read(&mut self, fd: u32, at: u32, count: u32, result: u32) -> Answer {
        let buffers = self.memory.buffers(at, count)?;
        self.memory.range(result, 4)?;
        let object = self.world.descriptors.get(fd)?;
        let moved = match object {
            Object::Stdin => {
                let moved = buffers.total.min(self.world.stdin.len());
                self.pay(moved, 1)?;
                scatter(&mut self.memory, &buffers, &self.world.stdin);
                self.world.stdin.advance(moved);
                moved
            }
            Object::File(file) => {
                let offset = file.offset;
                let moved = self.read_at(fd, &buffers, offset)?;
                let file = self.world.descriptors.get_mut(fd)?.file_mut()?;
                file.offset = offset.saturating_add(moved as u64);
                moved
            }
            Object::Directory(_) => return Err(Errno::Isdir.into()),
            Object::Stdout | Object::Stderr => return Err(Errno::Badf.into()),
        };
        Ok(self.memory.put_u32(result, moved as u32)?)
    }

    pub(crate) fn fd_pread(
        &mut self,
        fd: u32,
        at: u32,
        count: u32,
        offset: u64,
        result: u32,
    ) -> Answer {
        let buffers = self.memory.buffers(at, count)?;
        self.memory.range(result, 4)?;
        let moved = self.read_at(fd, &buffers, offset)?;
        Ok(self.memory.put_u32(result, moved as u32)?)
    }

    fn read_at(&mut self, fd: u32, buffers: &Buffers, offset: u64) -> Answer<usize> {
        let file = self.world.descriptors.get(fd)?.file()?;
        if !file.read {
            return Err(Errno::Badf.into());
        }
        let node = file.node;
        let size = self.world.tree.bytes(node).len();
        let start = usize::try_from(offset).map_or(size, |offset| offset.min(size));
        let moved = buffers.total.min(size - start);
        self.pay(moved, 1)?;
        scatter(&mut self.memory, buffers, &self.world.tree.bytes(node)[start..]);
        Ok(moved)
    }

    pub(crate) fn fd_write(&mut self, fd: u32, at: u32, count: u32, result: u32) -> Answer {
        let buffers = self.memory.buffers(at, count)?;
        self.memory.range(result, 4)?;
        match self.world.descriptors.get(fd)? {
            Object::Stdout => self.print(false, &buffers)?,
            Object::Stderr => self.print(true, &buffers)?,
            Object::File(file) => {
                let (node, append) = (file.node, file.appends());
                let size = self.world.tree.bytes(node).len() as u64;
                let offset = if append { size } else { file.offset };
                let end = self.write_at(fd, &buffers, offset)?;
                self.world.descriptors.get_mut(fd)?.file_mut()?.offset = end;
            }
            Object::Directory(_) => return Err(Errno::Isdir.into()),
            Object::Stdin => return Err(Errno::Badf.into()),
        }
        Ok(self.memory.put_u32(result, buffers.total as u32)?)
    }

    pub(crate) fn fd_pwrite(
        &mut self,
        fd: u32,
        at: u32,
        count: u32,
        offset: u64,
        result: u32,
    ) -> Answer {
        let buffers = self.memory.buffers(at, count)?;
        self.memory.range(result, 4)?;
        self.write_at(fd, &buffers, offset)?;
        Ok(self.memory.put_u32(result, buffers.total as u32)?)
    }

    /// Writes all buffers and gives the offset after them.
    fn write_at(&mut self, fd: u32, buffers: &Buffers, offset: u64) -> Answer<u64> {
        let node = self.world.descriptors.get_mut(fd)?.written()?.node;
        let mut at = offset;
        let end = offset.checked_add(buffers.total as u64).ok_or(Errno::Fbig)?;
        if buffers.total > 0 {
            self.extend(fd, end)?;
        }
        self.pay(buffers.total, 1)?;
        for range in &buffers.ranges {
            let bytes = self.memory.bytes(*range);
            self.world.tree.overwrite(node, at, bytes)?;
            at += bytes.len() as u64;
        }
        Ok(end)
    }

    fn print(&mut self, error: bool, buffers: &Buffers) -> Answer {
        self.world.budget.check(buffers.total as u64)?;
        self.pay(buffers.total, 1)?;
        for range in &buffers.ranges {
            self.world.print(error, self.memory.bytes(*range))?;
        }
        Ok(())
    }

    fn extend(&mut self, fd: u32, size: u64) -> Answer {
        let node = self.world.descriptors.get_mut(fd)?.written()?.node;
        self.world.extend(node, size, &mut self.meter)
    }

    pub(crate) fn fd_filestat_set_size(&mut self, fd: u32, size: u64) -> Answer {
        let node = self.world.descriptors.get_mut(fd)?.written()?.node;
        self.world.tree.cut(node, size, &mut self.world.budget)?;
        self.extend(fd, size)
    }

    pub(crate) fn fd_allocate(&mut self, fd: u32, offset: u64, len: u64) -> Answer {
        let end = offset.checked_add(len).ok_or(Errno::Fbig)?;
        if len == 0 {
            return Err(Errno::Inval.into());
        }
        self.extend(fd, end)
    }

    pub(crate) fn fd_seek(&mut self, fd: u32, delta: i64, whence: u32, result: u32) -> Answer {
        self.memory.range(result, 8)?;
        let node = self.world.descriptors.get(fd)?.file()?.node;
        let size = self.world.tree.bytes(node).len() as u64;
        let file = self.world.descriptors.get_mut(fd)?.file_mut()?;
        let base = match whence {
            0 => 0,
            1 => file.offset,
            2 => size,
            _ => return Err(Errno::Inval.into()),
        };
        // An offset is a signed number in every libc.
        let offset = base.checked_add_signed(delta).filter(|&offset| offset <= i64::MAX as u64);
        file.offset = offset.ok_or(Errno::Inval)?;
        let offset = file.offset;
        Ok(self.memory.put_u64(result, offset)?)
    }

    pub(crate) fn fd_tell(&mut self, fd: u32, result: u32) -> Answer {
        let offset = self.world.descriptors.get(fd)?.file()?.offset;
        Ok(self.memory.put_u64(result, offset)?)
    }

    /// Files are in memory: what was written is kept.
    pub(crate) fn fd_sync(&mut self, fd: u32) -> Answer {
        self.world.descriptors.get(fd)?;
        Ok(())
    }

    pub(crate) fn fd_datasync(&mut self, fd: u32) -> Answer {
        self.fd_sync(fd)
    }

    pub(crate) fn fd_advise(&mut self, fd: u32, _offset: u64, _len: u64, advice: u32) -> Answer {
        self.world.descriptors.get(fd)?.file()?;
        if advice > 5 { Err(Errno::Inval.into()) } else { Ok(()) }
    }

    pub(crate) fn fd_close(&mut self, fd: u32) -> Answer {
        self.world.close(fd)?;
        Ok(())
    }

    pub(crate) fn fd_renumber(&mut self, from: u32, to: u32) -> Answer {
        self.world.descriptors.get(from)?;
        self.world.descriptors.get(to)?;
        if from != to {
            self.world.close(to)?;
            let object = self.world.descriptors.take(from)?;
            self.world.descriptors.set(to, object);
        }
        Ok(())
    }

    pub(crate) fn fd_fdstat_set_flags(&mut self, fd: u32, flags: u32) -> Answer {
        if flags > u32::from(rights::FLAGS) {
            return Err(Errno::Inval.into());
        }
        if let Object::File(file) = self.world.descriptors.get_mut(fd)? {
            file.flags = flags as u16;
        }
        Ok(())
    }

    /// Rights follow from how a file was opened; no guest of today narrows them.
    pub(crate) fn fd_fdstat_set_rights(&mut self, fd: u32, _base: u64, _inheriting: u64) -> Answer {
        self.world.descriptors.get(fd)?;
        Err(Errno::Notsup.into())
    }
}

/// Copies as much of `source` as fits into the buffers, in their order.
fn scatter(memory: &mut GuestMemory<'_>, buffers: &Buffers, source: &[u8]) {
    let mut rest = source;
    for range in &buffers.ranges {
        let range = range.first(rest.len());
        let (now, later) = rest.split_at(range.len());
        memory.bytes_mut(range).copy_from_slice(now);
        rest = later;
    }
}
