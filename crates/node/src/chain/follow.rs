//! Following the chain without voting: ask, check the certificate, take the blocks.

use super::{Chain, ChainError, ask};
use bytes::Bytes;
use futures::StreamExt;
use identity::PublicKey;
use ledger::Ledger;
use protocol::{
    Block, Certificate, ChainReply, ChainRequest, Height, NamedBlock,
    port::{Gossip, Offence, PeerEvent, Streams, Topic},
};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::{JoinError, JoinSet};

/// Heights of final blocks, told by whoever has one.
const HEADS: Topic = Topic("polity/heads/1");
/// How often a follower asks although nobody told it of a new block.
const CHECK: Duration = Duration::from_secs(2);
/// Peers that are asked at once.
const ASKED: usize = 4;
/// Of these, peers that are not in the roster.
const STRANGERS: usize = 1;
/// How long those who are asked may bring nothing before the next who has news is asked as well.
const BESIDE: Duration = Duration::from_millis(500);
/// Answers of one peer, one after the other, that came too late to be of use.
const OVERTAKEN: usize = 4;

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
    let mut asking = Asking::new(chain, streams.clone());
    loop {
        tokio::select! {
            message = heads.next() => match message {
                Some(message) => if let Some(height) = height_of(&message.bytes) {
                    asking.hear(message.source, height);
                },
                None => return Ok(()),
            },
            event = peers.next() => match event {
                Some(PeerEvent::Up(peer)) => asking.hear(peer, Height(u64::MAX)),
                Some(PeerEvent::Down(_)) => {}
                None => return Ok(()),
            },
            _ = check.tick() => {
                turn = turn.wrapping_add(1);
                asking.begin_in_turn(turn);
            }
            Some(done) = asking.tasks.join_next() => asking.end(done)?,
        }
    }
}

fn height_of(bytes: &[u8]) -> Option<Height> {
    bytes.try_into().ok().map(u64::from_be_bytes).map(Height)
}

/// Peers that are asked beside each other, each once at a time.
struct Asking {
    chain: Chain,
    streams: Arc<dyn Streams>,
    tasks: JoinSet<(PublicKey, Result<bool, ChainError>)>,
    /// Who is asked, and whether it is a stranger.
    asked: BTreeMap<PublicKey, bool>,
    /// The head when it was last seen to grow, or when somebody was last asked.
    seen: (Height, Instant),
    /// Who had news while others were asked.
    news: Option<(PublicKey, Height)>,
}

impl Asking {
    fn new(chain: Chain, streams: Arc<dyn Streams>) -> Self {
        let seen = (*chain.head().borrow(), Instant::now());
        let (tasks, asked) = (JoinSet::new(), BTreeMap::new());
        Self { chain, streams, tasks, asked, seen, news: None }
    }

    fn head(&self) -> Height {
        *self.chain.head().borrow()
    }

    /// Whether nobody is asked, or those who are have brought nothing for a while.
    fn is_slow(&mut self) -> bool {
        let head = self.head();
        if head > self.seen.0 {
            self.seen = (head, Instant::now());
        }
        self.asked.is_empty() || self.seen.1.elapsed() > BESIDE
    }

    /// A peer has blocks up to this one. Many tell of one block, and one is enough to ask if it
    /// answers: the others are asked when it did not help.
    fn hear(&mut self, peer: PublicKey, height: Height) {
        if height <= self.head() || (self.is_slow() && self.begin(peer)) {
            return;
        }
        // What a stranger says takes the place of nothing.
        if self.news.is_none() || self.chain.admits(&peer) {
            self.news = Some((peer, height));
        }
    }

    /// Asks a peer, if there is room: most of it is for nodes of the roster.
    fn begin(&mut self, peer: PublicKey) -> bool {
        let is_stranger = !self.chain.admits(&peer);
        let strangers = self.asked.values().filter(|stranger| **stranger).count();
        let full = self.asked.len() >= ASKED || (is_stranger && strangers >= STRANGERS);
        if full || self.asked.contains_key(&peer) {
            return false;
        }
        self.asked.insert(peer, is_stranger);
        self.seen = (self.head(), Instant::now());
        let (chain, streams) = (self.chain.clone(), self.streams.clone());
        self.tasks.spawn(async move {
            let caught_up = catch_up(&chain, streams.as_ref(), peer).await;
            (peer, caught_up)
        });
        true
    }

    /// Asks a validator, another node of the roster, and a stranger, always other ones.
    fn begin_in_turn(&mut self, turn: usize) {
        let ledger = self.chain.ledger();
        let (mut ranks, peers) = ([Vec::new(), Vec::new(), Vec::new()], self.streams.peers());
        for peer in peers {
            let rank = match () {
                () if ledger.validators().contains(&peer) => 0,
                () if ledger.roster().node(&peer).is_some() => 1,
                () => 2,
            };
            ranks[rank].push(peer);
        }
        for rank in ranks {
            if let Some(peer) = rank.get(turn % rank.len().max(1)) {
                self.begin(*peer);
            }
        }
    }

    /// A peer that did not answer is asked again with its next head.
    fn end(
        &mut self,
        done: Result<(PublicKey, Result<bool, ChainError>), JoinError>,
    ) -> Result<(), ChainError> {
        match done {
            Ok((peer, caught_up)) => {
                self.asked.remove(&peer);
                caught_up?;
                if let Some((peer, height)) = self.news.take() {
                    self.hear(peer, height);
                }
                Ok(())
            }
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The node is stopping.
                Err(_) => Ok(()),
            },
        }
    }
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
    let mut overtaken = 0;
    while overtaken < OVERTAKEN {
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
        let Some((first, _)) = blocks.first() else { return Ok(true) };
        if first.header.height != from {
            streams.penalise(peer, Offence::Malformed);
            return Ok(false);
        }
        let ledger = chain.ledger();
        if ledger.tip().height.next() != from {
            // Blocks came from elsewhere meanwhile: ask again for what is still missing.
            overtaken += 1;
            continue;
        }
        if let Err(offence) = check(&ledger, &blocks) {
            streams.penalise(peer, offence);
            return Ok(false);
        }
        overtaken = 0;
        for (block, certificate) in blocks {
            chain.extend(&NamedBlock::new(block), certificate).await?;
        }
        if *chain.head().borrow() >= head {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Checks that the blocks continue our chain and that the last one is certified. The certificate
/// covers its ancestors; certificates in between are kept only if they hold too.
fn check(ledger: &Ledger, blocks: &[(Block, Option<Certificate>)]) -> Result<(), Offence> {
    let mut parent = ledger.tip().digest();
    for (block, certificate) in blocks {
        if block.header.parent != parent || block.check_root().is_err() {
            return Err(Offence::BadContent);
        }
        parent = block.header.digest();
        if let Some(certificate) = certificate {
            let holds = certificate.payload == parent
                && certificate.verify(ledger.network(), ledger.validators()).is_ok();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::serve;
    use futures::AsyncReadExt;
    use identity::{NetworkId, SecretKey, Signed};
    use protocol::{
        Founder, Genesis, Params, Time, limits,
        port::{Protocol, read_frame, write_frame},
    };
    use sim::{log::MemoryLog, streams::Mesh};

    const CHAIN: Protocol = Protocol("/polity/chain/1");

    fn key(n: u8) -> SecretKey {
        SecretKey::from_seed([n; 32])
    }

    /// A chain of two founders, of which the first one votes.
    async fn chain() -> Chain {
        let founder = |n: u8| {
            let node = key(100 + n).public();
            let founder = Founder { node, name: n.to_string(), addresses: Vec::new() };
            Signed::new(founder, NetworkId::FOUNDING, &key(n))
        };
        let founders = vec![founder(1), founder(2)];
        let genesis =
            Genesis::found("follow".into(), Time(1), founders, 1, Params::default()).unwrap();
        Chain::open(genesis, Arc::new(MemoryLog::new())).await.unwrap()
    }

    /// Makes a chain longer, by a certified block.
    async fn grow(chain: &Chain) -> (Block, Option<Certificate>) {
        let ledger = chain.ledger();
        let (block, _) = ledger.propose(&key(101), ledger.tip().time.after_ms(100), &[]);
        let height = block.header.height.0;
        let mut certificate = Certificate {
            epoch: 0,
            view: height,
            parent_view: height - 1,
            payload: block.header.digest(),
            signatures: Vec::new(),
        };
        let message = certificate.signing_bytes(chain.network());
        certificate.signatures.push((0, key(101).sign(&message)));
        chain.extend(&NamedBlock::new(block.clone()), Some(certificate.clone())).await.unwrap();
        (block, Some(certificate))
    }

    #[tokio::test]
    async fn blocks_that_nobody_asked_for_are_an_offence_and_the_peer_is_left() {
        let (mesh, ours, longer) = (Mesh::new(), chain().await, chain().await);
        grow(&longer).await;
        let reply = ChainReply::Blocks { head: Height(2), blocks: vec![grow(&longer).await] };
        let reply = identity::canonical::encode(&reply);
        let (me, liar) = (mesh.node(key(102).public()), mesh.node(key(9).public()));
        let mut incoming = liar.accept(CHAIN).unwrap();
        // An endless liar would keep the old way busy for ever.
        let lying = tokio::spawn(async move {
            for _ in 0..100 {
                let mut stream = incoming.next().await.unwrap().stream;
                read_frame(&mut stream, limits::MESSAGE_BYTES).await.unwrap();
                write_frame(&mut stream, &reply).await.unwrap();
            }
        });
        assert!(!catch_up(&ours, me.as_ref(), key(9).public()).await.unwrap());
        let offence = (key(102).public(), key(9).public(), Offence::Malformed);
        assert_eq!(mesh.offences(), [offence]);
        lying.abort();
    }

    #[tokio::test]
    async fn a_silent_peer_delays_nobody_else() {
        let (mesh, ours, longer) = (Mesh::new(), chain().await, chain().await);
        grow(&longer).await;
        let me = mesh.node(key(102).public());
        let silent = mesh.node(key(9).public());
        let mut asked = silent.accept(CHAIN).unwrap();
        let following = tokio::spawn(follow(ours.clone(), me.clone(), me));
        let mut waiting = asked.next().await.unwrap().stream;
        let honest = mesh.node(key(101).public());
        let refuse: crate::chain::Submit = Arc::new(|_| Box::pin(async { Err("no".into()) }));
        let serving = tokio::spawn(serve(longer, honest, refuse));
        let mut head = ours.head();
        let mut question = vec![0; 1024];
        loop {
            tokio::select! {
                biased;
                grown = head.wait_for(|head| *head == Height(1)) => {
                    grown.unwrap();
                    break;
                }
                read = waiting.read(&mut question) => {
                    assert_ne!(read.unwrap(), 0, "it was waited for to the end");
                }
            }
        }
        following.abort();
        serving.abort();
    }
}
