//! What a home can refuse.

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
    /// A config that makes no sense.
    #[error("config: {field} {reason}")]
    Config {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}
