//! What can go wrong with a cluster.

use identity::PublicKey;
use protocol::port::LogError;

/// Why a call failed, or why the cluster cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A setting out of its range.
    #[error("cluster setting {field}: {reason}")]
    Config {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// An input that is too large for the log.
    #[error("an input of {size_bytes} bytes, at most {limit_bytes} are allowed")]
    TooLarge {
        /// Bytes of the input.
        size_bytes: usize,
        /// Bytes that are allowed.
        limit_bytes: usize,
    },
    /// Only the leader takes inputs and answers reads. Nothing was done.
    #[error("{}", not_led(leader.as_ref()))]
    NotLeader {
        /// Who leads, if that is known.
        leader: Option<PublicKey>,
    },
    /// Leadership was lost on the way: the input may have been taken or not.
    #[error("leadership was lost; whether the input was taken is not known, ask the new leader")]
    Unknown,
    /// The log was written by another node.
    #[error("this directory holds the cluster log of {owner}, not of {me}; give each node its own")]
    Foreign {
        /// Whose log it is.
        owner: PublicKey,
        /// This node.
        me: PublicKey,
    },
    /// Another member could not be asked. Nothing was done.
    #[error("member {member} of the cluster does not answer: {reason}")]
    Unreachable {
        /// The member.
        member: PublicKey,
        /// Why.
        reason: String,
    },
    /// A change of members, or of who leads, that cannot be made now.
    #[error("{0}")]
    Members(String),
    /// Another change of members is under way.
    #[error("another change of the cluster's members is under way; try again in a moment")]
    UnderWay,
    /// Something was written by a later version.
    #[error("{what} was written in version {version} of its format; use a newer polity")]
    Newer {
        /// What was read.
        what: &'static str,
        /// Its version.
        version: u8,
    },
    /// An input that this version does not know, in the log or on its way there: a member of a later
    /// one gave it.
    #[error(
        "this version does not know an input of the cluster ({reason}): another machine has a newer \
         polity; use it on all of them, nothing is lost"
    )]
    UnknownInput {
        /// Where reading it ended.
        reason: String,
    },
    /// Something on disk is not what was written there.
    #[error(
        "{what} cannot be read: {reason}; a copy of this directory is no help: take this machine out \
         (on another one: polity cluster remove) and let it join with an empty directory, or if it \
         is the only one: polity cluster restore COPY"
    )]
    Unreadable {
        /// What was read.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Another member says something that is no message.
    #[error("what a member says cannot be read: {0}")]
    Nonsense(String),
    /// The log failed while the cluster started.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The cluster was shut down.
    #[error("the cluster is shut down")]
    Stopped,
    /// The cluster is dead: nothing is taken or answered any more, this node must stop.
    #[error("the cluster failed: {0}")]
    Failed(String),
}

fn not_led(leader: Option<&PublicKey>) -> String {
    match leader {
        Some(leader) => format!("this node does not lead its cluster; {leader} does"),
        None => "nobody is known to lead this cluster: that takes a majority of its voters".into(),
    }
}

impl Error {
    /// Whether the same call may go well later.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::NotLeader { .. } | Self::Unknown | Self::Unreachable { .. })
    }
}
