//! The guest's linear memory, as host calls see it: every address is checked.

use super::errno::Errno;

/// Buffers of one read or write.
const IOVECS: u32 = 1024;

/// The bytes of a guest.
pub(crate) struct GuestMemory<'a> {
    bytes: &'a mut [u8],
}

/// A range that lies inside the memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    start: usize,
    len: usize,
}

impl Range {
    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// The first bytes of the range, at most `len`.
    pub(crate) fn first(self, len: usize) -> Self {
        Self { start: self.start, len: len.min(self.len) }
    }
}

/// The buffers of a read or a write, all inside the memory.
pub(crate) struct Buffers {
    pub(crate) ranges: Vec<Range>,
    /// Bytes of all of them: no more than fit a result of 32 bits.
    pub(crate) total: usize,
}

impl<'a> GuestMemory<'a> {
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes }
    }

    /// The range of `len` bytes at `at`.
    pub(crate) fn range(&self, at: u32, len: u32) -> Result<Range, Errno> {
        let (start, len) = (at as usize, len as usize);
        match start.checked_add(len) {
            Some(end) if end <= self.bytes.len() => Ok(Range { start, len }),
            _ => Err(Errno::Fault),
        }
    }

    pub(crate) fn bytes(&self, range: Range) -> &[u8] {
        &self.bytes[range.start..range.start + range.len]
    }

    pub(crate) fn bytes_mut(&mut self, range: Range) -> &mut [u8] {
        &mut self.bytes[range.start..range.start + range.len]
    }

    /// The `count` buffers described at `at`.
    pub(crate) fn buffers(&self, at: u32, count: u32) -> Result<Buffers, Errno> {
        if count > IOVECS {
            return Err(Errno::Inval);
        }
        let list = self.range(at, count * 8)?;
        let mut ranges = Vec::with_capacity(count as usize);
        let mut total: u32 = 0;
        for pair in self.bytes(list).chunks_exact(8) {
            let (at, len) = (u32_at(pair, 0), u32_at(pair, 4));
            ranges.push(self.range(at, len)?);
            total = total.checked_add(len).ok_or(Errno::Inval)?;
        }
        Ok(Buffers { ranges, total: total as usize })
    }

    /// A string of the guest.
    pub(crate) fn text(&self, at: u32, len: u32) -> Result<&str, Errno> {
        std::str::from_utf8(self.bytes(self.range(at, len)?)).map_err(|_| Errno::Ilseq)
    }

    pub(crate) fn put(&mut self, at: u32, bytes: &[u8]) -> Result<(), Errno> {
        let len = u32::try_from(bytes.len()).map_err(|_| Errno::Fault)?;
        let range = self.range(at, len)?;
        self.bytes_mut(range).copy_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn put_u32(&mut self, at: u32, value: u32) -> Result<(), Errno> {
        self.put(at, &value.to_le_bytes())
    }

    pub(crate) fn put_u64(&mut self, at: u32, value: u64) -> Result<(), Errno> {
        self.put(at, &value.to_le_bytes())
    }
}

/// The little-endian u32 at `at` of a record that is long enough.
pub(crate) fn u32_at(record: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| record[at + i]))
}

/// The little-endian u64 at `at` of a record that is long enough.
pub(crate) fn u64_at(record: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| record[at + i]))
}

#[cfg(test)]
mod tests {
    use super::{Errno, GuestMemory};

    #[test]
    fn nothing_outside_is_reached() {
        let mut bytes = [0; 64];
        let mut memory = GuestMemory::new(&mut bytes);
        assert!(memory.range(0, 64).is_ok());
        assert!(memory.range(64, 0).is_ok());
        for (at, len) in [(65, 0), (0, 65), (63, 2), (u32::MAX, 1), (u32::MAX, u32::MAX)] {
            assert_eq!(memory.range(at, len).err(), Some(Errno::Fault), "{at} {len}");
        }
        assert_eq!(memory.put_u64(60, 1), Err(Errno::Fault));
        assert_eq!(memory.buffers(60, 1).err(), Some(Errno::Fault));
        assert_eq!(memory.buffers(0, 1025).err(), Some(Errno::Inval));
        assert_eq!(memory.buffers(0, u32::MAX).err(), Some(Errno::Inval));
    }

    #[test]
    fn buffers_of_more_than_four_gigabytes_are_refused() {
        let mut bytes = vec![0; 8 << 20];
        let mut memory = GuestMemory::new(&mut bytes);
        for i in 0..512 {
            memory.put_u32(i * 8 + 4, 8 << 20).unwrap();
        }
        assert_eq!(memory.buffers(0, 511).map(|b| b.total).ok(), Some(511 * (8 << 20)));
        assert_eq!(memory.buffers(0, 512).err(), Some(Errno::Inval));
    }
}
