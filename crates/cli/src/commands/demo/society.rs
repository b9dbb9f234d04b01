//! Real node processes on loopback, each with its own directory, owner and keys.

use super::liars::Liar;
use crate::{connect, data::DataDir, exit::Exit, failure::Failure, machine, text};
use api::{NodeApi, Status};
use identity::{NetworkId, Signed};
use protocol::{Founder, Genesis, Params};
use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    net::{Ipv4Addr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    process::{Child, ChildStdin, Command},
    time::{Instant, sleep, timeout},
};

/// What the owners call themselves.
const NAMES: [&str; 16] = [
    "Alder", "Birch", "Cedar", "Elm", "Fir", "Gorse", "Hazel", "Juniper", "Larch", "Maple", "Oak",
    "Pine", "Rowan", "Sorrel", "Thyme", "Willow",
];
/// What makes a node lie: read by the node, and refused outside of a demonstration.
const MISBEHAVIOUR: &str = "misbehave = \"wrong-result\"\n";
const LOOK: Duration = Duration::from_millis(100);
/// How long nodes may take to find each other, and to stop.
const START: Duration = Duration::from_secs(40);
const STOP: Duration = Duration::from_secs(10);
/// The end of a log that a person is shown.
const TAIL_BYTES: u64 = 2_000;

/// Owners that found a network, before their nodes run.
pub(super) struct Society {
    pub(super) genesis: Genesis,
    genesis_path: PathBuf,
    homes: Vec<DataDir>,
    /// The nodes that are told to lie.
    pub(super) liars: Vec<Liar>,
}

impl Society {
    /// Makes keys and a genesis below `dir`. All nodes vote; the last `liars` of them are told to
    /// lie about some results.
    pub(super) fn found(dir: &Path, nodes: u8, liars: u8) -> Result<Self, Failure> {
        let (honest, mut told) = (nodes.saturating_sub(liars), Vec::new());
        let mut founders = Vec::new();
        let mut homes = Vec::new();
        for (number, port) in (1..=nodes).zip(free_ports(nodes)?) {
            let data = DataDir::at(dir.join(format!("owner-{number}")));
            let owner = data.owner_key_or_new(machine::entropy()?)?;
            let node = data.node_key_or_new(machine::entropy()?)?.public();
            let name = NAMES[usize::from(number - 1) % NAMES.len()].to_string();
            let addresses = vec![
                format!("/ip4/127.0.0.1/udp/{port}/quic-v1"),
                format!("/ip4/127.0.0.1/tcp/{port}"),
            ];
            let mut settings = data.settings()?;
            settings.name = Some(name.clone());
            settings.listen.clone_from(&addresses);
            data.set_settings(&settings)?;
            if number > honest {
                misbehave(&data)?;
                told.push(Liar { node, owner: owner.public(), name: name.clone() });
            }
            let founder = Founder { node, name, addresses };
            founders.push(Signed::new(founder, NetworkId::FOUNDING, &owner));
            homes.push(data);
        }
        let params = Params { demonstration: true, ..Params::default() };
        let validators = founders.len();
        let genesis = Genesis::found("demo".into(), machine::now(), founders, validators, params)
            .map_err(Failure::internal)?;
        let genesis_path = dir.join("genesis.polity");
        fs::write(&genesis_path, genesis.encode())
            .map_err(|error| Failure::file(&genesis_path, &error))?;
        Ok(Self { genesis, genesis_path, homes, liars: told })
    }

    /// Starts every node: this program again.
    pub(super) fn start(self) -> Result<Running, Failure> {
        let exe = std::env::current_exe().map_err(Failure::internal)?;
        let mut nodes = Vec::new();
        for data in self.homes {
            nodes.push(NodeProcess::start(&exe, data, &self.genesis_path)?);
        }
        Ok(Running { nodes, validators: self.genesis.validators.len() })
    }
}

fn misbehave(data: &DataDir) -> Result<(), Failure> {
    let path = data.root().join("config.toml");
    fs::write(&path, MISBEHAVIOUR).map_err(|error| Failure::file(&path, &error))
}

/// Ports that are free for UDP and TCP, all different.
fn free_ports(count: u8) -> Result<Vec<u16>, Failure> {
    // All are held until the last one is found, so that none comes twice.
    let mut held = Vec::new();
    let mut ports = Vec::new();
    for _ in 0..usize::from(count) * 8 {
        if ports.len() == usize::from(count) {
            break;
        }
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Failure::internal)?;
        let port = udp.local_addr().map_err(Failure::internal)?.port();
        if let Ok(tcp) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            ports.push(port);
            held.push((udp, tcp));
        }
    }
    if ports.len() < usize::from(count) {
        return Err(Failure::internal("too few free ports on this machine")
            .next("try again with fewer: polity demo --nodes 4"));
    }
    Ok(ports)
}

/// A network that runs.
pub(super) struct Running {
    nodes: Vec<NodeProcess>,
    validators: usize,
}

impl Running {
    /// The directory of the first owner.
    pub(super) fn first(&self) -> &DataDir {
        &self.nodes[0].data
    }

    pub(super) fn validators(&self) -> usize {
        self.validators
    }

    /// Waits until every node is admitted and sees every owner.
    pub(super) async fn wait(&mut self) -> Result<(), Failure> {
        let parties = u32::try_from(self.nodes.len()).map_err(Failure::internal)?;
        let until = Instant::now() + START;
        for node in &mut self.nodes {
            loop {
                let status = node.status().await?;
                let ready = |status: &Status| status.admitted && status.parties >= parties;
                if status.as_ref().is_some_and(ready) {
                    break;
                }
                if Instant::now() > until {
                    let sees = status.map_or(0, |status| status.parties);
                    let took = text::lasting(START);
                    return Err(
                        node.failure(&format!("after {took} it sees {sees} of {parties} owners"))
                    );
                }
                sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// Stops every node and waits until they are gone.
    pub(super) async fn stop(self) -> Result<(), Failure> {
        let mut nodes = self.nodes;
        for node in &mut nodes {
            node.stdin = None;
        }
        for node in &mut nodes {
            if timeout(STOP, node.child.wait()).await.is_err() {
                node.child.kill().await.map_err(Failure::internal)?;
            }
        }
        Ok(())
    }
}

/// One node. It ends when its stdin closes, and so with us, however we end.
struct NodeProcess {
    data: DataDir,
    log: PathBuf,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl NodeProcess {
    fn start(exe: &Path, data: DataDir, genesis: &Path) -> Result<Self, Failure> {
        let log = data.root().join("node.log");
        let file = File::create(&log).map_err(|error| Failure::file(&log, &error))?;
        let both = file.try_clone().map_err(|error| Failure::file(&log, &error))?;
        let mut child = Command::new(exe)
            .arg("up")
            .arg("--exit-with-stdin")
            .arg("--data")
            .arg(data.root())
            .arg("--genesis")
            .arg(genesis)
            .stdin(Stdio::piped())
            .stdout(Stdio::from(both))
            .stderr(Stdio::from(file))
            // Ctrl-C is for us; the nodes stop because we do.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::file(exe, &error))?;
        let stdin = child.stdin.take();
        Ok(Self { data, log, child, stdin })
    }

    /// What the node says of itself; `None` while its door is not open.
    async fn status(&mut self) -> Result<Option<Status>, Failure> {
        if let Some(status) = self.child.try_wait().map_err(Failure::internal)? {
            return Err(self.failure(&format!("it ended with {status}")));
        }
        match connect::node(&self.data) {
            Ok(node) => match node.status().await.map_err(Failure::from) {
                Ok(status) => Ok(Some(status)),
                Err(failure) if failure.exit == Exit::NoNode => Ok(None),
                Err(failure) => Err(failure),
            },
            Err(failure) if failure.exit == Exit::NoNode => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    fn failure(&self, what: &str) -> Failure {
        let dir = self.data.root().display();
        let log = tail(&self.log).unwrap_or_else(|error| error.to_string());
        Failure::internal(format!("the node in {dir} did not start: {what}\n{log}"))
    }
}

fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ports_are_different() {
        let ports = free_ports(16).unwrap();
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 16);
    }

    #[test]
    fn every_owner_has_its_own_keys_and_directory() {
        let dir = tempfile::tempdir().unwrap();
        let society = Society::found(dir.path(), 5, 1).unwrap();
        assert_eq!(society.genesis.validators.len(), 5);
        assert_eq!(society.genesis.tolerated_faults(), 1);
        assert!(society.genesis.params.demonstration);
        let owners: BTreeSet<_> =
            society.homes.iter().map(|data| data.owner_key().unwrap().unwrap().public()).collect();
        assert_eq!(owners.len(), 5);
        let told = |data: &DataDir| data.root().join("config.toml").exists();
        let told: Vec<_> = society.homes.iter().map(told).collect();
        assert_eq!(told, [false, false, false, false, true], "the home never lies");
        let last = society.homes[4].node_key().unwrap().unwrap().public();
        assert_eq!(society.liars[0].node, last);
    }
}
