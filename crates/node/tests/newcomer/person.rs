//! Somebody who types commands, with a directory and a node of its own.

use crate::page::{Step, matches, steps};
use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The binary that is tested.
pub(crate) const POLITY: &str = env!("CARGO_BIN_EXE_polity");

/// A newcomer: an empty directory, and no node of its own.
pub(crate) struct Newcomer {
    home: tempfile::TempDir,
}

impl Newcomer {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("work")).unwrap();
        Self { home }
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A command that knows nothing of the person who runs the tests, but where Rust is.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.at("work")).stdin(Stdio::null()).env_remove("POLITY_DATA");
        for (name, dir) in [("DATA", "data"), ("CONFIG", "config"), ("STATE", "state")] {
            command.env(format!("XDG_{name}_HOME"), self.at(dir));
        }
        command.env("NO_UPDATE_NOTIFIER", "1").env("npm_config_cache", self.at("npm"));
        command
    }

    /// Does what a page says.
    pub(crate) fn follow(&self, page: &str) {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let steps = steps(&text);
        assert!(steps.len() > 2, "{page} says nothing to do");
        for step in steps {
            match step {
                Step::File { name, text } => fs::write(self.at("work").join(name), text).unwrap(),
                Step::Typed { command, seen } => self.type_in(page, &command, &seen),
            }
        }
    }

    fn type_in(&self, page: &str, command: &str, seen: &[String]) {
        let mut shell = self.command("sh");
        shell.arg("-ec").arg(format!("exec 2>&1\n{command}")).env("PATH", path());
        let output = shell.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{page}: {command}: {}\n{said}", output.status);
        let lines: Vec<_> = said.lines().filter(|line| !line.starts_with("npm warn")).collect();
        let wanted = seen.join("\n");
        assert!(matches(seen, &lines), "{page}: {command}\nsays\n{said}\nand not\n{wanted}");
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        // There may be none; and a failed test has said why already.
        let _ = self.command(POLITY).args(["down", "--force"]).stderr(Stdio::null()).status();
    }
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../..")
}

/// `$POLITY_GUESTS/tools`, else `guests/tools` in the target directory that this test was built in.
pub(crate) fn tools() -> PathBuf {
    let beside = || env::current_exe().unwrap().ancestors().nth(3).unwrap().join("guests");
    let tools = env::var_os("POLITY_GUESTS").map_or_else(beside, PathBuf::from).join("tools");
    assert!(tools.is_dir(), "{} is not there; run: cargo xtask guests", tools.display());
    tools
}

/// Where commands are: the compilers, this polity, then everything else.
fn path() -> OsString {
    let own = [tools().join("bin"), Path::new(POLITY).parent().unwrap().into()];
    let others = env::var_os("PATH").unwrap();
    env::join_paths(own.into_iter().chain(env::split_paths(&others))).unwrap()
}
