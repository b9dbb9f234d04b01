//! Nodes that depart from what an honest node does, one file for each way.
//!
//! A [`Liar`] overrides what it does differently; everything else is done as an honest node does
//! it. Liars hold no state: what they do follows from what they see.

mod beacon_withholder;
mod censor;
mod colluders;
mod copied_result;
mod double_voter;
mod false_accuser;
mod forged_receipt;
mod leaky_home;
mod repeater;
mod selective;
mod silent;
mod slow;
mod spoiler;
mod two_commitments;
mod two_sets;
mod unfair_home;
mod unopened_reveal;
mod wrong_result;

use identity::{Digest, NetworkId, PublicKey, SecretKey};
use ledger::{Duty, Ledger};
use protocol::{
    Agreements, Block, CommitBatch, Height, Job, JobId, Outcome, OutcomeDigest, Receipt,
    RevealBatch, TaskIndex, ToHome, ToWorker, Tx,
};
use std::collections::BTreeMap;

/// The ways of lying.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Claims an outcome of its own.
    WrongResult,
    /// Does not run the task and claims what it can get hold of.
    CopiedResult,
    /// Lies only where nobody honest would notice.
    Selective,
    /// Takes tasks and never answers.
    Silent,
    /// Answers when nobody waits any more.
    Slow,
    /// Commits to two outcomes of one replica.
    TwoCommitments,
    /// Reveals what its commitment does not hide.
    UnopenedReveal,
    /// A home that shows different sets to different executors.
    TwoSets,
    /// A home that passes on what it hears to its accomplices, and withholds what it should show.
    LeakyHome,
    /// A home that has one task agreed on twice.
    Repeater,
    /// A home that passes candidates over in silence, and reveals what opens nothing.
    UnfairHome,
    /// A home that writes receipts of what never happened.
    ForgedReceipt,
    /// Accuses those who did nothing, and disputes what is right.
    FalseAccuser,
    /// One of several owners that agree on what to lie.
    Colluders,
    /// A validator that signs two rulings about one task.
    DoubleVoter,
    /// A validator that forfeits its turn if it does not like the beacon.
    BeaconWithholder,
    /// A validator that proposes blocks that do not apply.
    Spoiler,
    /// A validator that never proposes the transactions of one owner.
    Censor,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::WrongResult,
        Self::CopiedResult,
        Self::Selective,
        Self::Silent,
        Self::Slow,
        Self::TwoCommitments,
        Self::UnopenedReveal,
        Self::TwoSets,
        Self::LeakyHome,
        Self::Repeater,
        Self::UnfairHome,
        Self::ForgedReceipt,
        Self::FalseAccuser,
        Self::Colluders,
        Self::DoubleVoter,
        Self::BeaconWithholder,
        Self::Spoiler,
        Self::Censor,
    ];

    /// Those that only a validator can be, or that are worse if it is one.
    pub const VALIDATING: [Self; 7] = [
        Self::WrongResult,
        Self::Silent,
        Self::Colluders,
        Self::DoubleVoter,
        Self::BeaconWithholder,
        Self::Spoiler,
        Self::Censor,
    ];

    /// The kind that a drawn number stands for.
    pub fn of(number: u64) -> Self {
        Self::ALL[(number % Self::ALL.len() as u64) as usize]
    }

    /// The kind of a validator that a drawn number stands for: half of them lie about votes.
    pub fn of_validator(number: u64) -> Self {
        match number % 2 {
            0 => Self::of(number / 2),
            _ => Self::VALIDATING[(number / 2 % Self::VALIDATING.len() as u64) as usize],
        }
    }

    /// How this kind behaves.
    pub fn liar(self) -> &'static dyn Liar {
        match self {
            Self::WrongResult => &wrong_result::WrongResult,
            Self::CopiedResult => &copied_result::CopiedResult,
            Self::Selective => &selective::Selective,
            Self::Silent => &silent::Silent,
            Self::Slow => &slow::Slow,
            Self::TwoCommitments => &two_commitments::TwoCommitments,
            Self::UnopenedReveal => &unopened_reveal::UnopenedReveal,
            Self::TwoSets => &two_sets::TwoSets,
            Self::LeakyHome => &leaky_home::LeakyHome,
            Self::Repeater => &repeater::Repeater,
            Self::UnfairHome => &unfair_home::UnfairHome,
            Self::ForgedReceipt => &forged_receipt::ForgedReceipt,
            Self::FalseAccuser => &false_accuser::FalseAccuser,
            Self::Colluders => &colluders::Colluders,
            Self::DoubleVoter => &double_voter::DoubleVoter,
            Self::BeaconWithholder => &beacon_withholder::BeaconWithholder,
            Self::Spoiler => &spoiler::Spoiler,
            Self::Censor => &censor::Censor,
        }
    }

    /// Whether it lies together with others.
    pub fn has_accomplices(self) -> bool {
        matches!(self, Self::Colluders | Self::LeakyHome | Self::CopiedResult | Self::Selective)
    }
}

/// What a node has when it decides what to do.
pub struct Hand<'a> {
    /// Its key.
    pub key: &'a SecretKey,
    /// Its owner's key.
    pub owner: &'a SecretKey,
    /// The network.
    pub network: NetworkId,
    /// Its ledger.
    pub ledger: &'a Ledger,
    /// Keys of nodes that lie together with it, itself not among them.
    pub friends: &'a [SecretKey],
    /// Outcomes that an accomplice passed on.
    pub leaked: &'a BTreeMap<(JobId, TaskIndex), Outcome>,
}

impl Hand<'_> {
    /// Whether a node lies together with this one.
    pub fn is_friend(&self, node: &PublicKey) -> bool {
        self.friends.iter().any(|friend| friend.public() == *node)
    }
}

/// A replica that an executor was given.
pub struct Given<'a> {
    /// The job.
    pub job: &'a Job,
    /// Height of the block whose beacon drew it.
    pub drawn: Height,
    /// The task.
    pub task: TaskIndex,
}

/// What an executor says that a replica gave.
pub enum Answer {
    /// What it gave.
    Truth,
    /// Something else, with this mark.
    Marked(String),
    /// What an accomplice passed on, without running anything.
    Copied(Box<Outcome>),
}

/// What a validator does with its turn to propose.
pub enum Turn {
    /// Proposes what waits.
    Honest,
    /// Lets it pass.
    Forfeit,
    /// Proposes a block that does not apply.
    Spoil,
    /// Leaves out what belongs to this owner.
    Without(PublicKey),
}

/// How a node departs from what an honest one does. Whatever is not overridden is honest.
pub trait Liar: Sync {
    /// Executor: whether it answers at all.
    fn answers(&self) -> bool {
        true
    }

    /// Executor: how many times longer than needed it takes.
    fn slowness(&self) -> u64 {
        1
    }

    /// Executor: what it says that a replica gave.
    fn answer(&self, _hand: &Hand<'_>, _given: &Given<'_>) -> Answer {
        Answer::Truth
    }

    /// Executor: the batches that it sends instead of one that commits to its answers.
    fn commits(&self, _hand: &Hand<'_>, batch: CommitBatch) -> Vec<CommitBatch> {
        vec![batch]
    }

    /// Executor: what it reveals instead of its answers.
    fn reveals(
        &self,
        _hand: &Hand<'_>,
        batch: RevealBatch,
        outcomes: Vec<Outcome>,
    ) -> (RevealBatch, Vec<Outcome>) {
        (batch, outcomes)
    }

    /// Home: what it sends instead of a message to a worker.
    fn shows(&self, _hand: &Hand<'_>, _to: &PublicKey, message: ToWorker) -> Option<ToWorker> {
        Some(message)
    }

    /// Home: whether its accomplices learn what it was told.
    fn leaks(&self, _heard: &ToHome) -> bool {
        false
    }

    /// Home: what it has ordered instead of these agreements.
    fn publishes(&self, _hand: &Hand<'_>, agreements: Agreements) -> Vec<Agreements> {
        vec![agreements]
    }

    /// Home: receipts that it makes beside the right one.
    fn forges(&self, _hand: &Hand<'_>, _receipt: &Receipt) -> Vec<Receipt> {
        Vec::new()
    }

    /// Any node: what it files when it sees a final block.
    fn files(&self, _hand: &Hand<'_>, _block: &Block) -> Vec<Tx> {
        Vec::new()
    }

    /// Auditor: what it says that a task gave.
    fn audits(&self, _hand: &Hand<'_>, _duty: &Duty, truth: OutcomeDigest) -> OutcomeDigest {
        truth
    }

    /// Validator: what it rules, each under a signature of its own.
    fn rulings(
        &self,
        _hand: &Hand<'_>,
        _at: (JobId, TaskIndex),
        truth: Option<OutcomeDigest>,
    ) -> Vec<Option<OutcomeDigest>> {
        vec![truth]
    }

    /// Validator: what it does with its turn; `beacon` is what would follow from it.
    fn proposes(&self, _hand: &Hand<'_>, _beacon: &Digest) -> Turn {
        Turn::Honest
    }
}

/// An outcome that nothing gave.
fn invented(job: JobId, task: TaskIndex, mark: &str) -> OutcomeDigest {
    crate::world::truth::outcome(job, task, mark).digest()
}
