//! What the house gives to this door: the node itself, and the engine.

use crate::{background::Background, data::DataDir};
use api::JoinLine;
use bytes::Bytes;
use identity::{Digest, PublicKey};
use objects::Cid;
use protocol::{JobId, Limits, Outcome, TaskIndex, Time};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// How a node is started.
#[derive(Debug)]
pub struct UpOptions {
    /// Its directory; it exists.
    pub data: DataDir,
    /// The genesis of the network to be in, if it is given. Else it is the one in the directory.
    pub genesis: Option<PathBuf>,
    /// The invitation to use, if the node is to join.
    pub join: Option<JoinLine>,
    /// What the owner calls itself; for joining.
    pub owner_name: String,
    /// Where to listen: multiaddr texts. Empty for the network's defaults.
    pub listen: Vec<String>,
    /// Further addresses under which others reach this node: multiaddr texts.
    pub announce: Vec<String>,
    /// Peers to stay connected to: multiaddr texts that end in `/p2p/…`.
    pub bootstrap: Vec<String>,
    /// Where the local API listens, if that is said; else as the settings say.
    pub api: Option<SocketAddr>,
    /// Whether the node ends when its stdin closes, so that it cannot outlive its parent.
    pub exit_with_stdin: bool,
    /// What the node has of whoever started it in the background, if it was started so.
    pub background: Option<Background>,
}

/// A task to be run again. All content was checked against its CID.
#[derive(Clone, Debug)]
pub struct RerunOrder {
    /// The job.
    pub job: JobId,
    /// What the task may use.
    pub limits: Limits,
    /// The program.
    pub program: Bytes,
    /// The program's name.
    pub program_cid: Cid,
    /// The task's own arguments, after the program's name.
    pub args: Vec<String>,
    /// Files that the program finds under `/in`, by name.
    pub inputs: Vec<(String, Bytes)>,
    /// What it reads from stdin; nothing, if `None`.
    pub stdin: Option<Bytes>,
    /// The program's environment.
    pub env: Vec<(String, String)>,
    /// The seed of the task's randomness.
    pub seed: Digest,
    /// The task.
    pub task: TaskIndex,
}

/// What a node in a directory would do, from its settings.
#[derive(Clone, Debug)]
pub struct NodePlan {
    /// Where it would listen: multiaddr texts.
    pub listen: Vec<String>,
    /// Free space that its store leaves to the journals.
    pub reserve_bytes: u64,
}

/// What is held of a cluster: by the log of a node that is stopped, or by a copy.
#[derive(Clone, Debug)]
pub struct HeldCluster {
    /// The cluster's name among all clusters.
    pub cluster: String,
    /// What its owner calls it.
    pub name: String,
    /// The node of the directory.
    pub me: PublicKey,
    /// The members, and whether they vote.
    pub members: BTreeMap<PublicKey, bool>,
    /// The term of the last entry.
    pub term: u64,
    /// The last entry.
    pub index: u64,
    /// When that was said.
    pub at: Time,
    /// Jobs that had not ended.
    pub jobs: usize,
}

/// A cluster of one that goes on from what was held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Began {
    /// Its name among all clusters.
    pub cluster: String,
    /// Where the log before it is kept, if there was one.
    pub kept: Option<PathBuf>,
}

/// Asks, given what is held, whether to go on from it.
pub type Agree<'a> = &'a mut dyn FnMut(&HeldCluster) -> bool;

/// Implemented by `node`.
pub trait Launch: Sync {
    /// Checks the settings that a node would start with; nothing is changed.
    ///
    /// # Errors
    /// What is wrong with them.
    fn check(&self, options: &UpOptions) -> anyhow::Result<()>;

    /// Starts a node and answers when it has stopped.
    ///
    /// # Errors
    /// One clear sentence and the way out.
    fn up(&self, options: UpOptions) -> anyhow::Result<()>;

    /// Checks that bytes are a program that nodes can run.
    ///
    /// # Errors
    /// What is wrong with it: not Wasm, or the name of an import that does not exist.
    fn inspect(&self, program: &[u8]) -> Result<(), String>;

    /// Runs a task on this machine, with no node and no network, and answers its outcome under
    /// this machine's engine. Nothing is kept.
    ///
    /// # Errors
    /// Why there is no comparable result, for instance wall time.
    fn rerun(&self, order: RerunOrder) -> anyhow::Result<Outcome>;

    /// What a node in this directory would do; nothing needs to be there.
    ///
    /// # Errors
    /// What is wrong with its settings.
    fn plan(&self, data: &DataDir) -> anyhow::Result<NodePlan>;

    /// The node of a directory, which must be stopped, goes on alone with what its log holds; the log
    /// is kept beside the new one. Nothing is changed unless `agree` says so.
    ///
    /// # Errors
    /// Why that cannot be; nothing was changed.
    fn recover(&self, data: &DataDir, agree: Agree<'_>) -> anyhow::Result<Option<Began>>;

    /// The node of a directory, which must be stopped and have no jobs, goes on alone with what a
    /// copy holds. Nothing is changed unless `agree` says so.
    ///
    /// # Errors
    /// Why that cannot be; nothing was changed.
    fn restore(
        &self,
        data: &DataDir,
        file: &Path,
        agree: Agree<'_>,
    ) -> anyhow::Result<Option<Began>>;

    /// Runs the programs of which every sound machine gives the same, and answers version and
    /// configuration of this machine's engine.
    ///
    /// # Errors
    /// Which of them gave something else.
    fn self_test(&self) -> anyhow::Result<Digest>;
}
