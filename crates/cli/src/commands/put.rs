//! `polity put`: files of this machine into the store of a node.

use super::Context;
use crate::{
    connect,
    content::{
        bar::{Bar, rate},
        blocks::{self, Named, Take},
        chores, send,
        tree::Tree,
    },
    exit::Exit,
    failure::Failure,
    text,
    threads::Threads,
};
use api::{Chore, PinMode};
use objects::{Block, Cid, DirectoryBuilder, Entry, safe_name};
use protocol::Durability;
use serde::Serialize;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

const AFTER: &str = "\
Content is cut into blocks and named by its CID, as IPFS does it (UnixFS in the
profile unixfs-v1-2025): the same files have the same name everywhere. Only
blocks that the node does not have are sent, so a command that was interrupted
goes on where it was. What is put is pinned: it stays until 'polity unpin'.

Examples:
  polity put data/                     a directory with all below it
  polity put results.csv --wrap        in a directory, so that it keeps its name
  tar c src | polity put -             what comes on stdin
  polity put data/ --durability 4+2    on six nodes, of which two may be lost
  polity put data/ --only-hash         the CID, and nothing else";

/// `polity put`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// A file or a directory; - is what comes on stdin
    #[arg(value_name = "PATH|-")]
    path: PathBuf,
    /// Put a directory around it, in which it has its name
    #[arg(short, long)]
    wrap: bool,
    /// A name for the pin
    #[arg(long, value_name = "NAME", conflicts_with = "no_pin")]
    name: Option<String>,
    /// Spread it over other nodes: 4+2 is any 4 of 6 shards, x3 is three copies
    #[arg(long, value_name = "K+M|xN", conflicts_with = "no_pin")]
    durability: Option<Durability>,
    /// Do not pin it: it may be given up later, when nobody wants it
    #[arg(long)]
    no_pin: bool,
    /// Only say the CID; needs no node
    #[arg(long, conflicts_with_all = ["no_pin", "name", "durability"])]
    only_hash: bool,
}

/// What was put.
#[derive(Serialize)]
struct Report {
    root: Cid,
    bytes: u64,
    dag_bytes: u64,
    blocks: Option<u64>,
    new_blocks: Option<u64>,
    new_bytes: Option<u64>,
    pinned: bool,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let source = Source::open(&args)?;
    let bar = Arc::new(Bar::new(context.out, source.bytes()));
    if args.only_hash {
        let counted = bar.clone();
        let made = move || {
            source.make(&|block| {
                counted.add(block.bytes.len() as u64);
                Ok(())
            })
        };
        let named = tokio::task::spawn_blocking(made).await.map_err(Failure::internal)??;
        let Named { cid, bytes, dag_bytes } = named;
        let (blocks, new_blocks, new_bytes) = (None, None, None);
        let pinned = false;
        let report = Report { root: cid, bytes, dag_bytes, blocks, new_blocks, new_bytes, pinned };
        context.out.data(&report, || cid.to_string())?;
        return Ok(Exit::Success);
    }
    let data = context.data()?;
    let node = Arc::new(connect::node(&data)?);
    let counted = bar.clone();
    let produce = move |take: &Take<'_>| {
        source.make(&|block| {
            counted.add(block.bytes.len() as u64);
            take(block)
        })
    };
    let (named, sent) = send::produced(node.clone(), produce).await?;
    let Named { cid, bytes, dag_bytes } = named;
    if !args.no_pin {
        let pin =
            Chore::Pin { root: cid, mode: PinMode::Recursive, name: args.name, from: Vec::new() };
        chores::quiet(&*node, pin).await?;
    }
    let report = Report {
        root: cid,
        bytes,
        dag_bytes,
        blocks: Some(sent.blocks),
        new_blocks: Some(sent.new_blocks),
        new_bytes: Some(sent.new_bytes),
        pinned: !args.no_pin,
    };
    let time = bar.close();
    context.out.say(format!(
        "{}; {} new, {}",
        rate(bytes, time),
        text::plural(sent.new_blocks as usize, "block"),
        text::size(sent.new_bytes)
    ));
    if let Some(durability) = args.durability {
        let spread = chores::quiet(&*node, Chore::Protect { root: cid, durability }).await?;
        context.out.say(chores::shown(&spread));
        chores::short_of(&spread, durability, cid).iter().for_each(|line| context.out.say(line));
    }
    context.out.data(&report, || cid.to_string())?;
    Ok(Exit::Success)
}

/// Where content comes from.
enum Source {
    Tree { tree: Tree, wrap: Option<String> },
    Stdin,
}

impl Source {
    fn open(args: &Args) -> Result<Self, Failure> {
        if args.path == Path::new("-") {
            if args.wrap {
                return Err(Failure::usage("what comes on stdin has no name that it could keep"));
            }
            return Ok(Self::Stdin);
        }
        let tree = Tree::list(&args.path)?;
        let wrap = args.wrap.then(|| own_name(&args.path)).transpose()?;
        Ok(Self::Tree { tree, wrap })
    }

    fn bytes(&self) -> Option<u64> {
        match self {
            Self::Tree { tree, .. } => Some(tree.bytes),
            Self::Stdin => None,
        }
    }

    /// Makes the blocks.
    fn make(&self, take: &Take<'_>) -> Result<Named, Failure> {
        match self {
            Self::Stdin => blocks::of_stream(std::io::stdin().lock(), take),
            Self::Tree { tree, wrap: None } => {
                blocks::of_tree(tree, &Threads::of_this_machine(), take)
            }
            Self::Tree { tree, wrap: Some(name) } => {
                let named = blocks::of_tree(tree, &Threads::of_this_machine(), take)?;
                wrapped(named, name, take)
            }
        }
    }
}

fn wrapped(named: Named, name: &str, take: &Take<'_>) -> Result<Named, Failure> {
    let mut directory = DirectoryBuilder::new();
    let wrong = |error: objects::Error| Failure::usage(error.to_string());
    let entry = Entry { name: name.into(), cid: named.cid, size_bytes: named.dag_bytes };
    directory.push(entry).map_err(wrong)?;
    let mut block: Option<Block> = None;
    let keep = |made: Block| {
        block = Some(made);
        Ok::<(), objects::Error>(())
    };
    let root = directory.finish(keep).map_err(wrong)?;
    block.into_iter().try_for_each(take)?;
    Ok(Named { cid: root.cid, dag_bytes: root.dag_size_bytes, ..named })
}

/// What a path is called, wherever it leads.
fn own_name(path: &Path) -> Result<String, Failure> {
    let full = path.canonicalize().map_err(|error| Failure::file(path, &error))?;
    let found = path.file_name().or_else(|| full.file_name()).unwrap_or_default();
    let name = safe_name(found.as_encoded_bytes())
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    Ok(name.to_string())
}
