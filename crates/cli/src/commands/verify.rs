//! `polity verify`: checks a receipt and the files beside it, with no node and no network.

use super::Context;
use crate::{
    exit::Exit,
    failure::Failure,
    job::layout::RECEIPT,
    out::Tone,
    verify::{self, Pins},
};
use std::path::PathBuf;

const AFTER: &str = "\
Three things are said apart: the bytes match; these nodes of these owners
signed; the ledger of the pinned network accepted it. Then what is not proven.

The network is pinned by --genesis, else by the data directory, else by the
hashes in ~/.config/polity/networks. Without a pin anybody could have founded
the network in the file.

Exit codes:
  0    holds, of a pinned network, and the files that were looked at match
  1    holds, but no network was pinned
  123  does not hold, or a file is changed or missing: FAIL names it
  125  the receipt or the directory cannot be read

Examples:
  polity verify out/receipt.polity
  polity verify receipt.polity --outputs results/ --genesis genesis.polity";

/// `polity verify`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// The receipt, or the directory that 'polity run' wrote it to
    #[arg(value_name = "RECEIPT")]
    receipt: PathBuf,
    /// Where the results are. Usually beside the receipt
    #[arg(long, value_name = "DIR")]
    outputs: Option<PathBuf>,
    /// The network: its genesis hash, or a genesis file
    #[arg(long, value_name = "HASH|FILE")]
    genesis: Option<String>,
}

pub(super) fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    // No home and no data directory are fine here: they are only asked for pins.
    let data = match &context.data {
        Some(_) => Some(context.data()?),
        None => context.data().ok(),
    };
    let pins = Pins::of(args.genesis.as_deref(), data.as_ref())?;
    let path = if args.receipt.is_dir() { args.receipt.join(RECEIPT) } else { args.receipt };
    let verdict = verify::check(&path, args.outputs.as_deref(), &pins)?;
    let out = context.out;
    out.data(&verdict.json(), || verdict.text())?;
    let exit = verdict.exit();
    out.say(match exit {
        Exit::Success => out.paint(Tone::Good, "OK"),
        Exit::Unpinned => "It holds, but no network was pinned: use --genesis HASH".into(),
        _ => out.paint(Tone::Bad, "FAIL"),
    });
    Ok(exit)
}
