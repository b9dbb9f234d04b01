//! The part of the protobuf wire format that dag-pb and UnixFS use: varints and byte strings.
//!
//! Source: Protocol Buffers documentation, "Encoding". Varints must be minimal: one value, one
//! encoding.

use unsigned_varint::{decode, encode};

/// Appends a varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(encode::u64(value, &mut encode::u64_buffer()));
}

/// Bytes of a varint.
pub(crate) fn varint_bytes(value: u64) -> usize {
    encode::u64(value, &mut encode::u64_buffer()).len()
}

/// Appends a field that is a number.
pub(crate) fn put_number(out: &mut Vec<u8>, field: u64, value: u64) {
    put_varint(out, field << 3);
    put_varint(out, value);
}

/// Appends a field that is a byte string.
pub(crate) fn put_bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    put_varint(out, field << 3 | 2);
    put_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// The value of one field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Value<'a> {
    /// Wire type 0.
    Number(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
}

/// Reads fields one after the other.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next field's number and value; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, &'static str> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            _ => return Err("a field of a wire type that is not used here"),
        };
        Ok(Some((key >> 3, value)))
    }

    /// The next varint.
    pub(crate) fn varint(&mut self) -> Result<u64, &'static str> {
        let (value, rest) = decode::u64(self.0).map_err(|_| "a varint that does not decode")?;
        self.0 = rest;
        Ok(value)
    }

    /// The next `length` bytes.
    pub(crate) fn take(&mut self, length: u64) -> Result<&'a [u8], &'static str> {
        let length = usize::try_from(length).map_err(|_| "a length beyond all bounds")?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or("it ends too early")?;
        self.0 = rest;
        Ok(taken)
    }
}
