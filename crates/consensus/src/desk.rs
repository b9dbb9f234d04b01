//! Where transactions are checked before they wait: whatever has arrived meanwhile, all at once.

use crate::{Application, SubmitError, pool::Pool};
use bytes::Bytes;
use identity::PublicKey;
use protocol::NamedTx;
use std::{collections::HashSet, sync::Arc};
use tokio::sync::{mpsc, oneshot};

/// Transactions that are checked at once, at most: so long nothing else arrives.
const AT_ONCE: usize = 256;

/// A transaction that came in.
pub(crate) struct Arrival {
    pub(crate) tx: Arc<NamedTx>,
    pub(crate) from: Origin,
}

/// Where a transaction came from.
pub(crate) enum Origin {
    /// From somebody here who waits for the answer.
    Here(oneshot::Sender<Result<(), SubmitError>>),
    /// From another validator, which does not.
    Peer(PublicKey),
}

/// Checks what arrives until nobody can submit any more.
pub(crate) struct Desk {
    pub(crate) app: Arc<dyn Application>,
    pub(crate) pool: Arc<Pool>,
    /// What the other validators are to have.
    pub(crate) fresh: mpsc::Sender<Bytes>,
}

impl Desk {
    pub(crate) async fn run(self, mut arrivals: mpsc::Receiver<Arrival>) -> &'static str {
        let mut batch = Vec::with_capacity(AT_ONCE);
        while arrivals.recv_many(&mut batch, AT_ONCE).await > 0 {
            self.take(std::mem::take(&mut batch));
        }
        "nobody can submit any more"
    }

    /// Takes what may wait, and answers those who wait for it.
    fn take(&self, arrivals: Vec<Arrival>) {
        let mut names = HashSet::new();
        let (new, known): (Vec<_>, Vec<_>) = arrivals.into_iter().partition(|arrival| {
            let name = arrival.tx.digest();
            !self.pool.contains(&name) && names.insert(name)
        });
        let txs: Vec<_> = new.iter().map(|arrival| arrival.tx.clone()).collect();
        let answers = self.app.check(&txs);
        let mut any = false;
        for (Arrival { tx, from }, answer) in new.into_iter().zip(answers) {
            let taken = answer.map_err(SubmitError::Refused).and_then(|()| {
                let peer = match from {
                    Origin::Here(_) => None,
                    Origin::Peer(peer) => Some(peer),
                };
                self.pool.insert(tx.clone(), peer)
            });
            any |= matches!(taken, Ok(true));
            self.answer(&tx, from, taken);
        }
        if any {
            self.pool.tell();
        }
        // What was submitted twice at once is answered when the first of the two is.
        for Arrival { tx, from } in known {
            let gone = || SubmitError::Refused("it was refused a moment ago".into());
            let taken = self.pool.contains(&tx.digest()).then_some(false).ok_or_else(gone);
            self.answer(&tx, from, taken);
        }
    }

    fn answer(&self, tx: &NamedTx, from: Origin, taken: Result<bool, SubmitError>) {
        match from {
            Origin::Here(waiting) => {
                if taken == Ok(true)
                    && let Err(error) = self.fresh.try_send(tx.bytes().clone())
                {
                    tracing::debug!(%error, "a fresh transaction is sent with the next repetition");
                }
                // Whoever does not wait any more needs no answer.
                let _gone = waiting.send(taken.map(|_| ()));
            }
            // What does not apply here may apply where it came from: validators are not at the
            // same height.
            Origin::Peer(peer) => {
                if let Err(error) = taken {
                    tracing::debug!(?peer, %error, "a validator's transaction is not kept");
                }
            }
        }
    }
}
