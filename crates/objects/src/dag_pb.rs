//! dag-pb: links and data.
//!
//! Source: IPLD specification of DAG-PB. It is written in one form only: the links (field 2) before
//! the data (field 1), a link's fields in the order Hash, Name, Tsize, and nothing else. Old writers
//! put the data first; that is read, too, since the CID is of the bytes as they are.

use crate::{
    Cid, Error,
    cid::CID_BYTES,
    wire::{Fields, Value, put_bytes, put_number, varint_bytes},
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
    /// Nothing, if the node has no such field. UnixFS always has one.
    pub(crate) data: Option<&'a [u8]>,
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

/// Bytes of a link that is no longer than it has to be.
pub(crate) fn link_bytes(name_bytes: usize, dag_size_bytes: u64) -> usize {
    let content = 2
        + CID_BYTES
        + 1
        + varint_bytes(name_bytes as u64)
        + name_bytes
        + 1
        + varint_bytes(dag_size_bytes);
    1 + varint_bytes(content as u64) + content
}

/// Reads the node `cid`.
///
/// # Errors
/// [`Error::Malformed`], and [`Error::ForeignCid`] for a link that cannot be followed here.
pub(crate) fn decode(cid: Cid, bytes: &[u8]) -> Result<PbNode<'_>, Error> {
    let malformed = |reason: &str| Error::malformed(cid, reason);
    let mut fields = Fields(bytes);
    let mut links = Vec::new();
    let mut data = None;
    // Links stand together: once something else came after them, they are closed.
    let mut closed = false;
    while let Some(field) = fields.next().map_err(malformed)? {
        match field {
            (2, Value::Bytes(link)) if !closed => links.push(decode_link(cid, link)?),
            (1, Value::Bytes(bytes)) if data.is_none() => {
                data = Some(bytes);
                closed = !links.is_empty();
            }
            (1 | 2, Value::Bytes(_)) => return Err(malformed("its fields are out of order")),
            (number, _) => return Err(malformed(&format!("it has an unknown field {number}"))),
        }
    }
    Ok(PbNode { links, data })
}

fn decode_link(node: Cid, bytes: &[u8]) -> Result<Link, Error> {
    let malformed = |reason: &str| Error::malformed(node, reason);
    let mut fields = Fields(bytes);
    let (mut cid, mut name, mut size) = (None, None, None);
    while let Some(field) = fields.next().map_err(malformed)? {
        match field {
            (1, Value::Bytes(bytes)) if cid.is_none() && name.is_none() && size.is_none() => {
                cid = match Cid::read_foreign(bytes)? {
                    (cid, []) => Some(cid),
                    _ => return Err(malformed("a hash with a tail")),
                };
            }
            (2, Value::Bytes(bytes)) if name.is_none() && size.is_none() => {
                let text = std::str::from_utf8(bytes);
                name = Some(text.map_err(|_| malformed("a name is not UTF-8"))?.to_string());
            }
            (3, Value::Number(number)) if size.is_none() => size = Some(number),
            (number, _) => {
                return Err(malformed(&format!("field {number} of a link is out of place")));
            }
        }
    }
    Ok(Link {
        cid: cid.ok_or_else(|| malformed("a link has no hash"))?,
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

    fn decode(bytes: &[u8]) -> Result<PbNode<'_>, Error> {
        super::decode(Cid::of(Codec::DagPb, bytes), bytes)
    }

    #[test]
    fn links_stand_before_data_and_come_back() {
        let links = [link("a"), link("")];
        let bytes = encode(&links, &[8, 1]);
        assert_eq!(bytes[..5], [0x12, 44, 0x0a, 36, 1]);
        assert_eq!(bytes[bytes.len() - 4..], [0x0a, 2, 8, 1]);
        let node = decode(&bytes).expect("a node");
        assert_eq!((node.links.as_slice(), node.data), (links.as_slice(), Some(&[8u8, 1][..])));
    }

    #[test]
    fn the_size_of_a_link_is_known_before_it_is_written() {
        for (name, dag_size_bytes) in [("", 0), ("a", 127), ("abc", 128), ("x", 1 << 40)] {
            let name = name.repeat(50);
            let bytes = link_bytes(name.len(), dag_size_bytes);
            let link = Link { dag_size_bytes, ..link(&name) };
            assert_eq!(encode(&[link], &[]).len(), bytes + 2);
        }
        // As in kubo's tests of the profile.
        assert_eq!(link_bytes(255, 34_359_738_367), 305);
        assert_eq!(link_bytes(10, 0), 54);
    }

    #[test]
    fn data_before_links_is_read_as_old_writers_put_it() {
        let good = encode(&[link("a"), link("b")], &[8, 1]);
        let (links, data) = good.split_at(good.len() - 4);
        let old = [data, links].concat();
        let read = decode(&old).expect("the old order");
        assert_eq!((read.links, read.data), (vec![link("a"), link("b")], Some(&[8u8, 1][..])));
    }

    #[test]
    fn another_order_unknown_fields_and_long_varints_are_refused() {
        let good = encode(&[link("a")], &[8, 1]);
        let (links, data) = good.split_at(good.len() - 4);
        let between = [links, data, links].concat();
        let twice = [&good[..], data].concat();
        let unknown = [&good[..], &[0x18, 1]].concat();
        let fixed = [&good[..], &[0x1d, 0, 0, 0, 0]].concat();
        let long = [0x0a, 0x82, 0x00, 8, 1];
        for bytes in [&between[..], &twice, &unknown, &fixed, &long, &good[..20]] {
            assert!(decode(bytes).is_err(), "{bytes:x?}");
        }
        assert!(decode(&[]).is_ok_and(|node| node.data.is_none()));
    }
}
