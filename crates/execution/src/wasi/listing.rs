//! The call that lists a directory, always in the order of names.

use super::{
    call::Call,
    cost,
    errno::{Answer, Errno},
    memory::Range,
    stat::filetype,
    tree::{self, Kind},
};

/// Bytes of an entry before its name.
const HEAD: usize = 24;

impl Call<'_> {
    /// A listing is taken when the guest begins to read the directory (cookie 0), and read to its
    /// end: entries that come and go meanwhile neither appear twice nor hide others.
    pub(crate) fn fd_readdir(
        &mut self,
        fd: u32,
        buffer: u32,
        len: u32,
        cookie: u64,
        result: u32,
    ) -> Answer {
        let buffer = self.memory.range(buffer, len)?;
        self.memory.range(result, 4)?;
        self.begin_listing(fd, cookie == 0)?;
        let node = self.world.descriptors.get(fd)?.directory()?.node;
        let path = self.world.tree.path(node);
        let parent = path.rfind('/').map_or("", |slash| &path[..slash]).to_owned();
        let mut used = 0;
        let mut at = cookie;
        while used < len as usize {
            let Some((name, kind)) = self.entry(fd, at)? else { break };
            let full = match &*name {
                "." => path.clone(),
                ".." => parent.clone(),
                _ => format!("{path}/{name}"),
            };
            self.pay(full.len(), cost::PATH_BYTE)?;
            self.pay(1, cost::ENTRY)?;
            let mut entry = [0; HEAD];
            entry[..8].copy_from_slice(&(at + 1).to_le_bytes());
            entry[8..16].copy_from_slice(&tree::inode(&full).to_le_bytes());
            entry[16..20].copy_from_slice(&(name.len() as u32).to_le_bytes());
            entry[20] = filetype(kind);
            used += self.put_part(buffer, used, &entry);
            used += self.put_part(buffer, used, name.as_bytes());
            at += 1;
        }
        Ok(self.memory.put_u32(result, used as u32)?)
    }

    /// Takes a listing, if there is none or the guest starts again.
    fn begin_listing(&mut self, fd: u32, again: bool) -> Answer {
        let directory = self.world.descriptors.get_mut(fd)?.directory_mut()?;
        if again {
            directory.listing = None;
        }
        if directory.listing.is_some() {
            return Ok(());
        }
        let node = directory.node;
        let listing = self.world.tree.listing(node)?;
        self.world.descriptors.may_list(listing.len())?;
        self.pay(listing.len(), cost::ENTRY)?;
        self.world.descriptors.get_mut(fd)?.directory_mut()?.listing = Some(listing);
        Ok(())
    }

    /// The entry at a place in the listing, which begins with `.` and `..`.
    fn entry(&self, fd: u32, at: u64) -> Result<Option<(std::sync::Arc<str>, Kind)>, Errno> {
        Ok(match at {
            0 => Some((".".into(), Kind::Directory)),
            1 => Some(("..".into(), Kind::Directory)),
            _ => {
                let listing = self.world.descriptors.get(fd)?.directory()?.listing.as_ref();
                let place = usize::try_from(at - 2).ok();
                place.and_then(|place| listing?.get(place).cloned())
            }
        })
    }

    /// Writes what still fits of an entry; a guest that finds one cut short asks again from there.
    fn put_part(&mut self, buffer: Range, used: usize, part: &[u8]) -> usize {
        let room = &mut self.memory.bytes_mut(buffer)[used..];
        let fits = part.len().min(room.len());
        room[..fits].copy_from_slice(&part[..fits]);
        fits
    }
}
