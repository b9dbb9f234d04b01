//! Namespaces of their own for some processes: a network that can be cut, a disk that can be full.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

/// How a process gets to where it runs: words before its command line, none for right here.
#[derive(Clone, Default)]
pub struct Way(Vec<String>);

impl Way {
    /// A command that runs there.
    pub fn command(&self, program: &str) -> Command {
        let mut words = self.0.iter().map(String::as_str).chain([program]);
        let mut command = Command::new(words.next().expect("the program is a word"));
        command.args(words);
        command
    }

    /// The same way with a variable set for whoever takes it.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut words = self.0.clone();
        words.extend(["env".into(), format!("{name}={value}")]);
        Self(words)
    }

    /// Runs a line of shell there, which must end well, and gives what it printed.
    #[track_caller]
    pub fn shell(&self, line: &str) -> String {
        let output = self.command("sh").args(["-e", "-c", line]).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}\n{err}\n{NEEDED}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// What a machine must have.
const NEEDED: &str = "\
This test makes namespaces for the nodes that it starts. It needs the programs `unshare` and \
`nsenter` (util-linux), `mount`, and `ip` (iproute2); and to be root, or that every user may make \
namespaces (kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0).";

/// Namespaces, as long as this value lives: the process that keeps them ends with its stdin.
pub struct Space {
    way: Way,
    pid: u32,
    keeper: Child,
    _stdin: ChildStdin,
}

impl Space {
    /// A network without any link but its own loopback, and a user who may change it.
    pub fn network() -> Self {
        Self::new(&Way::default(), &["--user", "--map-root-user", "--net"], "ip link set lo up")
    }

    /// One more such network, of the same user, so that the two can be linked.
    pub fn network_beside(&self) -> Self {
        let user = Way(enter(self.pid, &["--user"]));
        Self::new(&user, &["--net"], "ip link set lo up")
    }

    /// The same network with a disk of `size_mib` of its own at `path`, which keeps what is there.
    /// Commands run in the directory above.
    pub fn disk(path: &Path, size_mib: u32) -> Self {
        let (at, seed) = (path.display(), path.with_extension("seed"));
        let seed = seed.display();
        let setup = format!(
            "mv '{at}' '{seed}'; mkdir '{at}'; \
             mount -t tmpfs -o size={size_mib}m,mode=700 polity '{at}'; cp -a '{seed}/.' '{at}'"
        );
        let kinds = ["--user", "--map-root-user", "--mount"];
        let mut disk = Self::new(&Way::default(), &kinds, &setup);
        let above = path.parent().expect("a disk lies in a directory").display();
        disk.way = Way(enter(disk.pid, &["--user", "--mount", &format!("--wd={above}")]));
        disk
    }

    /// `kinds` are what `unshare` is told.
    fn new(inside: &Way, kinds: &[&str], setup: &str) -> Self {
        let mut command = inside.command("unshare");
        command.args(kinds).args(["sh", "-e", "-c", &format!("{setup}; echo ready; exec cat")]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut keeper =
            command.spawn().unwrap_or_else(|error| panic!("unshare: {error}\n{NEEDED}"));
        let stdin = keeper.stdin.take().unwrap();
        let mut said = String::new();
        BufReader::new(keeper.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        if said != "ready\n" {
            let mut why = String::new();
            keeper.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            panic!("no namespaces: {why}\n{NEEDED}");
        }
        let pid = keeper.id();
        let way = Way(enter(pid, &["--user", "--net"]));
        Self { way, pid, keeper, _stdin: stdin }
    }

    /// The way inside.
    pub fn way(&self) -> &Way {
        &self.way
    }

    /// The process that keeps the namespaces, for others to name them by.
    pub fn pid(&self) -> u32 {
        self.pid
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.keeper.kill();
        let _ended = self.keeper.wait();
    }
}

fn enter(pid: u32, kinds: &[&str]) -> Vec<String> {
    let pid = pid.to_string();
    let words = ["nsenter", "--preserve-credentials", "--target", &pid];
    words.iter().chain(kinds).chain(&["--"]).map(ToString::to_string).collect()
}
