//! `polity ls`: what is in a directory of content.

use super::Context;
use crate::{
    connect,
    content::{
        ahead::Ahead,
        list::{self, Kind, Listed, content_bytes},
        place::Place,
    },
    exit::Exit,
    failure::Failure,
    out, text,
};
use std::sync::Arc;

const AFTER: &str = "\
Examples:
  polity ls bafy…
  polity ls bafy…/data --quiet         names alone";

/// `polity ls`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// A directory: a CID, or a path below one
    #[arg(value_name = "CID[/PATH]")]
    place: Place,
    /// Only names, one for each line
    #[arg(short, long)]
    quiet: bool,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = Arc::new(connect::node(&context.data()?)?);
    let mut ahead = Ahead::new(node);
    let found = args.place.resolve(&mut ahead).await?;
    let kind = Kind::of(found.node.as_ref());
    let listed = match kind {
        Kind::Directory => {
            let entries = list::entries(&mut ahead, found.cid).await?;
            list::listed(&mut ahead, entries).await?
        }
        // As others do: what is no directory is listed alone.
        _ => {
            let bytes = found.node.as_ref().and_then(content_bytes);
            let bytes = bytes.unwrap_or(found.bytes.len() as u64);
            vec![Listed { name: args.place.name(), cid: found.cid, kind, bytes }]
        }
    };
    context.out.data(&listed, || if args.quiet { names(&listed) } else { table(&listed) })?;
    Ok(Exit::Success)
}

fn names(listed: &[Listed]) -> String {
    listed.iter().map(|entry| format!("{}\n", shown(&entry.name))).collect()
}

/// A name that cannot move the cursor of whoever reads it.
fn shown(name: &str) -> String {
    name.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect()
}

fn table(listed: &[Listed]) -> String {
    let row = |entry: &Listed| {
        let slash = if entry.kind == Kind::Directory { "/" } else { "" };
        vec![
            text::size(entry.bytes),
            entry.cid.to_string(),
            format!("{}{slash}", shown(&entry.name)),
        ]
    };
    let rows: Vec<_> = listed.iter().map(row).collect();
    out::list(&["SIZE", "CID", "NAME"], &rows)
}
