//! `polity verify`: checks a receipt and the files beside it, or evidence, with no node and no
//! network.

use super::Context;
use crate::{
    content::bar::Bar,
    data::DataDir,
    exit::Exit,
    failure::Failure,
    out::Tone,
    text,
    verify::{self, Materials, Pins},
};
use std::path::PathBuf;

const AFTER: &str = "\
Of a receipt three things are said apart: the bytes match; these nodes of these
owners signed; the ledger of the pinned network accepted it. Of evidence: who
lied about what, and what the validators found. Then what is not proven.

The network is pinned by --genesis, else by the data directories of your node
and of the one in the background, else by the hashes in
~/.config/polity/networks. Without a pin anybody could have founded
the network in the file.

Where a part of the results was known before, the directory has several
receipts: all are checked, and each file against the one that is about it.

With --rerun the tasks run once more, on this machine: that trusts nobody. The
program and the inputs are found by their content, whatever they are called.

Exit codes:
  0    holds, of a pinned network; the files that were looked at match, and
       what was run again gave the same
  1    holds, but no network was pinned
  2    holds, but what was run again cannot be compared: another engine
  123  does not hold, or a file is changed or missing, or what was run again
       gave something else: FAIL names it
  125  the file or the directory cannot be read, or --rerun needs more files

Examples:
  polity verify out/receipt.polity
  polity verify receipt.polity --outputs results/ --genesis genesis.polity
  polity verify out/ --rerun --program sweep.wasm --inputs data/ --task 17.csv
  polity verify evidence.polity --rerun --program sweep.wasm --inputs data/";

/// `polity verify`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// The receipt, or the directory that 'polity run' wrote it to, or evidence
    #[arg(value_name = "RECEIPT|EVIDENCE")]
    file: PathBuf,
    /// Where the results are. Usually beside the receipt
    #[arg(long, value_name = "DIR")]
    outputs: Option<PathBuf>,
    /// The network: its genesis hash, or a genesis file
    #[arg(long, value_name = "HASH|FILE")]
    genesis: Option<String>,
    /// Run the tasks again, on this machine
    #[arg(long)]
    rerun: bool,
    /// The program, for --rerun
    #[arg(long, value_name = "FILE", requires = "rerun")]
    program: Option<PathBuf>,
    /// Files, or directories with files, among which the inputs are, for --rerun
    #[arg(long, value_name = "PATH", num_args = 1.., requires = "rerun")]
    inputs: Vec<PathBuf>,
    /// Only these tasks, by their names, for --rerun
    #[arg(long = "task", value_name = "NAME", num_args = 1.., requires = "rerun")]
    tasks: Vec<String>,
}

pub(super) fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    // No home and no data directory are fine here: they are only asked for pins.
    let data = match &context.data {
        Some(_) => vec![context.data()?],
        None => [DataDir::usual(), DataDir::embedded()].into_iter().flatten().collect(),
    };
    let pins = Pins::of(args.genesis.as_deref(), &data)?;
    let mut checked = verify::check_at(&args.file, args.outputs.as_deref(), &pins)?;
    if args.rerun {
        let materials = Materials { program: args.program, inputs: args.inputs, tasks: args.tasks };
        let bar = Bar::of_tasks(context.out);
        let tell = |done: usize, all: usize| {
            if done == 0 {
                let tasks = text::plural(all, "task");
                context.out.say(format!("running {tasks} again on this machine"));
            }
            bar.set(done as u64, Some(all as u64));
        };
        let reran = checked.rerun(&materials, context.launch, &tell);
        bar.close();
        reran?;
    }
    let out = context.out;
    out.data(&checked.json(), || checked.text())?;
    let exit = checked.exit();
    out.say(match exit {
        Exit::Success => out.paint(Tone::Good, "OK"),
        Exit::Unpinned => "It holds, but no network was pinned: use --genesis HASH".into(),
        Exit::NotComparable => "It holds; what ran again here cannot be compared".into(),
        _ => out.paint(Tone::Bad, "FAIL"),
    });
    Ok(exit)
}
