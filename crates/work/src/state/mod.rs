//! What a home remembers.

mod conduct;
mod counts;
mod draw;
mod fleet;
mod found;
mod job;
mod known;
mod learned;
mod race;
mod ruling;
mod shelf;
mod shipment;
mod station;
mod summary;
mod tasks;
mod timers;
mod times;

pub use conduct::Conduct;
pub use counts::Counts;
pub use job::{JobRecord, Progress};
pub use shelf::WASTE_BYTES;
pub use station::Window;
pub use summary::Summary;
pub use times::{JobTimes, Left, TaskTimes};

pub(crate) use draw::Draw;
pub(crate) use fleet::{Fleet, Readiness};
pub(crate) use found::{Fate, Found};
pub(crate) use job::{Seat, TaskState};
pub(crate) use learned::{Learned, NodeClass};
pub(crate) use race::{Race, Replica, Shown, attempt_of};
pub(crate) use ruling::Ruling;
pub(crate) use shelf::{CONTRADICTIONS, Shelf};
pub(crate) use shipment::{Settlement, Shipment, ShipmentState};
pub(crate) use station::{Ask, Link, Station};
pub(crate) use tasks::{TaskRecord, Tasks};
pub(crate) use timers::{Timer, Timers};
pub(crate) use times::LEFT_TASKS;
