//! Checksummed frames in a file: how packs and journals stay readable after a crash.
//!
//! A file begins with a head: 8 bytes that name its kind, its version (u32), a salt (u64), a number
//! (u64) and the CRC-32 of all that (u32). Frames follow: a mark (u32, mixed with the salt), the
//! length of the body (u32), the CRC-32 of salt, length and body (u32), and the body. All numbers
//! are little endian. Whoever does not know the salt cannot write a body that contains a frame.

use crate::disk::DiskFile;
use bytes::Bytes;
use std::io;

/// Bytes before the first frame.
pub(crate) const FILE_HEAD_BYTES: u64 = 32;
/// Bytes of a frame before its body.
pub(crate) const HEAD_BYTES: u64 = 12;
const MARK: u32 = 0x4c50_46f5;
/// Bytes that are searched at a time.
const WINDOW_BYTES: usize = 1 << 20;

/// What stands at the beginning of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FileHead {
    pub(crate) version: u32,
    pub(crate) salt: u64,
    pub(crate) number: u64,
}

impl FileHead {
    pub(crate) fn encode(&self, kind: &[u8; 8]) -> [u8; FILE_HEAD_BYTES as usize] {
        let mut out = [0; FILE_HEAD_BYTES as usize];
        out[..8].copy_from_slice(kind);
        out[8..12].copy_from_slice(&self.version.to_le_bytes());
        out[12..20].copy_from_slice(&self.salt.to_le_bytes());
        out[20..28].copy_from_slice(&self.number.to_le_bytes());
        let crc = crc32fast::hash(&out[..28]);
        out[28..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads the head; `None` if there is no right one.
    pub(crate) fn read(file: &dyn DiskFile, kind: &[u8; 8]) -> io::Result<Option<Self>> {
        let mut bytes = [0; FILE_HEAD_BYTES as usize];
        match file.read_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let is_right = bytes[..8] == *kind && u32_at(&bytes, 28) == crc32fast::hash(&bytes[..28]);
        let head = Self {
            version: u32_at(&bytes, 8),
            salt: u64_at(&bytes, 12),
            number: u64_at(&bytes, 20),
        };
        Ok(is_right.then_some(head))
    }
}

/// The number at a place that is there.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The number at a place that is there.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// The frames of one file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Framing {
    salt: u64,
    /// Longest body, in bytes.
    limit_bytes: u64,
}

impl Framing {
    pub(crate) fn new(salt: u64, limit_bytes: u64) -> Self {
        Self { salt, limit_bytes }
    }

    /// Appends a frame whose body is `parts` one after the other.
    pub(crate) fn put(&self, out: &mut Vec<u8>, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let length = u32::try_from(length).expect("bodies are checked against the limit before");
        out.extend(self.mark().to_le_bytes());
        out.extend(length.to_le_bytes());
        out.extend(self.checksum(length, parts).to_le_bytes());
        parts.iter().for_each(|part| out.extend_from_slice(part));
    }

    /// The length of the body, if `head` is the beginning of a frame that could be one.
    pub(crate) fn length(&self, head: &[u8]) -> Option<u64> {
        let length = u64::from(u32_at(head, 4));
        (u32_at(head, 0) == self.mark() && length <= self.limit_bytes).then_some(length)
    }

    /// Whether the body belongs to the head.
    pub(crate) fn is_right(&self, head: &[u8], body: &[u8]) -> bool {
        u32_at(head, 8) == self.checksum(u32_at(head, 4), &[body])
    }

    /// The body of the frame at `at`; `None` if no whole, right frame is there.
    pub(crate) fn read(&self, file: &dyn DiskFile, at: u64) -> io::Result<Option<Bytes>> {
        let mut head = [0; HEAD_BYTES as usize];
        if !read_all(file, &mut head, at)? {
            return Ok(None);
        }
        let Some(length) = self.length(&head) else { return Ok(None) };
        if file.length()? < at + HEAD_BYTES + length {
            return Ok(None);
        }
        let mut body = vec![0; length as usize];
        let is_whole = read_all(file, &mut body, at + HEAD_BYTES)?;
        Ok((is_whole && self.is_right(&head, &body)).then(|| body.into()))
    }

    /// The first place from `from` on where a whole, right frame begins.
    pub(crate) fn find(&self, file: &dyn DiskFile, mut from: u64) -> io::Result<Option<u64>> {
        let end = file.length()?;
        let mark = self.mark().to_le_bytes();
        while from + HEAD_BYTES <= end {
            let mut window = vec![0; WINDOW_BYTES.min((end - from) as usize)];
            if !read_all(file, &mut window, from)? {
                return Ok(None);
            }
            for at in 0..=window.len() - mark.len() {
                let is_frame =
                    window[at..].starts_with(&mark) && self.read(file, from + at as u64)?.is_some();
                if is_frame {
                    return Ok(Some(from + at as u64));
                }
            }
            // Windows overlap, so that no mark is cut in two.
            from += (window.len() - mark.len() + 1) as u64;
        }
        Ok(None)
    }

    /// The head of a frame whose body has this length, and this CRC-32 of its own.
    pub(crate) fn head(&self, length: u32, body: &crc32fast::Hasher) -> [u8; HEAD_BYTES as usize] {
        let mut hasher = self.hasher(length);
        hasher.combine(body);
        let mut head = [0; HEAD_BYTES as usize];
        head[..4].copy_from_slice(&self.mark().to_le_bytes());
        head[4..8].copy_from_slice(&length.to_le_bytes());
        head[8..].copy_from_slice(&hasher.finalize().to_le_bytes());
        head
    }

    /// The salt of a frame that begins with these bytes, if it has 32 bits.
    pub(crate) fn salt_of(mark: [u8; 4]) -> u64 {
        u64::from(u32::from_le_bytes(mark) ^ MARK)
    }

    fn mark(&self) -> u32 {
        MARK ^ self.salt as u32
    }

    fn hasher(&self, length: u32) -> crc32fast::Hasher {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.salt.to_le_bytes());
        hasher.update(&length.to_le_bytes());
        hasher
    }

    fn checksum(&self, length: u32, parts: &[&[u8]]) -> u32 {
        let mut hasher = self.hasher(length);
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finalize()
    }
}

/// The CRC-32 of a body, for [`Framing::head`].
pub(crate) fn checksum(parts: &[&[u8]]) -> crc32fast::Hasher {
    let mut hasher = crc32fast::Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher
}

/// Fills `out` from the file; false if the file ends before.
fn read_all(file: &dyn DiskFile, out: &mut [u8], at: u64) -> io::Result<bool> {
    match file.read_at(out, at) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, io::Write};

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).expect("written");
        file
    }

    #[test]
    fn a_frame_has_these_bytes() {
        let mut out = Vec::new();
        Framing::new(0, 100).put(&mut out, &[b"ab", b"c"]);
        let mut sum = crc32fast::Hasher::new();
        sum.update(b"\0\0\0\0\0\0\0\0\x03\0\0\0abc");
        let expected = [b"\xf5FPL\x03\0\0\0", &sum.finalize().to_le_bytes()[..], b"abc"].concat();
        assert_eq!(out, expected);
    }

    #[test]
    fn a_head_can_be_made_before_the_salt_is_known() {
        let framing = Framing::new(0x1234_5678, 100);
        let mut out = Vec::new();
        framing.put(&mut out, &[b"ab", b"c"]);
        assert_eq!(framing.head(3, &checksum(&[b"a", b"bc"]))[..], out[..12]);
        assert_eq!(Framing::salt_of(out[..4].try_into().expect("four bytes")), 0x1234_5678);
    }

    #[test]
    fn a_file_head_comes_back_and_a_wrong_one_does_not() {
        let head = FileHead { version: 1, salt: 7, number: 9 };
        let mut bytes = head.encode(b"plt-test");
        let read = |bytes: &[u8]| FileHead::read(&file(bytes), b"plt-test").expect("readable");
        assert_eq!(read(&bytes), Some(head));
        assert_eq!(read(&bytes[..31]), None);
        bytes[9] ^= 1;
        assert_eq!(read(&bytes), None);
    }

    #[test]
    fn a_cut_or_flipped_frame_is_none_and_the_next_one_is_found() {
        let framing = Framing::new(0xabcd_0123_4567_89ef, 100);
        let mut good = Vec::new();
        framing.put(&mut good, &[b"one"]);
        let second = good.len();
        framing.put(&mut good, &[b"two"]);
        let read = |bytes: &[u8], at| framing.read(&file(bytes), at).expect("readable");
        assert_eq!(read(&good, 0).as_deref(), Some(&b"one"[..]));
        assert_eq!(read(&good, second as u64).as_deref(), Some(&b"two"[..]));
        for bit in 0..second * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&bad, 0), None, "bit {bit}");
            assert_eq!(framing.find(&file(&bad), 0).expect("readable"), Some(second as u64));
        }
        for cut in 0..second {
            assert_eq!(read(&good[..cut], 0), None);
            assert_eq!(framing.find(&file(&good[..cut]), 0).expect("readable"), None);
        }
    }

    #[test]
    fn a_body_made_by_somebody_without_the_salt_holds_no_frame() {
        let mut forged = Vec::new();
        Framing::new(1, 100).put(&mut forged, &[b"forged"]);
        assert_eq!(Framing::new(2, 100).find(&file(&forged), 0).expect("readable"), None);
    }
}
