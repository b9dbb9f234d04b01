//! The part of the protobuf wire format that bitswap uses: varints and byte strings; other fields
//! are stepped over.
//!
//! Source: Protocol Buffers documentation, "Encoding". Unlike in blocks, where every value has one
//! form, readers of messages have to take what a later version adds.

use bytes::Bytes;

/// Bytes of the longest varint of 64 bits.
pub(super) const VARINT_BYTES: usize = 10;

/// Appends a varint.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a field that is a number, unless it is 0, which is what a missing one means.
pub(super) fn put_number(out: &mut Vec<u8>, field: u64, value: u64) {
    if value != 0 {
        put_varint(out, field << 3);
        put_varint(out, value);
    }
}

/// Appends what stands before a field of `length` bytes.
pub(super) fn put_head(out: &mut Vec<u8>, field: u64, length: usize) {
    put_varint(out, field << 3 | 2);
    put_varint(out, length as u64);
}

/// Appends a field that is a byte string.
pub(super) fn put_bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    put_head(out, field, value.len());
    out.extend_from_slice(value);
}

/// How many bytes a varint has.
pub(super) fn varint_bytes(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Reads a varint from the start of `bytes` and gives what follows it.
pub(super) fn read_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(VARINT_BYTES) {
        let part = u64::from(byte & 0x7f);
        if at == VARINT_BYTES - 1 && part > 1 {
            return None;
        }
        value |= part << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

/// The value of one field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    /// Wire type 0.
    Number(u64),
    /// Wire type 2; shares memory with the message.
    Bytes(Bytes),
    /// A fixed number, which nothing here uses.
    Other,
}

/// Reads fields one after the other.
pub(super) struct Fields(pub(super) Bytes);

impl Fields {
    /// The next field's number and value; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value)>, &'static str> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => self.take(8).map(|_| Value::Other)?,
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Other)?,
            _ => return Err("a field of a wire type that does not exist"),
        };
        Ok(Some((key >> 3, value)))
    }

    fn varint(&mut self) -> Result<u64, &'static str> {
        let (value, rest) = read_varint(&self.0).ok_or("a varint that does not decode")?;
        let used = self.0.len() - rest.len();
        self.0 = self.0.split_off(used);
        Ok(value)
    }

    fn take(&mut self, length: u64) -> Result<Bytes, &'static str> {
        match usize::try_from(length) {
            Ok(length) if length <= self.0.len() => Ok(self.0.split_to(length)),
            _ => Err("it ends too early"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_come_back_and_know_their_size() {
        for value in [0, 1, 127, 128, 300, 1 << 35, u64::MAX] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            assert_eq!(bytes.len(), varint_bytes(value));
            bytes.push(9);
            assert_eq!(read_varint(&bytes), Some((value, &[9][..])));
        }
        for wrong in [&[][..], &[0x80], &[0xff; 10], &[0x80; 11]] {
            assert_eq!(read_varint(wrong), None);
        }
    }

    #[test]
    fn what_is_not_used_here_is_stepped_over() {
        let bytes = [&[0x09][..], &[0; 8], &[0x15], &[0; 4], &[0x38, 5]].concat();
        let mut fields = Fields(bytes.into());
        assert_eq!(fields.next(), Ok(Some((1, Value::Other))));
        assert_eq!(fields.next(), Ok(Some((2, Value::Other))));
        assert_eq!(fields.next(), Ok(Some((7, Value::Number(5)))));
        assert_eq!(fields.next(), Ok(None));
        for wrong in [&[0x0b][..], &[0x0a, 5, 1], &[0x0a], &[0x09, 1]] {
            assert!(Fields(Bytes::copy_from_slice(wrong)).next().is_err());
        }
    }
}
