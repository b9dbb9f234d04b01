//! REST, gRPC, S3, IPFS gateway, dashboard, all of them onto the api.
//!
//! [`serve`] offers a [`api::NodeApi`] over HTTP on loopback. It reads, bounds and translates;
//! there is no rule of the protocol here. The paths are those of [`api::path`]. [`ipfs::serve`]
//! offers its content to tools of IPFS, on a listener of its own.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cluster;
mod config;
mod error;
mod guard;
mod handle;
pub mod ipfs;
mod patience;
mod reply;
mod service;
mod storage;
mod submit;

pub use config::Config;
pub use error::Error;
pub use service::{Running, serve};
