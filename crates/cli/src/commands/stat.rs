//! `polity stat`: what content is.

use super::Context;
use crate::{
    connect,
    content::{
        ahead::{AHEAD, Ahead},
        list::{Kind, content_bytes, unreadable},
        place::Place,
    },
    exit::Exit,
    failure::Failure,
    out, text,
};
use objects::{Cid, Codec, DagLimits, DagWalker, Hash};
use serde::Serialize;
use std::sync::Arc;

const AFTER: &str = "\
Examples:
  polity stat bafy…
  polity stat bafy…/data --deep        every block below it, counted";

/// `polity stat`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// What: a CID, or a path below one
    #[arg(value_name = "CID[/PATH]")]
    place: Place,
    /// Read everything below it, and count blocks and bytes
    #[arg(long)]
    deep: bool,
}

#[derive(Serialize)]
struct Report {
    cid: Cid,
    kind: Kind,
    codec: &'static str,
    hash: &'static str,
    /// Bytes of content, of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    block_bytes: u64,
    links: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocks: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dag_bytes: Option<u64>,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = Arc::new(connect::node(&context.data()?)?);
    let mut ahead = Ahead::new(node);
    let found = args.place.resolve(&mut ahead).await?;
    let links = objects::links(found.cid, &found.bytes).map_err(unreadable)?;
    let mut report = Report {
        cid: found.cid,
        kind: Kind::of(found.node.as_ref()),
        codec: codec(found.cid.codec()),
        hash: hash(found.cid.hash()),
        bytes: found.node.as_ref().and_then(content_bytes),
        block_bytes: found.bytes.len() as u64,
        links: links.len() as u64,
        blocks: None,
        dag_bytes: None,
    };
    if args.deep {
        let limits = DagLimits { blocks: 1 << 32, bytes: u64::MAX, depth: 1 << 16 };
        let mut walker = DagWalker::new(found.cid, limits);
        while let Some(wanted) = walker.wanted() {
            let upcoming: Vec<_> = walker.upcoming().take(AHEAD).collect();
            let block = ahead.next(wanted, &upcoming).await?;
            walker.give(wanted, &block).map_err(unreadable)?;
        }
        (report.blocks, report.dag_bytes) = (Some(walker.blocks()), Some(walker.bytes()));
    }
    context.out.data(&report, || shown(&report))?;
    Ok(Exit::Success)
}

fn codec(codec: Codec) -> &'static str {
    match codec {
        Codec::Raw => "raw",
        Codec::DagPb => "dag-pb",
        Codec::DagCbor => "dag-cbor",
    }
}

fn hash(hash: Hash) -> &'static str {
    match hash {
        Hash::Sha2_256 => "sha2-256",
        Hash::Sha3_256 => "sha3-256",
        Hash::Blake3 => "blake3",
    }
}

fn shown(report: &Report) -> String {
    let bytes = |bytes: u64| format!("{} ({} bytes)", text::size(bytes), text::number(bytes));
    let mut fields = vec![
        ("cid", report.cid.to_string()),
        ("kind", report.kind.word().to_string()),
        ("codec", format!("{}, {}", report.codec, report.hash)),
    ];
    fields.extend(report.bytes.map(|content| ("size", bytes(content))));
    fields.push(("block", bytes(report.block_bytes)));
    fields.push(("links", text::number(report.links)));
    fields.extend(report.blocks.map(|blocks| ("blocks", text::number(blocks))));
    fields.extend(report.dag_bytes.map(|all| ("in all", bytes(all))));
    out::fields(&fields)
}
