//! Manifests, their pages and placements: what holds, and what does not.

#![allow(clippy::unwrap_used)]

#[path = "decoders/kept.rs"]
mod kept;

use identity::{Digest, NetworkId, SecretKey, Signed, canonical};
use kept::{HERE, groups, manifest, placement};
use objects::{Block, Cid, Codec};
use protocol::{
    Groups, Manifest,
    durability::{KeepReply, KeepRequest, Placement, Shard, answer_to},
    limits,
};

fn sign(manifest: Manifest) -> Signed<Manifest> {
    Signed::new(manifest, HERE, &SecretKey::from_seed([101; 32]))
}

#[test]
fn a_manifest_holds_in_its_network_and_comes_back() {
    let signed = manifest();
    let bytes = canonical::encode(&signed);
    assert_eq!(Manifest::decode(&bytes, HERE), Ok(signed.clone()));
    assert_eq!(Manifest::cid(&signed), Cid::of(Codec::DagCbor, &bytes));
    assert!(Manifest::decode(&bytes, NetworkId(Digest([1; 32]))).is_err());
    let mut forged = signed;
    forged.payload.bytes += 1;
    assert!(Manifest::check(&forged, HERE).is_err());
}

#[test]
fn a_manifest_whose_numbers_do_not_fit_is_refused() {
    let wrong: [fn(&mut Manifest); 8] = [
        |m| m.blocks = 0,
        |m| m.blocks = 5,
        |m| m.groups = 3,
        |m| m.pages.clear(),
        |m| m.pages = vec![m.pages[0]; 3],
        |m| m.bytes = u64::MAX,
        |m| m.code = "another code".into(),
        |m| m.unit_bytes *= 2,
    ];
    for (at, change) in wrong.into_iter().enumerate() {
        let mut manifest = manifest().payload;
        change(&mut manifest);
        assert!(Manifest::check(&sign(manifest), HERE).is_err(), "change {at}");
    }
}

#[test]
fn the_last_group_may_be_smaller() {
    let manifest = manifest().payload;
    assert_eq!([0, 1, 2].map(|group| manifest.data_of(group)), [2, 1, 0]);
}

#[test]
fn a_page_fits_its_manifest_or_is_refused() {
    let manifest = manifest().payload;
    let decode =
        |page: &Groups, first| Groups::decode(&canonical::encode(page), &manifest, first).map(drop);
    assert_eq!(decode(&groups(), 0), Ok(()));
    assert!(decode(&groups(), 1).is_err(), "another place");
    let other = |bytes: &'static [u8], codec| Shard::of(&Block::of(codec, bytes));
    let wrong: [fn(&mut Groups, Shard); 6] = [
        |page, _| page.kind = "another kind".into(),
        |page, _| page.groups.clear(),
        |page, _| page.groups[0].data.truncate(1),
        |page, other| page.groups[0].parity.push(other),
        |page, other| page.groups[0].parity[0] = other,
        |page, other| page.groups[1].parity[0] = other,
    ];
    for (at, change) in wrong.into_iter().enumerate() {
        for shard in [other(b"longer than all of them", Codec::Raw), other(b"four", Codec::DagPb)] {
            let mut page = groups();
            change(&mut page, shard);
            assert!(decode(&page, 0).is_err(), "change {at}");
        }
    }
}

#[test]
fn a_page_of_the_largest_shards_is_within_its_limit() {
    for (data, parity) in [(1, 1), (4, 2), (64, 64)] {
        let total = data + parity;
        let shard = Shard { bytes: u32::MAX, ..Shard::of(&Block::of(Codec::Raw, "x")) };
        let group =
            protocol::durability::Group { data: vec![shard; data], parity: vec![shard; parity] };
        let page = Groups::new(u64::MAX, vec![group; Groups::per_page(total)]);
        assert!(canonical::encode(&page).len() <= limits::GROUPS_BYTES, "{data}+{parity}");
    }
}

#[test]
fn a_placement_fits_its_manifest_or_is_refused() {
    let check = |placement: Placement| {
        let signed = Signed::new(placement, HERE, &SecretKey::from_seed([101; 32]));
        Placement::check(&signed, &manifest(), HERE)
    };
    assert_eq!(check(placement().payload), Ok(()));
    let mut few = placement().payload;
    few.slots.pop();
    assert!(check(few).is_err());
    let mut foreign = placement().payload;
    foreign.manifest = Cid::of(Codec::DagCbor, b"another");
    assert!(check(foreign).is_err());
    let mut forged = placement();
    forged.payload.sequence += 1;
    assert!(Placement::check(&forged, &manifest(), HERE).is_err());
}

#[test]
fn the_largest_placement_and_the_largest_questions_are_within_their_limits() {
    let key = SecretKey::from_seed([1; 32]);
    let cid = Cid::of(Codec::Raw, b"x");
    let slots = vec![key.public(); 128];
    let placement = Placement { manifest: cid, sequence: u64::MAX, slots };
    let placement = Signed::new(placement, HERE, &key);
    assert!(canonical::encode(&placement).len() <= limits::PLACEMENT_BYTES);
    let from = vec![key.public(); limits::KEEP_SOURCES];
    let keep = KeepRequest::Keep { placement: placement.clone(), from, pace: Some(u64::MAX) };
    let cids = vec![cid; limits::SHOWN];
    let show = KeepRequest::Show { challenge: Digest([9; 32]), cids };
    for request in [keep, show] {
        assert!(canonical::encode(&request).len() <= limits::KEEP_BYTES);
    }
    let one = protocol::durability::KeptObject { manifest: cid, placement };
    let found = KeepReply::Found { objects: vec![one; limits::FOUND] };
    let shown = KeepReply::Shown { answers: vec![Some(Digest([9; 32])); limits::SHOWN] };
    for reply in [found, shown] {
        assert!(canonical::encode(&reply).len() <= limits::KEEP_BYTES);
    }
}

#[test]
fn an_answer_shows_these_bytes_to_this_challenge() {
    let answer = answer_to(&Digest([1; 32]), b"bytes");
    assert_ne!(answer, answer_to(&Digest([2; 32]), b"bytes"));
    assert_ne!(answer, answer_to(&Digest([1; 32]), b"other"));
}

#[test]
fn texts_of_questions_and_answers_are_words_of_people() {
    let json = serde_json::to_string(&kept::requests()[2]).unwrap();
    assert!(json.starts_with(r#"{"show":{"challenge":"#), "{json}");
    assert!(kept::replies().iter().all(|reply| serde_json::to_string(reply).is_ok()));
}
