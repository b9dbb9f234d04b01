//! What the nodes take of the machine, every few seconds.

use anyhow::Context as _;
use std::{fs, io, path::Path, time::Duration};

/// One look at all nodes.
pub(super) struct Look {
    /// Since the beginning.
    pub(super) at: Duration,
    /// By node; nothing while it is down.
    pub(super) nodes: Vec<Option<Taken>>,
    /// Tasks with a result, so far.
    pub(super) tasks: u64,
}

/// What a process takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// Resident memory.
    pub(super) memory_bytes: u64,
    /// Open files and sockets.
    pub(super) files: u64,
    pub(super) threads: u64,
    /// Its directory on the disk.
    pub(super) disk_bytes: u64,
}

/// What a process takes; nothing if there is none.
pub(super) fn taken(pid: u32, data: &Path) -> anyhow::Result<Option<Taken>> {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return Ok(None) };
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
    };
    // A process that has ended and was not waited for has no memory.
    let Some(memory_kib) = field("VmRSS:") else { return Ok(None) };
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Ok(None) };
    Ok(Some(Taken {
        memory_bytes: memory_kib << 10,
        files: files.count() as u64,
        threads: field("Threads:").unwrap_or_default(),
        disk_bytes: size_of(data)?,
    }))
}

/// Bytes of all files below a directory, which may change meanwhile.
fn size_of(dir: &Path) -> anyhow::Result<u64> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let entries = match fs::read_dir(dir) {
        Err(error) if gone(&error) => return Ok(0),
        entries => entries.with_context(|| dir.display().to_string())?,
    };
    let mut size_bytes = 0;
    for entry in entries {
        let entry = match entry {
            Err(error) if gone(&error) => continue,
            entry => entry?,
        };
        let meta = match fs::symlink_metadata(entry.path()) {
            Err(error) if gone(&error) => continue,
            meta => meta?,
        };
        size_bytes += if meta.is_dir() { size_of(&entry.path())? } else { meta.len() };
    }
    Ok(size_bytes)
}

/// All looks, a line each, for whoever wants another picture of them.
pub(super) fn table(looks: &[Look]) -> String {
    let mut table = String::from("seconds,tasks,node,memory_bytes,files,threads,disk_bytes\n");
    for look in looks {
        for (node, taken) in look.nodes.iter().enumerate() {
            let Some(Taken { memory_bytes, files, threads, disk_bytes }) = taken else { continue };
            let (at, tasks) = (look.at.as_secs(), look.tasks);
            let line =
                format!("{at},{tasks},{node},{memory_bytes},{files},{threads},{disk_bytes}\n");
            table.push_str(&line);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{size_of, taken};

    #[test]
    fn this_process_takes_something_and_one_that_is_not_takes_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("below")).expect("a directory");
        std::fs::write(dir.path().join("below/file"), [0; 1000]).expect("a file");
        assert!(size_of(dir.path()).expect("a size") >= 1000);
        let mine = taken(std::process::id(), dir.path()).expect("a look").expect("this process");
        assert!(mine.memory_bytes > 0 && mine.files > 0 && mine.threads > 0);
        assert_eq!(taken(u32::MAX, dir.path()).expect("a look"), None);
    }
}
