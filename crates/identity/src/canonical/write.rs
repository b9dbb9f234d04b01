//! Writes a value as DAG-CBOR in one pass.
//!
//! What comes out is what `serde_ipld_dagcbor` gives, byte for byte. That one buffers every entry of
//! every map, and nouns are structs of structs: a fifth of what a busy node did was to write them
//! (decision 20). Here entries are written where they belong and put in order afterwards, if the
//! order in which they were declared is not the canonical one.

use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use std::fmt::{self, Display};

/// How the crate `cid` marks the bytes of a CID.
const LINK: &str = "$__private__serde__identifier__for__cid";

/// Major types of CBOR (RFC 8949, 3.1).
mod major {
    pub(super) const UNSIGNED: u8 = 0;
    pub(super) const NEGATIVE: u8 = 1;
    pub(super) const BYTES: u8 = 2;
    pub(super) const TEXT: u8 = 3;
    pub(super) const ARRAY: u8 = 4;
    pub(super) const MAP: u8 = 5;
    pub(super) const TAG: u8 = 6;
}

const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;
/// The tag of a link (DAG-CBOR, "Links").
const CID_TAG: u64 = 42;

/// Why a value has no canonical form.
#[derive(Debug)]
pub(super) struct Formless(String);

impl Display for Formless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Formless {}

impl serde::ser::Error for Formless {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

type Written = Result<(), Formless>;

/// The bytes of a value; `size_bytes` is how many there may be.
pub(super) fn to_vec<T: Serialize>(value: &T, size_bytes: usize) -> Result<Vec<u8>, Formless> {
    let mut writer = Writer { out: Vec::with_capacity(size_bytes), ..Writer::default() };
    value.serialize(&mut writer)?;
    Ok(writer.out)
}

/// An entry of a map that is being written.
#[derive(Clone, Copy)]
struct Entry {
    start: usize,
    /// Where its key ends and its value starts.
    key_end: usize,
    end: usize,
}

#[derive(Default)]
struct Writer {
    out: Vec<u8>,
    /// Entries of all maps that are open, the innermost last.
    entries: Vec<Entry>,
    /// Room in which entries are put in order.
    scratch: Vec<u8>,
    /// What comes next are the bytes of a CID.
    link: bool,
}

impl Writer {
    /// A major type and its argument, as short as it can be.
    fn head(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        let [.., b3, b2, b1, b0] = argument.to_be_bytes();
        match argument {
            0..=23 => self.out.push(major | b0),
            24..=0xff => self.out.extend([major | 24, b0]),
            0x100..=0xffff => self.out.extend([major | 25, b1, b0]),
            0x1_0000..=0xffff_ffff => self.out.extend([major | 26, b3, b2, b1, b0]),
            _ => {
                self.out.push(major | 27);
                self.out.extend(argument.to_be_bytes());
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.head(major::TEXT, text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
    }

    fn signed(&mut self, number: i64) {
        match u64::try_from(number) {
            Ok(number) => self.head(major::UNSIGNED, number),
            Err(_) => self.head(major::NEGATIVE, !number as u64),
        }
    }

    /// A variant with something in it is a map of one entry.
    fn variant(&mut self, name: &str) {
        self.head(major::MAP, 1);
        self.text(name);
    }

    fn list(&mut self, len: Option<usize>) -> List<'_> {
        let start = self.out.len();
        if let Some(len) = len {
            self.head(major::ARRAY, len as u64);
        }
        List { to: self, start, said: len, count: 0 }
    }

    fn map(&mut self, len: Option<usize>) -> Map<'_> {
        let start = self.out.len();
        if let Some(len) = len {
            self.head(major::MAP, len as u64);
        }
        Map { base: self.entries.len(), to: self, start, said: len, sorted: true }
    }

    /// Puts a head before what was written since `start`, or checks the one that stands there.
    fn close(&mut self, major: u8, start: usize, said: Option<usize>, count: usize) -> Written {
        match said {
            Some(said) if said == count => Ok(()),
            Some(said) => Err(Formless(format!("{count} entries where {said} were said to come"))),
            None => {
                let end = self.out.len();
                self.head(major, count as u64);
                let head = self.out.len() - end;
                self.out[start..].rotate_right(head);
                Ok(())
            }
        }
    }

    /// Puts the entries of the innermost map in order.
    fn sort(&mut self, base: usize) {
        let (out, scratch) = (&mut self.out, &mut self.scratch);
        let entries = &mut self.entries[base..];
        let Some(start) = entries.first().map(|entry| entry.start) else { return };
        entries.sort_unstable_by(|one, other| {
            out[one.start..one.key_end].cmp(&out[other.start..other.key_end])
        });
        scratch.clear();
        scratch.extend_from_slice(&out[start..]);
        out.truncate(start);
        for Entry { start: from, end, .. } in entries {
            out.extend_from_slice(&scratch[*from - start..*end - start]);
        }
    }
}

/// A list that is being written.
struct List<'a> {
    to: &'a mut Writer,
    start: usize,
    said: Option<usize>,
    count: usize,
}

impl List<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.count += 1;
        value.serialize(&mut *self.to)
    }

    fn close(self) -> Written {
        self.to.close(major::ARRAY, self.start, self.said, self.count)
    }
}

/// A map that is being written.
struct Map<'a> {
    to: &'a mut Writer,
    start: usize,
    said: Option<usize>,
    /// Where its entries begin among those of all maps.
    base: usize,
    sorted: bool,
}

impl Map<'_> {
    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        let start = self.to.out.len();
        key.serialize(&mut *self.to)?;
        let out = &self.to.out;
        if out.get(start).is_none_or(|byte| byte >> 5 != major::TEXT) {
            return Err(Formless("a key that is not text".into()));
        }
        // A head is the longer the longer the text is, so that bytes compare as DAG-CBOR wants:
        // by length, then by content.
        if let Some(before) = self.to.entries[self.base..].last() {
            self.sorted &= out[before.start..before.key_end] < out[start..];
        }
        let key_end = out.len();
        self.to.entries.push(Entry { start, key_end, end: key_end });
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        value.serialize(&mut *self.to)?;
        let end = self.to.out.len();
        match self.to.entries[self.base..].last_mut() {
            Some(entry) => entry.end = end,
            None => return Err(Formless("a value without a key".into())),
        }
        Ok(())
    }

    fn close(self) -> Written {
        let Self { to, start, said, base, sorted } = self;
        if !sorted {
            to.sort(base);
        }
        let count = to.entries.len() - base;
        to.entries.truncate(base);
        to.close(major::MAP, start, said, count)
    }
}

impl SerializeSeq for List<'_> {
    type Ok = ();
    type Error = Formless;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.element(value)
    }

    fn end(self) -> Written {
        self.close()
    }
}

impl SerializeTuple for List<'_> {
    type Ok = ();
    type Error = Formless;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.element(value)
    }

    fn end(self) -> Written {
        self.close()
    }
}

impl SerializeTupleStruct for List<'_> {
    type Ok = ();
    type Error = Formless;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.element(value)
    }

    fn end(self) -> Written {
        self.close()
    }
}

impl SerializeTupleVariant for List<'_> {
    type Ok = ();
    type Error = Formless;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.element(value)
    }

    fn end(self) -> Written {
        self.close()
    }
}

impl SerializeMap for Map<'_> {
    type Ok = ();
    type Error = Formless;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.value(value)
    }

    fn end(self) -> Written {
        self.close()
    }
}

impl SerializeStruct for Map<'_> {
    type Ok = ();
    type Error = Formless;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Written {
        self.key(name)?;
        self.value(value)
    }

    fn end(self) -> Written {
        self.close()
    }
}

impl SerializeStructVariant for Map<'_> {
    type Ok = ();
    type Error = Formless;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Written {
        self.key(name)?;
        self.value(value)
    }

    fn end(self) -> Written {
        self.close()
    }
}

impl<'a> Serializer for &'a mut Writer {
    type Ok = ();
    type Error = Formless;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Map<'a>;
    type SerializeStruct = Map<'a>;
    type SerializeStructVariant = Map<'a>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Written {
        self.out.push(if value { TRUE } else { FALSE });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Written {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Written {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Written {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Written {
        self.signed(value);
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Written {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Written {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Written {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Written {
        self.head(major::UNSIGNED, value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Written {
        self.serialize_f64(value.into())
    }

    /// Nothing that is signed or agreed on is a float.
    fn serialize_f64(self, _: f64) -> Written {
        Err(Formless("a floating-point number".into()))
    }

    fn serialize_char(self, value: char) -> Written {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Written {
        self.text(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        if std::mem::take(&mut self.link) {
            // A link is a CID with a zero before it, for historical reasons.
            self.head(major::TAG, CID_TAG);
            self.head(major::BYTES, value.len() as u64 + 1);
            self.out.push(0);
        } else {
            self.head(major::BYTES, value.len() as u64);
        }
        self.out.extend_from_slice(value);
        Ok(())
    }

    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        self.out.push(NULL);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Written {
        if name != LINK {
            return value.serialize(self);
        }
        self.link = true;
        value.serialize(&mut *self)?;
        if self.link { Err(Formless::custom("a link that is not bytes")) } else { Ok(()) }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        self.variant(variant);
        value.serialize(self)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<List<'a>, Formless> {
        Ok(self.list(len))
    }

    fn serialize_tuple(self, len: usize) -> Result<List<'a>, Formless> {
        Ok(self.list(Some(len)))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<List<'a>, Formless> {
        Ok(self.list(Some(len)))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<List<'a>, Formless> {
        self.variant(variant);
        Ok(self.list(Some(len)))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Map<'a>, Formless> {
        Ok(self.map(len))
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Map<'a>, Formless> {
        Ok(self.map(Some(len)))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Map<'a>, Formless> {
        self.variant(variant);
        Ok(self.map(Some(len)))
    }
}
