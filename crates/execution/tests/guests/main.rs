//! Guests, run to their ends through the public interface.
#![allow(clippy::unwrap_used)]

mod component_text;
mod components;
mod ends;
mod files;
mod programs;
mod repeat;
mod rust_std;
mod support;
mod views;
