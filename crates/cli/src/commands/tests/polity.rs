//! A polity in memory with real keys: it runs nothing, but what it says is signed, agreed on and
//! certified, so that its receipts hold.

mod cluster;
mod ends;
mod known;
mod storage;

use super::lies::Lie;
use api::{
    ApiError, AuditCount, Code, DisputeInfo, EvidenceInfo, FinalBlock, JobDetail, JobEvents,
    JobState, JobSummary, JobTimes, JoinLine, KnownTask, LostRight, NodeApi, NodeInfo, PinInfo,
    PlacedTx, Reply, SanctionInfo, Status, Submission, TaskDetail, Whereabouts,
};
use bytes::Bytes;
use ends::state_of;
pub(crate) use ends::{end_of, outcome};
use futures::{FutureExt, StreamExt, future, stream};
use identity::{Digest, NetworkId, PublicKey, SecretKey, Signed};
use objects::{Cid, file};
use protocol::{
    Agreed, Agreements, Attempt, Block, Body, Certificate, CommitBatch, Commitment, Finality,
    Founder, Genesis, Header, Height, Invitation, InvitationKind, Job, JobEvent, JobId, Member,
    Outcome, Params, Part, Placement, Receipt, Reveal, RevealBatch, Right, Salt, TaskIndex,
    TaskKey, TaskTable, Time, Tx, Unsettled, commitment_of, merkle::Inclusion, set_digest,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

/// How the polity misbehaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// Refuses every order.
    Refuses,
    /// Changes one bit of every receipt.
    ForgesReceipt,
    /// Tells another outcome in its events than in the receipt.
    TellsSomethingElse,
    /// Has lost what tasks gave.
    LosesResults,
    /// Breaks the first stream of events in the middle.
    BreaksOff,
    /// Works on every job until somebody asks for its events again.
    Lingers,
}

struct Kept {
    order: Signed<Job>,
    after: Vec<JobId>,
    table: TaskTable,
    events: Vec<JobEvent>,
    receipt: Bytes,
    summary: JobSummary,
    lies: Vec<Lie>,
}

#[derive(Default)]
struct State {
    blobs: HashMap<Cid, Bytes>,
    jobs: BTreeMap<JobId, Kept>,
    pins: Vec<PinInfo>,
    spread: HashMap<Cid, Whereabouts>,
    /// Blocks that were put.
    put: u64,
    /// What a peer of IPFS has.
    foreign: Vec<objects::Block>,
    managed: cluster::Managed,
}

/// Four founders, of which the first one's node is the home of every job.
pub(crate) struct Polity {
    pub(crate) genesis: Genesis,
    pub(crate) nodes: Vec<SecretKey>,
    owner: SecretKey,
    fault: Fault,
    broke: AtomicBool,
    refuses: AtomicBool,
    /// Owners that are connected.
    pub(crate) parties: u32,
    state: Mutex<State>,
}

impl Polity {
    /// `owner` and `node` are the keys of the first founder.
    pub(crate) fn found(owner: SecretKey, node: SecretKey, fault: Fault, parties: u32) -> Self {
        let key = |n: u8| SecretKey::from_seed([n; 32]);
        let owners = [owner.clone(), key(2), key(3), key(4)];
        let nodes = vec![node, key(102), key(103), key(104)];
        let founders = owners.iter().zip(&nodes).zip(1..).map(|((owner, node), n)| {
            let founder =
                Founder { node: node.public(), name: format!("owner {n}"), addresses: Vec::new() };
            Signed::new(founder, NetworkId::FOUNDING, owner)
        });
        let genesis =
            Genesis::found("test".into(), Time(1_000), founders.collect(), 4, Params::default());
        Self {
            genesis: genesis.unwrap(),
            nodes,
            owner,
            fault,
            broke: AtomicBool::new(false),
            refuses: AtomicBool::new(fault == Fault::Refuses),
            parties,
            state: Mutex::default(),
        }
    }

    fn network(&self) -> NetworkId {
        self.genesis.network()
    }

    /// Takes an order as a node would, and lives its job at once.
    fn admit(
        &self,
        order: Signed<Job>,
        after: Vec<JobId>,
        blobs: Vec<(Cid, Bytes)>,
    ) -> Result<JobId, ApiError> {
        let refused = |reason: String| ApiError::new(Code::Refused, reason);
        if self.refuses.load(Ordering::SeqCst) {
            return Err(refused("the submitter is not admitted".into()).next("ask a member"));
        }
        Job::check(&order, self.network()).map_err(|e| refused(e.to_string()))?;
        let mut state = self.state.lock().unwrap();
        for (cid, bytes) in blobs {
            cid.check(&bytes).map_err(|e| refused(e.to_string()))?;
            state.blobs.insert(cid, bytes);
        }
        let table = TaskTable::decode(&state.blobs[&order.payload.table]).unwrap();
        let inputs = table.roots().into_iter();
        for cid in inputs.chain([order.payload.program]) {
            assert!(state.blobs.contains_key(&cid), "{cid} did not come with the order");
        }
        let mut kept = self.live(order, table, &mut state.blobs);
        kept.after = after;
        let job = kept.summary.job;
        state.jobs.insert(job, kept);
        Ok(job)
    }

    fn live(&self, order: Signed<Job>, table: TaskTable, blobs: &mut HashMap<Cid, Bytes>) -> Kept {
        let job = order.payload.id();
        let (mut outcomes, mut unsettled) = (Vec::new(), Vec::new());
        for (task, spec) in (0..).map(TaskIndex).zip(table.tasks()) {
            match end_of(&spec.name) {
                Ok(end) => outcomes.push(outcome(job, task, end, &spec.name, blobs)),
                Err(why) => unsettled.push((task, why)),
            }
        }
        let has_lie = |o: &&Outcome| {
            let name = table.name(o.task.0 as usize).unwrap();
            name.starts_with("lie") || name.starts_with("verdict")
        };
        let tell = |o| Lie::tell(&order, &table, o, self.network(), &self.nodes);
        let lies: Vec<_> = outcomes.iter().filter(has_lie).map(tell).collect();
        let parts = if outcomes.is_empty() {
            Vec::new()
        } else {
            vec![self.part(&order, &outcomes, &table)]
        };
        let body = Body {
            genesis: self.genesis.clone(),
            order: order.clone(),
            table: table.clone(),
            vouchers: Vec::new(),
            outcomes: outcomes.clone(),
            parts,
            unsettled: unsettled.clone(),
            dissent: Vec::new(),
            ruled: lies.iter().map(Lie::ruled).collect(),
            verdicts: lies.iter().flat_map(|lie| lie.verdicts.clone()).collect(),
        };
        let mut receipt = Receipt::seal(body, self.network(), &self.nodes[0]).encode();
        if self.fault == Fault::ForgesReceipt {
            let middle = receipt.len() / 2;
            receipt[middle] ^= 1;
        }
        let receipt = Bytes::from(receipt);
        let (root, blocks) = file(&receipt);
        if self.fault == Fault::LosesResults {
            let lost = outcomes.iter().flat_map(|o| &o.outputs).map(|output| output.cid);
            lost.for_each(|cid| drop(blobs.remove(&cid)));
        }
        blobs.extend(blocks.into_iter().map(|block| (block.cid, block.bytes)));
        let summary = JobSummary {
            job,
            submitter: order.by,
            issued: order.payload.issued,
            state: match self.fault {
                Fault::Lingers => JobState::Running,
                _ => JobState::Finished,
            },
            tasks: order.payload.tasks,
            agreed: outcomes.len() as u32,
            settled: outcomes.len() as u32,
            unsettled: unsettled.len() as u32,
            receipt: Some(root.cid),
            priority: Default::default(),
            deadline: None,
            paused: false,
            running: 0,
        };
        let events = self.events_of(&order.payload, (&outcomes, &lies), &unsettled, root.cid);
        Kept { order, after: Vec::new(), table, events, receipt, summary, lies }
    }

    fn events_of(
        &self,
        job: &Job,
        (outcomes, lies): (&[Outcome], &[Lie]),
        unsettled: &[(TaskIndex, Unsettled)],
        receipt: Cid,
    ) -> Vec<JobEvent> {
        let node = self.nodes[1].public();
        let mut events = vec![JobEvent::Admitted {
            job: job.id(),
            tasks: job.tasks,
            drawn: (job.placement == Placement::Fast).then_some(Height(1)),
            verification: job.verification,
        }];
        if job.placement == Placement::Sealed {
            events.push(JobEvent::Drawn { drawn: Height(1) });
        }
        for outcome in outcomes {
            let (task, end) = (outcome.task, outcome.end);
            let mut told = outcome.clone();
            if self.fault == Fault::TellsSomethingElse {
                told.fuel += 1;
            }
            events.push(JobEvent::Started { task, attempt: Attempt(0), node });
            events.push(JobEvent::Outcome { task, node, end });
            if let Some(lie) = lies.iter().find(|lie| lie.task == task) {
                let refuted = vec![self.liar().public()];
                events.push(JobEvent::Disputed { task });
                events.push(JobEvent::Ruled { task, outcome: Some(lie.truth), refuted });
            }
            events.push(JobEvent::Agreed { outcome: told, executors: vec![node] });
        }
        for (task, why) in unsettled {
            events.push(JobEvent::Unsettled { task: *task, why: why.clone() });
        }
        let tasks = outcomes.iter().map(|outcome| outcome.task).collect();
        events.push(JobEvent::Final { tasks, height: Height(2) });
        events.push(JobEvent::Finished {
            settled: outcomes.len() as u32,
            unsettled: unsettled.len() as u32,
            receipt,
        });
        events
    }

    /// The second, the third, … node agree on every outcome, as many as the job asks for.
    fn part(&self, order: &Signed<Job>, outcomes: &[Outcome], table: &TaskTable) -> Part {
        let (job, network) = (order.payload.id(), self.network());
        let k = usize::from(order.payload.verification.k);
        let salt = Salt([7; 16]);
        let executors: Vec<_> =
            self.nodes.iter().cycle().skip(1).take(k).zip((0..).map(Attempt)).collect();
        let (mut commits, mut reveals) = (Vec::new(), Vec::new());
        for (key, attempt) in &executors {
            let attempt = *attempt;
            let (mut hidden, mut opened) = (Vec::new(), Vec::new());
            for outcome in outcomes {
                let (task, digest) = (outcome.task, outcome.digest());
                let members: Vec<_> = executors
                    .iter()
                    .map(|(key, attempt)| Member {
                        node: key.public(),
                        attempt: *attempt,
                        hidden: commitment_of(&key.public(), &salt, &digest),
                    })
                    .collect();
                let set = set_digest(&job, task, &members);
                let own = commitment_of(&key.public(), &salt, &digest);
                hidden.push(Commitment { task, attempt, hidden: own });
                opened.push(Reveal { task, attempt, set, outcome: digest, salt });
            }
            commits.push(CommitBatch::sign(job, hidden, network, key));
            reveals.push(RevealBatch::sign(job, opened, network, key));
        }
        let attempts: Vec<_> = executors.iter().map(|(_, attempt)| *attempt).collect();
        let tasks = outcomes.iter().map(|outcome| Agreed {
            task: outcome.task,
            outcome: outcome.digest(),
            sets: vec![attempts.clone()],
            skipped: Vec::new(),
            decided: table.name(outcome.task.0 as usize).unwrap().starts_with("verdict"),
            // Chosen by the home, as every task whose name says so.
            first: table
                .name(outcome.task.0 as usize)
                .filter(|name| name.starts_with("chosen"))
                .map(|_| executors[0].0.public()),
        });
        let tasks = tasks.collect();
        let agreements =
            Agreements { order: order.clone(), drawn: Height(1), commits, reveals, tasks };
        let tx = Tx::Agree(Box::new(agreements.clone()));
        let mut header = Header::of_genesis(&self.genesis, Digest([4; 32]));
        header.height = Height(2);
        header.proposer = Some(self.nodes[1].public());
        header.tx_root = Block::tx_root(std::slice::from_ref(&tx));
        let inclusion = Inclusion::of(&[tx.encode()], 0).unwrap();
        let certificate = self.certificate(&header);
        let finality = Finality { above: Vec::new(), certificate };
        Part { agreements, header, inclusion, finality }
    }

    fn certificate(&self, header: &Header) -> Certificate {
        let mut certificate = Certificate {
            epoch: 0,
            view: 2,
            parent_view: 1,
            payload: header.digest(),
            signatures: Vec::new(),
        };
        let message = certificate.signing_bytes(self.network());
        let sign = |(place, validator): (u32, &identity::PublicKey)| {
            let key = self.nodes.iter().find(|key| key.public() == *validator).unwrap();
            (place, key.sign(&message))
        };
        certificate.signatures = (0..).zip(&self.genesis.validators).map(sign).collect();
        certificate
    }

    fn liar(&self) -> &SecretKey {
        &self.nodes[3]
    }

    /// What there is about every lie, latest first.
    fn about_lies<T: Send + 'static>(&self, read: impl Fn(&Lie) -> T) -> Reply<'static, Vec<T>> {
        let state = self.state.lock().unwrap();
        reply(state.jobs.values().flat_map(|kept| &kept.lies).map(read).collect())
    }

    fn with<T: Send + 'static>(
        &self,
        job: JobId,
        read: impl FnOnce(&Kept) -> T,
    ) -> Reply<'static, T> {
        let state = self.state.lock().unwrap();
        let found = state.jobs.get(&job).map(read);
        future::ready(found.ok_or_else(|| ApiError::new(Code::NotFound, "no such job"))).boxed()
    }

    fn told(&self, job: JobId) -> Reply<'static, JobEvents> {
        let breaks = self.fault == Fault::BreaksOff && !self.broke.swap(true, Ordering::SeqCst);
        self.with(job, |kept| {
            let all = kept.events.len();
            let told = if breaks { all / 2 } else { all };
            let events: Vec<_> = kept.events[..told].iter().cloned().map(Ok).collect();
            stream::iter(events).boxed()
        })
    }
}

fn reply<T: Send + 'static>(value: T) -> Reply<'static, T> {
    future::ready(Ok(value)).boxed()
}

impl NodeApi for Polity {
    fn submit(&self, submission: Submission) -> Reply<'_, JobEvents> {
        let Submission { order, after, blobs } = submission;
        async move {
            let blobs: Vec<_> =
                blobs.collect::<Vec<_>>().await.into_iter().collect::<Result<_, _>>()?;
            let job = self.admit(order, after, blobs)?;
            self.told(job).await
        }
        .boxed()
    }

    fn events(&self, job: JobId) -> Reply<'_, JobEvents> {
        if let Some(kept) = self.state.lock().unwrap().jobs.get_mut(&job) {
            kept.summary.state = JobState::Finished;
        }
        self.told(job)
    }

    fn jobs(&self) -> Reply<'_, Vec<JobSummary>> {
        reply(self.state.lock().unwrap().jobs.values().map(|kept| kept.summary.clone()).collect())
    }

    fn job(&self, job: JobId, from: TaskIndex) -> Reply<'_, JobDetail> {
        // Two tasks at once, so that there are pages.
        self.with(job, |kept| JobDetail {
            summary: kept.summary.clone(),
            order: kept.order.clone(),
            ordered: None,
            drawn: Some(Height(1)),
            after: Vec::new(),
            audits: AuditCount { picked: 1, audited: 1 },
            times: JobTimes::default(),
            offered: None,
            troubles: Vec::new(),
            missing: Vec::new(),
            tasks: (0..)
                .map(TaskIndex)
                .zip(kept.table.tasks())
                .skip(from.0 as usize)
                .take(2)
                .map(|(task, spec)| TaskDetail {
                    task,
                    name: spec.name.clone(),
                    state: state_of(&spec.name),
                    replicas: Vec::new(),
                    skipped: Vec::new(),
                    awaited: Vec::new(),
                    retry: None,
                    began: None,
                    agreed: None,
                    fuel: None,
                    dispute: (kept.lies.iter().find(|lie| lie.task == task))
                        .map(|lie| lie.state(self.liar())),
                })
                .collect(),
            placing: Default::default(),
        })
    }

    fn cancel(&self, job: JobId) -> Reply<'_, ()> {
        self.with(job, |_| ())
    }

    fn pause(&self, job: JobId, on: bool) -> Reply<'_, ()> {
        if let Some(kept) = self.state.lock().unwrap().jobs.get_mut(&job) {
            kept.summary.paused = on;
        }
        self.with(job, |_| ())
    }

    fn receipt(&self, job: JobId) -> Reply<'_, Bytes> {
        let runs = |kept: &Kept| kept.summary.state == JobState::Running;
        if self.state.lock().unwrap().jobs.get(&job).is_some_and(runs) {
            return future::ready(Err(ApiError::new(Code::NotFinished, "it runs"))).boxed();
        }
        self.with(job, |kept| kept.receipt.clone())
    }

    fn blob(&self, cid: Cid) -> Reply<'_, Bytes> {
        let found = self.state.lock().unwrap().blobs.get(&cid).cloned();
        let gone = || ApiError::new(Code::ObjectUnavailable, format!("nobody has {cid} now"));
        future::ready(found.ok_or_else(gone)).boxed()
    }

    fn blobs(&self, cids: Vec<Cid>) -> Reply<'_, Vec<Bytes>> {
        let state = self.state.lock().unwrap();
        let found: Vec<_> = cids.iter().map_while(|cid| state.blobs.get(cid).cloned()).collect();
        let gone = || ApiError::new(Code::ObjectUnavailable, format!("nobody has {} now", cids[0]));
        let none = found.is_empty() && !cids.is_empty();
        future::ready(if none { Err(gone()) } else { Ok(found) }).boxed()
    }

    fn has(&self, cids: Vec<Cid>) -> Reply<'_, Vec<bool>> {
        let state = self.state.lock().unwrap();
        reply(cids.iter().map(|cid| state.blobs.contains_key(cid)).collect())
    }

    fn known(&self, keys: Vec<TaskKey>) -> Reply<'_, Vec<Option<KnownTask>>> {
        let known = self.all_known();
        reply(keys.iter().map(|key| known.get(key).copied()).collect())
    }

    fn status(&self) -> Reply<'_, Status> {
        reply(Status {
            node: self.nodes[0].public(),
            owner: self.owner.public(),
            network: self.network(),
            network_name: "test".into(),
            version: "0".into(),
            addresses: Vec::new(),
            validator: true,
            admitted: true,
            validators: 4,
            height: Height(2),
            head_time: Time(1_000),
            clock: Time(2_000),
            peers: 3,
            parties: self.parties,
            fingerprint: Digest([8; 32]),
            job_lifetime_ms: self.genesis.params.job_lifetime_ms,
            distinct: self.genesis.params.distinct,
            heartbeat_ms: self.genesis.params.heartbeat_ms,
            reserve_bytes: 0,
            totals: Default::default(),
        })
    }

    fn metrics(&self) -> Reply<'_, String> {
        reply("polity_peers 3\n".into())
    }

    fn nodes(&self) -> Reply<'_, Vec<NodeInfo>> {
        let lied = self.state.lock().unwrap().jobs.values().any(|kept| !kept.lies.is_empty());
        let barred =
            |node: PublicKey| (lied && node == self.liar().public()).then_some(Time(3_603_000));
        let lost = |until| LostRight { right: Right::Execute, until };
        let info = |founder: &Signed<Founder>| NodeInfo {
            node: founder.payload.node,
            owner: founder.by,
            owner_name: founder.payload.name.clone(),
            party: founder.by,
            barred_until: barred(founder.payload.node),
            lost: barred(founder.payload.node).map(lost).into_iter().collect(),
            validator: true,
            connected: true,
            addresses: Vec::new(),
            about: None,
            profile: None,
            rtt_ms: None,
            load: None,
        };
        reply(self.genesis.founders.iter().map(info).collect())
    }

    fn head(&self) -> Reply<'_, Header> {
        reply(Header::of_genesis(&self.genesis, Digest([4; 32])))
    }

    fn block(&self, height: Height) -> Reply<'_, FinalBlock> {
        if height != Height(0) {
            let error = ApiError::new(Code::NotFound, format!("there is no block {height} yet"));
            return future::ready(Err(error)).boxed();
        }
        let header = Header::of_genesis(&self.genesis, Digest([4; 32]));
        reply(FinalBlock { block: Block { header, txs: Vec::new() }, finality: None })
    }

    fn tx(&self, digest: Digest) -> Reply<'_, PlacedTx> {
        let error = ApiError::new(Code::NotFound, format!("there is no transaction {digest}"));
        future::ready(Err(error)).boxed()
    }

    fn disputes(&self) -> Reply<'_, Vec<DisputeInfo>> {
        self.about_lies(|lie| lie.dispute(&self.genesis, self.liar()))
    }

    fn sanctions(&self) -> Reply<'_, Vec<SanctionInfo>> {
        self.about_lies(|lie| lie.sanction(&self.genesis, self.liar()))
    }

    fn evidence(&self) -> Reply<'_, Vec<EvidenceInfo>> {
        self.about_lies(|lie| lie.info(&self.genesis, self.liar()))
    }

    fn evidence_file(&self, id: Digest) -> Reply<'_, Bytes> {
        let state = self.state.lock().unwrap();
        let lies = state.jobs.values().flat_map(|kept| &kept.lies);
        let found = lies.filter(|lie| lie.id() == id).map(|lie| lie.evidence(&self.genesis)).next();
        let bytes = found.map(|evidence| Bytes::from(evidence.encode()));
        let none = || ApiError::new(Code::NotFound, format!("there is no evidence {id}"));
        future::ready(bytes.ok_or_else(none)).boxed()
    }

    fn second(&self, owner: PublicKey) -> Reply<'_, Digest> {
        let known = self.genesis.founders.iter().any(|founder| founder.by == owner);
        let answer = match known {
            true => Err(ApiError::new(Code::Refused, "nobody sponsored this owner")),
            false => Ok(Digest([9; 32])),
        };
        future::ready(answer).boxed()
    }

    fn invite(&self, kind: InvitationKind, lifetime_ms: u64) -> Reply<'_, JoinLine> {
        let key = SecretKey::from_seed([77; 32]);
        let expires = crate::machine::now().after_ms(lifetime_ms);
        let invitation = Invitation { kind, key: key.public(), expires };
        let invitation = Signed::new(invitation, self.network(), &self.owner);
        reply(JoinLine { genesis: self.genesis.clone(), invitation, key, peers: Vec::new() })
    }
}
