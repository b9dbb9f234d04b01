//! What a person types, against a fake polity behind the real gateway.

mod clusters;
mod columns;
mod content;
mod doctor;
mod founding;
mod jobs;
mod known;
mod lies;
mod parsing;
pub(super) mod polity;
mod receipts;
mod sweeps;
mod verdicts;
pub(super) mod world;
