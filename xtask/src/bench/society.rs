//! Nodes of different owners on this machine, as real processes, each with its own directory.

use super::{
    process::{self, tail, until},
    world::World,
};
use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use std::{
    fs::{self, File},
    net::{Ipv4Addr, TcpListener, UdpSocket},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio, id as process_id},
    time::{Duration, Instant},
};

/// Where nodes listen: below the ports that the system gives away.
const PORTS: std::ops::Range<u16> = 10_000..30_000;
/// How long nodes may take to find each other.
const START: Duration = Duration::from_secs(60);
/// How long a short command may take.
const COMMAND: Duration = Duration::from_secs(60);

/// One node. It ends when its stdin closes, and so with this program.
pub(crate) struct Node {
    /// Its data directory.
    pub(crate) data: PathBuf,
    polity: PathBuf,
    log: PathBuf,
    /// What it is started with after the first time.
    args: Vec<String>,
    child: Child,
    _stdin: Option<ChildStdin>,
}

/// Nodes that were founded together.
pub(crate) struct Society {
    /// The first ones vote.
    pub(crate) nodes: Vec<Node>,
    /// What the owners founded.
    pub(crate) genesis: PathBuf,
}

impl Society {
    /// Founds a polity of `nodes` owners with a node each, of which the first `validators` vote,
    /// starts it, and waits until everybody sees everybody.
    pub(crate) fn start(world: &World, nodes: usize, validators: usize) -> anyhow::Result<Self> {
        let (homes, genesis) = Self::found(world, nodes, validators)?;
        Self::up(world, &homes, genesis)
    }

    /// Founds such a polity: the directories of its nodes, and the genesis.
    pub(crate) fn found(
        world: &World,
        nodes: usize,
        validators: usize,
    ) -> anyhow::Result<(Vec<PathBuf>, PathBuf)> {
        let dir = world.fresh("society")?;
        let mut homes = Vec::new();
        let mut lines = String::new();
        for (number, port) in (1..=nodes).zip(free_ports(nodes)?) {
            let data = dir.join(format!("owner-{number}"));
            let line = founding_line(world, &data, port)?;
            lines.push_str(&line);
            lines.push('\n');
            homes.push(data);
        }
        let (all, genesis) = (dir.join("lines.txt"), dir.join("genesis.polity"));
        fs::write(&all, lines).with_context(|| all.display().to_string())?;
        let mut found = Command::new(&world.polity);
        found.arg("found").arg(&all).args(["--validators", &validators.to_string(), "-o"]);
        process::run(&world.scratch, found.arg(&genesis), COMMAND)?;
        Ok((homes, genesis))
    }

    /// Starts nodes that were founded before.
    pub(crate) fn up(world: &World, homes: &[PathBuf], genesis: PathBuf) -> anyhow::Result<Self> {
        let nodes = homes.iter().map(|home| Node::up(&world.polity, home, &genesis));
        let mut society = Self { nodes: nodes.collect::<anyhow::Result<_>>()?, genesis };
        let parties = society.nodes.len() as u64;
        for node in &mut society.nodes {
            node.ready(world, parties)?;
        }
        Ok(society)
    }

    /// One more machine of the last owner.
    pub(crate) fn machine(&self, world: &World) -> anyhow::Result<Node> {
        let first = self.nodes.last().context("nobody was founded")?;
        let line = process::run(&world.scratch, &mut first.polity(&["cluster", "add"]), COMMAND)?;
        let data = world.fresh("machine")?.join("node");
        let port = free_ports(1)?[0];
        let listen = format!("/ip4/127.0.0.1/udp/{port}/quic-v1");
        let args = vec!["--listen".to_string(), listen];
        let file = world.fresh("line")?.join("line.txt");
        fs::write(&file, line.stdout).with_context(|| file.display().to_string())?;
        let joining = ["--join".to_string(), format!("@{}", file.display())];
        let with: Vec<_> = joining.into_iter().chain(args.clone()).collect();
        let mut node = Node::start(&world.polity, &data, &with, args)?;
        node.ready(world, 2)?;
        // Jobs are given from every machine.
        let (from, to) = (first.data.join("owner.key"), data.join("owner.key"));
        fs::copy(&from, &to).with_context(|| to.display().to_string())?;
        Ok(node)
    }

    /// The node that takes orders.
    pub(crate) fn home(&self) -> &Node {
        &self.nodes[0]
    }
}

/// Makes the keys of an owner and its node, and says where the node will be.
fn founding_line(world: &World, data: &Path, port: u16) -> anyhow::Result<String> {
    let mut show = Command::new(&world.polity);
    show.args(["key", "show", "--json", "--address", "127.0.0.1", "--listen"]);
    show.arg(format!("/ip4/127.0.0.1/udp/{port}/quic-v1")).arg("--data").arg(data);
    let said: Value =
        serde_json::from_str(&process::run(&world.scratch, &mut show, COMMAND)?.stdout)?;
    Ok(said["founding_line"].as_str().context("polity key show: no founding_line")?.into())
}

/// Ports that are free, all different. They are none of those that the system gives to whoever
/// dials: a node that is down for a moment would find its port taken.
fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let is_free = |port: u16| {
        let address = (Ipv4Addr::LOCALHOST, port);
        UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
    };
    // Two of these at the same time do not look at the same ports first.
    let apart = u16::try_from(process_id() % 1_000)? * 15;
    let around = (PORTS.start + apart..PORTS.end).chain(PORTS.start..PORTS.start + apart);
    let ports: Vec<u16> = around.filter(|port| is_free(*port)).take(count).collect();
    ensure!(ports.len() == count, "too few free ports on this machine");
    Ok(ports)
}

impl Node {
    /// Starts the node of a directory.
    pub(crate) fn up(polity: &Path, data: &Path, genesis: &Path) -> anyhow::Result<Self> {
        let args = vec!["--genesis".to_string(), genesis.display().to_string()];
        Self::start(polity, data, &args.clone(), args)
    }

    /// Starts a node with `now`, and later with `args`.
    fn start(
        polity: &Path,
        data: &Path,
        now: &[String],
        args: Vec<String>,
    ) -> anyhow::Result<Self> {
        let log = data.with_extension("log");
        let mut child = spawn(polity, data, &log, now)?;
        let stdin = child.stdin.take();
        Ok(Self { data: data.into(), polity: polity.into(), log, args, child, _stdin: stdin })
    }

    /// Starts it once more after it was killed, and does not wait for it.
    pub(crate) fn start_again(&mut self) -> anyhow::Result<()> {
        self.child = spawn(&self.polity, &self.data, &self.log, &self.args)?;
        self._stdin = self.child.stdin.take();
        Ok(())
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A command line with this node's directory.
    pub(crate) fn polity(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.polity);
        command.args(args).arg("--data").arg(&self.data);
        command
    }

    /// What a short command with this node's directory prints.
    pub(crate) fn ask(&self, world: &World, args: &[&str]) -> anyhow::Result<Value> {
        let said = process::run(&world.scratch, self.polity(args).arg("--json"), COMMAND)?;
        serde_json::from_str(&said.stdout).with_context(|| said.stdout)
    }

    /// That its process has not ended by itself.
    pub(crate) fn is_there(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("a node ended with {status}\n{}", self.said()),
            None => Ok(()),
        }
    }

    /// Waits until the node is admitted and sees so many parties.
    fn ready(&mut self, world: &World, parties: u64) -> anyhow::Result<()> {
        let end = Instant::now() + START;
        until("nodes to find each other", START, || {
            self.is_there()?;
            // Until its door is open, the command fails.
            let Ok(status) = self.ask(world, &["node", "describe"]) else {
                ensure!(Instant::now() < end, "a node does not answer\n{}", self.said());
                return Ok(None);
            };
            let seen = status["parties"].as_u64().unwrap_or_default();
            Ok((status["admitted"] == true && seen >= parties).then_some(()))
        })
    }

    /// The end of what the node wrote.
    fn said(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_else(|error| error.to_string());
        tail(&text).into()
    }

    /// Ends the node at once, as a power failure would.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Stops the node as its owner would, and waits for its end.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.rest()
    }

    /// The same for a node that is started again.
    pub(crate) fn rest(&mut self) -> anyhow::Result<()> {
        self._stdin = None;
        until("a node to stop", START, || Ok(self.child.try_wait()?)).map(drop)
    }

    /// Where it writes what it says.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }
}

fn spawn(polity: &Path, data: &Path, log: &Path, args: &[String]) -> anyhow::Result<Child> {
    let file = File::options().create(true).append(true).open(log);
    let file = file.with_context(|| log.display().to_string())?;
    let mut command = Command::new(polity);
    command.args(["up", "--exit-with-stdin", "--data"]).arg(data).args(args);
    command.stdin(Stdio::piped()).stdout(file.try_clone()?).stderr(file);
    // Ctrl-C is for us; nodes end because we do.
    command.process_group(0).spawn().context("polity up")
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::free_ports;
    use std::collections::BTreeSet;

    #[test]
    fn ports_are_different() {
        let ports = free_ports(16).expect("free ports");
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 16);
    }
}
