//! Answering for the chain, and asking others about it.

use super::{Chain, ChainError};
use crate::places::{Places, Room};
use futures::{AsyncWriteExt, StreamExt, future::join_all, io::BufReader};
use identity::{PublicKey, canonical};
use protocol::{
    Block, Certificate, ChainReply, ChainRequest, Height, Tx, limits,
    port::{
        Answer, Incoming, Offence, Protocol, Stream, StreamError, Streams, read_frame, write_frame,
    },
    printable,
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, task::JoinSet};

/// Questions about the chain.
const CHAIN: Protocol = Protocol("/polity/chain/1");
/// Streams that are answered at once. An honest node has as many as [`SUBMITTED`] and a few.
const ROOM: Room = Room { streams: 64, strangers: 32, per_peer: 16 };
/// Transactions that this node puts before validators at once.
const SUBMITTED: usize = 8;
/// How long a peer may take to ask or to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that are read ahead of the answers.
const AHEAD_BYTES: usize = 64 << 10;
/// Transactions of one stream that are checked at once.
const AT_ONCE: usize = 128;
/// Characters of a validator's reason that are told.
const REASON: usize = 512;
/// A request is a transaction at most.
const REQUEST_BYTES: usize = limits::TX_BYTES + 1024;

/// Where transactions go: to the engine on a validator, to validators elsewhere.
pub(crate) type Submit = Arc<dyn Fn(Tx) -> Answer<'static, Result<(), String>> + Send + Sync>;

/// Answers peers until the network closes.
pub(crate) async fn serve(
    chain: Chain,
    streams: Arc<dyn Streams>,
    submit: Submit,
) -> Result<(), StreamError> {
    let mut incoming = streams.accept(CHAIN)?;
    let places = Places::new(streams.clone(), chain.is_admitted(), ROOM);
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            next = incoming.next() => {
                let Some(next) = next else { return Ok(()) };
                let Some(place) = places.take(next.peer) else { continue };
                let (chain, streams, submit) = (chain.clone(), streams.clone(), submit.clone());
                tasks.spawn(async move {
                    answer_peer(&chain, streams.as_ref(), &submit, next).await;
                    drop(place);
                });
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}

/// One stream: requests and their answers, in order, until the peer has no more. Requests that are
/// there already are answered together, so that their transactions are checked together.
async fn answer_peer(chain: &Chain, streams: &dyn Streams, submit: &Submit, incoming: Incoming) {
    let Incoming { peer, stream } = incoming;
    let mut stream = BufReader::with_capacity(AHEAD_BYTES, stream);
    loop {
        let read = tokio::time::timeout(PATIENCE, read_requests(&mut stream)).await;
        let requests = match read {
            Ok(Ok(requests)) if !requests.is_empty() => requests,
            Ok(Err(offence)) => return streams.penalise(peer, offence),
            _ => return,
        };
        let answers = requests.into_iter().map(|request| answer(chain, submit, request));
        let mut replies = Vec::new();
        for reply in join_all(answers).await {
            let reply = match reply {
                Ok(reply) => canonical::encode(&reply),
                Err(error) => return tracing::error!(%error, "the chain cannot be read"),
            };
            let length = u32::try_from(reply.len()).expect("messages are bounded");
            replies.extend(length.to_be_bytes());
            replies.extend(reply);
        }
        let write = async {
            stream.get_mut().write_all(&replies).await?;
            stream.get_mut().flush().await
        };
        if !matches!(tokio::time::timeout(PATIENCE, write).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// Waits for a request, and reads those that came with it: one question about blocks, whose answer
/// may be large, or many transactions. None if the stream ended or broke.
async fn read_requests(stream: &mut BufReader<Stream>) -> Result<Vec<ChainRequest>, Offence> {
    let mut requests = Vec::new();
    loop {
        let bytes = match read_frame(stream, REQUEST_BYTES).await {
            Ok(Some(bytes)) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Err(Offence::Oversized);
            }
            _ => return Ok(requests),
        };
        let request = canonical::decode(&bytes, REQUEST_BYTES).map_err(|_| Offence::Malformed)?;
        let is_large = matches!(request, ChainRequest::Blocks { .. });
        requests.push(request);
        if is_large || requests.len() == AT_ONCE || !has_frame(stream.buffer()) {
            return Ok(requests);
        }
    }
}

/// Whether a whole frame is there.
fn has_frame(bytes: &[u8]) -> bool {
    bytes.split_first_chunk::<4>().is_some_and(|(length, rest)| {
        usize::try_from(u32::from_be_bytes(*length)).is_ok_and(|length| length <= rest.len())
    })
}

async fn answer(
    chain: &Chain,
    submit: &Submit,
    request: ChainRequest,
) -> Result<ChainReply, ChainError> {
    Ok(match request {
        ChainRequest::Blocks { from } => {
            let head = chain.ledger().tip().height;
            ChainReply::Blocks { head, blocks: blocks(chain, from).await? }
        }
        ChainRequest::Submit(tx) => match submit(*tx).await {
            Ok(()) => ChainReply::Taken,
            Err(reason) => ChainReply::Refused(reason),
        },
    })
}

/// Blocks from `from` on, ending with one that has its own certificate, as many as fit a message.
async fn blocks(
    chain: &Chain,
    from: Height,
) -> Result<Vec<(Block, Option<Certificate>)>, ChainError> {
    let mut found = Vec::new();
    let mut size_bytes = 0;
    let mut height = from;
    while let Some((block, certificate, entry_bytes)) = chain.entry(height).await? {
        size_bytes += entry_bytes;
        if size_bytes > limits::MESSAGE_BYTES - (64 << 10) && !found.is_empty() {
            break;
        }
        found.push((block, certificate));
        height = height.next();
    }
    while found.last().is_some_and(|(_, certificate)| certificate.is_none()) {
        found.pop();
    }
    Ok(found)
}

/// Why a question had no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// No stream.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The stream broke.
    #[error("the connection to {0:?} broke")]
    Broken(PublicKey),
    /// The peer took too long.
    #[error("{0:?} did not answer in time")]
    Timeout(PublicKey),
    /// The peer answered nonsense.
    #[error("{0:?} answered something that is no answer")]
    Malformed(PublicKey),
}

/// The way for transactions of a node that does not vote: to any validator that takes them.
pub(crate) fn submit_to_validators(chain: &Chain, streams: &Arc<dyn Streams>) -> Submit {
    let validators = chain.genesis().validators.clone();
    let streams = streams.clone();
    let places = Arc::new(Semaphore::new(SUBMITTED));
    Arc::new(move |tx| {
        let (validators, streams) = (validators.clone(), streams.clone());
        let places = places.clone();
        Box::pin(async move {
            let Ok(_place) = places.acquire().await else { return Err("it stops".into()) };
            let mut reason = "no validator is connected".to_string();
            let request = ChainRequest::Submit(Box::new(tx));
            for peer in streams.peers().into_iter().filter(|peer| validators.contains(peer)) {
                match ask(streams.as_ref(), peer, &request).await {
                    Ok(ChainReply::Taken) => return Ok(()),
                    Ok(ChainReply::Refused(why)) => reason = printable(&why, REASON),
                    Ok(_) => streams.penalise(peer, Offence::Malformed),
                    Err(error) => reason = error.to_string(),
                }
            }
            Err(reason)
        })
    })
}

/// Asks one peer one question.
pub(crate) async fn ask(
    streams: &dyn Streams,
    peer: PublicKey,
    request: &ChainRequest,
) -> Result<ChainReply, AskError> {
    let talk = async {
        let mut stream = streams.open(peer, CHAIN).await?;
        let broken = |_| AskError::Broken(peer);
        write_frame(&mut stream, &canonical::encode(request)).await.map_err(broken)?;
        let reply = read_frame(&mut stream, limits::MESSAGE_BYTES).await.map_err(broken)?;
        reply.ok_or(AskError::Broken(peer))
    };
    let bytes =
        tokio::time::timeout(PATIENCE, talk).await.map_err(|_| AskError::Timeout(peer))??;
    canonical::decode(&bytes, limits::MESSAGE_BYTES).map_err(|_| {
        streams.penalise(peer, Offence::Malformed);
        AskError::Malformed(peer)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::{NetworkId, SecretKey, Signed};
    use protocol::{Founder, Genesis, Params, Seconding, Time};
    use sim::{log::MemoryLog, streams::Mesh};

    fn key(n: u8) -> SecretKey {
        SecretKey::from_seed([n; 32])
    }

    async fn chain() -> Chain {
        let founder = Founder { node: key(101).public(), name: "1".into(), addresses: Vec::new() };
        let founder = Signed::new(founder, NetworkId::FOUNDING, &key(1));
        let genesis =
            Genesis::found("ask".into(), Time(1), vec![founder], 1, Params::default()).unwrap();
        Chain::open(genesis, Arc::new(MemoryLog::new())).await.unwrap()
    }

    fn refusing() -> Submit {
        Arc::new(|_| Box::pin(async { Err("not today".to_string()) }))
    }

    fn seconding(chain: &Chain) -> Tx {
        let owner = key(2).public();
        Tx::Second(Signed::new(Seconding { owner }, chain.network(), &key(1)))
    }

    #[tokio::test]
    async fn a_peer_is_answered() {
        let (mesh, chain) = (Mesh::new(), chain().await);
        let (server, client) = (mesh.node(key(101).public()), mesh.node(key(102).public()));
        let question = ChainRequest::Blocks { from: Height(1) };
        let submit = ChainRequest::Submit(Box::new(seconding(&chain)));
        let asking = async {
            let blocks = ask(client.as_ref(), key(101).public(), &question).await.unwrap();
            assert_eq!(blocks, ChainReply::Blocks { head: Height(0), blocks: Vec::new() });
            let refused = ask(client.as_ref(), key(101).public(), &submit).await.unwrap();
            assert_eq!(refused, ChainReply::Refused("not today".into()));
        };
        // The server first, so that it accepts before it is asked.
        tokio::select! {
            biased;
            _ = serve(chain.clone(), server, refusing()) => panic!("it serves on"),
            () = asking => {}
        }
        assert_eq!(mesh.offences(), []);
    }

    #[tokio::test]
    async fn questions_that_come_together_are_answered_in_their_order() {
        let (mesh, chain) = (Mesh::new(), chain().await);
        let (server, client) = (mesh.node(key(101).public()), mesh.node(key(102).public()));
        let submit = || ChainRequest::Submit(Box::new(seconding(&chain)));
        let blocks = ChainRequest::Blocks { from: Height(1) };
        let mut bytes = Vec::new();
        for request in [submit(), submit(), blocks, submit()] {
            write_frame(&mut bytes, &canonical::encode(&request)).await.unwrap();
        }
        let refused = ChainReply::Refused("not today".into());
        let empty = ChainReply::Blocks { head: Height(0), blocks: Vec::new() };
        let asking = async {
            let mut stream = client.open(key(101).public(), CHAIN).await.unwrap();
            // The last one comes in two parts.
            let parts = bytes.split_at(bytes.len() - 9);
            let replies = [vec![&refused, &refused, &empty], vec![&refused]];
            for (part, replies) in [parts.0, parts.1].into_iter().zip(replies) {
                stream.write_all(part).await.unwrap();
                stream.flush().await.unwrap();
                for expected in replies {
                    let reply = read_frame(&mut stream, limits::MESSAGE_BYTES).await.unwrap();
                    let reply = canonical::decode(&reply.unwrap(), limits::MESSAGE_BYTES);
                    assert_eq!(reply.as_ref(), Ok(expected));
                }
            }
        };
        // The server first, so that it accepts before it is asked.
        tokio::select! {
            biased;
            _ = serve(chain.clone(), server, refusing()) => panic!("it serves on"),
            () = asking => {}
        }
        assert_eq!(mesh.offences(), []);
    }

    #[tokio::test]
    async fn nonsense_and_oversized_questions_are_offences() {
        let (mesh, chain) = (Mesh::new(), chain().await);
        let (server, client) = (mesh.node(key(101).public()), mesh.node(key(102).public()));
        let spoiling = async {
            let mut stream = client.open(key(101).public(), CHAIN).await.unwrap();
            write_frame(&mut stream, b"nonsense").await.unwrap();
            mesh.offended(1).await;
            let mut stream = client.open(key(101).public(), CHAIN).await.unwrap();
            stream.write_all(&u32::MAX.to_be_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            mesh.offended(2).await;
        };
        // The server first, so that it accepts before it is asked.
        tokio::select! {
            biased;
            _ = serve(chain.clone(), server, refusing()) => panic!("it serves on"),
            () = spoiling => {}
        }
        let kinds: Vec<_> = mesh.offences().into_iter().map(|(_, _, offence)| offence).collect();
        assert_eq!(kinds, [Offence::Malformed, Offence::Oversized]);
    }
}
