//! Transactions from validator to validator, so that whoever leads next has them.

use crate::{Application, SubmitError, convert, convert::Key, pool::Pool};
use bytes::Bytes;
use commonware_p2p::{Blocker, Receiver, Recipients, Sender};
use commonware_runtime::{Clock, IoBuf};
use protocol::{Tx, limits};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// How often what waits is sent again: a frame may be lost with its connection.
const REPEAT: Duration = Duration::from_secs(1);
/// How much of it at once.
const REPEAT_TXS: usize = 256;

/// Sends what was submitted here to the other validators, at once and again while it waits.
pub(crate) async fn spread(
    clock: impl Clock,
    pool: Arc<Pool>,
    mut fresh: mpsc::Receiver<Bytes>,
    mut sender: impl Sender<PublicKey = Key>,
) -> String {
    let mut send = |bytes: Bytes| {
        // Nobody connected is no failure: it is sent again.
        sender.send(Recipients::All, bytes, false);
    };
    loop {
        commonware_macros::select! {
            bytes = fresh.recv() => match bytes {
                Some(bytes) => send(bytes),
                None => return "nobody can submit any more".into(),
            },
            _ = clock.sleep(REPEAT) => pool.own(REPEAT_TXS).into_iter().for_each(&mut send),
        }
    }
}

/// Takes what other validators send.
pub(crate) async fn gather(
    app: Arc<dyn Application>,
    pool: Arc<Pool>,
    mut receiver: impl Receiver<PublicKey = Key>,
    mut blocker: impl Blocker<PublicKey = Key>,
) -> String {
    loop {
        let (peer, bytes) = match receiver.recv().await {
            Ok(message) => message,
            Err(error) => return format!("no transactions arrive any more: {error}"),
        };
        if let Err(error) = take(app.as_ref(), &pool, &peer, bytes) {
            tracing::warn!(?peer, %error, "a validator sent what is no transaction");
            blocker.block(peer);
        }
    }
}

/// Keeps a transaction if it may wait; an error is the sender's fault.
fn take(
    app: &dyn Application,
    pool: &Pool,
    peer: &Key,
    bytes: IoBuf,
) -> Result<(), protocol::Error> {
    let bytes = Bytes::from(bytes);
    if bytes.len() <= limits::TX_BYTES && pool.contains(&Pool::name(&bytes)) {
        return Ok(());
    }
    let tx = Tx::decode(&bytes)?;
    // What does not apply here may apply where it came from: validators are not at the same height.
    if let Err(reason) = app.check(&tx) {
        tracing::debug!(?peer, reason, "a transaction of another validator does not apply");
        return Ok(());
    }
    // Detached from the frame it came in, which may be much larger.
    let own = Bytes::copy_from_slice(&bytes);
    match pool.insert(tx, own, Some(convert::public(peer))) {
        Ok(_) | Err(SubmitError::Closed) => {}
        Err(error) => tracing::debug!(?peer, %error, "no room for a transaction"),
    }
    Ok(())
}
