//! The largest sizes that may be said, the same on every node. All in bytes unless named otherwise.

/// A block of content on the wire and in the store.
pub const BLOB_BYTES: usize = 4 << 20;
/// A genesis document.
pub const GENESIS_BYTES: usize = 1 << 20;
/// A transaction.
pub const TX_BYTES: usize = 1 << 20;
/// A block of the ledger with all its transactions.
pub const BLOCK_BYTES: usize = 4 << 20;
/// A message between a home and a worker, or an answer of the chain.
pub const MESSAGE_BYTES: usize = 8 << 20;
/// What a node says of itself.
pub const ABOUT_BYTES: usize = 8 << 10;
/// Labels of a node, or that a job asks for; GPUs of a node.
pub const LABELS: usize = 32;
/// Bytes of a label's name, or of its value.
pub const LABEL_BYTES: usize = 63;
/// Owners, or nodes, that a job names.
pub const NAMED: usize = 256;
/// A receipt file.
pub const RECEIPT_BYTES: usize = 1 << 30;
/// What a task adds to a receipt, without its replicas, if it writes a file or two.
pub const RECEIPT_TASK_BYTES: u64 = 128;
/// What each replica of a task that agrees adds to it.
pub const RECEIPT_REPLICA_BYTES: u64 = 96;
/// A task table.
pub const TABLE_BYTES: usize = BLOB_BYTES;
/// Tasks of one job.
pub const TASKS: u32 = 1_000_000;
/// Tasks of a grid of which every name has to be looked at: those with special characters.
pub const NAMED_TASKS: u32 = 100_000;
/// Jobs that one job may be held for.
pub const AFTER: usize = 64;
/// Replicas of one task.
pub const REPLICAS: u16 = 64;
/// Leaves of one batch of commitments or reveals.
pub const BATCH_LEAVES: usize = 1024;
/// Arguments of a program, and bytes of all of them.
pub const ARGS: usize = 1024;
/// Bytes of all arguments together.
pub const ARGS_BYTES: usize = 64 << 10;
/// Parameters of one task.
pub const PARAMS: usize = 256;
/// Names and values of all parameters of one task.
pub const PARAMS_BYTES: usize = 64 << 10;
/// Input files of one task.
pub const INPUTS: usize = 4096;
/// Bytes of a file name.
pub const NAME_BYTES: usize = 255;
/// Files that one task may write.
pub const OUTPUTS: usize = 4096;
/// Rulings of one validator under one signature.
pub const RULINGS: usize = 256;
/// An evidence file.
pub const EVIDENCE_BYTES: usize = 64 << 20;
/// Validators of one genesis.
pub const VALIDATORS: usize = 128;
/// A signed manifest of a protected object.
pub const MANIFEST_BYTES: usize = 1 << 20;
/// A page of a manifest.
pub const GROUPS_BYTES: usize = 1 << 20;
/// A signed placement.
pub const PLACEMENT_BYTES: usize = 16 << 10;
/// A question about keeping shards, or an answer.
pub const KEEP_BYTES: usize = 256 << 10;
/// Blocks that a node is asked to show at once.
pub const SHOWN: usize = 256;
/// Nodes that are named as sources of shards.
pub const KEEP_SOURCES: usize = 128;
/// Manifests of one object in one answer.
pub const FOUND: usize = 8;
