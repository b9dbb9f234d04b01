//! `polity import`: a CAR file into the store of a node.

use super::Context;
use crate::{
    connect,
    content::{
        bar::{Bar, rate},
        blocks::Take,
        chores, send,
    },
    exit::Exit,
    failure::Failure,
    text,
};
use api::{Chore, PinMode};
use objects::{Cid, car};
use serde::Serialize;
use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes that are read at once.
const STEP_BYTES: usize = 1 << 20;

const AFTER: &str = "\
Reads CAR files of version 1 and 2. Every block is checked against its CID, and
only those that the node does not have are sent. The roots are pinned with all
below them; what the file does not hold is fetched from other nodes.

Examples:
  polity import data.car
  ssh there polity export bafy… -o - | polity import -";

/// `polity import`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// The file; - is stdin
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// Do not pin the roots
    #[arg(long)]
    no_pin: bool,
}

#[derive(Serialize)]
struct Report {
    roots: Vec<Cid>,
    blocks: u64,
    bytes: u64,
    new_blocks: u64,
    new_bytes: u64,
    pinned: bool,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let source = Source::open(&args.file)?;
    let node = Arc::new(connect::node(&context.data()?)?);
    let bar = Arc::new(Bar::new(context.out, source.bytes));
    let counted = bar.clone();
    let produce = move |take: &Take<'_>| source.read(&counted, take);
    let (roots, sent) = send::produced(node.clone(), produce).await?;
    let time = bar.close();
    if !args.no_pin {
        for root in &roots {
            let (mode, from) = (PinMode::Recursive, Vec::new());
            let pin = Chore::Pin { root: *root, mode, name: None, from };
            chores::quiet(&*node, pin).await?;
        }
    }
    if roots.is_empty() {
        context.out.say("the file names no root, so nothing is pinned");
    }
    let report = Report {
        pinned: !args.no_pin && !roots.is_empty(),
        roots,
        blocks: sent.blocks,
        bytes: sent.bytes,
        new_blocks: sent.new_blocks,
        new_bytes: sent.new_bytes,
    };
    context.out.say(format!(
        "{}; {} new, {}",
        rate(sent.bytes, time),
        text::plural(sent.new_blocks as usize, "block"),
        text::size(sent.new_bytes)
    ));
    context.out.data(&report, || {
        report.roots.iter().map(|root| format!("{root}\n")).collect::<String>()
    })?;
    Ok(Exit::Success)
}

/// A CAR.
struct Source {
    stream: Box<dyn Read + Send>,
    path: PathBuf,
    bytes: Option<u64>,
}

impl Source {
    fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            let stream = Box::new(std::io::stdin());
            return Ok(Self { stream, path: "stdin".into(), bytes: None });
        }
        let failed = |error: std::io::Error| Failure::file(path, &error);
        let file = crate::job::content::open_file(path).map_err(failed)?;
        let bytes = Some(file.metadata().map_err(failed)?.len());
        Ok(Self { stream: Box::new(file) as Box<dyn Read + Send>, path: path.into(), bytes })
    }

    /// Gives on every block, and answers the roots.
    fn read(mut self, bar: &Bar, take: &Take<'_>) -> Result<Vec<Cid>, Failure> {
        let path = self.path.clone();
        let wrong = |error: objects::Error| {
            Failure::new(Exit::Unverified, format!("{}: {error}", path.display()))
                .next("what came before is kept; get the file again")
        };
        let mut reader = car::Reader::new();
        let mut roots = Vec::new();
        let mut buffer = vec![0; STEP_BYTES];
        loop {
            let read = match self.stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::file(&self.path, &error)),
            };
            reader.push(&buffer[..read]);
            bar.add(read as u64);
            while let Some(part) = reader.next_part().map_err(wrong)? {
                match part {
                    car::Part::Roots(found) => roots = found,
                    car::Part::Block(block) => take(block)?,
                }
            }
        }
        reader.finish().map_err(wrong)?;
        Ok(roots)
    }
}
