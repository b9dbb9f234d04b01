//! A directory, a data directory, and a fake polity behind the real gateway.

use super::{
    lies,
    polity::{self, Fault, Polity},
};
use crate::{
    commands,
    data::DataDir,
    exit::Exit,
    launch::{Agree, Began, HeldCluster, Launch, NodePlan, RerunOrder, UpOptions},
    verify::{self, Pins, Verdict},
};
use gateway::{Config, Running, serve};
use identity::{Digest, SecretKey};
use protocol::Outcome;
use std::{
    collections::HashMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};
use tokio::{runtime::Runtime, sync::oneshot};

/// What a house's engine finds when it runs a task of the polity in memory again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Engine {
    /// The truth.
    #[default]
    Right,
    /// What the liar claims.
    Wrong,
    /// Something, under another fingerprint.
    Another,
    /// Nothing: it takes too long.
    Slow,
}

/// A house that keeps what it was asked to start and to run again.
#[derive(Default)]
pub(crate) struct House {
    pub(crate) started: Mutex<Vec<UpOptions>>,
    pub(crate) engine: Engine,
    pub(crate) rerun: Mutex<Vec<RerunOrder>>,
}

/// What the log of a stopped machine holds.
fn held() -> HeldCluster {
    let me = SecretKey::from_seed([1; 32]).public();
    HeldCluster {
        cluster: "old".into(),
        name: "home".into(),
        me,
        members: [(me, true), (SecretKey::from_seed([2; 32]).public(), true)].into(),
        term: 3,
        index: 1_234,
        at: protocol::Time(1_700_000_000_000),
        jobs: 2,
    }
}

fn began() -> Began {
    Began { cluster: "new".into(), kept: Some("cluster.before".into()) }
}

impl Launch for House {
    fn check(&self, options: &UpOptions) -> anyhow::Result<()> {
        self.plan(&options.data).map(drop)
    }

    fn up(&self, options: UpOptions) -> anyhow::Result<()> {
        self.started.lock().unwrap().push(options);
        Ok(())
    }

    fn inspect(&self, program: &[u8]) -> Result<(), String> {
        if program.starts_with(b"\0asm") { Ok(()) } else { Err("not a Wasm module".into()) }
    }

    fn rerun(&self, order: RerunOrder) -> anyhow::Result<Outcome> {
        // Every task of a sweep is called as its only input.
        let name = order.inputs[0].0.clone();
        let end = polity::end_of(&name).unwrap();
        let truth = polity::outcome(order.job, order.task, end, &name, &mut HashMap::new());
        self.rerun.lock().unwrap().push(order);
        match self.engine {
            Engine::Right => Ok(truth),
            Engine::Wrong => Ok(lies::wrong(&truth)),
            Engine::Another => Ok(Outcome { fingerprint: Digest([9; 32]), ..truth }),
            Engine::Slow => anyhow::bail!("wall time"),
        }
    }

    fn plan(&self, data: &DataDir) -> anyhow::Result<NodePlan> {
        if data.root().join("config.toml").exists() {
            anyhow::bail!("no setting is called like that");
        }
        Ok(NodePlan { listen: Vec::new(), reserve_bytes: 0 })
    }

    fn recover(&self, _: &DataDir, agree: Agree<'_>) -> anyhow::Result<Option<Began>> {
        Ok(agree(&held()).then(began))
    }

    fn restore(&self, _: &DataDir, file: &Path, agree: Agree<'_>) -> anyhow::Result<Option<Began>> {
        anyhow::ensure!(file.exists(), "there is no copy");
        Ok(agree(&held()).then(began))
    }

    fn self_test(&self) -> anyhow::Result<Digest> {
        match self.engine {
            Engine::Right => Ok(Digest([8; 32])),
            _ => anyhow::bail!("'float' gave something else"),
        }
    }
}

/// Does what the command line says, in no polity.
pub(crate) fn type_in(house: &House, args: &[&str]) -> Exit {
    let args = ["polity"].iter().chain(args).map(OsString::from).collect();
    commands::run(args, house)
}

pub(crate) struct World {
    dir: tempfile::TempDir,
    pub(crate) data: DataDir,
    pub(crate) polity: Arc<Polity>,
    // The gateway ends before its threads do.
    _running: Running,
    _stop: oneshot::Sender<()>,
    _runtime: Runtime,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Fault::None, 4)
    }

    pub(crate) fn with(fault: Fault, parties: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::at(dir.path().join("data"));
        let owner = data.owner_key_or_new([1; 32]).unwrap();
        let node = SecretKey::from_seed([101; 32]);
        let polity = Arc::new(Polity::found(owner, node, fault, parties));
        data.keep_genesis(&polity.genesis).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (stop, stopped) = oneshot::channel();
        let running =
            runtime.block_on(serve(Config::default(), polity.clone(), "token", stopped)).unwrap();
        data.set_api(running.addr(), "token").unwrap();
        let world = Self { dir, data, polity, _running: running, _stop: stop, _runtime: runtime };
        world.write("program.wasm", b"\0asm");
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().into()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Types a command; `@NAME` is a path in the directory of this world.
    pub(crate) fn type_in(&self, line: &str) -> Exit {
        self.type_to(&House::default(), line)
    }

    /// The same to a certain house.
    pub(crate) fn type_to(&self, house: &House, line: &str) -> Exit {
        let root = self.data.root().to_str().unwrap();
        let mut args: Vec<String> = vec!["--data".into(), root.into()];
        args.extend(line.split_whitespace().map(|arg| match arg.strip_prefix('@') {
            Some(name) => self.text(name),
            None => arg.to_string(),
        }));
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        type_in(house, &args)
    }

    /// Writes inputs of these names and runs the program on each.
    pub(crate) fn sweep(&self, names: &[&str]) -> Exit {
        for name in names {
            self.write(&format!("in/{name}"), name.as_bytes());
        }
        self.type_in("run @program.wasm --each @in/* -o @out")
    }

    /// What verification says of the receipt in `out`.
    pub(crate) fn verdict(&self) -> Verdict {
        let pins = Pins::one(self.polity.genesis.network(), "test");
        verify::check(&self.path("out/receipt.polity"), None, &pins).unwrap()
    }
}

/// Every file below a directory, sorted.
pub(crate) fn listing(dir: &Path) -> Vec<String> {
    let (mut found, mut dirs) = (Vec::new(), vec![dir.to_path_buf()]);
    while let Some(at) = dirs.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                found.push(path.strip_prefix(dir).unwrap().to_str().unwrap().to_string());
            }
        }
    }
    found.sort();
    found
}
