//! Joining a polity, and inviting others.

use crate::chain::{Chain, Submit};
use api::{JoinLine, KnownPeer};
use identity::{NetworkId, PublicKey, SecretKey, Signed};
use protocol::{
    Admission, Consent, Invitation, InvitationKind, Time, Tx, Voucher,
    port::{Clock, Streams},
};
use std::{sync::Arc, time::Duration};

/// Pause before an admission is put forward again.
const PAUSE: Duration = Duration::from_secs(2);
/// Peers that an invitation names.
const PEERS: usize = 4;

/// Makes an invitation with a fresh one-time key.
pub(crate) fn invite(
    chain: &Chain,
    sponsor: &SecretKey,
    one_time: SecretKey,
    kind: InvitationKind,
    expires: Time,
    peers: Vec<KnownPeer>,
) -> JoinLine {
    let invitation = Invitation { kind, key: one_time.public(), expires };
    let invitation = Signed::new(invitation, chain.network(), sponsor);
    let peers = peers.into_iter().take(PEERS).collect();
    JoinLine { genesis: chain.genesis().clone(), invitation, key: one_time, peers }
}

/// What a newcomer says with the line that it was given.
pub(crate) fn admission(
    line: &JoinLine,
    owner: Option<&SecretKey>,
    node: &SecretKey,
    name: String,
) -> anyhow::Result<Signed<Admission>> {
    let network: NetworkId = line.genesis.network();
    let one_time = &line.key;
    let (owner_key, voucher_by) = match line.invitation.payload.kind {
        InvitationKind::Machine => (line.invitation.by, one_time),
        InvitationKind::Owner => {
            let owner = owner.ok_or_else(|| {
                anyhow::anyhow!("a new owner needs an owner key; type 'polity key show' first")
            })?;
            (owner.public(), owner)
        }
    };
    let voucher = Voucher { owner: owner_key, node: node.public(), name };
    let consent = Consent { owner: owner_key };
    let admission = Admission {
        invitation: line.invitation.clone(),
        voucher: Signed::new(voucher, network, voucher_by),
        consent: Signed::new(consent, network, node),
    };
    Ok(Signed::new(admission, network, one_time))
}

/// Why a node could not join.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinError {
    /// The ledger refuses.
    #[error("the polity does not admit this node: {0}")]
    Refused(ledger::Refusal),
    /// The admission is wrong.
    #[error(transparent)]
    Invalid(#[from] protocol::Error),
    /// The invitation ran out before anybody could be reached.
    #[error("the invitation expired at {0} and nobody took it before; ask for another one")]
    Expired(Time),
    /// The node is stopping.
    #[error("stopped before the polity admitted this node")]
    Stopped,
}

/// Puts the admission before the validators until the ledger has it.
///
/// # Errors
/// If it can never be admitted.
pub(crate) async fn join(
    chain: &Chain,
    clock: &dyn Clock,
    streams: &Arc<dyn Streams>,
    submit: &Submit,
    admission: Signed<Admission>,
) -> Result<(), JoinError> {
    let node: PublicKey = admission.payload.voucher.payload.node;
    let expires = admission.payload.invitation.payload.expires;
    let tx = Tx::Admit(Box::new(admission));
    let checked = chain.check(&tx)?;
    let mut head = chain.head();
    let mut again = tokio::time::interval(PAUSE);
    loop {
        head.borrow_and_update();
        if chain.ledger().roster().node(&node).is_some() {
            return Ok(());
        }
        if clock.now() > expires {
            return Err(JoinError::Expired(expires));
        }
        match chain.ledger().check_tx(&checked) {
            Err(refusal) if !refusal.is_passing() => return Err(JoinError::Refused(refusal)),
            _ => {}
        }
        // New blocks are looked at as they come; the admission is put forward now and then.
        tokio::select! {
            changed = head.changed() => changed.map_err(|_| JoinError::Stopped)?,
            _ = again.tick() => put_forward(streams.as_ref(), submit, &tx).await,
        }
    }
}

async fn put_forward(streams: &dyn Streams, submit: &Submit, tx: &Tx) {
    // A node that votes takes it itself.
    match submit(tx.clone()).await {
        Ok(()) => {}
        Err(_) if streams.peers().is_empty() => tracing::info!("nobody is reachable yet"),
        Err(reason) => tracing::info!(reason, "the admission waits"),
    }
}
