//! Canonical bytes: DAG-CBOR in exactly one form.
//!
//! Source: the DAG-CBOR specification of IPLD ("Strictness"). Whatever decodes here encodes to the
//! same bytes again; two encodings of one value would let one statement have two ids.

use crate::Error;
use serde::{Serialize, de::DeserializeOwned};

/// The canonical bytes of a noun.
///
/// # Panics
/// If the value has no DAG-CBOR form (a map whose keys are not text, a NaN): a noun with such a
/// field is a fault of the program, not of its input.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    serde_ipld_dagcbor::to_vec(value).expect("every noun has a DAG-CBOR form")
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
    if encode(&value) == bytes { Ok(value) } else { Err(Error::NotCanonical) }
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
    use serde::Deserialize;

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

    #[test]
    fn deep_nesting_is_refused_without_a_crash() {
        let deep = vec![0x81; 1_000_000];
        assert!(decode::<Vec<Pair>>(&deep, 2_000_000).is_err());
    }
}
