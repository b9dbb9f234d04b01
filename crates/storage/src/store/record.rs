//! What stands in a pack: blobs, and control records beside them.
//!
//! The body of a record begins with a byte that says what it is. 1: a blob, that is a CID (a CIDv1
//! begins with 1) and its bytes. 2: a control record, that is its version (one byte) and its
//! canonical DAG-CBOR. Packs of version 1 hold blobs only.

use super::pack::Location;
use super::pin::{Label, Pin};
use bytes::Bytes;
use identity::canonical;
use objects::Cid;
use serde::{Deserialize, Serialize};

/// Bytes of a CID in a record.
pub(super) const CID_BYTES: usize = 36;
/// The first byte of a control record.
const CONTROL: u8 = 2;
/// The version of control records that is written here.
const CONTROL_VERSION: u8 = 1;
/// Bytes of the longest control record.
pub(super) const CONTROL_BYTES: usize = 64 << 10;
/// CIDs in one touch, at most.
pub(super) const TOUCH_CIDS: usize = 1024;

/// What is said about blobs, apart from their bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Control {
    /// A pin is there from here on.
    Pin(Pin),
    /// A pin is gone from here on.
    Unpin {
        /// Its key.
        label: Label,
        /// Its key.
        root: Cid,
        /// The packs that can hold a record of the pin: while one of them is there, this record
        /// must be.
        packs: (u32, u32),
    },
    /// Records from here to the next one of these were put at this time (milliseconds since 1970)
    /// or at most [`super::age::MARK_MS`] later.
    Time(u64),
    /// Blobs that were put again, at a time in milliseconds since 1970.
    Touch {
        /// At most [`TOUCH_CIDS`].
        cids: Vec<Cid>,
        /// When.
        at_ms: u64,
    },
}

impl Control {
    pub(super) fn encode(&self) -> Vec<u8> {
        [&[CONTROL, CONTROL_VERSION], &canonical::encode(self)[..]].concat()
    }

    fn decode(body: &[u8]) -> Option<Self> {
        let content = body.strip_prefix(&[CONTROL, CONTROL_VERSION])?;
        canonical::decode(content, CONTROL_BYTES).ok()
    }
}

/// A record that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Record {
    Blob(Cid, Bytes),
    Control(Control),
}

impl Record {
    /// Reads the body of a frame; `None` if it is none of ours.
    pub(super) fn parse(mut body: Bytes) -> Option<Self> {
        if body.first() == Some(&CONTROL) {
            return Control::decode(&body).map(Self::Control);
        }
        if body.len() < CID_BYTES {
            return None;
        }
        let cid = Cid::try_from(body.split_to(CID_BYTES).as_ref()).ok()?;
        Some(Self::Blob(cid, body))
    }
}

/// What a record changes in the index.
#[derive(Clone, Debug)]
pub(super) enum Row {
    /// A blob is at a place.
    Blob(Cid, Location),
    /// A blob was at a place, and is damaged.
    Damaged(Cid, Location),
    /// A pin stands at a place.
    Pin(Pin, Place),
    /// A pin is gone.
    Unpin(Label, Cid),
    /// From a place on, the time is this.
    Time(Place, u64),
    /// Blobs were put again.
    Touch(Vec<Cid>, u64),
}

/// Where a record begins: pack and offset. What was written later compares as greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place {
    pub(super) pack: u32,
    pub(super) offset: u64,
}

impl Row {
    /// What a control record at a place changes.
    pub(super) fn of(control: Control, place: Place) -> Self {
        match control {
            Control::Pin(pin) => Self::Pin(pin, place),
            Control::Unpin { label, root, .. } => Self::Unpin(label, root),
            Control::Time(at_ms) => Self::Time(place, at_ms),
            Control::Touch { cids, at_ms } => Self::Touch(cids, at_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::pin::PinMode;
    use objects::Codec;

    fn root() -> Cid {
        Cid::of(Codec::Raw, b"root")
    }

    fn controls() -> [Control; 4] {
        let label: Label = "user".parse().expect("a label");
        let pin = Pin {
            label: label.clone(),
            root: root(),
            mode: PinMode::Recursive,
            since_ms: 7,
            note: Some("thesis".into()),
        };
        [
            Control::Pin(pin),
            Control::Unpin { label, root: root(), packs: (1, 2) },
            Control::Time(9),
            Control::Touch { cids: vec![root()], at_ms: 9 },
        ]
    }

    #[test]
    fn records_come_back_and_cut_or_unknown_ones_do_not() {
        for control in controls() {
            let body = control.encode();
            assert_eq!(Record::parse(body.clone().into()), Some(Record::Control(control)));
            for cut in 0..body.len() {
                assert_eq!(Record::parse(body[..cut].to_vec().into()), None);
            }
            let later = [&[2, 2], &body[2..]].concat();
            assert_eq!(Record::parse(later.into()), None, "a version that nobody knows");
        }
        let blob = [&root().to_bytes()[..], b"root"].concat();
        assert_eq!(Record::parse(blob.into()), Some(Record::Blob(root(), b"root"[..].into())));
        assert_eq!(Record::parse(vec![3; 50].into()), None);
    }

    #[test]
    fn control_records_have_these_bytes() {
        let golden = include_str!("golden/controls.txt");
        let hex = |bytes: Vec<u8>| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let lines: Vec<_> = controls().iter().map(|control| hex(control.encode())).collect();
        assert_eq!(lines, golden.lines().collect::<Vec<_>>());
    }

    #[test]
    fn the_longest_touch_is_within_the_limit() {
        let touch = Control::Touch { cids: vec![root(); TOUCH_CIDS], at_ms: u64::MAX };
        let body = touch.encode();
        assert_eq!(Record::parse(body.into()), Some(Record::Control(touch)));
    }
}
