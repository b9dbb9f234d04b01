//! Where the shards of an object are, and what may be lost now.

use super::{
    Error, Keeper,
    keeper::Inner,
    pages::{Pages, shards},
    walk::read_all,
    wire,
};
use crate::exchange::{FetchError, Refusal};
use futures::future::join_all;
use identity::{Digest, PublicKey, Signed};
use objects::Cid;
use protocol::{
    Groups, Manifest,
    durability::{KeepReply, KeepRequest, Placement, Tolerance, answer_to},
    limits,
    port::Offence,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// What is known of one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    /// Its holder showed that it has it, and this node knows the bytes.
    Shown,
    /// Its holder says that it has it.
    Said,
    /// Its holder does not have it, or has other bytes.
    Absent,
    /// Its holder could not be asked.
    Unknown,
}

/// One shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardAt {
    /// Its group.
    pub group: u64,
    /// Its place in the group: data first.
    pub place: usize,
    /// Its name.
    pub cid: Cid,
    /// Its length.
    pub bytes: u32,
    /// Who holds it.
    pub holder: PublicKey,
    /// Whether it is there.
    pub presence: Presence,
}

/// What one node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderAt {
    /// The node.
    pub node: PublicKey,
    /// Its slots.
    pub slots: Vec<usize>,
    /// Shards that it is to hold, their bytes, and how many of them are there.
    pub shards: u64,
    /// Bytes of these shards.
    pub bytes: u64,
    /// Those that are there, as far as it says or shows.
    pub present: u64,
    /// Those that it does not have.
    pub absent: u64,
    /// Why it could not be asked.
    pub unreachable: Option<String>,
}

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Whereabouts {
    /// What is protected, and how.
    pub manifest: Arc<Signed<Manifest>>,
    /// Who holds what.
    pub placement: Arc<Signed<Placement>>,
    /// Every holder, in the order of its first slot.
    pub holders: Vec<HolderAt>,
    /// The first shards, as many as were asked for.
    pub shards: Vec<ShardAt>,
    /// Groups of which there are fewer shards than it takes.
    pub unreadable: u64,
    /// What may be lost now; `None` if something is unreadable already.
    pub tolerance: Option<Tolerance>,
}

/// How closely to look.
pub struct Look<'a> {
    /// Makes the answers of holders new: random.
    pub challenge: Digest,
    /// Shards of every holder and page that are fetched to see whether they are there, besides
    /// those whose bytes are here anyway.
    pub sample: usize,
    /// Shards that are listed one by one, at most.
    pub list: usize,
    /// The owner of a node.
    pub owner_of: &'a (dyn Fn(&PublicKey) -> PublicKey + Sync),
}

impl Keeper {
    /// Asks every holder of an object for its shards. A holder that claims what it does not have
    /// is found out where the bytes are known here, or where it is asked for a sample.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Fetch`] for its pages, [`Error::Store`].
    pub async fn whereabouts(&self, manifest: Cid, look: Look<'_>) -> Result<Whereabouts, Error> {
        let inner = &*self.inner;
        let (record, placement) = inner.placed(&manifest)?;
        let slots = &placement.payload.slots;
        let mut holders: Vec<HolderAt> = Vec::new();
        for node in slots {
            if holders.iter().all(|holder| holder.node != *node) {
                let slots = placement.payload.slots_of(node);
                let (shards, bytes, present, absent) = (0, 0, 0, 0);
                let unreachable = None;
                let node = *node;
                holders.push(HolderAt { node, slots, shards, bytes, present, absent, unreachable });
            }
        }
        let (mut listed, mut unreadable) = (Vec::new(), 0);
        let mut tolerance: Option<Tolerance> = None;
        let mut pages = Pages::new(&record.manifest.payload);
        while let Some((_, page)) = pages.wanted() {
            let bytes = inner.parts.fetcher.fetch(page, slots).await?;
            let page = pages.give(&bytes)?;
            let presence = inner.look_at(&page, slots, &mut holders, &look).await?;
            let mut there: BTreeMap<u64, Vec<(PublicKey, PublicKey)>> = BTreeMap::new();
            for (group, _, place, shard, slot) in shards(&page, slots.len()) {
                let holder = slots[slot];
                let presence = presence[&(holder, shard.cid)];
                let found = there.entry(group).or_default();
                if matches!(presence, Presence::Shown | Presence::Said) {
                    found.push((holder, (look.owner_of)(&holder)));
                }
                if listed.len() < look.list {
                    let (cid, bytes) = (shard.cid, shard.bytes);
                    listed.push(ShardAt { group, place, cid, bytes, holder, presence });
                }
            }
            for ((_, found), group) in there.iter().zip(&page.groups) {
                match Tolerance::of(found, group.data.len()) {
                    None => unreadable += 1,
                    Some(own) => {
                        let least = tolerance.get_or_insert(own);
                        least.owners = least.owners.min(own.owners);
                        least.nodes = least.nodes.min(own.nodes);
                    }
                }
            }
        }
        let tolerance = tolerance.filter(|_| unreadable == 0);
        let manifest = record.manifest;
        Ok(Whereabouts { manifest, placement, holders, shards: listed, unreadable, tolerance })
    }
}

impl Inner {
    /// Asks all holders for their shards of one page.
    async fn look_at(
        &self,
        page: &Groups,
        slots: &[PublicKey],
        holders: &mut [HolderAt],
        look: &Look<'_>,
    ) -> Result<HashMap<(PublicKey, Cid), Presence>, Error> {
        let mut own: BTreeMap<PublicKey, Vec<(Cid, u64)>> = BTreeMap::new();
        for (.., shard, slot) in shards(page, slots.len()) {
            own.entry(slots[slot]).or_default().push((shard.cid, u64::from(shard.bytes)));
        }
        let looks = own.iter().map(|(node, own)| async {
            let cids: Vec<Cid> = own.iter().map(|(cid, _)| *cid).collect();
            (*node, self.audit(*node, &cids, look.challenge, look.sample).await)
        });
        let mut presence = HashMap::new();
        for (node, seen) in join_all(looks).await {
            let holder = holders.iter_mut().find(|holder| holder.node == node);
            let holder = holder.expect("every slot is of a holder");
            let seen = match seen {
                Ok(seen) => seen,
                Err(Error::Store(error)) => return Err(error.into()),
                Err(error) => {
                    holder.unreachable = Some(error.to_string());
                    vec![Presence::Unknown; own[&node].len()]
                }
            };
            for ((cid, bytes), seen) in own[&node].iter().zip(seen) {
                holder.shards += 1;
                holder.bytes += bytes;
                holder.present += u64::from(matches!(seen, Presence::Shown | Presence::Said));
                holder.absent += u64::from(seen == Presence::Absent);
                presence.insert((node, *cid), seen);
            }
        }
        Ok(presence)
    }

    /// Has a node show some shards, in their order.
    pub(super) async fn audit(
        &self,
        node: PublicKey,
        cids: &[Cid],
        challenge: Digest,
        sample: usize,
    ) -> Result<Vec<Presence>, Error> {
        let mut seen = Vec::with_capacity(cids.len());
        if node == self.me() {
            let found = read_all(&*self.parts.blobs, cids).await?;
            let state = |bytes: &Option<_>| match bytes {
                Some(_) => Presence::Shown,
                None => Presence::Absent,
            };
            return Ok(found.iter().map(state).collect());
        }
        for cids in cids.chunks(limits::SHOWN) {
            let request = KeepRequest::Show { challenge, cids: cids.to_vec() };
            let KeepReply::Shown { answers } = self.ask(node, &request).await? else {
                return Err(wire::beside_the_point(&*self.parts.streams, node));
            };
            if answers.len() != cids.len() {
                return Err(wire::beside_the_point(&*self.parts.streams, node));
            }
            for (cid, answer) in cids.iter().zip(answers) {
                seen.push(match answer {
                    None => Presence::Absent,
                    Some(answer) => self.check_answer(node, *cid, &challenge, answer).await?,
                });
            }
        }
        self.sample(node, cids, &challenge, sample, &mut seen).await?;
        Ok(seen)
    }

    /// Compares an answer with the bytes, if they are here.
    async fn check_answer(
        &self,
        node: PublicKey,
        cid: Cid,
        challenge: &Digest,
        answer: Digest,
    ) -> Result<Presence, Error> {
        let own = read_all(&*self.parts.blobs, &[cid]).await?.pop().flatten();
        Ok(match own {
            None => Presence::Said,
            Some(bytes) if answer_to(challenge, &bytes) == answer => Presence::Shown,
            Some(_) => {
                self.parts.streams.penalise(node, Offence::BadContent);
                Presence::Absent
            }
        })
    }

    /// Fetches some of what a node says it has, drawn by the challenge.
    async fn sample(
        &self,
        node: PublicKey,
        cids: &[Cid],
        challenge: &Digest,
        sample: usize,
        seen: &mut [Presence],
    ) -> Result<(), Error> {
        let mut said: Vec<usize> =
            (0..cids.len()).filter(|at| seen[*at] == Presence::Said).collect();
        let lot = |at: &usize| {
            Digest::of("polity keep sample", &[challenge.as_bytes(), &cids[*at].to_bytes()])
        };
        said.sort_by_cached_key(lot);
        for at in said.into_iter().take(sample) {
            let lease = self.scratch.lease(vec![cids[at]]);
            match self.passing.fetch_all(&[cids[at]], &[node]).await {
                Ok(()) if lease.get(&cids[at]).is_some() => seen[at] = Presence::Shown,
                Ok(()) => {}
                Err(FetchError::NotFound { tried, .. }) => {
                    let lied =
                        |why: &Refusal| matches!(why, Refusal::Missing | Refusal::BadContent);
                    if tried.iter().any(|(_, refusal)| lied(refusal)) {
                        seen[at] = Presence::Absent;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
