//! Polity as somebody meets it who has one machine and two minutes.
//!
//! `cargo xtask guests` sets up the compilers that the pages use; `cargo xtask test` does so before
//! the tests.

#![allow(clippy::unwrap_used)]

mod guides;
mod page;
mod person;
mod terminal;
