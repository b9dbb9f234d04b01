//! A protected object: three blocks at 2+1, of which the last is a group of its own.

use identity::{Digest, NetworkId, SecretKey, Signed};
use objects::{Block, Cid, Codec};
use protocol::{
    Groups, Manifest, Time,
    durability::{
        CODE, Group, KeepReply, KeepRequest, KeptObject, NotKept, Placement, Shard, UNIT_BYTES,
        answer_to,
    },
};

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

/// The network of the specimen.
pub(crate) const HERE: NetworkId = NetworkId(Digest([8; 32]));

fn shard(bytes: &'static [u8]) -> Shard {
    Shard::of(&Block::of(Codec::Raw, bytes))
}

/// The one page.
pub(crate) fn groups() -> Groups {
    let first = Group { data: vec![shard(b"one"), shard(b"four")], parity: vec![shard(b"pari")] };
    let last = Group { data: vec![shard(b"last")], parity: vec![shard(b"last")] };
    Groups::new(0, vec![first, last])
}

/// The manifest, signed by node 101.
pub(crate) fn manifest() -> Signed<Manifest> {
    let manifest = Manifest {
        network: HERE,
        root: Cid::of(Codec::Raw, b"one"),
        durability: "2+1".parse().expect("a level"),
        code: CODE.into(),
        unit_bytes: UNIT_BYTES,
        blocks: 3,
        bytes: 11,
        groups: 2,
        pages: vec![Cid::of_value(&groups())],
        created: Time(1_000),
    };
    Signed::new(manifest, HERE, &key(101))
}

/// Who holds it, signed by node 101.
pub(crate) fn placement() -> Signed<Placement> {
    let slots = (101..104).map(|n| key(n).public()).collect();
    let placement = Placement { manifest: Manifest::cid(&manifest()), sequence: 1, slots };
    Signed::new(placement, HERE, &key(101))
}

/// One of each question.
pub(crate) fn requests() -> Vec<KeepRequest> {
    let placement = placement();
    vec![
        KeepRequest::Keep {
            placement: placement.clone(),
            from: vec![key(102).public()],
            pace: Some(1 << 20),
        },
        KeepRequest::Note { placement },
        KeepRequest::Show { challenge: Digest([7; 32]), cids: vec![Cid::of(Codec::Raw, b"one")] },
        KeepRequest::Find { object: Cid::of(Codec::Raw, b"one") },
    ]
}

/// One of each answer.
pub(crate) fn replies() -> Vec<KeepReply> {
    let found = KeptObject { manifest: Manifest::cid(&manifest()), placement: placement() };
    vec![
        KeepReply::Under { bytes: 3, of: 11 },
        KeepReply::Kept { bytes: 11 },
        KeepReply::Noted,
        KeepReply::Shown { answers: vec![Some(answer_to(&Digest([7; 32]), b"one")), None] },
        KeepReply::Found { objects: vec![found] },
        KeepReply::Refused(NotKept::Full { free_bytes: 5, wanted_bytes: 11 }),
        KeepReply::Refused(NotKept::Wrong("its signature".into())),
    ]
}
