//! A Helia in a process of its own.

use objects::Cid;
use serde_json::Value;
use std::{
    env,
    io::{BufRead, BufReader, Write},
    os::unix::fs::symlink,
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// How long one command may take: a guard, not a measure.
const GUARD: Duration = Duration::from_secs(150);

/// It ends with the test: its stdin closes.
pub(crate) struct Peer {
    child: Child,
    stdin: Option<ChildStdin>,
    said: Receiver<String>,
    addresses: Value,
    _dir: TempDir,
}

/// An answer that is a CID.
pub(crate) trait AsCid {
    fn as_cid(&self) -> Cid;
}

impl AsCid for Value {
    #[track_caller]
    fn as_cid(&self) -> Cid {
        self.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{self}"))
    }
}

impl Peer {
    /// Starts one that speaks `tcp` or `quic`.
    pub(crate) fn start(transport: &str) -> Self {
        let helia = installed();
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("peer.mjs");
        std::fs::write(&script, include_str!("peer.mjs")).unwrap();
        symlink(helia.join("node_modules"), dir.path().join("node_modules")).unwrap();
        let mut command = Command::new(helia.join("node"));
        command.arg(&script).arg(transport).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        let (say, said) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if say.send(line).is_err() {
                    return;
                }
            }
        });
        let mut peer = Self { child, stdin, said, addresses: Value::Null, _dir: dir };
        peer.addresses = peer.answer("the start");
        peer
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        self.addresses[0].as_str().unwrap().to_string()
    }

    /// Has it do something.
    #[track_caller]
    pub(crate) fn ask(&mut self, command: Value) -> Value {
        writeln!(self.stdin.as_mut().unwrap(), "{command}").unwrap();
        self.answer(&command.to_string())
    }

    #[track_caller]
    fn answer(&mut self, to: &str) -> Value {
        let line = self.said.recv_timeout(GUARD).unwrap_or_else(|error| panic!("{to}: {error}"));
        let mut answer: Value = serde_json::from_str(&line).unwrap();
        assert!(answer.get("failed").is_none(), "{to}: {answer}");
        answer["ok"].take()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stdin = None;
        // It may have ended already.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Where Helia is: in `$POLITY_HELIA`, else where `cargo xtask helia` puts it.
fn installed() -> PathBuf {
    let beside = || env::current_exe().unwrap().ancestors().nth(3).unwrap().join("helia");
    let path = env::var_os("POLITY_HELIA").map_or_else(beside, PathBuf::from);
    assert!(path.join("node").exists(), "{} is not there; run: cargo xtask helia", path.display());
    path
}
