//! The bound on a patient liar's gain, against the draw that the ledger uses.

#![allow(clippy::unwrap_used)]

use identity::{Digest, PublicKey};
use objects::{Cid, Codec};
use protocol::{Height, JobId, NodeRecord, OwnerRecord, Roster, TaskIndex, draw};
use sim::bound::{Game, all_colluding, found, gain, sybil_parties};
use std::collections::BTreeSet;

/// Draws of each comparison.
const DRAWS: u32 = 30_000;

fn key(kind: u8, n: u32) -> PublicKey {
    let mut bytes = [kind; 32];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    PublicKey(bytes)
}

fn owner(sponsor: Option<PublicKey>) -> OwnerRecord {
    OwnerRecord { name: "an owner".into(), sponsor, seconds: BTreeSet::new(), barred: None }
}

/// So many founders with one node each; the first ones collude.
fn roster(parties: u32) -> Roster {
    let mut roster = Roster::default();
    for n in 0..parties {
        roster.set_owner(key(1, n), owner(None));
        roster.set_node(key(2, n), NodeRecord { owner: key(1, n), since: Height(0) });
    }
    roster
}

fn collude(nodes: &[PublicKey], colluding: u32) -> bool {
    nodes.iter().all(|node| (0..colluding).any(|n| *node == key(2, n)))
}

/// Who runs a task. A home that colludes gives the first replica to the first of its friends.
fn executors(game: &Game, candidates: &[draw::Candidate]) -> Vec<PublicKey> {
    let count = game.k as usize;
    if !game.home {
        return draw::walk(candidates, &[], count);
    }
    let others = draw::walk_beside(Some(&key(1, 0)), candidates, &[], count - 1);
    let all = [vec![key(2, 0)], others].concat();
    assert!(draw::is_fair_beside(&key(2, 0), candidates, &[], &all));
    all
}

/// The share of tasks that colluders capture, and of these the share that an audit finds.
fn play(game: &Game, draws: u32) -> (f64, f64) {
    let roster = roster(game.parties);
    let job = JobId(Cid::of(Codec::Raw, b"a job"));
    let per_mille = (game.audited * 1_000.0) as u16;
    let (mut captured, mut lost) = (0, 0);
    for task in (0..draws).map(TaskIndex) {
        let beacon = Digest::of("beacon", &[&task.0.to_be_bytes()]);
        let candidates = draw::candidates(&beacon, &job, task, &roster);
        let executors = executors(game, &candidates);
        if !collude(&executors, game.colluding) {
            continue;
        }
        captured += 1;
        let next = Digest::of("next beacon", &[&task.0.to_be_bytes()]);
        let count = game.auditors as usize;
        let auditors = draw::auditors(&next, (&job, task), &roster, &executors, count);
        let audited = draw::is_audited(&next, &job, task, per_mille);
        lost += u32::from(audited && !collude(&auditors, game.colluding));
    }
    (f64::from(captured) / f64::from(draws), f64::from(lost) / f64::from(captured.max(1)))
}

/// Within five standard deviations of what is expected.
fn close(seen: f64, expected: f64, draws: f64) -> bool {
    let deviation = (expected * (1.0 - expected) / draws).sqrt();
    (seen - expected).abs() <= 5.0 * deviation + 1e-9
}

#[test]
fn the_draw_gives_colluders_what_the_formula_says() {
    let base = Game {
        parties: 7,
        colluding: 4,
        k: 2,
        home: false,
        rate: 1.0,
        audited: 0.5,
        auditors: 1,
        tasks_per_hour: 100.0,
        sanction_hours: 1.0,
    };
    let games = [
        base,
        Game { auditors: 2, ..base },
        Game { k: 3, audited: 0.1, ..base },
        Game { home: true, ..base },
        Game { home: true, k: 3, ..base },
    ];
    for game in games {
        let (captured, lost) = play(&game, DRAWS);
        let expected = gain(&game);
        let told = f64::from(DRAWS) * expected.captured;
        assert!(close(captured, expected.captured, f64::from(DRAWS)), "{game:?}: {captured}");
        assert!(close(lost, found(&game), told), "{game:?}: {lost}, expected {expected:?}");
    }
    assert_eq!(all_colluding(7, 1, 2), 0.0);
}

/// Lies until the first one is found, many times over.
#[test]
fn so_many_lies_come_before_the_first_sanction() {
    let game = Game {
        parties: 5,
        colluding: 3,
        k: 2,
        home: false,
        rate: 1.0,
        audited: 0.2,
        auditors: 1,
        tasks_per_hour: 100.0,
        sanction_hours: 1.0,
    };
    let (_, lost) = play(&game, DRAWS);
    let expected = gain(&game).before_sanction;
    let seen = 1.0 / lost;
    assert!((seen / expected - 1.0).abs() < 0.1, "{seen} lies, expected {expected}");
}

/// Owners that one owner invites are one party, whoever of them vouches for whom; two owners who
/// vouch for each other's guests make as many as they like.
#[test]
fn sponsors_make_as_many_parties_as_the_bound_says() {
    for (sponsors, guests) in [(1, 12), (2, 12), (3, 9)] {
        let mut roster = roster(sponsors);
        for guest in 0..guests {
            let sponsor = key(1, guest % sponsors);
            let node = NodeRecord { owner: key(3, guest), since: Height(1) };
            roster.set_owner(key(3, guest), owner(Some(sponsor)));
            roster.set_node(key(4, guest), node);
        }
        let everybody: Vec<_> =
            (0..sponsors).map(|n| key(1, n)).chain((0..guests).map(|n| key(3, n))).collect();
        // As often as it changes anything, everybody vouches for everybody; the ledger takes no
        // word of an owner that is of the same party.
        for _ in 0..3 {
            for (by, of) in everybody.iter().flat_map(|by| everybody.iter().map(move |of| (by, of)))
            {
                let sponsored = roster.owner(of).is_some_and(|record| record.sponsor.is_some());
                if sponsored && roster.party(by) != roster.party(of) {
                    assert!(roster.second(of, *by));
                }
            }
        }
        assert_eq!(roster.parties() as u32, sybil_parties(sponsors, guests), "{sponsors}");
    }
}
