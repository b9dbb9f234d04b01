//! Which process a node is: its number, and when it began, so that a later process with the same
//! number is told apart (`proc(5)`).

use serde::{Deserialize, Serialize};
use std::{fs, io};

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

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
