//! `polity found`: writes the genesis of several owners.

use super::Context;
use crate::{data, exit::Exit, failure::Failure, machine, text};
use api::FoundingLine;
use identity::{PublicKey, Signed};
use protocol::{Founder, Genesis, Params, limits};
use std::path::{Path, PathBuf};

const AFTER: &str = "\
Every founder prints a founding line with 'polity key show --listen 4870' and
hands it to whoever types this. The line holds no secret.

Examples:
  polity found polityfound1… polityfound1… polityfound1… polityfound1…
  polity found lines.txt --validators 4 --name co-op -o genesis.polity";

/// How a founding line begins.
const BEGINS: &str = "polityfound1";
/// What to do about a founding line that is none.
const ASK: &str = "ask its owner for the line that 'polity key show --listen 4870' prints";

/// `polity found`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// Founding lines, or files with such lines
    #[arg(value_name = "LINE", required = true)]
    lines: Vec<String>,
    /// Nodes that vote: those of the first N founders. Usually all
    #[arg(long, value_name = "N")]
    validators: Option<usize>,
    /// What the polity calls itself
    #[arg(long, default_value = "polity")]
    name: String,
    /// Where the genesis goes
    #[arg(short, long, value_name = "FILE", default_value = "genesis.polity")]
    output: PathBuf,
}

pub(super) fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let founders = founders(&args.lines)?;
    let validators = args.validators.unwrap_or(founders.len().min(limits::VALIDATORS));
    let genesis =
        Genesis::found(args.name, machine::now(), founders, validators, Params::default())
            .map_err(|error| {
                Failure::usage(error.to_string())
                    .next("see what founding takes: polity found --help")
            })?;
    data::write_new(&args.output, &genesis.encode()).map_err(|error| {
        Failure::file(&args.output, &error).next("name another file with -o FILE")
    })?;
    let network = genesis.network();
    let out = context.out;
    let written = serde_json::json!({
        "network": network,
        "file": args.output,
        "founders": genesis.founders.iter().map(|f| f.by).collect::<Vec<_>>(),
        "validators": genesis.validators,
        "tolerated_faults": genesis.tolerated_faults(),
    });
    out.data(&written, || network.to_string())?;
    let file = args.output.display();
    out.say(format!(
        "{file}: {}, {}",
        text::plural(genesis.founders.len(), "founder"),
        text::plural(genesis.validators.len(), "validator"),
    ));
    match genesis.tolerated_faults() {
        0 => out.say("It tolerates no fault: that takes four validators of four owners."),
        1 => out.say("It tolerates one faulty validator."),
        f => out.say(format!("It tolerates {f} faulty validators.")),
    }
    out.say(format!(
        "The line above is the network's name: whoever verifies receipts pins it.\n\
         Give {file} to every founder, who then types:\n  polity up --genesis {file}"
    ));
    Ok(Exit::Success)
}

/// The founders that the arguments name, in their order.
pub(super) fn founders(args: &[String]) -> Result<Vec<Signed<Founder>>, Failure> {
    let mut founders = Vec::new();
    for arg in args {
        if arg.parse::<PublicKey>().is_ok() {
            return Err(Failure::usage(format!(
                "{arg} is a key; founding also takes the owner's node, where it is, and a \
                 signature"
            ))
            .next(ASK));
        }
        let path = Path::new(arg);
        if path.is_file() {
            let bytes = data::read_bounded(path, limits::GENESIS_BYTES as u64)
                .map_err(|error| Failure::file(path, &error))?;
            let text = String::from_utf8_lossy(&bytes);
            let all = text.lines().map(str::trim).filter(|line| !line.is_empty());
            // 'polity key show > FILE' writes more than the line.
            let is_one = |line: &&str| line.starts_with(BEGINS);
            let some = all.clone().any(|line| is_one(&line));
            for line in all.filter(|line| !some || is_one(line)) {
                let by = |error| Failure::usage(format!("{}: {error}", path.display())).next(ASK);
                founders.push(line.parse::<FoundingLine>().map_err(by)?.0);
            }
        } else {
            let line = arg.parse::<FoundingLine>();
            founders.push(line.map_err(|error| Failure::usage(error.to_string()).next(ASK))?.0);
        }
    }
    Ok(founders)
}
