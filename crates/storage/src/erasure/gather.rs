//! Shards of other nodes, and what can be made of them.

use super::{Error, keeper::Inner, protect::run, walk::read_all};
use crate::{
    exchange::{FetchError, Fetcher, Refusal},
    lock::lock,
};
use bytes::Bytes;
use futures::future::try_join_all;
use identity::PublicKey;
use objects::{Checked, Cid};
use protocol::durability::{Group, Placement, slot_of};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Mutex,
};

/// Shards that are asked for at once.
const CHUNK: usize = 16;

/// Shards of one group that are wanted and cannot be had as they are.
pub(super) struct Want {
    pub(super) number: u64,
    pub(super) group: Group,
    /// Their places in the group, in order.
    pub(super) places: Vec<usize>,
}

/// Getting shards of one object from its holders; remembers who does not help.
pub(super) struct Gathering<'a> {
    pub(super) inner: &'a Inner,
    pub(super) placement: &'a Placement,
    away: Mutex<BTreeMap<PublicKey, String>>,
}

/// A group whose shards are being collected.
struct Collected {
    want: Want,
    have: BTreeMap<usize, Bytes>,
    tried: BTreeSet<usize>,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(inner: &'a Inner, placement: &'a Placement) -> Self {
        Self { inner, placement, away: Mutex::default() }
    }

    /// As [`Self::rebuild`], into the store; answers how many blocks and bytes that were.
    pub(super) async fn restore(&self, wants: Vec<Want>) -> Result<(u64, u64), Error> {
        let blocks = self.rebuild(wants).await?;
        let bytes = blocks.iter().map(|checked| checked.block().bytes.len() as u64).sum();
        let count = blocks.len() as u64;
        self.inner.parts.blobs.put_checked(blocks).await?;
        Ok((count, bytes))
    }

    /// Fetches from one node what it has of these, unless it did not help before.
    pub(super) async fn fetch(
        &self,
        fetcher: &Fetcher,
        node: PublicKey,
        cids: &[Cid],
    ) -> Result<(), Error> {
        for cids in cids.chunks(CHUNK) {
            if node == self.inner.me() || lock(&self.away).contains_key(&node) {
                return Ok(());
            }
            match fetcher.fetch_all(cids, &[node]).await {
                Ok(()) => {}
                Err(FetchError::NotFound { tried, .. }) => {
                    let refusal = tried.into_iter().map(|(_, refusal)| refusal).next_back();
                    if let Some(refusal) = refusal.filter(|why| *why != Refusal::Missing) {
                        lock(&self.away).insert(node, refusal.to_string());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Makes shards of others: what is here counts, the rest comes from their holders, and as many
    /// as it takes. Whoever sends something else than was asked for is not asked again.
    ///
    /// # Errors
    /// [`Error::TooFew`], [`Error::Inconsistent`], [`Error::Store`].
    pub(super) async fn rebuild(&self, wants: Vec<Want>) -> Result<Vec<Checked>, Error> {
        let mut all = self.local(wants).await?;
        let cids = all.iter().flat_map(|one| one.want.group.shards().map(|shard| shard.cid));
        let lease = self.inner.scratch.lease(cids.collect());
        let connected: HashSet<PublicKey> = self.inner.parts.streams.peers().into_iter().collect();
        loop {
            let mut orders: BTreeMap<PublicKey, Vec<Cid>> = BTreeMap::new();
            let mut asked = Vec::new();
            for (at, one) in all.iter().enumerate() {
                for place in self.next_places(one, &connected)? {
                    let cid = one.cid(place);
                    orders.entry(self.holder(&one.want, place)).or_default().push(cid);
                    asked.push((at, place, cid));
                }
            }
            if orders.is_empty() {
                break;
            }
            let fetches =
                orders.iter().map(|(node, cids)| self.fetch(&self.inner.passing, *node, cids));
            try_join_all(fetches).await?;
            for (at, place, cid) in asked {
                match lease.get(&cid) {
                    Some(bytes) => drop(all[at].have.insert(place, bytes)),
                    None => drop(all[at].tried.insert(place)),
                }
            }
        }
        drop(lease);
        self.decode(all).await
    }

    fn holder(&self, want: &Want, place: usize) -> PublicKey {
        let slots = &self.placement.slots;
        slots[slot_of(want.number, place, slots.len())]
    }

    /// What this node has itself.
    async fn local(&self, wants: Vec<Want>) -> Result<Vec<Collected>, Error> {
        let cids: Vec<Cid> =
            wants.iter().flat_map(|want| want.group.shards().map(|shard| shard.cid)).collect();
        let mut found = read_all(&*self.inner.parts.blobs, &cids).await?.into_iter();
        let collect = |want: Want| {
            let own: Vec<_> = found.by_ref().take(want.group.total()).collect();
            let have = own.into_iter().enumerate().filter_map(|(at, bytes)| Some((at, bytes?)));
            Collected { have: have.collect(), tried: BTreeSet::new(), want }
        };
        Ok(wants.into_iter().map(collect).collect())
    }

    /// The places that are asked for next: as many as are missing, of connected holders first.
    fn next_places(
        &self,
        one: &Collected,
        connected: &HashSet<PublicKey>,
    ) -> Result<Vec<usize>, Error> {
        let need = one.want.group.data.len();
        let missing = need.saturating_sub(one.have.len());
        if missing == 0 {
            return Ok(Vec::new());
        }
        let me = self.inner.me();
        let away = lock(&self.away);
        let mut places: Vec<usize> = (0..one.want.group.total())
            .filter(|place| !one.have.contains_key(place) && !one.tried.contains(place))
            .filter(|place| {
                let holder = self.holder(&one.want, *place);
                holder != me && !away.contains_key(&holder)
            })
            .collect();
        // What can be had is fetched even if it will not do: so that it is known who is missing.
        if places.is_empty() {
            let away = self.reasons(one, &away);
            return Err(Error::TooFew { group: one.want.number, have: one.have.len(), need, away });
        }
        places.sort_by_key(|place| !connected.contains(&self.holder(&one.want, *place)));
        places.truncate(missing);
        Ok(places)
    }

    /// Why the holders of what is missing did not help.
    fn reasons(
        &self,
        one: &Collected,
        away: &BTreeMap<PublicKey, String>,
    ) -> Vec<(PublicKey, String)> {
        let places = (0..one.want.group.total()).filter(|place| !one.have.contains_key(place));
        let mut reasons: BTreeMap<PublicKey, String> = BTreeMap::new();
        for node in places.map(|place| self.holder(&one.want, place)) {
            let reason = match away.get(&node) {
                Some(reason) => reason.clone(),
                None if node == self.inner.me() => "this node lost its shard".into(),
                None => "does not have its shard".into(),
            };
            reasons.insert(node, reason);
        }
        reasons.into_iter().collect()
    }

    async fn decode(&self, all: Vec<Collected>) -> Result<Vec<Checked>, Error> {
        let mut codes = Vec::with_capacity(all.len());
        for one in &all {
            codes.push(self.inner.code(one.want.group.data.len(), one.want.group.total())?);
        }
        let manifest = self.placement.manifest;
        let made = run(move || {
            let mut made = Vec::new();
            for (one, code) in all.iter().zip(codes) {
                made.extend(one.decode(&code, manifest)?);
            }
            Ok(made)
        });
        made.await?
    }
}

impl Collected {
    fn cid(&self, place: usize) -> Cid {
        let data = &self.want.group.data;
        data.get(place).unwrap_or_else(|| &self.want.group.parity[place - data.len()]).cid
    }

    fn decode(&self, code: &super::Code, manifest: Cid) -> Result<Vec<Checked>, Error> {
        let group = &self.want.group;
        let lengths: Vec<usize> = group.shards().map(|shard| shard.bytes as usize).collect();
        let shards: Vec<Option<&[u8]>> =
            (0..group.total()).map(|place| self.have.get(&place).map(|bytes| &bytes[..])).collect();
        let wanted: Vec<(usize, usize)> =
            self.want.places.iter().map(|place| (*place, lengths[*place])).collect();
        let made = code.reconstruct(&shards, &wanted)?;
        let named = wanted.iter().zip(made).map(|((place, _), bytes)| {
            Checked::check(self.cid(*place), bytes.into())
                .map_err(|_| Error::Inconsistent { manifest, group: self.want.number })
        });
        named.collect()
    }
}

/// Cuts wants into batches whose sources have so many bytes at most, one want at least.
pub(super) fn batches(wants: Vec<Want>, limit_bytes: u64) -> Vec<Vec<Want>> {
    let mut batches: Vec<Vec<Want>> = Vec::new();
    let mut room = 0;
    for want in wants {
        let longest = want.group.shards().map(|shard| u64::from(shard.bytes)).max();
        let size = longest.unwrap_or_default() * want.group.data.len() as u64;
        match batches.last_mut().filter(|_| size <= room) {
            Some(batch) => {
                room -= size;
                batch.push(want);
            }
            None => {
                room = limit_bytes.saturating_sub(size);
                batches.push(vec![want]);
            }
        }
    }
    batches
}
