//! What is told to whoever asks why things are as they are. All of it is found when it is asked for.

mod job;
mod node;
mod placement;
mod queue;
mod task;

pub use job::{Included, ReplicaStatus, TaskStatus};
pub use node::NodeView;
pub use placement::{Passed, PlacementView, ScoredNode};
pub use queue::{QueueView, Totals};
pub use task::{ReplicaView, TaskView};
