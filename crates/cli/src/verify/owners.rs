//! What the owners in a file call themselves.

use identity::{PublicKey, Signed};
use protocol::{Admission, Genesis};
use std::collections::BTreeMap;

/// Names of owners, as a genesis and vouchers tell them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owners(BTreeMap<PublicKey, String>);

impl Owners {
    pub(crate) fn of(genesis: &Genesis, vouchers: &[Signed<Admission>]) -> Self {
        let founders = genesis.founders.iter().map(|f| (f.by, f.payload.name.clone()));
        let vouched = vouchers.iter().map(|admission| {
            let voucher = &admission.payload.voucher.payload;
            (voucher.owner, voucher.name.clone())
        });
        // A founder's name stands, whatever later vouchers say.
        Self(vouched.chain(founders).collect())
    }

    pub(crate) fn name(&self, owner: &PublicKey) -> Option<&str> {
        self.0.get(owner).map(String::as_str)
    }

    /// `Elm (…abcd1234)`.
    pub(crate) fn owner(&self, owner: &PublicKey) -> String {
        format!("{} (…{})", self.name(owner).unwrap_or("?"), owner.short())
    }

    /// `…wxyz5678 of Elm (…abcd1234)`.
    pub(crate) fn node(&self, (node, owner): (&PublicKey, &PublicKey)) -> String {
        format!("…{} of {}", node.short(), self.owner(owner))
    }
}
