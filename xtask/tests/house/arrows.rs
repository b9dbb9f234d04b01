//! Who may know whom: words ← minds ← hands ← node; doors see words only.

use crate::{
    hold,
    rooms::{Floor, ROOMS, floor_of, rooms},
};

/// Whether the room `from` may build on the room `to`.
fn may_see(from: &str, to: &str) -> bool {
    let (Some(mine), Some(theirs)) = (floor_of(from), floor_of(to)) else { return false };
    match mine {
        Floor::Words => theirs == Floor::Words && place(to) < place(from),
        Floor::Minds | Floor::Doors => theirs == Floor::Words,
        Floor::Sim => matches!(theirs, Floor::Words | Floor::Minds),
        // Only the cluster knows a mind: it is what replicates one.
        Floor::Hands => theirs == Floor::Words || (theirs == Floor::Minds && from == "cluster"),
        Floor::Node => !matches!(theirs, Floor::Node | Floor::Sim | Floor::Xtask),
        Floor::Xtask => false,
    }
}

/// Whether the tests of `from` may use `to`: rooms of their own floor or below, and the fakes of
/// `sim`. Tests of doors fake what is behind the door.
fn tests_may_see(from: &str, to: &str) -> bool {
    let (Some(mine), Some(theirs)) = (floor_of(from), floor_of(to)) else { return false };
    match mine {
        _ if theirs == Floor::Xtask => false,
        Floor::Node => true,
        _ if theirs == Floor::Sim => true,
        Floor::Doors => matches!(theirs, Floor::Words | Floor::Doors),
        _ => place(to) < place(from) || theirs == mine,
    }
}

fn place(name: &str) -> usize {
    ROOMS.iter().position(|(room, _)| *room == name).unwrap_or(ROOMS.len())
}

#[test]
fn every_arrow_between_rooms_points_down() {
    let mut faults = Vec::new();
    for room in rooms() {
        for dependency in room.dependencies.iter().filter(|d| floor_of(&d.name).is_some()) {
            let allowed = if dependency.dev { tests_may_see } else { may_see };
            if !allowed(&room.name, &dependency.name) {
                let whose = if dependency.dev { "tests of " } else { "" };
                faults.push(format!("{whose}{} must not know {}", room.name, dependency.name));
            }
        }
    }
    hold(
        "words <- minds <- hands <- node; doors see words only; rooms of one floor do not know each \
         other.\nMove the noun down to `protocol`, or let `node` carry it between the two rooms:",
        faults,
    );
}

#[test]
fn the_arrows_are_the_ones_that_the_design_draws() {
    for (from, to) in [
        ("protocol", "identity"),
        ("ledger", "protocol"),
        ("cluster", "work"),
        ("gateway", "api"),
        ("node", "consensus"),
        ("sim", "ledger"),
    ] {
        assert!(may_see(from, to), "{from} -> {to}");
    }
    for (from, to) in [
        ("identity", "protocol"),
        ("ledger", "work"),
        ("work", "ledger"),
        ("network", "ledger"),
        ("consensus", "network"),
        ("gateway", "storage"),
        ("gateway", "cli"),
        ("cli", "node"),
        ("node", "sim"),
        ("sim", "network"),
    ] {
        assert!(!may_see(from, to), "{from} -> {to}");
    }
    assert!(tests_may_see("consensus", "network") && tests_may_see("work", "sim"));
    assert!(!tests_may_see("gateway", "storage") && !tests_may_see("ledger", "network"));
}
