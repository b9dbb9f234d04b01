//! People who order small jobs all the time, each with a command line of their own.

use super::society::{POLITY, polity};
use protocol::JobId;
use sim::Random;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Commands that run at once.
const CLIENTS: usize = 2;

/// One `polity run` that goes on.
struct Client {
    child: Child,
    home: usize,
    out: PathBuf,
    log: PathBuf,
    job: Option<JobId>,
}

/// One that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Which node was asked.
    pub(crate) home: usize,
    /// The job, if it was acknowledged.
    pub(crate) job: Option<JobId>,
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

/// All of them. Commands end with this value.
pub(crate) struct Load {
    dir: PathBuf,
    homes: Vec<PathBuf>,
    random: Random,
    clients: Vec<Client>,
    started: usize,
    acknowledged: usize,
    pub(crate) ended: Vec<Ended>,
}

impl Load {
    /// Orders go from `dir`, where program and inputs are, to the nodes in `homes`.
    pub(crate) fn new(dir: &Path, homes: &[PathBuf], seed: u64) -> Self {
        Self {
            dir: dir.into(),
            homes: homes.to_vec(),
            random: Random::new(seed),
            clients: Vec::new(),
            started: 0,
            acknowledged: 0,
            ended: Vec::new(),
        }
    }

    /// Looks who has ended, and keeps so many commands going as there should be; homes that are
    /// `away` are left alone.
    pub(crate) fn go_on(&mut self, away: Option<usize>) {
        self.look();
        while self.clients.len() < CLIENTS {
            let home = self.random.place(self.homes.len());
            if Some(home) != away {
                self.order(home);
            }
        }
    }

    /// Looks who has ended.
    pub(crate) fn look(&mut self) {
        for mut client in std::mem::take(&mut self.clients) {
            let ended = client.child.try_wait().unwrap();
            let said = fs::read_to_string(&client.log).unwrap();
            if client.job.is_none() {
                client.job = job_in(&said);
                self.acknowledged += usize::from(client.job.is_some());
            }
            let Some(ended) = ended else {
                self.clients.push(client);
                continue;
            };
            let Client { home, job, out, .. } = client;
            if ended.success() {
                assert_copied(&self.dir, &out);
                fs::remove_dir_all(out).unwrap();
            }
            self.ended.push(Ended { home, job, code: ended.code(), said });
        }
    }

    fn order(&mut self, home: usize) {
        let out = self.dir.join(format!("out-{}", self.started));
        let log = out.with_extension("log");
        self.started += 1;
        let mut command = Command::new(POLITY);
        command.args([
            "run",
            "copy.wasm",
            "--fresh",
            "--each",
            "in/*.txt",
            "--arg",
            "{}",
            "--verify",
            "2of3",
        ]);
        command.arg("-o").arg(&out).arg("--data").arg(&self.homes[home]).current_dir(&self.dir);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        let child = command.spawn().unwrap();
        self.clients.push(Client { child, home, out, log, job: None });
    }

    /// Whether all commands have ended.
    pub(crate) fn is_over(&self) -> bool {
        self.clients.is_empty()
    }

    /// Jobs that were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    /// What the commands that go on have said, and what their nodes say of the jobs.
    pub(crate) fn waiting(&self) -> String {
        let said = |client: &Client| {
            let said = fs::read_to_string(&client.log).unwrap_or_default();
            let job = client.job.map(|job| job.to_string()).unwrap_or_default();
            let home = self.homes[client.home].to_string_lossy();
            let more = polity(&self.dir, &["job", "describe", &job, "--data", &home]);
            format!("of node {}: {said}{}{}", client.home, more.out, more.err)
        };
        self.clients.iter().map(said).collect()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for client in &mut self.clients {
            // It may have ended already.
            let _ended = client.child.kill();
            let _ended = client.child.wait();
        }
    }
}

/// The acknowledgement in what a command has said.
fn job_in(said: &str) -> Option<JobId> {
    let line = said.lines().find_map(|line| line.strip_prefix("job "))?;
    // The last line may not be whole yet.
    line.parse().ok()
}

/// Every result is its input.
pub(crate) fn assert_copied(dir: &Path, out: &Path) {
    for input in fs::read_dir(dir.join("in")).unwrap() {
        let input = input.unwrap();
        let output = out.join(input.file_name());
        assert_eq!(fs::read(&output).unwrap(), fs::read(input.path()).unwrap(), "{output:?}");
    }
}
