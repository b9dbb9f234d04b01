//! The side of the node that is started in the background.

use super::BoundedLog;
use crate::{data::DataDir, failure::Failure};
use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
};

/// What a node in the background has from whoever started it.
#[derive(Debug)]
pub struct Background {
    /// To tell that it is ready.
    pub ready: Ready,
    /// Where it logs.
    pub log: BoundedLog,
}

/// Tells whoever started this node that its door is open.
#[derive(Debug)]
pub struct Ready(File);

/// What is told.
pub(super) const WORD: &[u8] = b"ready\n";

impl Ready {
    /// Tells. Whoever waited may be gone: the node goes on for others.
    pub fn tell(mut self) {
        let _gone = self.0.write_all(WORD);
    }
}

/// Leaves the terminal of whoever started this process, takes its stdout as the way to tell when the
/// node is ready, and waits until a node that was here before is over.
pub(crate) fn enter(data: &DataDir) -> Result<Background, Failure> {
    // It fails where this process leads a group: then somebody started it by hand, and keeps it.
    let _by_hand = rustix::process::setsid();
    let set_up = || -> io::Result<Background> {
        let ready = Ready(io::stdout().as_fd().try_clone_to_owned()?.into());
        rustix::stdio::dup2_stdout(io::stderr())?;
        Ok(Background { ready, log: BoundedLog::open(&data.log())? })
    };
    let background = set_up().map_err(|error| Failure::file(&data.log(), &error))?;
    let held = data.lock_file("node.lock")?;
    held.lock().map_err(Failure::internal)?;
    // It is given free by the end of the process, when nothing of the node is left.
    std::mem::forget(held);
    Ok(background)
}
