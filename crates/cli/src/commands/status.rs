//! `polity status`: which node commands use, and how it is. Starts none.

use super::Context;
use crate::{
    background::{self, VERSION},
    connect,
    data::{DataDir, Run, Whose},
    exit::Exit,
    failure::Failure,
    job::order,
    machine, out, text,
};
use api::{Code, JobState, NodeApi, Status};
use std::{fs, io, os::unix::fs::MetadataExt, path::Path, time::Duration};

const AFTER: &str = "\
Commands use the node of --data or POLITY_DATA, if one is named; else your own,
if you founded or joined a polity; else one in the background, which they start
when they need it.

Exit codes:
  0    it runs
  122  it does not run, or does not answer

Examples:
  polity status
  polity status --data /srv/polity --json";

/// `polity status`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {}

/// Bytes that the file system gives in one block of `st_blocks` (`stat(3)`).
const BLOCK_BYTES: u64 = 512;

pub(super) async fn run(_: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let data = context.data()?;
    let node = connect::running(&data)?;
    let run = background::running(&data)?.map(|(_, run)| run);
    let status = node.status().await?;
    let running = match node.jobs().await {
        Ok(jobs) => Ok(jobs.iter().filter(|job| job.state == JobState::Running).count()),
        // The node is there all the same: nobody leads its cluster.
        Err(error) if error.code == Code::Unavailable => Err(error.message),
        Err(error) => return Err(error.into()),
    };
    let disk_bytes = used(data.root()).map_err(|error| Failure::file(data.root(), &error))?;
    let receipts = order::verification(None, status.parties, status.distinct)?.1;
    let up_ms = run.as_ref().map(|run| machine::now().since_ms(run.since));
    let whole = serde_json::json!({
        "node": status.node,
        "which": whose(&data),
        "data": data.root(),
        "pid": run.as_ref().map(|run| run.process.pid),
        "version": status.version,
        "up_ms": up_ms,
        "network": status.network,
        "network_name": status.network_name,
        "height": status.height,
        "head_age_ms": status.head_age_ms(),
        "ledger_stands": status.ledger_stands(),
        "jobs_running": running.as_ref().ok(),
        "receipts": receipts,
        "disk_bytes": disk_bytes,
    });
    let shown = Shown { data: &data, run, status: &status, running, receipts, disk_bytes };
    context.out.data(&whole, || shown.text())?;
    if status.version != VERSION {
        context.out.say(format!("This command is of version {VERSION}."));
    }
    Ok(Exit::Success)
}

/// Which node it is, in words.
fn whose(data: &DataDir) -> &'static str {
    match data.whose() {
        Whose::Named => "the one that was named",
        Whose::Own => "your own",
        Whose::Embedded => "in the background, started by commands",
    }
}

struct Shown<'a> {
    data: &'a DataDir,
    run: Option<Run>,
    status: &'a Status,
    /// How many jobs run, or why that is not known.
    running: Result<usize, String>,
    receipts: String,
    disk_bytes: u64,
}

impl Shown<'_> {
    fn text(&self) -> String {
        let Self { data, run, status, running, receipts, disk_bytes } = self;
        let lasting =
            |run: &Run| text::lasting(Duration::from_millis(machine::now().since_ms(run.since)));
        let unknown = || "unknown".to_string();
        let jobs = match running {
            Ok(running) => format!("{running} running"),
            Err(why) => format!("not known: {why}\nsee who is away with: polity cluster status"),
        };
        out::fields(&[
            ("node", format!("{}\n{}", whose(data), status.node)),
            ("data", data.root().display().to_string()),
            ("pid", run.as_ref().map_or_else(unknown, |run| run.process.pid.to_string())),
            ("version", status.version.clone()),
            ("up for", run.as_ref().map_or_else(unknown, lasting)),
            ("network", format!("{}\n{}", status.network_name, status.network)),
            ("ledger", ledger(status)),
            ("jobs", jobs),
            ("receipts", receipts.clone()),
            ("disk", text::size(*disk_bytes)),
        ])
    }
}

/// The last block, and whether more may come.
fn ledger(status: &Status) -> String {
    let since = text::lasting(Duration::from_millis(status.head_age_ms()));
    let mut said = format!("block {}, {since} ago", text::number(status.height.0));
    if status.ledger_stands() {
        said.push_str("\nit stands, or this node is cut off: polity doctor");
    }
    said
}

/// Bytes that a directory takes. Files that go away meanwhile are not counted.
fn used(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        let entries = match fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => dirs.push(entry.path()),
                Ok(metadata) => bytes += metadata.blocks() * BLOCK_BYTES,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{super::tests::world::World, *};
    use futures::FutureExt;

    #[test]
    fn a_ledger_that_stands_is_told() {
        let world = World::new();
        let mut status = world.polity.status().now_or_never().unwrap().unwrap();
        let late_ms = status.heartbeat_ms * 2 + 30_000;
        status.clock = status.head_time.after_ms(late_ms);
        assert!(ledger(&status).starts_with("block 2, ") && ledger(&status).ends_with(" ago"));
        status.clock = status.head_time.after_ms(late_ms + 1);
        assert!(ledger(&status).ends_with("it stands, or this node is cut off: polity doctor"));
        status.heartbeat_ms = 0;
        assert!(!status.ledger_stands(), "no block is late where none must come");
    }

    #[test]
    fn what_a_directory_takes_is_what_its_files_take() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(used(dir.path()).unwrap(), 0);
        fs::create_dir(dir.path().join("in")).unwrap();
        fs::write(dir.path().join("in/file"), vec![1; 100_000]).unwrap();
        assert!(used(dir.path()).unwrap() >= 100_000);
        assert_eq!(used(&dir.path().join("gone")).unwrap(), 0);
    }
}
