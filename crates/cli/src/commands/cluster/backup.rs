//! `polity cluster backup`: a copy of what the cluster agreed on.

use super::super::Context;
use crate::{connect, exit::Exit, failure::Failure, text};
use api::{BackupBytes, ClusterApi, backup};
use futures::StreamExt;
use serde_json::json;
use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

const AFTER: &str = "\
In the copy are the jobs of the cluster with their orders and how far their
tasks are, and who its members are. Programs, inputs and outputs are in the
stores of your machines, and not in it; no key is in it either. Keep it where
your machines are not. It is used with: polity cluster restore.

Examples:
  polity cluster backup -o home.backup";

/// `polity cluster backup`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(in crate::commands) struct Args {
    /// Where to; nothing must be there
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let data = context.data()?;
    let node = connect::node(&data)?;
    let genesis = data.genesis()?;
    let genesis = genesis.ok_or_else(|| Failure::usage("this directory has no genesis"))?;
    let path = &args.out;
    let failed = |error: io::Error| Failure::file(path, &error);
    if path.try_exists().map_err(failed)? {
        return Err(Failure::usage(format!("{} is there already", path.display())));
    }
    let mut draft = draft(path).map_err(failed)?;
    write(node.backup().await?, &mut draft, path).await?;
    draft.as_file().sync_all().map_err(failed)?;
    draft.rewind().map_err(failed)?;
    // As it lies on the disk, not as it came.
    let head = backup::check(&mut BufReader::new(draft.as_file()), genesis.network())
        .map_err(|error| Failure::new(Exit::Unverified, error.to_string()))?;
    draft.persist_noclobber(path).map_err(|error| failed(error.error))?;
    File::open(directory_of(path)).and_then(|dir| dir.sync_all()).map_err(failed)?;
    let head = head.payload;
    let report = json!({
        "file": path,
        "cluster": head.cluster.to_string(),
        "index": head.index,
        "at": head.at,
        "jobs": head.jobs,
        "bytes": head.origin_bytes + head.state_bytes,
    });
    let said = || {
        format!(
            "{}: {} up to entry {} ({}) with {}, {}",
            path.display(),
            head.name,
            text::number(head.index),
            text::moment(head.at),
            text::plural(usize::try_from(head.jobs).unwrap_or(usize::MAX), "job"),
            text::size(head.origin_bytes + head.state_bytes),
        )
    };
    context.out.data(&report, said)?;
    Ok(Exit::Success)
}

/// Writes what comes, as it comes.
async fn write(
    mut bytes: BackupBytes,
    draft: &mut NamedTempFile,
    path: &Path,
) -> Result<(), Failure> {
    let most = 2 * backup::STATE_BYTES + (backup::HEAD_BYTES + 64) as u64;
    let mut written = 0;
    while let Some(piece) = bytes.next().await {
        let piece = piece?;
        written += piece.len() as u64;
        if written > most {
            let what = "the node's copy is larger than any can be";
            return Err(Failure::new(Exit::Unverified, what));
        }
        draft.write_all(&piece).map_err(|error| Failure::file(path, &error))?;
    }
    Ok(())
}

/// A file beside the one that is to be, for its owner only; it goes away if it is not kept.
fn draft(path: &Path) -> io::Result<NamedTempFile> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    tempfile::Builder::new()
        .prefix(".draft-")
        .make_in(directory_of(path), |path| options.open(path))
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
