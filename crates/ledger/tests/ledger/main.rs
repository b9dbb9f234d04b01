//! What applies and what does not, on blocks with real keys and signatures.

#![allow(clippy::unwrap_used)]

mod accusations;
mod admissions;
mod agreements;
mod audits;
mod blocks;
mod disputes;
mod first;
mod fixture;
mod random;
mod ruled;
mod sanctions;
mod sealed;
mod verdicts;
