//! Who gets in, and who counts as whose.

use crate::fixture::{Polity, key};
use identity::Signed;
use ledger::{Effect, Refusal};
use protocol::{Height, InvitationKind, Seconding, Tx};

#[test]
fn an_invitation_lets_one_in_once() {
    let mut polity = Polity::new();
    let tx = polity.admission(InvitationKind::Owner, 1, 6, 106);
    let effects = polity.block(vec![tx.clone()]);
    assert!(effects.contains(&Effect::RosterChanged { height: Height(1) }));
    let roster = polity.ledger.roster().clone();
    assert_eq!(roster.node(&key(106).public()).unwrap().owner, key(6).public());
    assert_eq!(
        roster.party(&key(6).public()),
        key(1).public(),
        "a sponsored owner is its sponsor's"
    );
    assert_eq!(polity.refusal(tx), Some(Refusal::Spent));
    let again = polity.admission(InvitationKind::Owner, 1, 6, 107);
    assert_eq!(polity.refusal(again), Some(Refusal::Admitted(key(6).public())));
    let machine = polity.admission(InvitationKind::Machine, 2, 2, 108);
    polity.block(vec![machine]);
    assert_eq!(polity.ledger.roster().node(&key(108).public()).unwrap().owner, key(2).public());
}

#[test]
fn a_stranger_cannot_invite() {
    let polity = Polity::new();
    let tx = polity.admission(InvitationKind::Owner, 90, 6, 106);
    assert_eq!(polity.refusal(tx), Some(Refusal::NotAnOwner(key(90).public())));
}

#[test]
fn a_second_owner_makes_a_sponsored_one_its_own_party() {
    let mut polity = Polity::new();
    polity.block(vec![polity.admission(InvitationKind::Owner, 1, 6, 106)]);
    let second = |by: u8| {
        Tx::Second(Signed::new(Seconding { owner: key(6).public() }, polity.network(), &key(by)))
    };
    for by in [1, 6] {
        assert!(matches!(polity.refusal(second(by)), Some(Refusal::Seconding { .. })), "{by}");
    }
    let tx = second(2);
    polity.block(vec![tx]);
    let party = polity.ledger.roster().party(&key(6).public());
    assert_eq!(party, key(6).public());
    let before = polity.ledger.roster_at(Height(1)).unwrap();
    assert_eq!(before.party(&key(6).public()), key(1).public(), "draws of block 1 see block 1");
}
