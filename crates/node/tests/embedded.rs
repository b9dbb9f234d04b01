//! The node that commands start in the background, as somebody meets it who has configured nothing.

#![allow(clippy::unwrap_used)]

mod society;

use cli::data::{DataDir, Process};
use society::{POLITY, Said, found, inputs, program, until};
use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

const LABEL: &str = "3 replicas, 1 owner: shows determinism, not honesty";

/// Somebody's home on a machine that has never seen Polity. What was started in the background ends
/// with it.
struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(machine.path("work")).unwrap();
        program(&machine.path("work"));
        inputs(&machine.path("work"), 3);
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(POLITY);
        command.args(args).current_dir(self.path("work")).stdin(Stdio::null());
        command.env("HOME", self.path("home")).env("XDG_DATA_HOME", self.path("share"));
        command.env("XDG_CONFIG_HOME", self.path("config")).env_remove("POLITY_DATA");
        command
    }

    fn polity(&self, args: &[&str]) -> Said {
        self.command(args).output().unwrap().into()
    }

    /// A sweep of three tasks into `out`.
    fn sweep(&self, out: &str) -> Command {
        self.command(&["run", "copy.wasm", "--each", "in/*.txt", "--arg", "{}", "-o", out])
    }

    fn embedded(&self) -> PathBuf {
        self.path("share/polity-embedded")
    }

    /// Settings that the node in the background begins with.
    fn configure(&self, text: &str) {
        fs::create_dir_all(self.embedded()).unwrap();
        fs::write(self.embedded().join("config.toml"), text).unwrap();
    }

    /// The process of the node in the background, if it runs.
    fn process(&self) -> Option<Process> {
        let run = DataDir::at(self.embedded()).api().unwrap()?.run?;
        Some(run.process).filter(Process::is_running)
    }

    fn pid(&self) -> Option<i32> {
        self.process().map(|process| process.pid)
    }

    fn kill(&self) {
        let pid = self.pid().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        until("the node to be gone", || self.pid().is_none().then_some(()));
    }

    /// A program that computes for a while, so that there is time to see it run.
    fn computing(&self, name: &str, steps: u64) {
        let text = format!(
            r#"(module (memory (export "memory") 1) (func (export "_start") (local i64)
            (loop (local.set 0 (i64.add (local.get 0) (i64.const 1)))
              (br_if 0 (i64.lt_u (local.get 0) (i64.const {steps}))))))"#
        );
        fs::write(self.path("work").join(name), wat::parse_str(text).unwrap()).unwrap();
    }

    /// Gives a job that takes a while and is known by nobody, and waits until it runs.
    fn busy(&self, out: &str) -> Child {
        self.computing("slow.wasm", 600_000_000);
        let mut run = self.command(&["run", "slow.wasm", "--arg", out, "-o", out]);
        let run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until("the job to run", || {
            let said = self.pid().map(|_| self.polity(&["job", "list", "--json"]))?;
            let jobs = (said.code == Some(0)).then(|| said.json())?;
            (jobs[0]["state"] == "running").then_some(())
        });
        run
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Ok(Some(pid)) = std::panic::catch_unwind(|| self.pid()) {
            let _over = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
    }
}

fn wait(child: Child) -> Said {
    child.wait_with_output().unwrap().into()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn without_a_node_a_command_starts_one_and_the_result_is_verified() {
    let machine = Machine::new();
    let none = machine.polity(&["status"]);
    assert_eq!(none.code, Some(122), "{none:?}");
    assert!(!machine.embedded().exists(), "status starts nothing");

    let said = Said::from(machine.sweep("out").output().unwrap()).ok();
    assert!(said.err.contains("started a node in the background (pid "), "{}", said.err);
    assert!(said.err.contains(LABEL), "{}", said.err);
    for n in 0..3 {
        let path = |dir: &str| machine.path(&format!("work/{dir}/{n}.txt"));
        assert_eq!(fs::read(path("in")).unwrap(), fs::read(path("out")).unwrap(), "{n}");
    }
    let process = machine.process().expect("it stays");

    // Three nodes of one owner, in one process that nobody else can reach.
    let nodes = machine.polity(&["node", "list", "--json"]).ok().json();
    let nodes = nodes.as_array().unwrap();
    assert_eq!(nodes.len(), 3, "{nodes:?}");
    assert!(nodes.iter().all(|node| node["owner"] == nodes[0]["owner"]));
    assert!(nodes.iter().all(|node| node["connected"] == true));
    let node = machine.polity(&["node", "describe", "--json"]).ok().json();
    assert_eq!(node["addresses"], serde_json::json!([]));
    assert_eq!(mode(&machine.embedded().join("api.token")), 0o600);
    assert_eq!(mode(&machine.embedded()), 0o700);

    let described = machine.polity(&["job", "describe"]).ok();
    assert!(described.out.contains(LABEL), "{}", described.out);
    let verified = machine.polity(&["verify", "out"]).ok();
    assert!(verified.out.contains(LABEL), "{}", verified.out);

    let again = Said::from(machine.sweep("again").output().unwrap()).ok();
    assert!(!again.err.contains("started"), "{}", again.err);
    let status = machine.polity(&["status", "--json"]).ok().json();
    assert_eq!(status["pid"], process.pid);
    assert_eq!(status["jobs_running"], 0);
    assert!(status["receipts"].as_str().unwrap().contains("not honesty"), "{status}");

    machine.polity(&["down"]).ok();
    assert!(!process.is_running(), "down waits for the end");
    assert_eq!(machine.polity(&["down"]).code, Some(122));
    // No node is needed to verify.
    machine.polity(&["verify", "out"]).ok();
}

/// A program of `examples/guests`: in `$POLITY_GUESTS`, else where `cargo xtask guests` puts it.
fn guest(name: &str) -> PathBuf {
    let beside = || env::current_exe().unwrap().ancestors().nth(3).unwrap().join("guests");
    let path = env::var_os("POLITY_GUESTS").map_or_else(beside, PathBuf::from).join(name);
    assert!(path.exists(), "{} is not there; run: cargo xtask guests", path.display());
    path
}

#[test]
fn every_example_runs_on_a_machine_that_has_never_seen_polity() {
    let machine = Machine::new();
    let week = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/data/JFK-2013-W07.csv");
    let week = week.to_string_lossy();
    let cycles = ["--each", &week, "--arg", "{}"];
    let ising = ["--arg", "8", "--arg", "200", "--arg", "2.0"];
    let examples: [(&str, &[&str]); 5] = [
        ("cycles.wasm", &cycles),
        ("cycles-component.wasm", &cycles),
        ("ising.wasm", &ising),
        ("ising-component.wasm", &ising),
        ("lorenz.wasm", &[]),
    ];
    for (name, args) in examples {
        let program = guest(name);
        let said = machine.command(&["run"]).arg(program).args(args).args(["-o", name]).output();
        let said = Said::from(said.unwrap()).ok();
        assert!(said.err.contains(LABEL), "{name}: {}", said.err);
        machine.polity(&["verify", name]).ok();
    }
}

#[test]
fn two_commands_at_once_start_one_node() {
    let machine = Machine::new();
    let start = |out| {
        let mut sweep = machine.sweep(out);
        sweep.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let both: Vec<_> = ["one", "two", "three"].map(start).into_iter().map(wait).collect();
    let started = both.iter().filter(|said| said.err.contains("started a node")).count();
    assert!(both.iter().all(|said| said.code == Some(0)), "{both:?}");
    assert_eq!(started, 1, "{both:?}");
}

#[test]
fn a_node_that_was_killed_is_started_again_and_its_job_goes_on() {
    let machine = Machine::new();
    let mut waiting = machine.busy("out");
    // Both are gone at once: the next command finds what was left.
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    let before = machine.pid();
    machine.kill();
    fs::remove_dir_all(machine.path("work/out")).unwrap();
    let said = machine.polity(&["job", "get", "last", "-o", "out"]).ok();
    assert!(said.err.contains("started a node in the background"), "{}", said.err);
    assert_ne!(machine.pid(), before);
    machine.polity(&["verify", "out"]).ok();
}

#[test]
fn a_grid_that_is_interrupted_and_whose_node_is_killed_is_completed_and_then_known() {
    let machine = Machine::new();
    machine.computing("grid.wasm", 3_000_000);
    let grid = |out| {
        let params = ["--param", "x=1..40,y=1..10", "--arg", "{x}", "--arg", "{y}", "-o", out];
        machine.command(&[&["run", "grid.wasm"][..], &params].concat())
    };
    let first = grid("out").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("a part of it to be final", || {
        let said = machine.pid().map(|_| machine.polity(&["job", "list", "--json"]))?;
        let jobs = (said.code == Some(0)).then(|| said.json())?;
        (jobs[0]["settled"].as_u64()? > 0).then_some(())
    });
    let pid = first.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let interrupted = wait(first);
    assert_eq!(interrupted.code, Some(130), "{interrupted:?}");
    machine.kill();

    let said = Said::from(grid("out").output().unwrap()).ok();
    assert!(said.err.contains("started a node"), "{}", said.err);
    assert!(said.err.contains("400 of 400 tasks final"), "{}", said.err);
    machine.polity(&["verify", "out"]).ok();
    let again = Said::from(grid("again").output().unwrap()).ok();
    assert!(again.err.contains("all 400 tasks are known"), "{}", again.err);
    machine.polity(&["verify", "again"]).ok();
}

#[test]
fn a_command_that_waits_starts_a_node_that_was_killed_and_leaves_one_that_was_stopped() {
    let machine = Machine::new();
    let waiting = machine.busy("out");
    machine.kill();
    let said = wait(waiting).ok();
    assert_eq!(said.err.matches("started a node").count(), 2, "{}", said.err);

    let mut waiting = machine.busy("more");
    let refused = machine.polity(&["down"]);
    assert_eq!(refused.code, Some(121), "{refused:?}");
    assert!(refused.err.contains("1 job"), "{}", refused.err);
    let down = machine.polity(&["down", "--force"]).ok();
    assert!(down.err.contains("1 job goes on when it starts again"), "{}", down.err);
    assert_eq!(machine.pid(), None);
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    assert_eq!(machine.pid(), None);
}

#[test]
fn a_node_that_is_named_or_ones_own_is_never_replaced_by_another_one() {
    let machine = Machine::new();
    // Somebody's own node, founded and not started.
    let own = machine.path("share/polity");
    let homes = found(&machine.path("work"), 1, 1, protocol::Params::default());
    fs::create_dir_all(machine.path("share")).unwrap();
    fs::rename(&homes[0], &own).unwrap();
    fs::copy(machine.path("work/genesis.polity"), own.join("genesis.polity")).unwrap();
    let said = Said::from(machine.sweep("own").output().unwrap());
    assert_eq!(said.code, Some(122), "{said:?}");
    assert!(said.err.contains("polity up"), "{}", said.err);

    let data = machine.path("elsewhere");
    let named = machine.sweep("named").arg("--data").arg(&data).output().unwrap();
    let exported = machine.sweep("exported").env("POLITY_DATA", &data).output().unwrap();
    for said in [Said::from(named), Said::from(exported)] {
        assert_eq!(said.code, Some(122), "{said:?}");
        let where_it_is = format!("no node runs in {}: there is no such directory", data.display());
        assert!(said.err.contains(&where_it_is), "{}", said.err);
        let way_out = format!("polity up --data {}", data.display());
        assert!(said.err.contains(&way_out), "{}", said.err);
    }
    assert!(!machine.embedded().exists());

    // A node that was killed left its address behind.
    let own_text = own.to_string_lossy().into_owned();
    let mut node = society::Node::up(&own, &["--listen", "/ip4/127.0.0.1/udp/0/quic-v1"], None);
    node.ready(1);
    node.kill();
    let said = Said::from(machine.sweep("own").output().unwrap());
    assert_eq!(said.code, Some(122), "{own_text}: {said:?}");
    assert!(said.err.contains("polity up"), "{}", said.err);
    assert!(!machine.embedded().exists());
}

/// A process that did not begin in the same tick of the clock as another one.
fn began_after(began: &str) -> Child {
    let (_boot, ticks) = began.rsplit_once('/').unwrap();
    until("the next tick", || {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        if stat.split_whitespace().nth(21) != Some(ticks) {
            return Some(child);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        None
    })
}

#[test]
fn down_stops_the_node_in_the_background_or_a_named_one_and_no_other() {
    let machine = Machine::new();
    let own = machine.path("share/polity");
    let homes = found(&machine.path("work"), 1, 1, protocol::Params::default());
    fs::create_dir_all(machine.path("share")).unwrap();
    fs::rename(&homes[0], &own).unwrap();
    fs::copy(machine.path("work/genesis.polity"), own.join("genesis.polity")).unwrap();
    let mut node = society::Node::up(&own, &["--listen", "/ip4/127.0.0.1/udp/0/quic-v1"], None);
    node.ready(1);
    assert_eq!(machine.polity(&["down"]).code, Some(122));
    assert_eq!(machine.polity(&["status", "--json"]).ok().json()["which"], "your own");
    assert!(!node.is_over());
    // An address file that names a process of somebody else.
    let api = own.join("api.json");
    let text = fs::read_to_string(&api).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let began = value["run"]["process"]["began"].as_str().unwrap().to_owned();
    let mut stranger = began_after(&began);
    value["run"]["process"]["pid"] = serde_json::json!(stranger.id());
    fs::write(&api, value.to_string()).unwrap();
    let own_text = own.to_string_lossy();
    assert_eq!(machine.polity(&["down", "--data", &own_text]).code, Some(122));
    assert_eq!(stranger.try_wait().unwrap(), None);
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    fs::write(&api, text).unwrap();
    machine.polity(&["down", "--data", &own_text]).ok();
    assert!(node.is_over());
}

#[test]
fn a_node_that_nobody_needs_ends_and_is_started_when_it_is_needed() {
    let machine = Machine::new();
    machine.configure("executors = 3\nidle_exit_ms = 1500\n[network]\nlisten = []\n");
    let said = Said::from(machine.sweep("out").output().unwrap()).ok();
    assert!(said.err.contains("started a node"), "{}", said.err);
    until("the node to end", || machine.pid().is_none().then_some(()));
    let said = Said::from(machine.sweep("again").output().unwrap()).ok();
    assert!(said.err.contains("started a node"), "{}", said.err);
}

#[test]
fn a_directory_of_an_earlier_time_opens_and_what_it_knew_is_known() {
    // Written on 2026-11-22 by the version before clusters had removed members and packed
    // snapshots: three tasks, 3of3.
    let machine = Machine::new();
    fs::create_dir_all(machine.path("share")).unwrap();
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/older/home.tar.gz");
    let mut tar = Command::new("tar");
    tar.args(["xzf", kept, "-C"]).arg(machine.path("share"));
    assert!(tar.status().unwrap().success());

    let jobs = machine.polity(&["job", "list", "--json"]).ok().json();
    assert_eq!((&jobs[0]["state"], &jobs[0]["settled"]), (&"finished".into(), &3.into()));
    let job = jobs[0]["job"].as_str().unwrap();
    machine.polity(&["job", "get", job, "-o", "before"]).ok();
    machine.polity(&["verify", "before"]).ok();
    let out = machine.sweep("after").output().unwrap();
    Said::from(out).ok();
    machine.polity(&["verify", "after"]).ok();
    let jobs = machine.polity(&["job", "list", "--json"]).ok().json();
    assert_eq!(jobs.as_array().unwrap().len(), 2);
}

#[test]
fn a_node_that_cannot_start_says_why() {
    let machine = Machine::new();
    machine.configure("executors = 99\n");
    let said = Said::from(machine.sweep("out").output().unwrap());
    assert_eq!(said.code, Some(122), "{said:?}");
    assert!(said.err.contains("executors = 99; 1 to 16 are possible"), "{}", said.err);
}

#[test]
fn a_node_of_another_version_is_replaced_once_it_has_nothing_to_do() {
    let machine = Machine::new();
    let waiting = machine.busy("out");
    let api = machine.embedded().join("api.json");
    let version = format!("\"version\":\"{}\"", env!("CARGO_PKG_VERSION"));
    let text = fs::read_to_string(&api).unwrap().replace(&version, "\"version\":\"0.0.0\"");
    assert!(text.contains("0.0.0"));
    fs::write(&api, text).unwrap();
    let before = machine.pid();
    let said = machine.polity(&["job", "list"]).ok();
    assert!(said.err.contains("It has work"), "{}", said.err);
    assert_eq!(machine.pid(), before);
    wait(waiting).ok();
    let said = machine.polity(&["job", "list"]).ok();
    assert!(said.err.contains("was of version 0.0.0"), "{}", said.err);
    assert!(machine.pid().is_some());
    assert_ne!(machine.pid(), before);
}
