//! Following the chain without voting: ask, check the certificate, take the blocks.

use super::{Chain, ChainError, ask};
use bytes::Bytes;
use futures::StreamExt;
use identity::PublicKey;
use protocol::{
    Block, Certificate, ChainReply, ChainRequest, Height, NamedBlock,
    port::{Gossip, Offence, PeerEvent, Streams, Topic},
};
use std::{sync::Arc, time::Duration};

/// Heights of final blocks, told by whoever has one.
const HEADS: Topic = Topic("polity/heads/1");
/// How often a follower asks although nobody told it of a new block.
const CHECK: Duration = Duration::from_secs(2);

/// Tells peers of every new head until the chain closes.
pub(crate) async fn announce(chain: Chain, gossip: Arc<dyn Gossip>) {
    let mut head = chain.head();
    while head.changed().await.is_ok() {
        let height = *head.borrow_and_update();
        // Nobody listening, or too many at once: followers ask by themselves now and then.
        if let Err(error) = gossip.publish(HEADS, Bytes::copy_from_slice(&height.0.to_be_bytes())) {
            tracing::trace!(%error, %height, "head not announced");
        }
    }
}

/// Takes final blocks from peers until the journal fails.
///
/// # Errors
/// [`ChainError`] that this node cannot live with.
pub(crate) async fn follow(
    chain: Chain,
    streams: Arc<dyn Streams>,
    gossip: Arc<dyn Gossip>,
) -> Result<(), ChainError> {
    let mut heads = gossip.subscribe(HEADS);
    let mut peers = streams.events();
    let mut check = tokio::time::interval(CHECK);
    let mut turn = 0_usize;
    loop {
        let hint = tokio::select! {
            message = heads.next() => match message {
                Some(message) => height_of(&message.bytes).map(|height| (message.source, height)),
                None => return Ok(()),
            },
            event = peers.next() => match event {
                Some(PeerEvent::Up(peer)) => Some((peer, Height(u64::MAX))),
                Some(PeerEvent::Down(_)) => None,
                None => return Ok(()),
            },
            _ = check.tick() => {
                let known = streams.peers();
                turn = turn.wrapping_add(1);
                known.get(turn % known.len().max(1)).map(|peer| (*peer, Height(u64::MAX)))
            }
        };
        let Some((peer, height)) = hint else { continue };
        if height > *chain.head().borrow() {
            // A peer that does not answer is asked again with its next head.
            let _answered = catch_up(&chain, streams.as_ref(), peer).await?;
        }
    }
}

fn height_of(bytes: &[u8]) -> Option<Height> {
    bytes.try_into().ok().map(u64::from_be_bytes).map(Height)
}

/// Takes everything that `peer` has and we lack. True if the peer answered for its whole chain.
///
/// # Errors
/// [`ChainError`] that this node cannot live with.
pub(crate) async fn catch_up(
    chain: &Chain,
    streams: &dyn Streams,
    peer: PublicKey,
) -> Result<bool, ChainError> {
    loop {
        let from = chain.head().borrow().next();
        let (head, blocks) = match ask(streams, peer, &ChainRequest::Blocks { from }).await {
            Ok(ChainReply::Blocks { head, blocks }) => (head, blocks),
            Ok(_) => {
                streams.penalise(peer, Offence::Malformed);
                return Ok(false);
            }
            Err(error) => {
                tracing::debug!(%error, "cannot follow this peer now");
                return Ok(false);
            }
        };
        if blocks.is_empty() {
            return Ok(true);
        }
        if blocks[0].0.header.height != chain.head().borrow().next() {
            // Blocks came from elsewhere meanwhile: ask again for what is still missing.
            continue;
        }
        if let Err(offence) = check(chain, &blocks) {
            streams.penalise(peer, offence);
            return Ok(false);
        }
        for (block, certificate) in blocks {
            chain.extend(&NamedBlock::new(block), certificate).await?;
        }
        if *chain.head().borrow() >= head {
            return Ok(true);
        }
    }
}

/// Checks that the blocks continue our chain and that the last one is certified. The certificate
/// covers its ancestors; certificates in between are kept only if they hold too.
fn check(chain: &Chain, blocks: &[(Block, Option<Certificate>)]) -> Result<(), Offence> {
    let ledger = chain.ledger();
    let mut parent = ledger.tip().digest();
    for (block, certificate) in blocks {
        if block.header.parent != parent || block.check_root().is_err() {
            return Err(Offence::BadContent);
        }
        parent = block.header.digest();
        if let Some(certificate) = certificate {
            let holds = certificate.payload == parent
                && certificate.verify(chain.network(), ledger.validators()).is_ok();
            if !holds {
                return Err(Offence::BadSignature);
            }
        }
    }
    match blocks.last() {
        Some((_, Some(_))) => Ok(()),
        _ => Err(Offence::Malformed),
    }
}
