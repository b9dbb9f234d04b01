//! A validator of one owner, and the machines of another one, which are a cluster.

use super::society::{Node, POLITY, brisk, found_at, free_port, polity, space::Way, until};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A program that does nothing: `_start` and a page of memory.
const NOTHING: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

/// Where a machine listens, and how its commands get there.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) way: Way,
    pub(crate) address: String,
}

impl Place {
    /// On this machine's loopback.
    pub(crate) fn here() -> Self {
        let address = format!("/ip4/127.0.0.1/udp/{}/quic-v1", free_port());
        Self { way: Way::default(), address }
    }
}

/// The machines.
pub(crate) struct Trio {
    pub(crate) dir: PathBuf,
    /// It keeps the ledger, and no cluster of it is looked at.
    validator: Node,
    /// None where it does not run now.
    pub(crate) machines: Vec<Option<Node>>,
    places: Vec<Place>,
}

impl Trio {
    /// Three machines at these places; the validator lives where the first one does.
    pub(crate) fn at(dir: &Path, (ip, ways): (&str, [Place; 3])) -> Self {
        Self::apart(dir, (ip, &ways[0].way), ip, &ways)
    }

    /// The same with the validator elsewhere; `first` is the address of the first machine.
    pub(crate) fn apart(
        dir: &Path,
        (ip, validator): (&str, &Way),
        first: &str,
        ways: &[Place; 3],
    ) -> Self {
        fs::write(dir.join("nothing.wasm"), wat::parse_str(NOTHING).unwrap()).unwrap();
        let homes = found_at(dir, &[(ip, free_port()), (first, free_port())], 1, brisk());
        let genesis = dir.join("genesis.polity");
        let genesis = genesis.to_string_lossy();
        let start = |way, home: &Path| Node::up_in(way, home, &["--genesis", &genesis], None);
        let (validator, first) = (start(validator, &homes[0]), start(&ways[0].way, &homes[1]));
        let mut trio = Self {
            dir: dir.into(),
            validator,
            machines: vec![Some(first)],
            places: vec![ways[0].clone()],
        };
        trio.node(0).ready(2);
        for place in &ways[1..] {
            trio.add(place.clone());
        }
        trio.voters(3);
        trio
    }

    /// The same on loopback.
    pub(crate) fn new(dir: &Path) -> Self {
        Self::at(dir, ("127.0.0.1", [(); 3].map(|()| Place::here())))
    }

    /// One more machine of the owner.
    pub(crate) fn add(&mut self, place: Place) {
        self.add_by(0, place);
    }

    /// The same with a line of this machine.
    pub(crate) fn add_by(&mut self, n: usize, place: Place) {
        let line = self.node(n).polity(&["cluster", "add"]).ok().out;
        let data = self.dir.join(format!("machine-{}", self.machines.len()));
        let args = ["--join", "-", "--listen", &place.address];
        let node = Node::up_in(&place.way, &data, &args, Some(&line));
        self.enter(node, place);
    }

    /// A machine that was started.
    pub(crate) fn enter(&mut self, node: Node, place: Place) {
        let data = node.data.clone();
        self.machines.push(Some(node));
        self.places.push(place);
        let last = self.machines.len() - 1;
        self.node(last).ready(2);
        // Jobs are given from every machine.
        fs::copy(self.dir.join("owner-2/owner.key"), data.join("owner.key")).unwrap();
    }

    pub(crate) fn node(&mut self, n: usize) -> &mut Node {
        self.machines[n].as_mut().expect("it runs")
    }

    /// Starts a machine again.
    pub(crate) fn start(&mut self, n: usize, data: &Path) {
        self.begin(n, data, Path::new(POLITY));
        self.node(n).ready(2);
    }

    /// The same with this binary, without waiting for it.
    pub(crate) fn begin(&mut self, n: usize, data: &Path, binary: &Path) {
        let Place { way, address } = &self.places[n];
        let args: &[&str] = if n == 0 { &[] } else { &["--listen", address] };
        self.machines[n] = Some(Node::up_as(binary, (way, data), args, None));
    }

    /// Stops a machine, and gives its directory.
    pub(crate) fn stop(&mut self, n: usize) -> PathBuf {
        self.machines[n].take().expect("it runs").stop()
    }

    /// Ends a machine as a power failure would, and gives its directory.
    pub(crate) fn kill(&mut self, n: usize) -> PathBuf {
        self.machines[n].take().expect("it runs").kill()
    }

    /// What a machine says of the cluster.
    pub(crate) fn cluster(&mut self, n: usize) -> Value {
        self.node(n).polity(&["cluster", "status", "--json"]).ok().json()
    }

    /// The machines that run.
    pub(crate) fn running(&self) -> Vec<usize> {
        (0..self.machines.len()).filter(|n| self.machines[*n].is_some()).collect()
    }

    fn key(&self, n: usize) -> String {
        self.key_in(&self.machines[n].as_ref().expect("it runs").data)
    }

    /// The key of the validator.
    pub(crate) fn validator_key(&self) -> String {
        self.key_in(&self.validator.data)
    }

    fn key_in(&self, data: &Path) -> String {
        let said = polity(&self.dir, &["key", "show", "--json", "--data", &data.to_string_lossy()]);
        said.ok().json()["node"].as_str().expect("a key").to_string()
    }

    /// Waits until so many vote, and no change is under way, as every machine that runs says.
    pub(crate) fn voters(&mut self, count: usize) {
        for n in self.running() {
            until(&format!("{count} voters as machine {n} says"), || {
                let cluster = self.cluster(n);
                let members = cluster["members"].as_array()?;
                let votes = members.iter().filter(|member| member["votes"] == true).count();
                (votes == count && cluster["at_rest"] == true).then_some(())
            });
        }
    }

    /// Waits until a machine that runs leads, and gives it.
    pub(crate) fn leader(&mut self) -> usize {
        let keys: Vec<_> = self.running().into_iter().map(|n| (n, self.key(n))).collect();
        let asked = keys[0].0;
        until("a leader", || {
            let leader = self.cluster(asked)["leader"].as_str()?.to_string();
            keys.iter().find(|(_, key)| *key == leader).map(|(n, _)| *n)
        })
    }

    /// Has this machine lead.
    pub(crate) fn lead(&mut self, n: usize) {
        let key = self.key(n);
        self.node(n).polity(&["cluster", "transfer", &key]).ok();
        assert_eq!(self.leader(), n);
    }

    /// Orders so many tasks at a machine and does not wait for them; gives the job.
    pub(crate) fn order(&mut self, n: usize, tasks: u32) -> String {
        let tasks = tasks.to_string();
        let run = ["run", "nothing.wasm", "--fresh", "--verify", "single", "--detach", "--array"];
        let said = self.node(n).polity(&[&run[..], &[&tasks]].concat()).ok();
        said.out.trim().to_string()
    }

    /// How many tasks of a job are final, as a machine says.
    pub(crate) fn settled(&mut self, n: usize, job: &str) -> u64 {
        let list = self.node(n).polity(&["job", "list", "--json"]).ok().json();
        let all = list.as_array().expect("a list");
        let of_job = all.iter().find(|summary| summary["job"] == job);
        of_job.and_then(|summary| summary["settled"].as_u64()).unwrap_or(0)
    }

    /// Waits until so many tasks of a job are final.
    pub(crate) fn settles(&mut self, n: usize, job: &str, tasks: u64) {
        until(&format!("{tasks} final tasks of {job}"), || {
            (self.settled(n, job) >= tasks).then_some(())
        });
    }

    /// Fetches a job, waiting for its end, and checks that every task is final, each once.
    pub(crate) fn fetch(&mut self, n: usize, job: &str, tasks: usize) {
        let out = self.dir.join(format!("out-{job}-{n}"));
        let out = out.to_string_lossy().into_owned();
        self.node(n).polity(&["job", "get", job, "-o", &out]).ok();
        let receipt = format!("{out}/receipt.polity");
        let said = polity(&self.dir, &["verify", &receipt, "--json"]);
        assert!(said.code.is_some_and(|code| code <= 1), "{}{}", said.out, said.err);
        let bytes = fs::read(&receipt).unwrap();
        let receipt = protocol::Receipt::decode(&bytes).unwrap();
        let mut settled: Vec<u32> = receipt
            .body
            .parts
            .iter()
            .flat_map(|part| part.agreements.tasks.iter().map(|agreed| agreed.task.0))
            .collect();
        settled.sort_unstable();
        let expected: Vec<u32> = (0..u32::try_from(tasks).unwrap()).collect();
        assert_eq!(settled, expected, "every task once");
    }
}
