//! `polity export`: content as one CAR file.

use super::Context;
use crate::{
    connect,
    content::{
        ahead::{AHEAD, Ahead},
        bar::{Bar, rate},
        list::unreadable,
        place::Place,
    },
    exit::Exit,
    failure::Failure,
    text,
};
use objects::{Cid, DagLimits, DagWalker, car};
use serde::Serialize;
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Blocks of one export, at most.
const BLOCKS: u64 = 1 << 32;
/// Links from the root to the deepest block, at most.
const DEPTH: u32 = 1 << 16;

const AFTER: &str = "\
A CAR (version 1) holds every block below a root, in the order in which they are
read, each once. Other programs that know content by CIDs read it; here it is
read by 'polity import'.

Examples:
  polity export bafy… -o data.car
  polity export bafy…/data -o - | ssh there polity import -";

/// `polity export`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// What: a CID, or a path below one
    #[arg(value_name = "CID[/PATH]")]
    place: Place,
    /// The file, which must not be there yet; - is stdout
    #[arg(short, long, value_name = "FILE|-")]
    output: PathBuf,
}

#[derive(Serialize)]
struct Report {
    root: Cid,
    blocks: u64,
    bytes: u64,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = Arc::new(connect::node(&context.data()?)?);
    let mut ahead = Ahead::new(node);
    let root = args.place.resolve(&mut ahead).await?.cid;
    let mut sink = Sink::open(&args.output)?;
    let bar = Bar::new(context.out, None);
    let limits = DagLimits { blocks: BLOCKS, bytes: u64::MAX, depth: DEPTH };
    let mut walker = DagWalker::new(root, limits);
    sink.write(&car::header(&[root]))?;
    while let Some(wanted) = walker.wanted() {
        let upcoming: Vec<_> = walker.upcoming().take(AHEAD).collect();
        let block = ahead.next(wanted, &upcoming).await?;
        walker.give(wanted, &block).map_err(unreadable)?;
        sink.write(&car::section_head(wanted, block.len()))?;
        sink.write(&block)?;
        bar.add(block.len() as u64);
    }
    let is_file = sink.finish(&args.output)?;
    let time = bar.close();
    let report = Report { root, blocks: walker.blocks(), bytes: walker.bytes() };
    let blocks = text::plural(report.blocks as usize, "block");
    context.out.say(format!("{blocks}, {}", rate(report.bytes, time)));
    if is_file {
        context.out.data(&report, || root.to_string())?;
    }
    Ok(Exit::Success)
}

/// A file that gets its name when it is whole, or stdout.
enum Sink {
    File { file: BufWriter<File>, part: PathBuf },
    Stdout(std::io::Stdout),
}

impl Sink {
    fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self::Stdout(std::io::stdout()));
        }
        if fs::symlink_metadata(path).is_ok() {
            return Err(Failure::usage(format!("{} is there already", path.display()))
                .next("name another file with -o"));
        }
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(".part");
        let part = path.with_file_name(name);
        let file = File::create(&part).map_err(|error| Failure::file(&part, &error))?;
        Ok(Self::File { file: BufWriter::with_capacity(1 << 20, file), part })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::File { file, part } => {
                file.write_all(bytes).map_err(|error| Failure::file(part, &error))
            }
            Self::Stdout(stdout) => {
                stdout.write_all(bytes).map_err(|error| Failure::file(Path::new("stdout"), &error))
            }
        }
    }

    /// Whether it is a file, whole and with its name now.
    fn finish(self, path: &Path) -> Result<bool, Failure> {
        let Self::File { mut file, part } = self else { return Ok(false) };
        file.flush().map_err(|error| Failure::file(&part, &error))?;
        fs::rename(&part, path).map_err(|error| Failure::file(path, &error))?;
        Ok(true)
    }
}
