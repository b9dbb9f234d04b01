//! Transactions from validator to validator, so that whoever leads next has them.
//!
//! A message holds one transaction or more, each preceded by its length (u32, big endian).

use crate::{
    convert,
    convert::Key,
    desk::{Arrival, Origin},
    pool::Pool,
};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use commonware_p2p::{Blocker, Receiver, Recipients, Sender};
use commonware_runtime::Clock;
use protocol::{NamedTx, Tx, limits};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// How often what waits is sent again: a frame may be lost with its connection.
const REPEAT: Duration = Duration::from_secs(1);
/// How much of it at once.
const REPEAT_TXS: usize = 256;
/// Messages grow to about this size while there is more to say.
const FULL_BYTES: usize = 64 << 10;
/// The largest message: one transaction of the largest size.
pub(crate) const MESSAGE_BYTES: usize = limits::TX_BYTES + 4;

/// Sends what was submitted here to the other validators, at once and again while it waits.
pub(crate) async fn spread(
    clock: impl Clock,
    pool: Arc<Pool>,
    mut fresh: mpsc::Receiver<Bytes>,
    mut sender: impl Sender<PublicKey = Key>,
) -> String {
    loop {
        let txs = commonware_macros::select! {
            bytes = fresh.recv() => match bytes {
                Some(bytes) => {
                    let more = std::iter::from_fn(|| fresh.try_recv().ok()).take(REPEAT_TXS);
                    std::iter::once(bytes).chain(more).collect()
                }
                None => return "nobody can submit any more".into(),
            },
            _ = clock.sleep(REPEAT) => pool.own(REPEAT_TXS),
        };
        for message in pack(&txs) {
            // Nobody connected is no failure: it is sent again.
            sender.send(Recipients::All, message, false);
        }
    }
}

/// Messages that hold these transactions.
fn pack(txs: &[Bytes]) -> Vec<Bytes> {
    let mut messages = Vec::new();
    let mut message = BytesMut::new();
    for tx in txs {
        if !message.is_empty() && message.len() + 4 + tx.len() > FULL_BYTES {
            messages.push(message.split().freeze());
        }
        message.put_u32(u32::try_from(tx.len()).expect("transactions are bounded"));
        message.put_slice(tx);
    }
    if !message.is_empty() {
        messages.push(message.freeze());
    }
    messages
}

/// The transactions of a message; `None` where it is none.
fn unpack(mut message: Bytes) -> impl Iterator<Item = Option<Bytes>> {
    std::iter::from_fn(move || {
        if message.is_empty() {
            return None;
        }
        let length = message.try_get_u32().ok().map(|length| length as usize);
        let tx = length.filter(|length| *length <= message.len());
        // Detached from the message, which may be much larger.
        let tx = tx.map(|length| Bytes::copy_from_slice(&message.split_to(length)));
        if tx.is_none() {
            message.clear();
        }
        Some(tx)
    })
}

/// Takes what other validators send to where it is checked.
pub(crate) async fn gather(
    pool: Arc<Pool>,
    desk: mpsc::Sender<Arrival>,
    mut receiver: impl Receiver<PublicKey = Key>,
    mut blocker: impl Blocker<PublicKey = Key>,
) -> String {
    loop {
        let (peer, message) = match receiver.recv().await {
            Ok(message) => message,
            Err(error) => return format!("no transactions arrive any more: {error}"),
        };
        for bytes in unpack(Bytes::from(message)) {
            let known = bytes.as_ref().is_some_and(|bytes| pool.contains(&Tx::name(bytes)));
            if known {
                continue;
            }
            let Some(tx) = bytes.and_then(|bytes| NamedTx::decode(bytes).ok()) else {
                tracing::warn!(?peer, "a validator sent what is no transaction");
                blocker.block(peer);
                break;
            };
            let from = Origin::Peer(convert::public(&peer));
            if desk.send(Arrival { tx: Arc::new(tx), from }).await.is_err() {
                return "nobody checks transactions any more".into();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_hold_what_was_put_into_them_and_nothing_else() {
        let tx = |size: usize| Bytes::from(vec![7; size]);
        let txs = [tx(3), tx(0), tx(FULL_BYTES), tx(1), tx(FULL_BYTES / 2), tx(FULL_BYTES / 2)];
        let messages = pack(&txs);
        assert_eq!(messages.len(), 4);
        let back: Vec<_> = messages.iter().cloned().flat_map(unpack).collect();
        assert_eq!(back, txs.map(Some));
        assert!(pack(&[]).is_empty());
        for cut in [1, 3, 5, 6, 8] {
            let cut: Vec<_> = unpack(messages[0].slice(..cut)).collect();
            assert_eq!(cut.last(), Some(&None));
        }
    }
}
