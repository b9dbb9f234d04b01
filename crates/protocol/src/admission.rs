//! How owners and nodes join: invitations, vouchers, admissions.
//!
//! An invitation carries the public half of a one-time key; the line that is handed over carries
//! the secret half. Whoever holds the line can join once, and somebody who only sees the admission
//! pass by cannot take it over, because the one-time key signs who joins.

use crate::{Error, Time, genesis::check_name};
use identity::{NetworkId, PublicKey, Sign, Signed};
use serde::{Deserialize, Serialize};

/// What an invitation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvitationKind {
    /// A new owner with its first node, sponsored by the inviter.
    Owner,
    /// One more machine of the inviter.
    Machine,
}

/// An owner's word that whoever holds the one-time key may join. Signed by an admitted owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// What it is for.
    pub kind: InvitationKind,
    /// The one-time key. Once it was used the invitation is spent.
    pub key: PublicKey,
    /// Until when (block time).
    pub expires: Time,
}

impl Sign for Invitation {
    const DOMAIN: &'static str = "invitation";
}

/// Word that a node speaks for an owner. Signed by the owner; for one more machine of the inviter,
/// by the one-time key of the owner's invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voucher {
    /// The owner.
    pub owner: PublicKey,
    /// The node.
    pub node: PublicKey,
    /// What the owner calls itself; no proof of anything.
    pub name: String,
}

impl Sign for Voucher {
    const DOMAIN: &'static str = "voucher";
}

/// A node's word that it speaks for this owner, so that nobody claims a stranger's node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// The owner.
    pub owner: PublicKey,
}

impl Sign for Consent {
    const DOMAIN: &'static str = "consent";
}

/// A request to join. Signed by the invitation's one-time key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admission {
    /// The invitation, signed by the sponsor.
    pub invitation: Signed<Invitation>,
    /// Owner to node.
    pub voucher: Signed<Voucher>,
    /// Node to owner.
    pub consent: Signed<Consent>,
}

impl Sign for Admission {
    const DOMAIN: &'static str = "admission";
}

impl Admission {
    /// Checks all signatures and that the parts belong together. Whether the sponsor is admitted,
    /// the invitation unspent and unexpired, only the ledger knows.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(admission: &Signed<Self>, network: NetworkId) -> Result<(), Error> {
        let wrong = |reason: &str| Err(Error::invalid("admission", reason));
        admission.check(network)?;
        let Self { invitation, voucher, consent } = &admission.payload;
        invitation.check(network)?;
        voucher.check(network)?;
        consent.check(network)?;
        check_name(&voucher.payload.name)?;
        if admission.by != invitation.payload.key {
            return wrong("not signed by the invitation's one-time key");
        }
        if consent.by != voucher.payload.node || consent.payload.owner != voucher.payload.owner {
            return wrong("the node consents to another owner");
        }
        let vouched = match invitation.payload.kind {
            InvitationKind::Owner => {
                voucher.by == voucher.payload.owner && voucher.by != invitation.by
            }
            InvitationKind::Machine => {
                voucher.by == invitation.payload.key && voucher.payload.owner == invitation.by
            }
        };
        if vouched { Ok(()) } else { wrong("the voucher is not its owner's") }
    }
}

/// A second owner's word for an owner that was sponsored: from then on it counts as its own. People
/// say it with `polity vouch`; a [`Voucher`] is what an owner says of its own node. Signed by an
/// admitted owner other than the sponsor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seconding {
    /// The owner that is vouched for.
    pub owner: PublicKey,
}

impl Sign for Seconding {
    const DOMAIN: &'static str = "seconding";
}
