//! Sealed orders: first on the ledger, then drawn with the beacon of the next block.

use crate::fixture::{Polity, agree, fair, key, lie, public};
use identity::Signed;
use ledger::{Effect, Refusal};
use protocol::{Dispute, Height, Job, Placement, Time, Tx};

fn sealed(polity: &Polity) -> Signed<Job> {
    polity.order_with(|job| job.placement = Placement::Sealed)
}

fn place(order: &Signed<Job>) -> Tx {
    Tx::Order(Box::new(order.clone()))
}

#[test]
fn a_sealed_job_is_ordered_before_it_is_agreed_on() {
    let mut polity = Polity::new();
    let order = sealed(&polity);
    let id = order.payload.id();
    let early = agree(polity.agreed(&order, &[0]));
    let refused = polity.refusal(early).unwrap();
    assert_eq!(refused, Refusal::NotOrdered(id));
    assert!(refused.is_passing(), "its order may be on the way");
    let effects = polity.block(vec![place(&order)]);
    let (job, home, height) = (id, public(101), Height(1));
    assert_eq!(effects, [Effect::Ordered { job, home, height }]);
    assert_eq!(polity.ledger.order_height(&id), Some(height));
    polity.block(vec![]);
    polity.block(vec![]);
    let with = |drawn| polity.refusal(agree(polity.agreed_at(&order, &[0], Height(drawn))));
    assert_eq!(with(0), Some(Refusal::OtherDraw(id)), "known before the order");
    assert_eq!(with(1), Some(Refusal::OtherDraw(id)), "the proposer knew it");
    assert_eq!(with(2), None);
    assert_eq!(with(3), Some(Refusal::OtherDraw(id)));
}

#[test]
fn the_block_after_the_order_cannot_hold_its_agreement() {
    let mut polity = Polity::new();
    let order = sealed(&polity);
    polity.block(vec![place(&order)]);
    let mut agreements = polity.agreed(&order, &[0]);
    agreements.drawn = Height(2);
    let refused = polity.refusal(agree(agreements)).unwrap();
    assert_eq!(refused, Refusal::Drawn(Height(2)));
    assert!(refused.is_passing());
}

#[test]
fn an_order_is_placed_once_and_only_if_it_is_sealed() {
    let mut polity = Polity::new();
    let order = sealed(&polity);
    let id = order.payload.id();
    polity.block(vec![place(&order)]);
    polity.block(vec![]);
    assert_eq!(polity.refusal(place(&order)), Some(Refusal::Ordered(id)));
    let by_another = Signed::new(order.payload, polity.network(), &key(2));
    assert_eq!(polity.refusal(place(&by_another)), Some(Refusal::Ordered(id)), "one id, one order");
    assert_eq!(polity.ledger.order_height(&id), Some(Height(1)), "the first one stays");
    let fast = polity.order(2, 3);
    let refused = polity.refusal(place(&fast));
    assert_eq!(refused, Some(Refusal::NotSealed(fast.payload.id())));
}

#[test]
fn an_order_is_of_an_owner_for_a_node_in_its_lifetime() {
    let polity = Polity::new();
    let with = |by: u8, change: fn(&mut Job)| {
        let mut job = sealed(&polity).payload;
        change(&mut job);
        polity.refusal(place(&Signed::new(job, polity.network(), &key(by))))
    };
    assert_eq!(with(1, |_| {}), None);
    assert_eq!(with(77, |_| {}), Some(Refusal::NotAnOwner(public(77))));
    assert_eq!(with(1, |job| job.home = public(110)), Some(Refusal::NotANode(public(110))));
    let lasting = with(1, |job| job.expires = job.issued.after_ms(8 * 86_400_000));
    assert!(matches!(lasting, Some(Refusal::Lifetime { .. })));
    let past = with(1, |job| (job.issued, job.expires) = (Time(1), Time(1_000)));
    assert!(matches!(past, Some(Refusal::Expired { .. })));
}

#[test]
fn orders_are_forgotten_when_they_expire() {
    let mut polity = Polity::new();
    let order = polity.order_with(|job| {
        job.placement = Placement::Sealed;
        job.expires = Time(3_000);
    });
    let id = order.payload.id();
    polity.block(vec![place(&order)]);
    polity.block_at(Time(3_000), vec![]);
    assert_eq!(polity.ledger.order_height(&id), Some(Height(1)));
    polity.block_at(Time(3_001), vec![]);
    assert_eq!(polity.ledger.order_height(&id), None);
    assert!(matches!(polity.refusal(place(&order)), Some(Refusal::Expired { .. })));
}

#[test]
fn a_placed_order_waits_for_the_next_block() {
    let mut polity = Polity::new();
    assert!(!polity.ledger.owes_block());
    polity.block(vec![place(&sealed(&polity))]);
    assert!(polity.ledger.owes_block());
    polity.block(vec![]);
    assert!(!polity.ledger.owes_block());
    polity.block(vec![agree(polity.agreed(&polity.order(2, 3), &[0]))]);
    assert!(!polity.ledger.owes_block(), "nothing is audited here");
}

#[test]
fn disputes_about_a_sealed_job_name_its_draw() {
    let mut polity = Polity::new();
    let order = sealed(&polity);
    let id = order.payload.id();
    let said = [(104, fair(0)), (105, lie(0))];
    let early = polity.dispute(&order, 0, &said);
    assert_eq!(polity.refusal(early), Some(Refusal::NotOrdered(id)));
    polity.block(vec![place(&order)]);
    polity.block(vec![]);
    let with = |drawn| {
        let dispute = Dispute { drawn: Height(drawn), ..polity.disputed(&order, 0, &said) };
        polity.refusal(polity.file(101, dispute))
    };
    assert_eq!(with(1), Some(Refusal::OtherDraw(id)));
    assert_eq!(with(2), None);
}
