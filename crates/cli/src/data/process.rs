//! Which process a node is: its number, and when it began, so that a later process with the same
//! number is told apart (`proc(5)`).

use serde::{Deserialize, Serialize};
use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

/// A process of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// When it began: the boot, and clock ticks since then.
    pub began: String,
}

impl Process {
    /// This process.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn current() -> io::Result<Self> {
        let pid = i32::try_from(std::process::id()).map_err(io::Error::other)?;
        let began = began(pid)?.ok_or_else(|| io::Error::other("this process has ended"))?;
        Ok(Self { pid, began })
    }

    /// Whether it is still there. One that has ended and was not waited for is not.
    pub fn is_running(&self) -> bool {
        began(self.pid).is_ok_and(|began| began.as_ref() == Some(&self.began))
    }
}

/// When the process with this number began; `None` if it has ended.
fn began(pid: i32) -> io::Result<Option<String>> {
    let stat = match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    // The name of the program may hold anything; it ends with the last parenthesis. After it come
    // the state and 18 more fields.
    let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let (state, ticks) = (fields.next(), fields.nth(18));
    match (state, ticks) {
        (Some("Z" | "X"), _) => Ok(None),
        (Some(_), Some(ticks)) => Ok(Some(format!("{}/{ticks}", boot.trim()))),
        _ => Err(io::Error::other(format!("/proc/{pid}/stat cannot be read"))),
    }
}

/// The process that holds the lock of a file (`flock(2)`), by what `/proc/locks` says.
pub(super) fn holder(locks: &str, path: &Path) -> Option<i32> {
    let file = fs::metadata(path).ok()?;
    let (major, minor) = (rustix::fs::major(file.dev()), rustix::fs::minor(file.dev()));
    let id = format!("{major:02x}:{minor:02x}:{}", file.ino());
    locks.lines().find_map(|line| {
        // `1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF`
        let fields: Vec<_> = line.split_whitespace().collect();
        let held = fields.get(1) == Some(&"FLOCK") && fields.get(5) == Some(&id.as_str());
        held.then(|| fields[4].parse().ok()).flatten().filter(|pid: &i32| *pid > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::File,
        process::{Command, Stdio},
    };

    #[test]
    fn whoever_holds_a_lock_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let (file, locks) = (File::create(&path).unwrap(), || fs::read_to_string("/proc/locks"));
        assert_eq!(holder(&locks().unwrap(), &path), None);
        file.lock().unwrap();
        assert_eq!(holder(&locks().unwrap(), &path), i32::try_from(std::process::id()).ok());
        assert_eq!(holder(&locks().unwrap(), &dir.path().join("none")), None);
    }

    #[test]
    fn a_process_is_running_until_it_has_ended_and_no_other_one_counts_as_it() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let process = Process { pid, began: began(pid).unwrap().unwrap() };
        assert!(process.is_running());
        let other = Process { began: Process::current().unwrap().began + "0", ..process.clone() };
        assert!(!other.is_running());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!process.is_running());
        assert!(Process::current().unwrap().is_running());
    }
}
