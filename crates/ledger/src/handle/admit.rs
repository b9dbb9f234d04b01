//! An owner or a node joins.

use crate::{Effect, Ledger, Refusal};
use identity::{Digest, Signed};
use protocol::{Admission, Distinct, Height, InvitationKind, NodeRecord, OwnerRecord, Time};

pub(crate) fn apply(
    ledger: &mut Ledger,
    height: Height,
    time: Time,
    admission: &Signed<Admission>,
    effects: &mut Vec<Effect>,
) -> Result<(), Refusal> {
    let invitation = &admission.payload.invitation;
    let voucher = &admission.payload.voucher.payload;
    let expires = invitation.payload.expires;
    let sponsor = invitation.by;
    let roster = &ledger.roster;
    if roster.owner(&sponsor).is_none() {
        return Err(Refusal::NotAnOwner(sponsor));
    }
    if expires < time {
        return Err(Refusal::Expired { expires, time });
    }
    if expires.since_ms(time) > ledger.params.invitation_lifetime_ms {
        return Err(Refusal::Lifetime { expires });
    }
    let one_time = Digest::of("polity invitation", &[&invitation.payload.key.0]);
    if ledger.spent.get(&one_time).is_some() {
        return Err(Refusal::Spent);
    }
    if roster.node(&voucher.node).is_some() {
        return Err(Refusal::Admitted(voucher.node));
    }
    let kind = invitation.payload.kind;
    if kind == InvitationKind::Owner && ledger.params.distinct == Distinct::Nodes {
        return Err(Refusal::OneOwner);
    }
    if kind == InvitationKind::Owner && roster.owner(&voucher.owner).is_some() {
        return Err(Refusal::Admitted(voucher.owner));
    }
    ledger.spent.insert(one_time, expires);
    ledger.change_roster(height, |roster| {
        if kind == InvitationKind::Owner {
            let name = voucher.name.clone();
            let (sponsor, seconds) = (Some(sponsor), Default::default());
            let record = OwnerRecord { name, sponsor, seconds, barred: None };
            roster.set_owner(voucher.owner, record);
        }
        roster.set_node(voucher.node, NodeRecord { owner: voucher.owner, since: height });
    });
    effects.push(Effect::NodeAdmitted { node: voucher.node, owner: voucher.owner });
    effects.push(Effect::RosterChanged { height });
    Ok(())
}
