//! Real networks over the loopback interface, on free ports.

#![allow(clippy::unwrap_used)]

mod gossip;
mod lifecycle;
mod membership;
mod streams;
mod support;
