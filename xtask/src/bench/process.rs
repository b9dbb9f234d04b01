//! Runs programs to their end, and keeps their time, within bounds.

use anyhow::{Context as _, bail, ensure};
use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// The end of what a program said that a person is shown.
const TAIL_BYTES: usize = 2_000;

/// How a program ended.
pub(crate) struct Ended {
    /// Process start to exit.
    pub(crate) took: Duration,
    /// What it printed.
    pub(crate) stdout: String,
}

/// Runs a program that must end well within `limit`. What it says goes to files in `dir`, so that
/// nobody has to read while the clock runs.
pub(crate) fn run(dir: &Path, command: &mut Command, limit: Duration) -> anyhow::Result<Ended> {
    let (out, err) = (dir.join("stdout"), dir.join("stderr"));
    let create = |path: &Path| File::create(path).with_context(|| path.display().to_string());
    command.stdin(Stdio::null()).stdout(create(&out)?).stderr(create(&err)?);
    let name = format!("{command:?}");
    let start = Instant::now();
    let child = command.spawn().with_context(|| name.clone())?;
    let (status, took) = wait(child, start, limit).with_context(|| name.clone())?;
    let read = |path: &Path| fs::read_to_string(path).with_context(|| path.display().to_string());
    ensure!(status.success(), "{name}: {status}\n{}", tail(&read(&err)?));
    Ok(Ended { took, stdout: read(&out)? })
}

/// Waits for the end on a thread of its own: it blocks, so that it wakes at once.
fn wait(
    mut child: Child,
    start: Instant,
    limit: Duration,
) -> anyhow::Result<(ExitStatus, Duration)> {
    let pid = child.id().to_string();
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            let status = child.wait();
            // The receiver is there until this is told.
            let _there = tell.send((status, start.elapsed()));
        });
        match told.recv_timeout(limit) {
            Ok((status, took)) => Ok((status?, took)),
            Err(_) => {
                Command::new("kill").args(["-KILL", &pid]).status().context("kill")?;
                bail!("it did not end within {} s", limit.as_secs())
            }
        }
    })
}

/// The end of a text.
pub(crate) fn tail(text: &str) -> &str {
    let mut from = text.len().saturating_sub(TAIL_BYTES);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

/// A program that runs in the background. It ends with this value, and with this program.
pub(crate) struct Background(Child);

impl Background {
    /// Starts it; `command` must be of [`crate::steps::Steps::command`].
    pub(crate) fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::create(log).with_context(|| log.display().to_string())?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        Ok(Self(command.spawn().with_context(|| format!("{command:?}"))?))
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.0.try_wait()?)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// Asks again and again until there is an answer.
pub(crate) fn until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = probe()? {
            return Ok(found);
        }
        ensure!(Instant::now() < end, "{what}: not within {} s", limit.as_secs());
        thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests {
    use super::{run, tail};
    use std::{process::Command, time::Duration};

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn what_a_program_printed_and_why_it_failed_is_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let shell =
            |line: &str, limit| run(dir.path(), Command::new("sh").args(["-c", line]), limit);
        assert_eq!(shell("echo 7", LIMIT).expect("it ends well").stdout, "7\n");
        let error = shell("echo no >&2; exit 3", LIMIT).err().expect("it fails");
        assert!(format!("{error:#}").contains("no\n"), "{error:#}");
        let error = shell("sleep 60", Duration::from_millis(1)).err().expect("it takes too long");
        assert!(format!("{error:#}").contains("did not end"), "{error:#}");
    }

    #[test]
    fn the_end_of_a_text_is_cut_between_characters() {
        let text = "ä".repeat(3000);
        assert!(tail(&text).len() <= 2_000 && tail(&text).starts_with('ä'));
        assert_eq!(tail("short"), "short");
    }
}
