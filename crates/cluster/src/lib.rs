//! Replicate work inside an owner's cluster (an existing Raft).
