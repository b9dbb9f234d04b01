//! A person to the api.
//!
//! [`run`] takes the command line and answers the exit code. Data goes to stdout, everything else
//! to stderr. What needs more than words, the node and the engine, is behind [`Launch`].
//!
//! Where things are: `commands/<noun>/<verb>.rs` for what a person types, [`data`] for the
//! directory that a node and its owner's commands share, `background` for the node that commands
//! start where nobody configured one, `job` for the way of a job from files to
//! files, `content` for files in the store, `verify` for receipts and evidence.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod background;
mod commands;
mod connect;
mod content;
pub mod data;
mod exit;
mod failure;
mod job;
mod launch;
mod machine;
mod out;
mod pick;
mod text;
mod threads;
mod verify;

pub use background::{Background, BoundedLog, Ready};
pub use exit::Exit;
pub use launch::{Agree, Began, HeldCluster, Launch, NodePlan, RerunOrder, UpOptions};

use std::{ffi::OsString, process::ExitCode};

/// Does what the command line says.
pub fn run(args: impl IntoIterator<Item = OsString>, launch: &dyn Launch) -> ExitCode {
    ExitCode::from(commands::run(args.into_iter().collect(), launch).code())
}
