//! Starting the node in the background: this program again, apart from its terminal.

use super::{child::WORD, log::append};
use crate::{data::DataDir, exit::Exit, failure::Failure, text};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::fd::AsFd,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

/// How long the node may take until its door is open.
const START: Duration = Duration::from_secs(60);
/// The end of a log that a person is shown.
const TAIL_BYTES: u64 = 2_000;

/// Starts it, waits until its door is open, and gives its number.
pub(super) fn start(data: &DataDir) -> Result<u32, Failure> {
    let path = data.log();
    let log = append(&path).map_err(|error| Failure::file(&path, &error))?;
    let before = log.metadata().map_err(|error| Failure::file(&path, &error))?.len();
    let exe = std::env::current_exe().map_err(Failure::internal)?;
    let mut child = Command::new(&exe)
        .args(["up", "--background", "--data"])
        .arg(data.root())
        .current_dir(data.root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(|error| Failure::file(&exe, &error))?;
    let pid = child.id();
    let told = child.stdout.take().ok_or_else(|| Failure::internal("no pipe to the node"))?;
    match wait(told) {
        Ok(true) => Ok(pid),
        Ok(false) => {
            let ended = child.wait().map_err(Failure::internal)?;
            Err(failure(data, before, &format!("it ended with {ended}")))
        }
        Err(error) => {
            give_up(&mut child)?;
            Err(failure(data, before, &error.to_string()))
        }
    }
}

/// Waits until the node tells that it is ready; false if it ends first.
fn wait(mut told: ChildStdout) -> io::Result<bool> {
    let end = Instant::now() + START;
    let mut word = Vec::new();
    while word != WORD {
        if !is_readable(&told, end)? {
            let waited = text::lasting(START);
            return Err(io::Error::other(format!("it was not ready after {waited}")));
        }
        let mut bytes = [0; WORD.len()];
        match told.read(&mut bytes)? {
            0 => return Ok(false),
            count => word.extend_from_slice(&bytes[..count]),
        }
    }
    Ok(true)
}

/// Waits until there is something to read, or an end; false if there is not by `end`.
pub(super) fn is_readable(fd: impl AsFd, end: Instant) -> io::Result<bool> {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            // A signal that this process lives on after.
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn give_up(child: &mut Child) -> Result<(), Failure> {
    child.kill().and_then(|()| child.wait()).map(drop).map_err(Failure::internal)
}

fn failure(data: &DataDir, before: u64, what: &str) -> Failure {
    let path = data.log();
    let log = tail(&path, before).unwrap_or_else(|error| error.to_string());
    let message = format!("the node in the background did not start: {what}\n{}", log.trim_end());
    Failure::new(Exit::NoNode, message).next(format!("its log is {}", path.display()))
}

/// What was written since the log had `before` bytes, or the end of that.
fn tail(path: &Path, before: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    // A log that began anew in between is shorter.
    let from = if before > size { 0 } else { before };
    file.seek(SeekFrom::Start(from.max(size.saturating_sub(TAIL_BYTES))))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
