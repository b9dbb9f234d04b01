//! What is run again: verdicts, audits, and objections to what became final.

mod audits;
mod fixture;
mod objections;
mod verdicts;
