//! What a person types, against a fake polity behind the real gateway.

mod founding;
mod jobs;
mod lies;
mod parsing;
mod polity;
mod receipts;
mod verdicts;
mod world;
