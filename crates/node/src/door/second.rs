//! This owner's word for another one, on its way to the ledger.

use super::{Door, internal};
use api::{ApiError, Code};
use identity::{Digest, PublicKey, SecretKey, Signed};
use protocol::{Seconding, Tx};
use std::time::Duration;

/// How long it may take to become final.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause before it is put before the validators again.
const AGAIN: Duration = Duration::from_secs(2);

impl Door {
    /// Vouches for an owner with this machine's owner key, and waits until that is final.
    pub(super) async fn second_now(&self, owner: PublicKey) -> Result<Digest, ApiError> {
        let key = self.owner.as_ref().ok_or_else(|| {
            ApiError::new(Code::NotAdmitted, "this machine does not have the owner's key")
                .next("vouch from the machine on which 'polity key show' names the owner")
        })?;
        if self.home.chain.ledger().roster().owner(&owner).is_none() {
            let message = format!("{owner} is not an admitted owner");
            return Err(ApiError::new(Code::NotFound, message)
                .next("see which there are with: polity node list --json"));
        }
        let network = self.home.chain.network();
        let tx = Tx::Second(Signed::new(Seconding { owner }, network, key));
        let waited = tokio::time::timeout(PATIENCE, self.order(&tx, key, owner)).await;
        waited.map_err(|_| {
            ApiError::new(Code::Unavailable, "the validators did not order it in time")
                .next("look whether the chain grows: polity ledger head")
        })??;
        Ok(tx.digest())
    }

    async fn order(&self, tx: &Tx, key: &SecretKey, owner: PublicKey) -> Result<(), ApiError> {
        let chain = &self.home.chain;
        let checked = chain.check(tx).map_err(internal)?;
        let mut head = chain.head();
        let mut again = tokio::time::interval(AGAIN);
        loop {
            head.borrow_and_update();
            let ledger = chain.ledger();
            let record = ledger.roster().owner(&owner);
            if record.is_some_and(|record| record.seconds.contains(&key.public())) {
                return Ok(());
            }
            if let Err(refusal) = ledger.check_tx(&checked)
                && !refusal.is_passing()
            {
                return Err(ApiError::new(Code::Refused, refusal.to_string()));
            }
            tokio::select! {
                changed = head.changed() => changed.map_err(internal)?,
                _ = again.tick() => {
                    if let Err(reason) = (self.home.submit)(tx.clone()).await {
                        tracing::info!(reason, "the seconding waits");
                    }
                }
            }
        }
    }
}
