//! The bytes on disk.

use super::{key, tally::Told};
use crate::{
    Error,
    engine::{
        Command, Entry, LeaderId, LogId, Member, Membership, Payload, StoredMembership, Vote,
    },
    record::{self, Kept},
    removed::Removed,
};
use bytes::Bytes;
use openraft::entry::RaftEntry;
use protocol::Time;
use std::collections::BTreeSet;

fn at(index: u64) -> LogId {
    LogId { leader_id: LeaderId { term: 3, node_id: Member(key(7)) }, index }
}

fn input(index: u64) -> Entry {
    let input = record::input_bytes(&Told::Add(5));
    Entry::new(at(index), Payload::Normal(Command::Input { at: Time(1_000), leads: true, input }))
}

fn members() -> Membership {
    let voters = BTreeSet::from([Member(key(2)), Member(key(1))]);
    Membership::new_with_defaults(vec![voters], [Member(key(3))])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_entry_keeps_its_bytes() {
    let key = "07".repeat(32);
    let expected = [
        "01",                                // version
        "a2",                                // a map of two
        "626174a3",                          // "at": a map of three
        "647465726d03",                      // "term": 3
        "65696e64657809",                    // "index": 9
        &format!("666c65616465725820{key}"), // "leader": 32 bytes
        "6473617973a1",                      // "says": a map of one
        "65696e707574a3",                    // "input": a map of three
        "6261741903e8",                      // "at": 1000
        "65696e70757446a1634164 6405",       // "input": 6 bytes, {"Add": 5}
        "656c65616473f5",                    // "leads": true
    ];
    assert_eq!(hex(&record::entry_bytes(&input(9))), expected.concat().replace(' ', ""));
}

#[test]
fn everything_that_is_kept_can_be_read_again() {
    let removed = |removed| Payload::Normal(Command::Removed { node: key(5), removed });
    let payloads = [
        Payload::Blank,
        input(9).payload,
        Payload::Membership(members()),
        removed(true),
        removed(false),
    ];
    for payload in payloads {
        let entry = Entry::new(at(9), payload);
        assert_eq!(record::entry_of(9, &record::entry_bytes(&entry)), Ok(entry));
    }
    for committed in [true, false] {
        let vote = Vote { leader_id: at(0).leader_id, committed };
        assert_eq!(record::vote_of(&record::vote_bytes(&vote)), Ok(vote));
    }
    assert_eq!(record::position_of(&record::position_bytes(at(4))), Ok(at(4)));
    let kept = Kept {
        applied: Some(at(4)),
        members: StoredMembership::new(Some(at(1)), members()),
        now: Time(7),
        mind: Bytes::from_static(b"anything"),
        removed: Removed::default(),
    };
    let mut removed = kept.clone();
    removed.removed.set(key(5), true);
    // What was written before anybody was removed is written like that still.
    for (kept, version) in [(kept, 1), (removed, 2)] {
        let bytes = record::kept_bytes(&kept);
        assert_eq!(bytes[0], version);
        let read = record::kept_of(&bytes).unwrap();
        assert_eq!(
            (read.applied, read.members, read.now, read.mind, read.removed),
            (kept.applied, kept.members, kept.now, kept.mind, kept.removed)
        );
    }
}

#[test]
fn a_large_state_is_compressed_and_read_again() {
    let mind: Vec<u8> = (0..1_u32 << 19).flat_map(|n| (n % 1_000).to_be_bytes()).collect();
    let kept = Kept {
        applied: Some(at(4)),
        members: StoredMembership::new(Some(at(1)), members()),
        now: Time(7),
        mind: mind.into(),
        removed: Removed::default(),
    };
    let bytes = record::kept_bytes(&kept);
    assert_eq!(bytes[0], 3);
    assert!(bytes.len() < kept.mind.len() / 4, "{}", bytes.len());
    assert_eq!(record::kept_of(&bytes).unwrap().mind, kept.mind);
    assert!(matches!(record::kept_of(&bytes[..bytes.len() - 1]), Err(Error::Unreadable { .. })));
}

#[test]
fn an_input_of_a_later_version_is_called_so() {
    let bytes = record::input_bytes(&"what nobody here knows");
    let unknown = record::input_of::<u64>(&bytes).unwrap_err();
    assert!(matches!(unknown, Error::UnknownInput { .. }));
    assert!(unknown.to_string().contains("use it on all of them"), "{unknown}");
}

#[test]
fn other_bytes_are_refused() {
    let bytes = record::entry_bytes(&input(9));
    let mut newer = bytes.to_vec();
    newer[0] = 3;
    assert!(matches!(record::entry_of(9, &newer), Err(Error::Newer { version: 3, .. })));
    assert!(matches!(record::entry_of(8, &bytes), Err(Error::Unreadable { .. })), "misplaced");
    for length in 0..bytes.len() {
        assert!(record::entry_of(9, &bytes[..length]).is_err(), "cut to {length} bytes");
    }
    let tail = [&bytes[..], &[0]].concat();
    assert!(record::entry_of(9, &tail).is_err());
}
