//! Calls that open, make, remove and rename by path.

use super::{
    call::Call,
    cost,
    errno::{Answer, Errno},
    files::{Object, OpenDirectory, OpenFile},
    paths::{self, Place},
    rights,
    tree::Kind,
};

impl Call<'_> {
    #[expect(clippy::too_many_arguments, reason = "the call has so many")]
    pub(crate) fn path_open(
        &mut self,
        fd: u32,
        _lookup: u32,
        path: u32,
        path_len: u32,
        how: u32,
        base: u64,
        _inheriting: u64,
        flags: u32,
        result: u32,
    ) -> Answer {
        self.memory.range(result, 4)?;
        if how > 15 || flags > u32::from(rights::FLAGS) {
            return Err(Errno::Inval.into());
        }
        let number = self.world.descriptors.next()?;
        let read = base & (rights::FD_READ | rights::FD_READDIR) != 0;
        let write = base & rights::FD_WRITE != 0;
        let node =
            self.at_path(fd, path, path_len, |call, place| call.world.open(place, how, write))?;
        let object = match self.world.tree.kind(node) {
            Kind::Directory => {
                Object::Directory(OpenDirectory { node, preopen: None, listing: None })
            }
            Kind::File => {
                Object::File(OpenFile { node, offset: 0, read, write, flags: flags as u16 })
            }
        };
        self.world.descriptors.set(number, object);
        Ok(self.memory.put_u32(result, number)?)
    }

    pub(crate) fn path_create_directory(&mut self, fd: u32, path: u32, path_len: u32) -> Answer {
        self.at_path(fd, path, path_len, |call, place| call.world.make_directory(place))
    }

    pub(crate) fn path_remove_directory(&mut self, fd: u32, path: u32, path_len: u32) -> Answer {
        self.remove(fd, path, path_len, Kind::Directory)
    }

    pub(crate) fn path_unlink_file(&mut self, fd: u32, path: u32, path_len: u32) -> Answer {
        self.remove(fd, path, path_len, Kind::File)
    }

    fn remove(&mut self, fd: u32, path: u32, path_len: u32, kind: Kind) -> Answer {
        self.at_path(fd, path, path_len, |call, place| call.world.remove(place, kind))
    }

    pub(crate) fn path_rename(
        &mut self,
        fd: u32,
        path: u32,
        path_len: u32,
        new_fd: u32,
        new_path: u32,
        new_path_len: u32,
    ) -> Answer {
        let node = self.at_path(fd, path, path_len, |call, place| call.world.moved(place))?;
        // The path of everything below may change.
        let visited = self.world.tree.made();
        self.pay(visited, cost::ENTRY)?;
        self.at_path(new_fd, new_path, new_path_len, |call, place| call.world.rename(node, place))
    }

    /// There are no symbolic links, so what is there is none.
    pub(crate) fn path_readlink(
        &mut self,
        fd: u32,
        path: u32,
        path_len: u32,
        _buffer: u32,
        _len: u32,
        _result: u32,
    ) -> Answer {
        self.look_up(fd, path, path_len)?;
        Err(Errno::Inval.into())
    }

    pub(crate) fn path_symlink(
        &mut self,
        _old: u32,
        _old_len: u32,
        fd: u32,
        _path: u32,
        _path_len: u32,
    ) -> Answer {
        self.world.descriptors.get(fd)?;
        Err(Errno::Notsup.into())
    }

    #[expect(clippy::too_many_arguments, reason = "the call has so many")]
    pub(crate) fn path_link(
        &mut self,
        fd: u32,
        _flags: u32,
        _path: u32,
        _path_len: u32,
        new_fd: u32,
        _new_path: u32,
        _new_path_len: u32,
    ) -> Answer {
        self.world.descriptors.get(fd)?;
        self.world.descriptors.get(new_fd)?;
        Err(Errno::Notsup.into())
    }

    /// Follows a path of the guest and does something there.
    fn at_path<T>(
        &mut self,
        fd: u32,
        path: u32,
        path_len: u32,
        act: impl FnOnce(&mut Self, Place<'_>) -> Answer<T>,
    ) -> Answer<T> {
        let (base, path) = self.path_of(fd, path, path_len)?;
        let place = paths::resolve(&self.world.tree, base, &path)?;
        act(self, place)
    }
}
