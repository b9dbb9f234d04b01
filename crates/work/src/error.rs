//! What a home can refuse.

use protocol::Time;

/// Why an order, or a config, was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Every place for a job is taken.
    #[error("{live} jobs are under way here, no more are taken; wait for one to finish")]
    TooManyJobs {
        /// Jobs there are.
        live: usize,
    },
    /// The jobs under way have too many tasks already.
    #[error(
        "{live} tasks are under way here and at most {allowed} are taken; wait, or split the job"
    )]
    TooManyTasks {
        /// Tasks there are.
        live: u64,
        /// Tasks there may be.
        allowed: u32,
    },
    /// The submitter has as many jobs under way as it may.
    #[error(
        "{live} jobs of yours are under way here and you may have {allowed}; wait for one to \
         finish, or cancel one"
    )]
    QuotaOfJobs {
        /// Jobs it has.
        live: u32,
        /// Jobs it may have.
        allowed: u32,
    },
    /// The submitter would have more tasks under way than it may.
    #[error(
        "{live} tasks of yours are under way here and you may have {allowed}; wait, or split the \
         job"
    )]
    QuotaOfTasks {
        /// Tasks it has.
        live: u64,
        /// Tasks it may have.
        allowed: u32,
    },
    /// A reservation that makes no sense.
    #[error("the reservation cannot be kept: {reason}")]
    Reservation {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There are as many quotas or reservations as are kept.
    #[error("there are {most} {what} already; end one that is not needed any more")]
    Full {
        /// Of what.
        what: &'static str,
        /// So many.
        most: usize,
    },
    /// The deadline is past.
    #[error("the deadline {deadline} is past; submit with a later one, or without")]
    Deadline {
        /// The deadline.
        deadline: Time,
    },
    /// A config that makes no sense.
    #[error("config: {field} {reason}")]
    Config {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}
