//! Canonical bytes: DAG-CBOR in exactly one form.
//!
//! Source: the DAG-CBOR specification of IPLD ("Strictness"). Whatever decodes here encodes to the
//! same bytes again; two encodings of one value would let one statement have two ids.

mod write;

use crate::Error;
use serde::{Serialize, de::DeserializeOwned};

/// What most nouns have room in.
const USUAL_BYTES: usize = 256;

/// The canonical bytes of a noun.
///
/// # Panics
/// If the value has no canonical form (a map whose keys are not text, a floating-point number): a
/// noun with such a field is a fault of the program, not of its input.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    encode_into(value, USUAL_BYTES)
}

fn encode_into<T: Serialize>(value: &T, size_bytes: usize) -> Vec<u8> {
    write::to_vec(value, size_bytes).expect("every noun has a canonical form")
}

/// Reads a noun from at most `limit_bytes` bytes, which must be its canonical bytes.
///
/// # Errors
/// [`Error::TooLarge`], [`Error::Decode`] or [`Error::NotCanonical`].
pub fn decode<T: Serialize + DeserializeOwned>(
    bytes: &[u8],
    limit_bytes: usize,
) -> Result<T, Error> {
    let value: T = parse(bytes, limit_bytes)?;
    if encode_into(&value, bytes.len()) == bytes { Ok(value) } else { Err(Error::NotCanonical) }
}

/// Reads a noun from at most `limit_bytes` bytes, of which the caller checks that they are its
/// canonical bytes.
///
/// # Errors
/// [`Error::TooLarge`] or [`Error::Decode`].
pub fn parse<T: DeserializeOwned>(bytes: &[u8], limit_bytes: usize) -> Result<T, Error> {
    if bytes.len() > limit_bytes {
        return Err(Error::TooLarge { size_bytes: bytes.len(), limit_bytes });
    }
    serde_ipld_dagcbor::from_slice(bytes).map_err(|e| Error::Decode(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{
        collection::{btree_map, vec},
        option,
        prelude::*,
    };
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Pair {
        bb: u64,
        a: u64,
    }

    #[test]
    fn keys_are_sorted_by_length_then_bytes() {
        assert_eq!(encode(&Pair { bb: 2, a: 1 }), [0xa2, 0x61, b'a', 1, 0x62, b'b', b'b', 2]);
    }

    #[test]
    fn another_order_another_width_and_a_tail_are_refused() {
        let unsorted = [0xa2, 0x62, b'b', b'b', 2, 0x61, b'a', 1];
        let wide = [0xa2, 0x61, b'a', 0x18, 1, 0x62, b'b', b'b', 2];
        let tail = [0xa2, 0x61, b'a', 1, 0x62, b'b', b'b', 2, 0];
        for bytes in [&unsorted[..], &wide, &tail] {
            assert!(decode::<Pair>(bytes, 100).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn an_unknown_field_is_not_canonical() {
        let extra = [0xa3, 0x61, b'a', 1, 0x61, b'c', 0, 0x62, b'b', b'b', 2];
        assert_eq!(decode::<Pair>(&extra, 100), Err(Error::NotCanonical));
    }

    /// Every shape that serde knows, apart from floats; names that are not in order.
    #[derive(Clone, Debug, Serialize)]
    enum Shape {
        Nothing,
        Truth(bool),
        Number(i64),
        Natural(u64),
        Text(String),
        Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
        Two(char, Option<u16>),
        List(Vec<Shape>),
        Map(BTreeMap<String, Shape>),
        Fields { zz: u8, b: Option<Box<Shape>>, aaa: Vec<Shape>, a: () },
        Flat(Flat),
    }

    #[derive(Clone, Debug, Serialize)]
    struct Flat {
        z: i32,
        #[serde(flatten)]
        more: BTreeMap<String, Shape>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        none: Vec<u8>,
    }

    fn shapes() -> impl Strategy<Value = Shape> {
        let map = |shape: BoxedStrategy<Shape>| btree_map("[a-z]{0,30}", shape, 0..30);
        let leaf = prop_oneof![
            Just(Shape::Nothing),
            any::<bool>().prop_map(Shape::Truth),
            any::<i64>().prop_map(Shape::Number),
            any::<u64>().prop_map(Shape::Natural),
            (0u64..70_000).prop_map(Shape::Natural),
            "\\PC{0,300}".prop_map(Shape::Text),
            vec(any::<u8>(), 0..300).prop_map(Shape::Bytes),
            (any::<char>(), any::<Option<u16>>()).prop_map(|(a, b)| Shape::Two(a, b)),
        ];
        leaf.prop_recursive(4, 64, 30, move |shape| {
            let shape = shape.boxed();
            let fields = (any::<u8>(), option::of(shape.clone()), vec(shape.clone(), 0..3));
            prop_oneof![
                vec(shape.clone(), 0..30).prop_map(Shape::List),
                map(shape.clone()).prop_map(Shape::Map),
                fields.prop_map(|(zz, b, aaa)| Shape::Fields {
                    zz,
                    b: b.map(Box::new),
                    aaa,
                    a: ()
                }),
                (any::<i32>(), map(shape)).prop_map(|(z, mut more)| {
                    // One name must not be there twice.
                    more.remove("z");
                    Shape::Flat(Flat { z, more, none: Vec::new() })
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_the_library_writes(shape in shapes()) {
            let expected = serde_ipld_dagcbor::to_vec(&shape).expect("it has a form");
            prop_assert_eq!(encode(&shape), expected);
        }
    }

    #[test]
    fn floats_and_keys_that_are_not_text_have_no_form() {
        assert!(write::to_vec(&1.5f32, 0).is_err());
        assert!(write::to_vec(&BTreeMap::from([(1, 2)]), 0).is_err());
    }

    #[test]
    fn deep_nesting_is_refused_without_a_crash() {
        let deep = vec![0x81; 1_000_000];
        assert!(decode::<Vec<Pair>>(&deep, 2_000_000).is_err());
    }
}
