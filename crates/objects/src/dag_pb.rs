//! dag-pb in its canonical form: links, then data.
//!
//! Source: IPLD specification of DAG-PB. The encoding has one form only: the links (field 2) come
//! before the data (field 1), a link's fields come in the order Hash, Name, Tsize, and nothing else
//! is allowed.

use crate::{
    Cid,
    wire::{Fields, Value, put_bytes, put_number},
};

/// A link from one node to another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Link {
    pub(crate) cid: Cid,
    pub(crate) name: String,
    /// Bytes of the block and of all below it; a hint.
    pub(crate) dag_size_bytes: u64,
}

/// A decoded node.
pub(crate) struct PbNode<'a> {
    pub(crate) links: Vec<Link>,
    pub(crate) data: &'a [u8],
}

/// The bytes of a node.
pub(crate) fn encode<'a>(links: impl IntoIterator<Item = &'a Link>, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut one = Vec::new();
    for link in links {
        one.clear();
        put_bytes(&mut one, 1, &link.cid.to_bytes());
        put_bytes(&mut one, 2, link.name.as_bytes());
        put_number(&mut one, 3, link.dag_size_bytes);
        put_bytes(&mut out, 2, &one);
    }
    put_bytes(&mut out, 1, data);
    out
}

/// Reads a node.
pub(crate) fn decode(bytes: &[u8]) -> Result<PbNode<'_>, String> {
    let mut fields = Fields(bytes);
    let mut links = Vec::new();
    let mut data = None;
    while let Some(field) = fields.next()? {
        match field {
            (2, Value::Bytes(link)) if data.is_none() => links.push(decode_link(link)?),
            (1, Value::Bytes(bytes)) if data.is_none() => data = Some(bytes),
            (1 | 2, Value::Bytes(_)) => return Err("its fields are out of order".into()),
            (number, _) => return Err(format!("it has an unknown field {number}")),
        }
    }
    Ok(PbNode { links, data: data.ok_or("it has no data")? })
}

fn decode_link(bytes: &[u8]) -> Result<Link, String> {
    let mut fields = Fields(bytes);
    let (mut cid, mut name, mut size) = (None, None, None);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(bytes)) if cid.is_none() && name.is_none() && size.is_none() => {
                cid = Some(Cid::try_from(bytes).map_err(|e| e.to_string())?);
            }
            (2, Value::Bytes(bytes)) if name.is_none() && size.is_none() => {
                let text = std::str::from_utf8(bytes).map_err(|_| "a name is not UTF-8")?;
                name = Some(text.to_string());
            }
            (3, Value::Number(number)) if size.is_none() => size = Some(number),
            (number, _) => return Err(format!("field {number} of a link is out of place")),
        }
    }
    Ok(Link {
        cid: cid.ok_or("a link has no hash")?,
        name: name.unwrap_or_default(),
        dag_size_bytes: size.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;

    fn link(name: &str) -> Link {
        Link { cid: Cid::of(Codec::Raw, b"x"), name: name.into(), dag_size_bytes: 300 }
    }

    #[test]
    fn links_stand_before_data_and_come_back() {
        let links = [link("a"), link("")];
        let bytes = encode(&links, &[8, 1]);
        assert_eq!(bytes[..5], [0x12, 44, 0x0a, 36, 1]);
        assert_eq!(bytes[bytes.len() - 4..], [0x0a, 2, 8, 1]);
        let node = decode(&bytes).expect("a node");
        assert_eq!((node.links.as_slice(), node.data), (links.as_slice(), &[8u8, 1][..]));
    }

    #[test]
    fn another_order_unknown_fields_and_long_varints_are_refused() {
        let good = encode(&[link("a")], &[8, 1]);
        let (links, data) = good.split_at(good.len() - 4);
        let swapped = [data, links].concat();
        let twice = [&good[..], data].concat();
        let unknown = [&good[..], &[0x18, 1]].concat();
        let fixed = [&good[..], &[0x1d, 0, 0, 0, 0]].concat();
        let long = [0x0a, 0x82, 0x00, 8, 1];
        for bytes in [&swapped[..], &twice, &unknown, &fixed, &long, &good[..20], &[]] {
            assert!(decode(bytes).is_err(), "{bytes:x?}");
        }
    }
}
