//! The node behind its front door: `api::NodeApi`.

mod chores;
mod cluster;
mod evidence;
mod jobs;
mod live;
mod past;
mod placing;
mod second;
mod standing;
mod stock;

use crate::{
    events::Missed,
    heard::Heard,
    home::{Home, blob_error, unavailable},
    join,
    measure::Own,
    upkeep::Care,
};
use api::{
    ApiError, Code, DisputeInfo, EvidenceInfo, FinalBlock, JobDetail, JobEvents, JobSummary,
    JoinLine, KnownPeer, KnownTask, NodeApi, NodeInfo, NodeLoad, PlacedTx, Reply, SanctionInfo,
    Status, Submission, Totals, path,
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt};
use identity::{Digest, PublicKey, SecretKey};
use network::Network;
use objects::Cid;
use protocol::{
    Block, Distinct, Header, Height, InvitationKind, JobId, TaskIndex, TaskKey, port::Blobs,
};
use std::collections::{BTreeMap, BTreeSet};

/// The node, as its owner's doors see it.
pub(crate) struct Door {
    pub(crate) home: Home,
    pub(crate) network: Network,
    pub(crate) owner: Option<SecretKey>,
    pub(crate) fingerprint: Digest,
    /// What peers say of themselves.
    pub(crate) heard: Heard,
    /// What this node measured of itself.
    pub(crate) own: Own,
    /// Free space that the store leaves to the journals.
    pub(crate) reserve_bytes: u64,
    /// Takes care of the store, and finds what is not in it.
    pub(crate) care: Care,
}

impl Door {
    fn me(&self) -> PublicKey {
        self.home.key.public()
    }

    fn connected(&self) -> BTreeSet<PublicKey> {
        let mut connected: BTreeSet<_> = self.home.streams.peers().into_iter().collect();
        connected.insert(self.me());
        connected
    }

    async fn block_of_content(&self, cid: Cid) -> Result<Bytes, ApiError> {
        self.care.block(cid).await.map_err(not_had)
    }

    async fn blocks_of_content(&self, cids: Vec<Cid>) -> Result<Vec<Bytes>, ApiError> {
        if cids.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = cids.clone();
        let here = self.home.store.get_some(cids, path::BLOBS_BYTES).await.map_err(blob_error)?;
        let blocks: Vec<Bytes> = here.into_iter().map_while(|block| block).collect();
        if blocks.is_empty() {
            return Ok(vec![self.care.first_of(&wanted).await.map_err(not_had)?]);
        }
        Ok(blocks)
    }

    fn status_now(&self, totals: Totals) -> Status {
        let ledger = self.home.chain.ledger();
        let roster = ledger.roster();
        let genesis = self.home.chain.genesis();
        let me = self.me();
        let connected = self.connected();
        let parties: BTreeSet<_> =
            connected.iter().filter_map(|node| roster.party_of_node(node)).collect();
        let owner = roster.node(&me).map(|record| record.owner);
        let own = self.owner.as_ref().map(SecretKey::public);
        Status {
            node: me,
            owner: owner.or(own).unwrap_or(me),
            network: ledger.network(),
            network_name: genesis.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            addresses: self.network.addresses().iter().map(ToString::to_string).collect(),
            validator: genesis.validators.contains(&me),
            admitted: owner.is_some(),
            validators: u32::try_from(genesis.validators.len()).unwrap_or(u32::MAX),
            height: ledger.tip().height,
            head_time: ledger.tip().time,
            clock: self.home.clock.now(),
            peers: u32::try_from(connected.len() - 1).unwrap_or(u32::MAX),
            parties: u32::try_from(parties.len()).unwrap_or(u32::MAX),
            fingerprint: self.fingerprint,
            job_lifetime_ms: ledger.params().job_lifetime_ms,
            distinct: ledger.params().distinct,
            heartbeat_ms: ledger.params().heartbeat_ms,
            reserve_bytes: self.reserve_bytes,
            totals,
        }
    }

    fn nodes_now(&self, loads: &BTreeMap<PublicKey, NodeLoad>) -> Vec<NodeInfo> {
        let ledger = self.home.chain.ledger();
        let roster = ledger.roster();
        let genesis = self.home.chain.genesis();
        let connected = self.connected();
        let addresses_of = |node: &PublicKey| {
            if *node == self.me() {
                return self.network.addresses().iter().map(ToString::to_string).collect();
            }
            let founder = genesis.founders.iter().find(|f| f.payload.node == *node);
            founder.map(|f| f.payload.addresses.clone()).unwrap_or_default()
        };
        let measured = |node: &PublicKey| {
            let own = self.own.profile(node).map(|signed| (signed.payload, 0));
            own.or_else(|| {
                let said = self.heard.of(node)?;
                Some((said.profile?, said.rtt_ms))
            })
        };
        roster
            .nodes()
            .map(|(node, record)| (node, record, roster.party_of_node(node).unwrap_or(*node)))
            .map(|(node, record, party)| NodeInfo {
                node: *node,
                owner: record.owner,
                owner_name: roster.owner(&record.owner).map(|o| o.name.clone()).unwrap_or_default(),
                party,
                barred_until: roster.barred_until(&party),
                lost: standing::lost(&ledger, &record.owner),
                validator: genesis.validators.contains(node),
                connected: connected.contains(node),
                addresses: addresses_of(node),
                about: self.heard.of(node).map(|said| said.about),
                profile: measured(node).map(|(profile, _)| profile),
                rtt_ms: measured(node).map(|(_, rtt_ms)| rtt_ms),
                load: loads.get(node).cloned(),
            })
            .collect()
    }

    async fn final_block(&self, height: Height) -> Result<FinalBlock, ApiError> {
        let chain = &self.home.chain;
        if height == Height(0) {
            let header = ledger::Ledger::genesis(chain.genesis()).tip().clone();
            return Ok(FinalBlock { block: Block { header, txs: Vec::new() }, finality: None });
        }
        let found = chain.block(height).await.map_err(internal)?;
        let (block, _) = found.ok_or_else(|| {
            let head = *chain.head().borrow();
            ApiError::new(Code::NotFound, format!("there is no block {height}; the last is {head}"))
                .next("see the last one with: polity ledger head")
        })?;
        let finality = chain.finality(&block).await.map_err(internal)?;
        Ok(FinalBlock { block, finality })
    }

    async fn placed_tx(&self, digest: Digest) -> Result<PlacedTx, ApiError> {
        let found = self.home.chain.find(&digest).await.map_err(internal)?;
        let (block, index) = found.ok_or_else(|| {
            ApiError::new(Code::NotFound, format!("no final transaction is named {digest}"))
        })?;
        let height = block.header.height;
        let tx = block.txs.into_iter().nth(index).expect("found at this place");
        Ok(PlacedTx { height, index: u32::try_from(index).unwrap_or(u32::MAX), tx })
    }

    fn invite_now(&self, kind: InvitationKind, lifetime_ms: u64) -> Result<JoinLine, ApiError> {
        let chain = &self.home.chain;
        let sponsor = self.owner.as_ref().ok_or_else(|| {
            ApiError::new(Code::NotAdmitted, "this machine does not have the owner's key")
                .next("invite from the machine on which 'polity key show' names the owner")
        })?;
        let ledger = chain.ledger();
        if ledger.roster().owner(&sponsor.public()).is_none() {
            let message = format!("{} is not an admitted owner", sponsor.public());
            return Err(ApiError::new(Code::NotAdmitted, message));
        }
        let alone = ledger.params().distinct == Distinct::Nodes;
        if alone && (kind == InvitationKind::Owner || self.network.addresses().is_empty()) {
            let message = "nobody can join the polity of the node in the background: it is this \
                           machine's alone, and listens nowhere";
            return Err(ApiError::new(Code::Refused, message)
                .next("found one with others, see: polity found --help"));
        }
        let longest = ledger.params().invitation_lifetime_ms;
        if lifetime_ms == 0 || lifetime_ms > longest {
            return Err(too_long(longest));
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)
            .map_err(|error| ApiError::new(Code::Internal, format!("no randomness: {error}")))?;
        let expires = ledger.tip().time.max(self.home.clock.now()).after_ms(lifetime_ms);
        let mut peers = vec![KnownPeer {
            node: self.me(),
            addresses: self.network.addresses().iter().map(ToString::to_string).take(8).collect(),
        }];
        peers.extend(chain.genesis().founders.iter().filter(|f| f.payload.node != self.me()).map(
            |founder| KnownPeer {
                node: founder.payload.node,
                addresses: founder.payload.addresses.clone(),
            },
        ));
        let one_time = SecretKey::from_seed(seed);
        Ok(join::invite(chain, sponsor, one_time, kind, expires, peers))
    }
}

fn not_had(error: storage::exchange::FetchError) -> ApiError {
    ApiError::new(Code::ObjectUnavailable, error.to_string())
        .next("try again when more nodes are connected: polity node list")
}

fn internal(error: impl std::fmt::Display) -> ApiError {
    ApiError::new(Code::Internal, error.to_string()).next("look at the node's log")
}

impl NodeApi for Door {
    fn submit(&self, submission: Submission) -> Reply<'_, JobEvents> {
        async move {
            let (tasks, by) = (submission.order.payload.tasks, submission.order.by);
            let id = submission.order.payload.id();
            let job = match self.home.admit(submission).await {
                Ok(job) => job,
                Err(error) => {
                    tracing::info!(job = %id, by = %by.short(), tasks, %error, "an order is refused");
                    return Err(error);
                }
            };
            tracing::info!(%job, by = %by.short(), tasks, "an order is admitted");
            self.events_of(job).await
        }
        .boxed()
    }

    fn events(&self, job: JobId) -> Reply<'_, JobEvents> {
        self.events_of(job).boxed()
    }

    fn jobs(&self) -> Reply<'_, Vec<JobSummary>> {
        self.all_jobs().boxed()
    }

    fn job(&self, job: JobId, from: TaskIndex) -> Reply<'_, JobDetail> {
        self.job_detail(job, from).boxed()
    }

    fn cancel(&self, job: JobId) -> Reply<'_, ()> {
        async move {
            let known = self.home.cluster.read(move |work| work.job(&job).is_some()).await;
            if !known.map_err(unavailable)? {
                return Err(jobs::unknown(&job));
            }
            self.home.tell_soon(work::Input::Cancel { job }).await.map_err(unavailable)
        }
        .boxed()
    }

    fn pause(&self, job: JobId, on: bool) -> Reply<'_, ()> {
        async move {
            let known = self.home.cluster.read(move |work| work.job(&job).is_some()).await;
            if !known.map_err(unavailable)? {
                return Err(jobs::unknown(&job));
            }
            let input = if on { work::Input::Pause { job } } else { work::Input::Resume { job } };
            self.home.tell_soon(input).await.map_err(unavailable)
        }
        .boxed()
    }

    fn receipt(&self, job: JobId) -> Reply<'_, Bytes> {
        self.receipt_of(job).boxed()
    }

    fn blob(&self, cid: Cid) -> Reply<'_, Bytes> {
        self.block_of_content(cid).boxed()
    }

    fn blobs(&self, cids: Vec<Cid>) -> Reply<'_, Vec<Bytes>> {
        self.blocks_of_content(cids).boxed()
    }

    fn has(&self, cids: Vec<Cid>) -> Reply<'_, Vec<bool>> {
        async move { self.home.store.has(cids).await.map_err(blob_error) }.boxed()
    }

    fn known(&self, keys: Vec<TaskKey>) -> Reply<'_, Vec<Option<KnownTask>>> {
        async move { self.home.find_known(&keys).await }.boxed()
    }

    fn status(&self) -> Reply<'_, Status> {
        async move {
            // As it is known here: a node whose cluster has no leader has a status all the same.
            let (totals, _) = self.home.cluster.look(placing::totals);
            Ok(self.status_now(totals))
        }
        .boxed()
    }

    fn metrics(&self) -> Reply<'_, String> {
        async move { Ok(self.home.metrics.text(&self.home).await) }.boxed()
    }

    fn nodes(&self) -> Reply<'_, Vec<NodeInfo>> {
        async move {
            let loads = |work: &work::Work| {
                let loads = work.nodes().map(|view| (view.node, placing::load(&view)));
                loads.collect::<BTreeMap<_, _>>()
            };
            let (loads, _) = self.home.cluster.look(loads);
            Ok(self.nodes_now(&loads))
        }
        .boxed()
    }

    fn head(&self) -> Reply<'_, Header> {
        async move { Ok(self.home.chain.ledger().tip().clone()) }.boxed()
    }

    fn block(&self, height: Height) -> Reply<'_, FinalBlock> {
        self.final_block(height).boxed()
    }

    fn tx(&self, digest: Digest) -> Reply<'_, PlacedTx> {
        self.placed_tx(digest).boxed()
    }

    fn disputes(&self) -> Reply<'_, Vec<DisputeInfo>> {
        async move { Ok(self.disputes_now()) }.boxed()
    }

    fn sanctions(&self) -> Reply<'_, Vec<SanctionInfo>> {
        async move { Ok(self.sanctions_now()) }.boxed()
    }

    fn evidence(&self) -> Reply<'_, Vec<EvidenceInfo>> {
        async move { Ok(self.evidence_now()) }.boxed()
    }

    fn evidence_file(&self, id: Digest) -> Reply<'_, Bytes> {
        self.evidence_of(id).boxed()
    }

    fn second(&self, owner: PublicKey) -> Reply<'_, Digest> {
        self.second_now(owner).boxed()
    }

    fn invite(&self, kind: InvitationKind, lifetime_ms: u64) -> Reply<'_, JoinLine> {
        async move { self.invite_now(kind, lifetime_ms) }.boxed()
    }
}

impl Door {
    async fn events_of(&self, job: JobId) -> Result<JobEvents, ApiError> {
        let hub = &self.home.hub;
        hub.restored().await;
        if let Some(events) = hub.subscribe(&job) {
            return Ok(events.map_err(was_behind).boxed());
        }
        Ok(match self.past_events(job).await? {
            Some(told) => futures::stream::iter(told.into_iter().map(Ok)).boxed(),
            None => hub.follow(&job).map_err(was_behind).boxed(),
        })
    }
}

/// Who asks once more is told what the receipt says.
fn was_behind(Missed: Missed) -> ApiError {
    ApiError::new(Code::Cut, "this member of the cluster was behind while the job ended; ask again")
}

/// An invitation was to be good for longer than the genesis allows, or not at all.
fn too_long(longest_ms: u64) -> ApiError {
    // Rounded down, so that what is advised is taken.
    let (number, unit, short) = match longest_ms {
        86_400_000.. => (longest_ms / 86_400_000, "day", "d"),
        3_600_000.. => (longest_ms / 3_600_000, "hour", "h"),
        _ => (longest_ms, "ms", "ms"),
    };
    let several = if number == 1 || unit == "ms" { "" } else { "s" };
    let message = format!("an invitation is valid for {number} {unit}{several} at most here");
    ApiError::new(Code::Refused, message)
        .next(format!("type: polity invite --lifetime {number}{short}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_invitation_is_said_as_it_is_typed() {
        for (longest_ms, said, typed) in [
            (604_800_000, "7 days", "--lifetime 7d"),
            (90_000_000, "1 day at most", "--lifetime 1d"),
            (7_200_000, "2 hours", "--lifetime 2h"),
            (1_500, "1500 ms", "--lifetime 1500ms"),
        ] {
            let error = too_long(longest_ms);
            assert!(error.message.contains(said), "{}", error.message);
            assert!(error.next.unwrap().ends_with(typed), "{typed}");
        }
    }
}
