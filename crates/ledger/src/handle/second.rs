//! A second owner vouches for a sponsored one.

use crate::{Effect, Ledger, Refusal};
use identity::Signed;
use protocol::{Height, Right, Seconding};

pub(crate) fn apply(
    ledger: &mut Ledger,
    height: Height,
    seconding: &Signed<Seconding>,
    effects: &mut Vec<Effect>,
) -> Result<(), Refusal> {
    let (by, owner) = (seconding.by, seconding.payload.owner);
    let roster = &ledger.roster;
    if roster.owner(&by).is_none() {
        return Err(Refusal::NotAnOwner(by));
    }
    // Else whoever is sanctioned could make accomplices of its own parties.
    if roster.barred_parties().contains(&roster.party(&by)) {
        let until = ledger.standing.active(&by, Right::Execute).map(|s| s.until);
        return Err(Refusal::Barred { owner: by, until: until.unwrap_or_default() });
    }
    let record = roster.owner(&owner).ok_or(Refusal::NotAnOwner(owner))?;
    let useless = record.sponsor.is_none()
        || record.seconds.contains(&by)
        || roster.party(&by) == roster.party(&owner);
    if useless {
        return Err(Refusal::Seconding { by, owner });
    }
    ledger.change_roster(height, |roster| {
        roster.second(&owner, by);
    });
    effects.push(Effect::RosterChanged { height });
    Ok(())
}
