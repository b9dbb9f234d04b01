//! Real nodes as processes on loopback, each with its own directory, owner and keys.

#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

pub mod door;
pub mod halves;
pub mod space;
pub mod star;

use identity::{NetworkId, SecretKey, Signed};
use protocol::{Founder, Genesis, Params, Time};
use space::Way;
use std::{
    fs::{self, File},
    io::Write,
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The program under test.
pub const POLITY: &str = env!("CARGO_BIN_EXE_polity");
/// How long anything may take before a test gives up: a guard, not a measure.
pub const GUARD: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(50);

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Said {
    /// The same, if the command ended well.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.out, self.err);
        self
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }
}

/// Runs a command line to its end.
pub fn polity(dir: &Path, args: &[&str]) -> Said {
    Command::new(POLITY).args(args).current_dir(dir).output().unwrap().into()
}

/// Waits until `probe` has an answer.
#[track_caller]
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + GUARD;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < end, "waited too long for {what}");
        thread::sleep(LOOK);
    }
}

/// A port that is free for UDP and TCP, and none of those that the system gives to whoever dials: a
/// node that is down for a moment would find it taken.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    until("a free port", || {
        // Tests that run at the same time do not look at the same ports first.
        let at = std::process::id() % 1_000 * 20 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(10_000 + at % 20_000).unwrap();
        let udp = UdpSocket::bind(("127.0.0.1", port)).is_ok();
        (udp && TcpListener::bind(("127.0.0.1", port)).is_ok()).then_some(port)
    })
}

/// One node. It ends with the test: its stdin closes.
pub struct Node {
    pub data: PathBuf,
    way: Way,
    child: Child,
    _stdin: Option<ChildStdin>,
}

impl Node {
    /// Starts `polity up` in `data`; `stdin` is written to it first and kept open.
    pub fn up(data: &Path, args: &[&str], stdin: Option<&str>) -> Self {
        Self::up_in(&Way::default(), data, args, stdin)
    }

    /// The same in namespaces of its own.
    pub fn up_in(way: &Way, data: &Path, args: &[&str], stdin: Option<&str>) -> Self {
        Self::up_as(Path::new(POLITY), (way, data), args, stdin)
    }

    /// The same with this binary.
    pub fn up_as(
        binary: &Path,
        (way, data): (&Way, &Path),
        args: &[&str],
        stdin: Option<&str>,
    ) -> Self {
        let log =
            File::options().create(true).append(true).open(data.with_extension("log")).unwrap();
        let mut command = way.command(&binary.to_string_lossy());
        command.args(["up", "--exit-with-stdin", "--data"]).arg(data).args(args);
        command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        if let Some(text) = stdin {
            pipe.write_all(text.as_bytes()).unwrap();
        }
        Self { data: data.into(), way: way.clone(), child, _stdin: Some(pipe) }
    }

    /// A command line with this node's directory.
    pub fn polity(&self, args: &[&str]) -> Said {
        let mut all = args.to_vec();
        let data = self.data.to_string_lossy().into_owned();
        all.extend(["--data", &data]);
        let mut command = self.way.command(POLITY);
        command.args(all).current_dir(self.data.parent().unwrap()).output().unwrap().into()
    }

    /// What the node says of itself, if it answers.
    #[track_caller]
    pub fn status(&mut self) -> Option<serde_json::Value> {
        if let Some(ended) = self.child.try_wait().unwrap() {
            panic!("{} ended with {ended}:\n{}", self.data.display(), self.log());
        }
        let said = self.polity(&["node", "describe", "--json"]);
        (said.code == Some(0)).then(|| said.json())
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.data.with_extension("log")).unwrap_or_default()
    }

    /// Waits until the node is admitted and sees so many parties.
    #[track_caller]
    pub fn ready(&mut self, parties: u64) {
        until(&format!("{} to see {parties} parties", self.data.display()), || {
            let status = self.status()?;
            (status["admitted"] == true && status["parties"].as_u64()? >= parties).then_some(())
        });
    }

    /// Height of the last final block here.
    pub fn height(&self) -> u64 {
        let said = self.polity(&["ledger", "head", "--json"]).ok();
        said.json()["height"].as_u64().unwrap_or_else(|| panic!("{}", said.out))
    }

    /// Ends the node at once, as a power failure would.
    pub fn kill(mut self) -> PathBuf {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.data.clone()
    }

    /// Stops the node and waits for its end.
    pub fn stop(mut self) -> PathBuf {
        self._stdin = None;
        let ended = until("a node to stop", || self.child.try_wait().unwrap());
        assert!(ended.success(), "{ended}: {}", self.log());
        self.data.clone()
    }

    /// Waits for a start that must fail, and gives what was said.
    pub fn failed(mut self) -> String {
        let ended = self.child.wait().unwrap();
        assert!(!ended.success());
        self.log()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the node has ended.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until the node gives up by itself, and gives what it said from byte `from` on.
    #[track_caller]
    pub fn gave_up(mut self, from: usize) -> String {
        let ended = until("a node to give up", || self.child.try_wait().unwrap());
        assert!(!ended.success(), "{ended}");
        self.log().split_off(from)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// The program that copies its input.
pub fn program(dir: &Path) -> PathBuf {
    let path = dir.join("copy.wasm");
    fs::write(&path, wat::parse_str(include_str!("copy.wat")).unwrap()).unwrap();
    path
}

/// Input files that differ.
pub fn inputs(dir: &Path, count: usize) {
    fs::create_dir_all(dir.join("in")).unwrap();
    for n in 0..count {
        fs::write(dir.join(format!("in/{n}.txt")), format!("{n}\n").repeat(n + 1)).unwrap();
    }
}

/// Directories of founders on loopback and their genesis. The first `validators` vote.
pub fn found(dir: &Path, founders: u8, validators: usize, params: Params) -> Vec<PathBuf> {
    let places: Vec<_> = (0..founders).map(|_| ("127.0.0.1", free_port())).collect();
    found_at(dir, &places, validators, params)
}

/// The same at these addresses and ports.
pub fn found_at(
    dir: &Path,
    places: &[(&str, u16)],
    validators: usize,
    params: Params,
) -> Vec<PathBuf> {
    let mut homes = Vec::new();
    let mut signed = Vec::new();
    for ((ip, port), n) in places.iter().zip(1..) {
        let data = cli::data::DataDir::at(dir.join(format!("owner-{n}")));
        let owner = data.owner_key_or_new([n; 32]).unwrap();
        let node: SecretKey = data.node_key_or_new([100 + n; 32]).unwrap();
        let address = format!("/ip4/{ip}/udp/{port}/quic-v1");
        let mut settings = data.settings().unwrap();
        settings.listen = vec![address.clone()];
        data.set_settings(&settings).unwrap();
        let name = format!("owner {n}");
        let founder = Founder { node: node.public(), name, addresses: vec![address] };
        signed.push(Signed::new(founder, NetworkId::FOUNDING, &owner));
        homes.push(data.root().to_path_buf());
    }
    let genesis = Genesis::found("test".into(), now(), signed, validators, params).unwrap();
    fs::write(dir.join("genesis.polity"), genesis.encode()).unwrap();
    homes
}

/// What the clock of this machine says.
pub fn now() -> Time {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    Time(u64::try_from(now).unwrap())
}

/// Blocks come often enough that a test can wait for many of them.
pub fn brisk() -> Params {
    Params { leader_timeout_ms: 300, heartbeat_ms: 200, ..Params::default() }
}

/// Starts nodes that were founded together.
pub fn up_all(dir: &Path, homes: &[PathBuf]) -> Vec<Node> {
    let genesis = dir.join("genesis.polity");
    let genesis = genesis.to_string_lossy();
    homes.iter().map(|home| Node::up(home, &["--genesis", &genesis], None)).collect()
}
