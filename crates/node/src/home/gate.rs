//! The single gate: what a job must be before it is admitted.

use super::{Home, HomeError};
use crate::chain::Chain;
use api::{ApiError, Code, Submission};
use bytes::Bytes;
use futures::StreamExt;
use identity::{PublicKey, Signed};
use objects::{Cid, FileWalker};
use protocol::{
    Job, JobId, Placement, TaskTable, Time, limits,
    port::{BlobError, Blobs, Clock},
};
use work::Work;

/// Bytes of blobs that are written together.
const BATCH_BYTES: usize = 8 << 20;
/// The largest input file.
const FILE_BYTES: u64 = 1 << 30;

/// An order that passed the gate; there is no other way to make one.
pub(crate) struct Admitted {
    order: Signed<Job>,
}

impl Admitted {
    pub(crate) fn order(&self) -> &Signed<Job> {
        &self.order
    }
}

/// Why an order was not admitted.
pub(crate) type Refused = ApiError;

/// Checks orders for one node.
pub(crate) struct Gate<'a> {
    pub(crate) me: PublicKey,
    pub(crate) chain: &'a Chain,
    pub(crate) clock: &'a dyn Clock,
}

impl Gate<'_> {
    /// Signature, network, home, standing, expiry and size; everything but the bytes.
    pub(crate) fn check(&self, order: Signed<Job>) -> Result<Admitted, Refused> {
        let ledger = self.chain.ledger();
        let job = &order.payload;
        Job::check(&order, self.chain.network()).map_err(|error| match error {
            protocol::Error::ForeignNetwork { .. } => {
                ApiError::new(Code::ForeignNetwork, error.to_string())
                    .next("submit it to a node of that network")
            }
            protocol::Error::Identity(identity::Error::Signature { .. }) => {
                ApiError::new(Code::BadSignature, error.to_string())
            }
            other => ApiError::new(Code::Refused, other.to_string()),
        })?;
        if job.home != self.me {
            return Err(ApiError::new(
                Code::Refused,
                format!("its home is another node, {}", job.home),
            ));
        }
        let roster = ledger.roster();
        if roster.owner(&order.by).is_none() {
            let message = format!("{} is not an admitted owner", order.by);
            return Err(ApiError::new(Code::NotAdmitted, message)
                .next("ask an owner of the polity for 'polity invite'"));
        }
        if roster.node(&self.me).is_none() {
            let message = "this node is not admitted yet".to_string();
            return Err(ApiError::new(Code::NotAdmitted, message)
                .next("see which are with: polity node list"));
        }
        self.check_times(job, ledger.tip().time)?;
        let parties = ledger.roster().parties();
        let needed = usize::from(job.verification.k);
        if parties < needed {
            let message =
                format!("{needed} different owners must agree and the polity has {parties}");
            return Err(ApiError::new(Code::Refused, message)
                .next("ask for fewer with --verify, or invite another owner"));
        }
        Ok(Admitted { order })
    }

    fn check_times(&self, job: &Job, block_time: Time) -> Result<(), Refused> {
        let ledger = self.chain.ledger();
        let now = self.clock.now().max(block_time);
        let lifetime_ms = ledger.params().job_lifetime_ms;
        if job.expires <= now {
            let message = format!("the order expired at {}, it is {now} now", job.expires);
            return Err(ApiError::new(Code::Expired, message).next("sign and submit it again"));
        }
        if job.expires.since_ms(job.issued) > lifetime_ms {
            let message = format!("the order is valid for longer than {lifetime_ms} ms");
            return Err(ApiError::new(Code::Refused, message));
        }
        if job.issued > now.after_ms(ledger.params().clock_drift_ms) {
            let message = format!("the order was signed at {}, it is {now} here", job.issued);
            return Err(ApiError::new(Code::Expired, message)
                .next("compare the clocks of the two machines"));
        }
        Ok(())
    }
}

impl Home {
    /// Takes an order with its bytes through the gate into the log.
    pub(crate) async fn admit(&self, submission: Submission) -> Result<JobId, Refused> {
        let gate = Gate { me: self.key.public(), chain: &self.chain, clock: self.clock.as_ref() };
        let admitted = gate.check(submission.order)?;
        let id = admitted.order().payload.id();
        let (tasks, by) = (admitted.order().payload.tasks, admitted.order().by);
        let deadline = admitted.order().payload.terms.deadline;
        let now = self.clock.now();
        let after = submission.after;
        if after.len() > limits::AFTER {
            let message = format!("held for {} jobs, at most {}", after.len(), limits::AFTER);
            return Err(ApiError::new(Code::TooLarge, message));
        }
        let ask = |work: &Work| {
            let strange = after.iter().find(|other| !work.knows(other)).copied();
            (work.knows(&id), strange, work.room_for(&by, tasks, (now, deadline)))
        };
        let (known, strange, room) = self.cluster.read(ask).await.map_err(unavailable)?;
        if known {
            return Err(ApiError::new(Code::Duplicate, format!("{id} was submitted before"))
                .next(format!("polity job get {id}")));
        }
        if let Some(strange) = strange {
            let message = format!("this node does not know {strange}, for which it is to be held");
            return Err(ApiError::new(Code::NotFound, message)
                .next("see which there are with: polity job list"));
        }
        room.map_err(no_room)?;
        self.take_blobs(submission.blobs).await?;
        let objects = self.check_objects(&admitted.order().payload).await?;
        self.mirror(&objects).await.map_err(too_few)?;
        self.enter(admitted, after).await?;
        Ok(id)
    }

    async fn take_blobs(
        &self,
        mut blobs: protocol::port::Events<Result<(Cid, Bytes), ApiError>>,
    ) -> Result<(), Refused> {
        let (mut batch, mut size_bytes) = (Vec::new(), 0);
        while let Some(next) = blobs.next().await {
            let (cid, bytes) = next?;
            size_bytes += bytes.len();
            batch.push((cid, bytes));
            if size_bytes >= BATCH_BYTES {
                self.store.put(std::mem::take(&mut batch)).await.map_err(blob_error)?;
                size_bytes = 0;
            }
        }
        if !batch.is_empty() {
            self.store.put(batch).await.map_err(blob_error)?;
        }
        Ok(())
    }

    /// The table is there and is the job's, and every object that it names is there whole. Gives all
    /// of them.
    async fn check_objects(&self, job: &Job) -> Result<Vec<Cid>, Refused> {
        let bytes = self.store.get(job.table).await.map_err(blob_error)?;
        let bytes = bytes.ok_or_else(|| missing(&job.table))?;
        let table = TaskTable::decode(&bytes)
            .map_err(|error| ApiError::new(Code::Refused, error.to_string()))?;
        if table.len() != job.tasks as usize {
            let message =
                format!("the order says {} tasks, its table has {}", job.tasks, table.len());
            return Err(ApiError::new(Code::Refused, message));
        }
        let mut roots = table.roots();
        roots.insert(job.program);
        for root in &roots {
            self.check_file(*root).await?;
        }
        roots.insert(job.table);
        Ok(roots.into_iter().collect())
    }

    /// Every block of a file is here, and the file is whole.
    async fn check_file(&self, root: Cid) -> Result<(), Refused> {
        let mut walker = FileWalker::new(root, FILE_BYTES);
        while let Some(cid) = walker.wanted() {
            let bytes = self.store.get(cid).await.map_err(blob_error)?;
            let bytes = bytes.ok_or_else(|| missing(&cid))?;
            walker
                .give(cid, bytes)
                .map_err(|error| ApiError::new(Code::Refused, error.to_string()))?;
        }
        Ok(())
    }

    /// Into the log: from here on the job survives this process.
    async fn enter(&self, admitted: Admitted, after: Vec<JobId>) -> Result<(), Refused> {
        if !after.is_empty() {
            let order = admitted.order;
            return self.tell_soon(work::Input::Hold { order, after }).await.map_err(unavailable);
        }
        let ledger = self.chain.ledger();
        // The roster that the draw uses is the one that `work` knows at this height.
        let roster = work::Input::Roster {
            height: ledger.roster_since(),
            roster: ledger.roster().as_ref().clone(),
        };
        self.tell_soon(roster).await.map_err(unavailable)?;
        if admitted.order.payload.placement == Placement::Sealed {
            let order = admitted.order;
            return self.tell_soon(work::Input::Seal { order }).await.map_err(unavailable);
        }
        let drawn = ledger.tip().height;
        let beacon = ledger.tip().beacon;
        let order = admitted.order;
        self.tell_soon(work::Input::Submit { order, drawn, beacon }).await.map_err(unavailable)
    }

    /// Draws a job that was held, with the last final beacon.
    pub(super) async fn draw(self, job: JobId) -> Result<(), HomeError> {
        let ledger = self.chain.ledger();
        let (drawn, beacon) = (ledger.tip().height, ledger.tip().beacon);
        let roster = ledger.roster().as_ref().clone();
        Ok(self.tell(work::Input::Drawn { job, drawn, beacon, roster }).await?)
    }
}

fn missing(cid: &Cid) -> ApiError {
    ApiError::new(Code::MissingObject, format!("{cid} did not come with the order and is not here"))
        .next("submit again with all program, table and input blocks")
}

pub(crate) fn unavailable(error: cluster::Error) -> ApiError {
    let next = match error.may_pass() {
        true => "see who is away with: polity cluster status",
        false => "look at the node's log",
    };
    ApiError::new(Code::Unavailable, error.to_string()).next(next)
}

/// Why the queue takes no more of this submitter, or not this job.
fn no_room(error: work::Error) -> ApiError {
    let code = match &error {
        work::Error::Deadline { .. } => Code::Expired,
        _ => Code::Busy,
    };
    ApiError::new(code, error.to_string()).next("see what it works on with: polity job list")
}

fn too_few(reason: String) -> ApiError {
    let message = format!("what the job needs could not be copied to a majority: {reason}");
    ApiError::new(Code::Unavailable, message).next("see who is away with: polity cluster status")
}

pub(crate) fn blob_error(error: BlobError) -> ApiError {
    let code = match &error {
        BlobError::Mismatch(_) => Code::ContentMismatch,
        BlobError::TooLarge { .. } => Code::TooLarge,
        BlobError::Full { .. } | BlobError::Quota { .. } => Code::DiskFull,
        BlobError::Corrupt(_) => Code::ObjectUnavailable,
        BlobError::Io(_) => Code::Internal,
    };
    ApiError::new(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::{Digest, NetworkId, SecretKey};
    use objects::Codec;
    use protocol::{Founder, Genesis, Limits, Params, Placement, Verification, port::Answer};
    use sim::log::MemoryLog;
    use std::sync::Arc;

    struct Stopped(Time);

    impl Clock for Stopped {
        fn now(&self) -> Time {
            self.0
        }
        fn until(&self, _: Time) -> Answer<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    fn key(n: u8) -> SecretKey {
        SecretKey::from_seed([n; 32])
    }

    /// Owners 1 and 2 with nodes 101 and 102.
    async fn chain() -> Chain {
        let founder = |n: u8| {
            let node = key(100 + n).public();
            let founder = Founder { node, name: format!("{n}"), addresses: Vec::new() };
            Signed::new(founder, NetworkId::FOUNDING, &key(n))
        };
        let founders = vec![founder(1), founder(2)];
        let genesis =
            Genesis::found("gate".into(), Time(1_000), founders, 2, Params::default()).unwrap();
        Chain::open(genesis, Arc::new(MemoryLog::new())).await.unwrap()
    }

    fn job(chain: &Chain) -> Job {
        Job {
            network: chain.network(),
            home: key(101).public(),
            program: Cid::of(Codec::Raw, b"program"),
            table: Cid::of(Codec::DagCbor, b"table"),
            tasks: 1,
            seed: Digest([1; 32]),
            limits: Limits::default(),
            placement: Placement::Fast,
            verification: Verification { k: 2, n: 2 },
            issued: Time(2_000),
            expires: Time(60_000),
            engine: Digest([3; 32]),
            nonce: Digest([2; 32]),
            terms: protocol::Terms::default(),
        }
    }

    fn check(chain: &Chain, order: Signed<Job>) -> Result<(), Code> {
        let clock = Stopped(Time(3_000));
        let gate = Gate { me: key(101).public(), chain, clock: &clock };
        gate.check(order).map(drop).map_err(|error| error.code)
    }

    #[tokio::test]
    async fn an_order_that_holds_is_admitted() {
        let chain = chain().await;
        let order = Signed::new(job(&chain), chain.network(), &key(1));
        assert_eq!(check(&chain, order), Ok(()));
    }

    #[tokio::test]
    async fn every_other_order_is_refused_with_its_reason() {
        let chain = chain().await;
        let lifetime_ms = Params::default().job_lifetime_ms;
        type Change = Box<dyn Fn(&mut Job)>;
        let cases: Vec<(&str, Code, Change)> = vec![
            ("network", Code::ForeignNetwork, Box::new(|j| j.network = NetworkId(Digest([9; 32])))),
            ("home", Code::Refused, Box::new(|j| j.home = key(102).public())),
            ("expired", Code::Expired, Box::new(|j| j.expires = Time(2_500))),
            ("lifetime", Code::Refused, Box::new(move |j| j.expires = Time(3_000 + lifetime_ms))),
            ("future", Code::Expired, Box::new(|j| j.issued = Time(50_000))),
            ("owners", Code::Refused, Box::new(|j| j.verification = Verification { k: 3, n: 3 })),
            ("tasks", Code::Refused, Box::new(|j| j.tasks = 0)),
            ("fuel", Code::Refused, Box::new(|j| j.limits.fuel = 0)),
        ];
        for (name, code, change) in cases {
            let mut job = job(&chain);
            change(&mut job);
            let order = Signed::new(job, chain.network(), &key(1));
            assert_eq!(check(&chain, order), Err(code), "{name}");
        }
        let stranger = Signed::new(job(&chain), chain.network(), &key(77));
        assert_eq!(check(&chain, stranger), Err(Code::NotAdmitted));
        let mut altered = Signed::new(job(&chain), chain.network(), &key(1));
        altered.payload.seed = Digest([3; 32]);
        assert_eq!(check(&chain, altered), Err(Code::BadSignature));
        let elsewhere = Signed::new(job(&chain), NetworkId(Digest([9; 32])), &key(1));
        assert_eq!(check(&chain, elsewhere), Err(Code::BadSignature));
    }
}
