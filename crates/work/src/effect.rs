//! What the work of a home wants done.

use crate::Error;
use identity::{PublicKey, Signed};
use protocol::{Agreements, Contradiction, Dispute, Job, JobEvent, JobId, Outcome, ToWorker};

/// Something for the leader to carry out. All may come more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly all are the large one")]
pub enum Effect {
    /// Say something to a worker, which may be the home itself.
    Send {
        /// To whom.
        to: PublicKey,
        /// What.
        message: ToWorker,
    },
    /// Have the ledger order this. Comes again until the ledger accepted or refused it.
    Publish(Box<Agreements>),
    /// Have the ledger order this sealed order. Comes again until [`crate::Input::Drawn`].
    Order(Box<Signed<Job>>),
    /// Draw this job with the last final beacon: it was held, and is not any more. Comes again until
    /// [`crate::Input::Drawn`].
    Draw {
        /// The job.
        job: JobId,
    },
    /// Have the ledger order this dispute, which holds all claims that are known. Comes again, with
    /// further claims, until [`crate::Input::Ruled`] or [`crate::Input::DisputeRefused`].
    Dispute(Box<Dispute>),
    /// Accuse a node of contradicting itself.
    Accuse(Box<Contradiction>),
    /// Keep the outputs of an agreed task.
    Keep {
        /// The job.
        job: JobId,
        /// What was agreed on.
        outcome: Outcome,
        /// The nodes that have the outputs.
        from: Vec<PublicKey>,
    },
    /// Tell whoever waits for the job.
    Event {
        /// The job.
        job: JobId,
        /// What happened.
        event: JobEvent,
    },
    /// Every task is final or unsettled: build the receipt and store it. Comes again until
    /// [`crate::Input::ReceiptStored`].
    Finished {
        /// The job.
        job: JobId,
    },
    /// The order was not taken, though it passed the gate: there was room then.
    Refused {
        /// The job.
        job: JobId,
        /// Why.
        error: Error,
    },
}
