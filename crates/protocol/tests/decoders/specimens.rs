//! One good input for each decoder: a small polity, a job of two tasks, its receipt.

#[path = "disputed.rs"]
mod disputed;
#[path = "kept.rs"]
mod kept;

use identity::{Digest, NetworkId, SecretKey, Signed, canonical};
use objects::{Block as Content, Cid, Codec, Entry, FileBuilder, car, directory};
use protocol::{
    About, Admission, Agreed, Agreements, Attempt, Block, Body, Certificate, ChainReply,
    ChainRequest, CommitBatch, Commitment, Consent, End, Finality, Founder, Genesis, Header,
    Height, Input, Introduction, Invitation, InvitationKind, Job, JobEvent, JobId, Limits, Member,
    NoResult, Outcome, Output, Params, Part, Placement, Profile, Receipt, Reveal, RevealBatch,
    Salt, Speed, TaskIndex, TaskSpec, TaskTable, Time, ToHome, ToWorker, Tx, Unsettled,
    Verification, Voucher, commitment_of,
    draw::{Skip, SkipReason},
    merkle::Inclusion,
    set_digest,
};

/// Four owners with the keys 1 to 4; their nodes have 101 to 104 and all vote.
fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

/// The good input of the decoder of this name.
///
/// # Panics
/// If there is none: every decoder needs one.
pub(crate) fn specimen(decoder: &str) -> Vec<u8> {
    let sample = Sample::new();
    match decoder {
        "about" => canonical::encode(&sample.about()),
        "accusation" => canonical::encode(&sample.accusation()),
        "admission" => canonical::encode(&sample.admission()),
        "agreements" => canonical::encode(&sample.agreements()),
        "audit" => canonical::encode(&sample.audit()),
        "block" => sample.block().encode(),
        "car" => sample.car(),
        "car_v2" => car_v2(&sample.car()),
        "certificate" => canonical::encode(&sample.certificate(&sample.block().header)),
        "chain_reply" => canonical::encode(&sample.chain_reply()),
        "chain_request" => canonical::encode(&ChainRequest::Blocks { from: Height(300) }),
        "cid" => sample.order.payload.table.to_bytes(),
        "commit_batch" => canonical::encode(&sample.batches(TaskIndex(0), 0).0),
        "commit_quote" => canonical::encode(&sample.claim(1).commit),
        "directory" => small_directory(),
        "dispute" => canonical::encode(&sample.dispute()),
        "evidence" => sample.evidence().encode(),
        "evidence_content" => canonical::encode(&sample.evidence()),
        "file" => large_file(),
        "finality" => canonical::encode(&sample.finality()),
        "frame" => b"\x00\x00\x00\x03abc\x00\x00\x00\x00\x00\x00\x00\x01d".to_vec(),
        "genesis" => sample.genesis.encode(),
        "groups" => canonical::encode(&kept::groups()),
        "hamt_shard" => shard(),
        "inclusion" => {
            canonical::encode(&Inclusion::of(&[b"a", b"b", b"c"], 1).expect("it is in the tree"))
        }
        "introduction" => canonical::encode(&sample.introduction()),
        "job" => canonical::encode(&sample.order),
        "job_event" => sample.job_event(),
        "keep_reply" => canonical::encode(&kept::replies()[4]),
        "keep_request" => canonical::encode(&kept::requests()[0]),
        "links" => canonical::encode(&vec![sample.order.payload.table; 3]),
        "manifest" => canonical::encode(&kept::manifest()),
        "outcome" => canonical::encode(&sample.outcome(TaskIndex(0))),
        "placement" => canonical::encode(&kept::placement()),
        "receipt" => sample.receipt().encode(),
        "receipt_content" => canonical::encode(&sample.receipt()),
        "reveal_batch" => canonical::encode(&sample.batches(TaskIndex(0), 0).1),
        "reveal_quote" => canonical::encode(&sample.claim(1).reveal),
        "table" => canonical::encode(&table()),
        "text" => key(1).public().to_string().into_bytes(),
        "to_home" => canonical::encode(&sample.to_home()),
        "to_worker" => canonical::encode(&sample.to_worker()),
        "tx" => Tx::Admit(Box::new(sample.admission())).encode(),
        "verdicts" => canonical::encode(&sample.verdicts(1)),
        "vote_pair" => canonical::encode(&sample.vote_pair()),
        other => panic!("decoder {other} has no specimen: write one"),
    }
}

struct Sample {
    genesis: Genesis,
    network: NetworkId,
    order: Signed<Job>,
    id: JobId,
}

fn table() -> TaskTable {
    let task = |name: &str| TaskSpec {
        name: name.into(),
        inputs: vec![Input {
            name: name.into(),
            cid: Cid::of(Codec::Raw, name.as_bytes()),
            size_bytes: 5,
        }],
        stdin: (name == "b.csv").then(|| Cid::of(Codec::Raw, b"stdin")),
        params: if name == "c.csv" { vec![("x".into(), "1".into())] } else { Vec::new() },
    };
    let args = vec!["--in".into(), "{}".into()];
    TaskTable::of(args, vec![task("a.csv"), task("b.csv"), task("c.csv")])
}

impl Sample {
    fn new() -> Self {
        let founder = |n: u8| {
            let founder = Founder {
                node: key(100 + n).public(),
                name: format!("owner {n}"),
                addresses: vec!["/ip4/127.0.0.1/udp/4001/quic-v1".into()],
            };
            Signed::new(founder, NetworkId::FOUNDING, &key(n))
        };
        let founders = (1..=4).map(founder).collect();
        let genesis =
            Genesis::found("specimen".into(), Time(1_000), founders, 4, Params::default())
                .expect("four owners found");
        let network = genesis.network();
        let job = Job {
            network,
            home: key(101).public(),
            program: Cid::of(Codec::Raw, b"\0asm"),
            table: table().cid(),
            tasks: 3,
            seed: Digest([1; 32]),
            limits: Limits::default(),
            placement: Placement::Fast,
            verification: Verification { k: 2, n: 3 },
            issued: Time(2_000),
            expires: Time(900_000),
            engine: Digest([3; 32]),
            nonce: Digest([2; 32]),
            terms: protocol::Terms::default(),
        };
        let id = job.id();
        Self { genesis, network, order: Signed::new(job, network, &key(1)), id }
    }

    /// Sponsored by owner 1: owner 5 with node 105.
    fn admission(&self) -> Signed<Admission> {
        let one_time = key(50);
        let invitation = Invitation {
            kind: InvitationKind::Owner,
            key: one_time.public(),
            expires: Time(500_000),
        };
        let voucher =
            Voucher { owner: key(5).public(), node: key(105).public(), name: "newcomer".into() };
        let admission = Admission {
            invitation: Signed::new(invitation, self.network, &key(1)),
            voucher: Signed::new(voucher, self.network, &key(5)),
            consent: Signed::new(Consent { owner: key(5).public() }, self.network, &key(105)),
        };
        Signed::new(admission, self.network, &one_time)
    }

    fn outcome(&self, task: TaskIndex) -> Outcome {
        let output = |path: &str| Output {
            path: path.into(),
            cid: Cid::of(Codec::DagPb, path.as_bytes()),
            size_bytes: 1 << 33,
        };
        Outcome {
            job: self.id,
            task,
            end: End::Exit(0),
            fuel: 123_456_789,
            fingerprint: Digest([3; 32]),
            outputs: vec![output("deep/er/a.json"), output("z.csv")],
            stdout: Cid::of(Codec::Raw, b"out"),
            stderr: Cid::of(Codec::Raw, b""),
        }
    }

    fn member(&self, task: TaskIndex, replica: u8) -> Member {
        let node = key(102 + replica).public();
        let hidden = commitment_of(&node, &salt(replica), &self.outcome(task).digest());
        let attempt = Attempt(replica.into());
        Member { node, attempt, hidden }
    }

    fn members(&self, task: TaskIndex) -> Vec<Member> {
        (0..2).map(|replica| self.member(task, replica)).collect()
    }

    /// Commitment and reveal of one replica, on node 102 or 103.
    fn batches(&self, task: TaskIndex, replica: u8) -> (CommitBatch, RevealBatch) {
        let Member { attempt, hidden, .. } = self.member(task, replica);
        let secret = key(102 + replica);
        let commitment = Commitment { task, attempt, hidden };
        let reveal = Reveal {
            task,
            attempt,
            set: set_digest(&self.id, task, &self.members(task)),
            outcome: self.outcome(task).digest(),
            salt: salt(replica),
        };
        (
            CommitBatch::sign(self.id, vec![commitment], self.network, &secret),
            RevealBatch::sign(self.id, vec![reveal], self.network, &secret),
        )
    }

    /// Tasks 0 and 2 were agreed on; node 104 was passed over.
    fn agreements(&self) -> Agreements {
        let tasks = [TaskIndex(0), TaskIndex(2)];
        let (mut commits, mut reveals): (Vec<_>, Vec<_>) =
            tasks.iter().flat_map(|t| (0..2).map(|replica| self.batches(*t, replica))).unzip();
        commits.sort_by_key(|batch| batch.statement.payload.root);
        reveals.sort_by_key(|batch| batch.statement.payload.root);
        let agreed = |task: TaskIndex| Agreed {
            task,
            outcome: self.outcome(task).digest(),
            sets: vec![vec![Attempt(0), Attempt(1)]],
            skipped: vec![Skip { node: key(104).public(), reason: SkipReason::Offline }],
            decided: false,
            first: None,
        };
        Agreements {
            order: self.order.clone(),
            drawn: Height(0),
            commits,
            reveals,
            tasks: tasks.map(agreed).to_vec(),
        }
    }

    fn block(&self) -> Block {
        let mut txs =
            vec![Tx::Admit(Box::new(self.admission())), Tx::Agree(Box::new(self.agreements()))];
        txs.extend(self.disputed_txs());
        let parent = Header::of_genesis(&self.genesis, Digest([5; 32]));
        let header = Header {
            height: Height(1),
            parent: parent.digest(),
            time: Time(3_000),
            proposer: Some(key(101).public()),
            beacon_proof: vec![4; 80],
            tx_root: Block::tx_root(&txs),
            ..parent
        };
        Block { header, txs }
    }

    fn certificate(&self, header: &Header) -> Certificate {
        let mut certificate = Certificate {
            epoch: 0,
            view: 7,
            parent_view: 5,
            payload: header.digest(),
            signatures: Vec::new(),
        };
        let message = certificate.signing_bytes(self.network);
        let place = |n: u8| {
            let secret = key(100 + n);
            let place = self.genesis.validators.iter().position(|v| *v == secret.public());
            (place.expect("a validator") as u32, secret.sign(&message))
        };
        let mut signatures: Vec<_> = (1..=3).map(place).collect();
        signatures.sort_by_key(|(place, _)| *place);
        certificate.signatures = signatures;
        certificate
    }

    /// Final through the block above it.
    fn finality(&self) -> Finality {
        let header = self.block().header;
        let above = Header {
            height: header.height.next(),
            parent: header.digest(),
            time: Time(4_000),
            tx_root: Block::tx_root(&[]),
            ..header
        };
        let certificate = self.certificate(&above);
        Finality { above: vec![above], certificate }
    }

    fn receipt(&self) -> Receipt {
        let block = self.block();
        let leaves: Vec<_> = block.txs.iter().map(Tx::encode).collect();
        let part = Part {
            agreements: self.agreements(),
            header: block.header.clone(),
            inclusion: Inclusion::of(&leaves, 1).expect("it is in the block"),
            finality: self.finality(),
        };
        let body = Body {
            genesis: self.genesis.clone(),
            order: self.order.clone(),
            table: table(),
            vouchers: Vec::new(),
            outcomes: vec![self.outcome(TaskIndex(0)), self.outcome(TaskIndex(2))],
            parts: vec![part],
            unsettled: vec![(TaskIndex(1), Unsettled::NoCandidates)],
            dissent: Vec::new(),
            ruled: Vec::new(),
            verdicts: Vec::new(),
        };
        Receipt::seal(body, self.network, &key(101))
    }

    fn about(&self) -> About {
        let (engine, clock) = (Digest([4; 32]), Time(1_000));
        About { version: "0.1.0".into(), engine, height: Height(9), clock }
    }

    fn introduction(&self) -> Introduction {
        let profile = Profile {
            labels: [("zone".to_string(), "north".to_string())].into(),
            arch: "x86_64".into(),
            cores: 8,
            gpus: vec!["one".into()],
            speed: Some(Speed { mflops: 900, memory_mib_s: 5_000, disk_mib_s: 70, fuel_ms: 9 }),
            at: Time(1_000),
            ..Profile::default()
        };
        let profile = Some(Signed::new(profile, self.genesis.network(), &key(102)));
        Introduction { about: self.about(), profile }
    }

    fn chain_reply(&self) -> ChainReply {
        let block = self.block();
        let certificate = self.certificate(&block.header);
        ChainReply::Blocks { head: Height(9), blocks: vec![(block, Some(certificate))] }
    }

    fn to_home(&self) -> ToHome {
        let (_, batch) = self.batches(TaskIndex(0), 0);
        ToHome::Revealed { batch, outcomes: vec![self.outcome(TaskIndex(0))] }
    }

    fn to_worker(&self) -> ToWorker {
        let task = TaskIndex(0);
        let commits = (0..2).map(|replica| self.batches(task, replica).0).collect();
        ToWorker::Sets { job: self.id, sets: vec![(task, self.members(task))], commits }
    }

    fn job_event(&self) -> Vec<u8> {
        let event = JobEvent::Agreed {
            outcome: self.outcome(TaskIndex(0)),
            executors: vec![key(102).public(), key(103).public()],
        };
        serde_json::to_vec(&event).expect("an event has a JSON form")
    }

    fn car(&self) -> Vec<u8> {
        let blocks = [
            Content::of(Codec::DagCbor, canonical::encode(&NoResult::Busy)),
            Content::of(Codec::Raw, &b"content"[..]),
        ];
        let mut bytes = car::header(&[blocks[0].cid, self.order.payload.table]);
        bytes.extend(blocks.iter().flat_map(car::section));
        bytes
    }
}

fn salt(replica: u8) -> Salt {
    Salt([replica; 16])
}

/// A directory of two files, as its block.
fn small_directory() -> Vec<u8> {
    let entry = |name: &str| Entry {
        name: name.into(),
        cid: Cid::of(Codec::Raw, name.as_bytes()),
        size_bytes: name.len() as u64,
    };
    directory(&[entry("a.csv"), entry("b.csv")]).expect("two plain names").bytes.to_vec()
}

/// A shard with a shard in slot 1 and an entry in slot 10, as its block.
fn shard() -> Vec<u8> {
    let mut bytes = Vec::new();
    for name in ["01", "0Aa.csv"] {
        let cid = Cid::of(Codec::Raw, name.as_bytes()).to_bytes();
        let name = [&[0x12, name.len() as u8][..], name.as_bytes()].concat();
        let link = [&[0x0a, 36][..], &cid, &name, &[0x18, 9]].concat();
        bytes.extend([0x12, link.len() as u8]);
        bytes.extend(link);
    }
    // Type, bit field, hash and fanout.
    bytes.extend([0x0a, 11, 8, 5, 0x12, 2, 4, 2, 0x28, 0x22, 0x30, 0x80, 2]);
    bytes
}

/// A stream inside version 2, three bytes after the head, with an index of four bytes.
fn car_v2(data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x0a\xa1\x67version\x02".to_vec();
    bytes.extend([0; 16]);
    let length = data.len() as u64;
    for number in [54, length, 54 + length] {
        bytes.extend(u64::to_le_bytes(number));
    }
    bytes.extend([0; 3]);
    bytes.extend(data);
    bytes.extend([0xff; 4]);
    bytes
}

/// A file of three chunks, as its upper block.
fn large_file() -> Vec<u8> {
    let mut builder = FileBuilder::new();
    let mut blocks = Vec::new();
    builder.push(&vec![7; (5 << 20) / 2], &mut blocks);
    let root = builder.finish(&mut blocks);
    let root = blocks.into_iter().find(|block| block.cid == root.cid).expect("the root is a block");
    root.bytes.to_vec()
}
