//! One fetch: peers asked in turn, over one stream at a time.

use super::{
    PROTOCOL, Refusal,
    fetcher::{FetchError, Inner},
    wire::{ANSWER_HEAD_BYTES, decode_answer, encode_request},
    within,
};
use bytes::Bytes;
use identity::PublicKey;
use objects::{Checked, Cid};
use protocol::port::{Offence, Stream, read_frame, write_frame};
use std::{collections::HashMap, io, sync::Arc};
use tokio::sync::OwnedSemaphorePermit;

/// A stream and the right to use it.
struct Open {
    peer: PublicKey,
    stream: Stream,
    _permit: OwnedSemaphorePermit,
    /// Whether it was used by a session before. The peer may have closed it since.
    used: bool,
    /// Whether every answer that was asked for was read.
    clean: bool,
}

/// Peers in the order in which they are asked. One that fails is not asked again. Only one stream
/// is open at a time, so sessions never wait for each other in a circle.
pub(super) struct Session {
    inner: Arc<Inner>,
    peers: Vec<PublicKey>,
    open: Option<Open>,
    /// What peers answered last that did not help.
    refused: HashMap<PublicKey, Refusal>,
}

impl Session {
    pub(super) fn new(inner: Arc<Inner>, from: &[PublicKey]) -> Self {
        let me = inner.streams.me();
        let mut peers: Vec<PublicKey> = Vec::new();
        for peer in from {
            if *peer != me && !peers.contains(peer) {
                peers.push(*peer);
            }
        }
        Self { inner, peers, open: None, refused: HashMap::new() }
    }

    /// The bytes of different blobs: from the store where they are there, else from peers, checked
    /// and stored.
    pub(super) async fn load(&mut self, cids: &[Cid]) -> Result<HashMap<Cid, Bytes>, FetchError> {
        let mut found = HashMap::with_capacity(cids.len());
        for (cid, bytes) in cids.iter().zip(self.inner.all_local(cids).await?) {
            if let Some(bytes) = bytes {
                found.insert(*cid, bytes);
            }
        }
        let wants: Vec<_> = cids.iter().filter(|cid| !found.contains_key(cid)).copied().collect();
        self.ask_peers(wants, &mut found).await?;
        Ok(found)
    }

    async fn ask_peers(
        &mut self,
        mut wants: Vec<Cid>,
        found: &mut HashMap<Cid, Bytes>,
    ) -> Result<(), FetchError> {
        for peer in self.peers.clone() {
            if wants.is_empty() {
                return Ok(());
            }
            if self.refused.get(&peer).is_some_and(Refusal::is_final) {
                continue;
            }
            let mut news = Vec::new();
            let mut refusal = self.ask(peer, &wants, &mut news).await.err();
            let stale = self.open.as_ref().is_some_and(|open| open.used && !open.clean);
            if stale && news.is_empty() && matches!(refusal, Some(Refusal::Broken(_))) {
                // The peer may have closed it while nobody used it.
                self.open = None;
                refusal = self.ask(peer, &wants, &mut news).await.err();
            }
            if refusal.is_some() {
                self.open = None;
            }
            wants.retain(|cid| news.iter().all(|new| new.block().cid != *cid));
            if let Some(refusal) = refusal.or((!wants.is_empty()).then_some(Refusal::Missing)) {
                self.refused.insert(peer, refusal);
            }
            if !news.is_empty() {
                found.extend(news.iter().map(|new| (new.block().cid, new.block().bytes.clone())));
                self.inner.blobs.put_checked(news).await?;
            }
        }
        match wants.first() {
            None => Ok(()),
            Some(cid) => {
                let tried = self.peers.iter();
                let tried = tried.filter_map(|peer| Some((*peer, self.refused.get(peer)?.clone())));
                Err(FetchError::NotFound { cid: *cid, tried: tried.collect() })
            }
        }
    }

    /// Asks one peer for blobs and adds those that it gives to `news`.
    async fn ask(
        &mut self,
        peer: PublicKey,
        wants: &[Cid],
        news: &mut Vec<Checked>,
    ) -> Result<(), Refusal> {
        let inner = self.inner.clone();
        let open = self.stream(peer).await?;
        open.clean = false;
        for wants in wants.chunks(inner.config.fetch_window) {
            let request = encode_request(wants);
            let sent = write_frame(&mut open.stream, &request);
            within(&*inner.clock, inner.config.fetch_answer_ms, sent).await.map_err(broken)?;
            for cid in wants {
                if let Some(bytes) = read_answer(&inner, peer, &mut open.stream).await? {
                    let Ok(block) = Checked::check(*cid, bytes) else {
                        inner.streams.penalise(peer, Offence::BadContent);
                        return Err(Refusal::BadContent);
                    };
                    news.push(block);
                }
            }
        }
        open.clean = true;
        Ok(())
    }

    /// The stream to the peer: the one that is open, one that an earlier session left, or a new
    /// one. One to another peer is given back first.
    async fn stream(&mut self, peer: PublicKey) -> Result<&mut Open, Refusal> {
        if self.open.as_ref().is_none_or(|open| open.peer != peer) {
            self.give_back();
            let permit = self.inner.permit(peer).await;
            let idle = self.inner.idle(peer);
            let used = idle.is_some();
            let stream = match idle {
                Some(stream) => stream,
                None => self.inner.streams.open(peer, PROTOCOL).await?,
            };
            self.open = Some(Open { peer, stream, _permit: permit, used, clean: true });
        }
        Ok(self.open.as_mut().expect("it was opened above"))
    }

    fn give_back(&mut self) {
        if let Some(open) = self.open.take()
            && open.clean
        {
            self.inner.keep_idle(open.peer, open.stream);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.give_back();
    }
}

async fn read_answer(
    inner: &Inner,
    peer: PublicKey,
    stream: &mut Stream,
) -> Result<Option<Bytes>, Refusal> {
    let limit_bytes = ANSWER_HEAD_BYTES + inner.config.fetch_blob_bytes;
    let answer = read_frame(stream, limit_bytes);
    let frame = match within(&*inner.clock, inner.config.fetch_answer_ms, answer).await {
        Ok(Some(frame)) => frame,
        Ok(None) => return Err(Refusal::Broken("it closed the stream".into())),
        Err(error) => {
            if error.kind() == io::ErrorKind::InvalidData {
                inner.streams.penalise(peer, Offence::Oversized);
            }
            return Err(broken(error));
        }
    };
    decode_answer(frame).map_err(|()| {
        inner.streams.penalise(peer, Offence::Malformed);
        Refusal::Broken("it sent no answer that can be read".into())
    })
}

fn broken(error: io::Error) -> Refusal {
    Refusal::Broken(error.to_string())
}
