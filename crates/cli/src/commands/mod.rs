//! What a person types. One file for each verb.

mod cluster;
mod completions;
mod demo;
mod doctor;
mod down;
mod export;
mod found;
mod get;
mod import;
mod invite;
mod job;
mod key;
mod ledger;
mod ls;
mod man;
mod needs;
mod node;
mod ordering;
mod pin;
mod put;
mod rerun;
mod run;
mod stat;
mod status;
mod storage;
mod top;
mod up;
mod verify;
mod vouch;
mod wishes;

use crate::{data::DataDir, exit, exit::Exit, failure::Failure, launch::Launch, out::Out};
use clap::{Parser, Subcommand, error::ErrorKind};
use std::{ffi::OsString, io::Write, path::PathBuf};

const EXAMPLES: &str = "\
Examples:
  polity run sweep.wasm --each 'data/*.csv'     alone here: nothing to set up
  polity demo                                   five nodes on this machine
  polity key show --listen 4870                 what a founder hands around
  polity found LINE1 LINE2 LINE3 LINE4          writes genesis.polity
  polity up --genesis genesis.polity            starts a founder's node
  polity invite                                 prints a line for a new owner
  polity up --join -                            joins with the line on stdin
  polity verify out/receipt.polity              needs no node and no network
  polity put data/                              files in the store, by their CID
  polity job explain                            why the last job waits
  polity top                                    nodes, queue and ledger, live
  polity doctor                                 what is wrong here";

/// Runs programs on machines whose owners do not have to trust each other, and gives back a
/// receipt that anyone can verify offline.
#[derive(Debug, Parser)]
#[command(name = "polity", version, after_help = EXAMPLES, max_term_width = 80)]
struct Cli {
    /// The data directory of your node. Usually $POLITY_DATA, else polity in $XDG_DATA_HOME; if
    /// that belongs to no network, the node that commands start in the background
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// Data as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show it all on this machine: a liar found, a forgery found
    Demo(demo::Args),
    /// Write the genesis of several owners
    Found(found::Args),
    /// Start a node
    Up(up::Args),
    /// Say which node commands use, and how it is
    Status(status::Args),
    /// Stop the node in the background, or the one of --data
    Down(down::Args),
    /// Look for what is wrong with this machine, its node and its peers
    Doctor(doctor::Args),
    /// Print the line that an owner, or a machine of yours, joins with
    Invite(invite::Args),
    /// Vouch for an owner that somebody else invited
    Vouch(vouch::Args),
    /// Run a program: once, for each file, for each case
    Run(Box<run::Args>),
    /// Run a job once more, or what failed in it
    Rerun(Box<rerun::Args>),
    /// Check a receipt and the files beside it, or evidence of a lie
    Verify(verify::Args),
    /// Keep a file or a directory in the store of your node
    Put(put::Args),
    /// Write content to this machine's disk
    Get(get::Args),
    /// List a directory of content
    Ls(ls::Args),
    /// Say what content is
    Stat(stat::Args),
    /// Keep content, fetching what is missing
    Pin(pin::PinArgs),
    /// Keep content no longer
    Unpin(pin::UnpinArgs),
    /// Write content to one CAR file
    Export(export::Args),
    /// Keep what a CAR file holds
    Import(import::Args),
    /// What your node keeps
    #[command(subcommand)]
    Storage(storage::Command),
    /// Jobs of your node
    #[command(subcommand)]
    Job(job::Command),
    /// Nodes of the polity
    #[command(subcommand)]
    Node(node::Command),
    /// Your machines that act as one
    #[command(subcommand)]
    Cluster(cluster::Command),
    /// Watch nodes, queue, throughput and ledger live
    Top(top::Args),
    /// The ledger
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Your keys
    #[command(subcommand)]
    Key(key::Command),
    /// Print what a shell needs to complete commands
    Completions(completions::Args),
    /// Print a manual page, or write them all
    Man(man::Args),
}

/// What every command has.
struct Context<'a> {
    data: Option<PathBuf>,
    out: Out,
    launch: &'a dyn Launch,
}

impl Context<'_> {
    /// The directory of the node that commands talk to: the one that is named, else a person's
    /// own, else that of the node in the background.
    fn data(&self) -> Result<DataDir, Failure> {
        match &self.data {
            Some(data) => Ok(DataDir::at(data)),
            None => Ok(DataDir::to_use()?),
        }
    }

    /// The directory that is named, else that of a person's own node, whether there is one or not.
    fn own_data(&self) -> Result<DataDir, Failure> {
        match &self.data {
            Some(data) => Ok(DataDir::at(data)),
            None => Ok(DataDir::usual()?),
        }
    }
}

/// What to do where an option took the program for one of its files.
const PROGRAM_FIRST: &str = "\
--each and --input take all that follows them: name the program before them, as
in  polity run sweep.wasm --each 'data/*.csv'";

/// Whether the program is missing, and an option is there that may have taken it.
fn swallowed(error: &clap::Error) -> bool {
    use clap::error::{ContextKind, ContextValue};
    let has = |kind, part: &str| match error.get(kind) {
        Some(ContextValue::Strings(all)) => all.iter().any(|text| text.contains(part)),
        Some(ContextValue::StyledStr(text)) => text.to_string().contains(part),
        _ => false,
    };
    error.kind() == ErrorKind::MissingRequiredArgument
        && has(ContextKind::InvalidArg, "PROGRAM.wasm")
        && ["--each", "--input"].iter().any(|option| has(ContextKind::Usage, option))
}

/// What is wrong with a command line, for programs: its first sentence, and what may help.
fn misuse(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let (wrong, rest) = text.trim().split_once("\n\n").unwrap_or((text.trim(), ""));
    let failure = Failure::usage(wrong.strip_prefix("error: ").unwrap_or(wrong));
    let mut next = rest.to_string();
    if swallowed(error) {
        next.push_str(&format!("\n\n{PROGRAM_FIRST}"));
    }
    if next.is_empty() { failure } else { failure.next(next) }
}

/// Says what is wrong with a command line, or the help that was asked for.
fn not_parsed(error: &clap::Error, json: bool) -> Exit {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Whoever closed the stream does not listen.
        let _ = error.print();
        return Exit::Success;
    }
    if json {
        Out::new(true).fail(&misuse(error));
        return Exit::Usage;
    }
    let _ = error.print();
    if swallowed(error) {
        let _ = writeln!(std::io::stderr(), "\n{PROGRAM_FIRST}");
    }
    Exit::Usage
}

/// Does what the command line says.
pub(crate) fn run(args: Vec<OsString>, launch: &dyn Launch) -> Exit {
    let json = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json");
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error, json),
    };
    let context = Context { data: cli.data, out: Out::new(cli.json), launch };
    match dispatch(cli.command, &context) {
        Ok(exit) => exit,
        Err(failure) => {
            context.out.fail(&failure);
            failure.exit
        }
    }
}

fn dispatch(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::Demo(args) => block_on(demo::run(args, context)),
        Command::Found(args) => found::run(args, context),
        Command::Up(args) => up::run(args, context),
        Command::Status(args) => block_on(status::run(args, context)),
        Command::Down(args) => block_on(down::run(args, context)),
        Command::Doctor(args) => block_on(doctor::run(args, context)),
        Command::Invite(args) => block_on(invite::run(args, context)),
        Command::Vouch(args) => block_on(vouch::run(args, context)),
        Command::Run(args) => run::run(*args, context),
        Command::Rerun(args) => block_on(rerun::run(*args, context)),
        Command::Verify(args) => verify::run(args, context),
        Command::Put(args) => block_on(put::run(args, context)),
        Command::Get(args) => block_on_several(get::run(args, context)),
        Command::Ls(args) => block_on(ls::run(args, context)),
        Command::Stat(args) => block_on(stat::run(args, context)),
        Command::Pin(args) => block_on(pin::pin(args, context)),
        Command::Unpin(args) => block_on(pin::unpin(args, context)),
        Command::Export(args) => block_on_several(export::run(args, context)),
        Command::Import(args) => block_on(import::run(args, context)),
        Command::Storage(command) => block_on(storage::run(command, context)),
        Command::Job(command) => block_on(job::run(command, context)),
        Command::Node(command) => block_on(node::run(command, context)),
        Command::Cluster(command) => cluster::run(command, context),
        Command::Top(args) => block_on(top::run(args, context)),
        Command::Ledger(command) => block_on(ledger::run(command, context)),
        Command::Key(command) => key::run(command, context),
        Command::Completions(args) => completions::run(args, context),
        Command::Man(args) => man::run(args, context),
    }
}

fn block_on(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Failure::internal)?.block_on(command)
}

/// For commands that check much of what they are given: the threads beside this one do.
fn block_on_several(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(Failure::internal)?.block_on(command)
}

/// The codes, for the commands whose codes matter.
const EXIT_CODES: &str = exit::HELP;

#[cfg(test)]
mod tests;
