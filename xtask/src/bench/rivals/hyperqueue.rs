//! HyperQueue: `hq submit --wait` against a server and a worker that wait for it.

use super::{Asked, Found};
use crate::{
    bench::{
        process::{Background, run, until},
        trivial,
        world::World,
    },
    steps::Steps,
};
use anyhow::{Context as _, bail, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// What the processes do that HyperQueue starts; nothing of it is verified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Process {
    /// The trivial task: copies 1 KiB.
    Copy,
    /// Nothing at all.
    True,
}

impl Process {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Copy => "HyperQueue, `hq submit --wait -- cp in out`",
            Self::True => "HyperQueue, `hq submit --wait -- true`, which does nothing",
        }
    }

    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Copy => &["cp", "in", "out"],
            Self::True => &["true"],
        }
    }
}

const LIMIT: Duration = Duration::from_secs(600);

/// Names the program, if it is not on the path.
const VARIABLE: &str = "HQ";

/// A server and a worker.
struct Cluster {
    hq: PathBuf,
    dir: PathBuf,
    _worker: Background,
    _server: Background,
}

pub(super) fn measure(
    world: &World,
    steps: &Steps,
    (asked, process): (Asked, Process),
) -> anyhow::Result<Found> {
    let hq = find()?;
    let cluster = Cluster::start(world, steps, hq)?;
    match asked {
        Asked::Single(times) => {
            cluster.single(world, process)?;
            let taken = (0..times).map(|_| cluster.single(world, process));
            Ok(Found::Single(taken.collect::<anyhow::Result<_>>()?))
        }
        Asked::Many(tasks) => {
            cluster.single(world, process)?;
            Ok(Found::Many(cluster.many(world, tasks, process)?))
        }
    }
}

fn find() -> anyhow::Result<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        return Ok(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join("hq")).find(|hq| hq.is_file());
    found.with_context(|| format!("no program `hq` on the path, and {VARIABLE} names none"))
}

impl Cluster {
    fn start(world: &World, steps: &Steps, hq: PathBuf) -> anyhow::Result<Self> {
        let dir = world.fresh("hq")?;
        let part = |words: &[&str]| {
            let mut command = steps.command(&hq);
            command.args(words).arg("--server-dir").arg(&dir);
            command
        };
        let mut server = Background::start(
            part(&["server", "start"]).arg("--host=localhost"),
            &dir.join("server.log"),
        )?;
        let mut asked = |words: &[&str]| {
            until("HyperQueue", Duration::from_secs(30), || {
                if let Some(status) = server.ended()? {
                    bail!("the server ended with {status}: {}", said(&dir.join("server.log")));
                }
                let answer = part(words).output().context("hq")?;
                Ok(answer.status.success().then_some(answer.stdout))
            })
        };
        asked(&["server", "info"])?;
        let worker = Background::start(&mut part(&["worker", "start"]), &dir.join("worker.log"))?;
        until("HyperQueue's worker", Duration::from_secs(30), || {
            let said = part(&["worker", "list", "--output-mode=json"]).output().context("hq")?;
            let listed: serde_json::Value =
                serde_json::from_slice(&said.stdout).unwrap_or_default();
            Ok(listed.as_array().is_some_and(|workers| !workers.is_empty()).then_some(()))
        })?;
        Ok(Self { hq, dir, _worker: worker, _server: server })
    }

    fn submit(&self) -> Command {
        let mut command = Command::new(&self.hq);
        command.args(["submit", "--wait", "--stdout=none", "--stderr=none", "--server-dir"]);
        command.arg(&self.dir);
        command
    }

    fn single(&self, world: &World, process: Process) -> anyhow::Result<Duration> {
        let number = world.numbers(1).start;
        let dir = world.fresh("hq-task")?;
        fs::write(dir.join("in"), trivial::input(number))?;
        let mut command = self.submit();
        command.arg("--cwd").arg(&dir).arg("--").args(process.words());
        let took = run(&world.scratch, &mut command, LIMIT)?.took;
        if process == Process::Copy {
            ensure!(fs::read(dir.join("out"))? == trivial::input(number), "hq gave something else");
        }
        Ok(took)
    }

    fn many(&self, world: &World, tasks: u64, process: Process) -> anyhow::Result<Duration> {
        let dir = world.fresh("hq-tasks")?;
        for task in 1..=tasks {
            let place = dir.join(task.to_string());
            fs::create_dir(&place)?;
            fs::write(place.join("in"), trivial::input(world.numbers(1).start))?;
        }
        let mut command = self.submit();
        command.arg(format!("--array=1-{tasks}")).arg("--cwd").arg(dir.join("%{TASK_ID}"));
        command.arg("--").args(process.words());
        let took = run(&world.scratch, &mut command, LIMIT)?.took;
        if process == Process::Copy {
            for task in 1..=tasks {
                let place = dir.join(task.to_string());
                let same = fs::read(place.join("out"))? == fs::read(place.join("in"))?;
                ensure!(same, "hq gave something else for task {task}");
            }
        }
        Ok(took)
    }
}

fn said(log: &Path) -> String {
    fs::read_to_string(log).unwrap_or_else(|error| error.to_string())
}
