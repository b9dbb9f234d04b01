//! What is said: every noun that crosses wire or disk, its canonical versioned bytes, our own
//! certificate and Merkle proofs, offline verification, and the ports.
//!
//! Read in this order: [`Genesis`] (who founds), [`Admission`] (who joins), [`Job`] and
//! [`TaskTable`] (what is asked), [`draw`] (who runs it), [`Outcome`], [`Commits`] and [`Reveals`]
//! (what is answered), [`Agreements`] (what goes on the ledger), [`Dispute`] and [`Contradiction`]
//! (when somebody lies), [`Block`] and [`Certificate`] (how it becomes final), [`Receipt`] and
//! [`Evidence`] (what a stranger verifies), [`durability`] (what outlives machines).

#![cfg_attr(test, allow(clippy::unwrap_used))]

#[cfg(test)]
extern crate self as protocol;

mod admission;
mod agreement;
pub mod beacon;
mod block;
mod certificate;
mod contradiction;
mod dispute;
pub mod draw;
pub mod durability;
mod error;
mod event;
mod evidence;
mod file;
mod genesis;
mod ids;
mod job;
pub mod limits;
mod machine;
pub mod merkle;
mod message;
mod outcome;
mod packed;
pub mod pairs;
mod pieces;
pub mod port;
mod printable;
mod profile;
mod quote;
mod receipt;
mod roster;
mod sanction;
mod statement;
mod table;
mod terms;
mod time;
mod together;
mod vote;

pub use admission::{Admission, Consent, Invitation, InvitationKind, Seconding, Voucher};
pub use agreement::{Agreed, AgreementError, Agreements, CommitBatch, RevealBatch, Settled};
pub use block::{Block, Finality, Header, NamedBlock, NamedTx, Tx};
pub use certificate::{Certificate, CertificateError};
pub use contradiction::{Accusation, Contradiction};
pub use dispute::{Audit, Claim, Claimed, Dispute, Ruling, Verdicts, dispute_name};
pub use durability::{Durability, Groups, Manifest};
pub use error::Error;
pub use event::JobEvent;
pub use evidence::{Accused, Decided, Evidence, EvidenceError, EvidenceReport, Proof};
pub use genesis::{Distinct, Founder, Genesis, Params};
pub use ids::{Attempt, Height, JobId, OutcomeDigest, TaskIndex, TaskKey};
pub use job::{Job, Limits, Placement, Verification};
pub use machine::Machine;
pub use message::{About, ChainReply, ChainRequest, Introduction, ToHome, ToWorker};
pub use outcome::{End, NoResult, Outcome, Output, Trap};
pub use printable::{is_printable, printable};
pub use profile::{Profile, Speed};
pub use quote::{Batched, CommitQuote, Quote, RevealQuote};
pub use receipt::{
    Body, Part, Receipt, ReceiptError, Report, Ruled, Seal, SettledTask, Unsettled, Warning,
};
pub use roster::{NodeRecord, OwnerRecord, Roster};
pub use sanction::{Cause, Finding, Right, Sanction};
pub use statement::{
    Commitment, Commits, Member, Reveal, Reveals, Salt, commitment_of, set_digest,
};
pub use table::{
    Axis, Case, Input, Range, Step, TaskSpec, TaskTable, case_at, case_name, combinations,
    is_param_name,
};
pub use terms::{Class, Needs, Priority, Terms, check_labels};
pub use time::Time;
pub use vote::{Proposal, Vote, VoteKind, VotePair};
