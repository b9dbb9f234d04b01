//! Runs other programs, one step after the other, and keeps the time.

use crate::project::{Project, cargo};
use anyhow::{Context as _, bail};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// The steps of one command.
pub(crate) struct Steps {
    root: PathBuf,
    /// Whether children can be told to end when this program ends.
    setpriv: bool,
    done: Vec<(String, Duration)>,
}

impl Steps {
    /// No step yet.
    pub(crate) fn new(project: &Project) -> Self {
        let setpriv = succeeds(Command::new("setpriv").args(["--pdeathsig", "TERM", "true"]));
        Self { root: project.root.clone(), setpriv, done: Vec::new() }
    }

    /// A command that runs in the root of the checkout and ends with this program, however that
    /// ends. (`setpriv` asks the kernel for it; without that program, only a terminal's Ctrl-C
    /// reaches both.)
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = if self.setpriv {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "TERM", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(&self.root);
        command
    }

    /// Cargo with the words of `line` as arguments.
    pub(crate) fn cargo(&self, line: &str) -> Command {
        let mut command = self.command(cargo());
        command.args(line.split_whitespace());
        command
    }

    /// Cargo as [`Steps::cargo`], for a crate outside the workspace.
    pub(crate) fn cargo_in(&self, directory: &Path, target: &Path, line: &str) -> Command {
        let mut command = self.cargo(line);
        command.current_dir(directory).arg("--target-dir").arg(target);
        command
    }

    /// Runs one step to its end.
    pub(crate) fn run(&mut self, title: &str, command: &mut Command) -> anyhow::Result<()> {
        let status = self.status(title, command)?;
        if status.success() {
            return Ok(());
        }
        bail!("{title}: {status}\n  the step was: {}", text_of(command))
    }

    /// Runs one step and gives back how it ended, whatever that is.
    pub(crate) fn status(
        &mut self,
        title: &str,
        command: &mut Command,
    ) -> anyhow::Result<ExitStatus> {
        eprintln!("\n==> {title}");
        let start = Instant::now();
        let status = command
            .status()
            .with_context(|| format!("{title}: cannot run {}", text_of(command)))?;
        self.done.push((title.into(), start.elapsed()));
        Ok(status)
    }

    /// Says that all went well and how long each step took.
    pub(crate) fn summary(&self) {
        eprintln!();
        for (title, time) in &self.done {
            eprintln!("{:>7.1} s  {title}", time.as_secs_f64());
        }
        eprintln!("all well");
    }
}

/// Whether a command can be run and ends well. What it prints is thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// The command as a person would type it.
fn text_of(command: &Command) -> String {
    let mut words: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
    if command.get_program() == "setpriv" {
        words.drain(..3);
    } else {
        words.insert(0, command.get_program().to_string_lossy());
    }
    words.join(" ")
}
