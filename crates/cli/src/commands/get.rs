//! `polity get`: content into files of this machine.

use super::Context;
use crate::{
    connect,
    content::{
        ahead::{AHEAD, Ahead},
        bar::{Bar, rate},
        list::{Kind, content_bytes, unreadable},
        place::Place,
        restore::Restore,
        sources::Sources,
    },
    exit::Exit,
    failure::Failure,
    text,
};
use api::NodeApi;
use objects::{Cid, FileWalker, Resolved};
use serde::Serialize;
use std::{path::PathBuf, sync::Arc};

const AFTER: &str = "\
Every block is checked against its CID. What is here already is left alone if it
is the same, so a command that was interrupted goes on where it was; what
differs is not touched without --force. Links that lead outside are left out.
What the node does not have is fetched into its store first.

Examples:
  polity get bafy…                     into a file or directory of that name
  polity get bafy… -o data             into data
  polity get bafy…/week/17.csv         one file of a directory
  polity get bafy… -o - | tar x        to stdout
  polity get bafy… --from /ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…";

/// `polity get`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// What: a CID, or a path below one
    #[arg(value_name = "CID[/PATH]")]
    place: Place,
    /// Where it goes; - is stdout
    #[arg(short, long, value_name = "PATH|-")]
    output: Option<PathBuf>,
    /// Replace files that are there and differ
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    from: Sources,
}

#[derive(Serialize)]
struct Report {
    cid: Cid,
    path: PathBuf,
    files: u64,
    bytes: u64,
    there: u64,
    left_out: u64,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = Arc::new(connect::node(&context.data()?)?);
    let is_here = args.from.begin(&*node, args.place.root).await?;
    let mut ahead = Ahead::new(node.clone());
    let found = args.place.resolve(&mut ahead).await?;
    if !is_here {
        args.from.fetch(&*node, found.cid, context.out).await?;
    }
    if args.output.as_deref().is_some_and(|path| path.as_os_str() == "-") {
        return to_stdout(&mut ahead, found, context).await;
    }
    let path = args.output.unwrap_or_else(|| PathBuf::from(args.place.name()));
    let bar = Bar::new(context.out, found.node.as_ref().and_then(content_bytes));
    let restore = Restore::new(&mut ahead, &bar, (context.out, args.force), &path);
    let written = restore.run(found.cid, found.bytes).await?;
    let time = bar.close();
    let report = Report {
        cid: found.cid,
        path: path.clone(),
        files: written.files,
        bytes: written.bytes,
        there: written.there,
        left_out: written.left_out,
    };
    let mut line =
        format!("{}, {}", text::plural(written.files as usize, "file"), rate(written.bytes, time));
    if written.there > 0 {
        line.push_str(&format!("; {} there already", text::number(written.there)));
    }
    if written.left_out > 0 {
        line.push_str(&format!("; {} left out", text::plural(written.left_out as usize, "link")));
    }
    context.out.say(line);
    context.out.data(&report, || path.display().to_string())?;
    Ok(Exit::Success)
}

async fn to_stdout<N: NodeApi>(
    ahead: &mut Ahead<N>,
    found: Resolved,
    context: &Context<'_>,
) -> Result<Exit, Failure> {
    let kind = Kind::of(found.node.as_ref());
    if kind != Kind::File {
        return Err(Failure::usage(format!("{} is a {}, no file", found.cid, kind.word()))
            .next("name a directory to write it to with -o DIR"));
    }
    let mut walker = FileWalker::new(found.cid, u64::MAX);
    let mut root = Some(found.bytes);
    while let Some(wanted) = walker.wanted() {
        let upcoming: Vec<_> = walker.upcoming().take(AHEAD).collect();
        let block = match root.take() {
            Some(root) => root,
            None => ahead.next(wanted, &upcoming).await?,
        };
        let content = walker.give(wanted, block).map_err(unreadable)?;
        context.out.bytes(&content)?;
    }
    Ok(Exit::Success)
}
