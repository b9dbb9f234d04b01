//! `polity demo`: nodes, a job, a receipt, and a forgery found, all on this machine.

mod society;
mod tamper;

use super::{Context, run as run_command};
use crate::{
    exit::Exit,
    failure::Failure,
    job::layout::RECEIPT,
    out::{Out, Tone},
    text,
    verify::{self, Pins, Verdict},
};
use protocol::Verification;
use society::Society;
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// How often the directory is tried to be removed, and the pause between.
const REMOVALS: u32 = 50;
const LOOK: Duration = Duration::from_millis(50);

const AFTER: &str = "\
'cargo xtask demo' builds everything and gives --program and --each.

Examples:
  polity demo --program cycles.wasm --each 'examples/data/*.csv'
  polity demo --program cycles.wasm --each 'examples/data/*.csv' --nodes 7 --keep";

/// `polity demo`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// Nodes, each of its own owner
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(4..=16))]
    nodes: u8,
    /// Keep the directories of the nodes, the results and the receipt
    #[arg(long)]
    keep: bool,
    /// The program to run
    #[arg(long, value_name = "PROGRAM.wasm", env = "POLITY_DEMO_PROGRAM")]
    program: Option<PathBuf>,
    /// The files to run it on
    #[arg(long, value_name = "GLOB", num_args = 1.., env = "POLITY_DEMO_EACH")]
    each: Vec<String>,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let Some(program) = args.program.filter(|_| !args.each.is_empty()) else {
        return Err(Failure::usage("the demo needs a program and files to run it on").next(
            "in a checkout type: cargo xtask demo; elsewhere: polity demo --program X.wasm \
             --each 'data/*.csv'",
        ));
    };
    let dir = tempfile::Builder::new()
        .prefix("polity-demo-")
        .tempdir()
        .map_err(|error| Failure::file(&std::env::temp_dir(), &error))?;
    let dir = Place { path: dir.keep(), keep: args.keep };
    let order = run_command::Args::sweep(
        program,
        args.each,
        Verification { k: 2, n: 3 },
        dir.path.join("out"),
    );
    let show = Show { out: context.out, dir: &dir.path, started: Instant::now() };
    let shown = tokio::select! {
        // First: the job below would say how to come back to it.
        biased;
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.map_err(Failure::internal)?;
            context.out.say("\nInterrupted; the nodes are stopped.");
            Ok(Exit::Interrupted)
        }
        shown = show.all(args.nodes, order, context) => shown,
    };
    if shown == Ok(Exit::Success) {
        show.what_next(&dir);
    }
    dir.leave(context.out).await;
    shown
}

/// The directory of the demo; it goes away unless it is to be kept.
struct Place {
    path: PathBuf,
    keep: bool,
}

impl Place {
    async fn leave(self, out: Out) {
        if self.keep {
            return;
        }
        let mut left = REMOVALS;
        // Nodes that were killed may still write for a moment.
        while let Err(error) = fs::remove_dir_all(&self.path) {
            left -= 1;
            if left == 0 {
                out.say(format!("{} could not be removed: {error}", self.path.display()));
                return;
            }
            sleep(LOOK).await;
        }
    }
}

/// The steps of the demo.
struct Show<'a> {
    out: Out,
    dir: &'a Path,
    started: Instant,
}

impl Show<'_> {
    async fn all(
        &self,
        nodes: u8,
        order: run_command::Args,
        context: &Context<'_>,
    ) -> Result<Exit, Failure> {
        let plan = run_command::check(&order, context.launch)?;
        self.step(&format!("{nodes} owners found a polity; their nodes start"));
        let society = Society::found(self.dir, nodes)?;
        let network = society.genesis.network();
        let mut society = society.start()?;
        society.wait().await?;
        self.say(&format!("network {network}"));
        self.say(&format!("{nodes} nodes are connected; {} vote", society.validators()));

        self.step("A job: nodes of two different owners must agree on every result");
        let exit = run_command::order(order, plan, society.first(), self.out).await?;
        if exit != Exit::Success {
            return Ok(exit);
        }
        self.step("Every node stops. The receipt is verified without any of them");
        society.stop().await?;
        let pins = Pins::one(network, "the founding above");
        let receipt = self.dir.join("out").join(RECEIPT);
        let verdict = verify::check(&receipt, None, &pins)?;
        self.say(verdict.text().trim_end());
        if verdict.exit() != Exit::Success {
            return Ok(verdict.exit());
        }
        self.step("One bit of one result changes. The receipt notices");
        let forged = tamper::flip(&verdict, self.dir)?;
        let again = verify::check(&receipt, None, &pins)?;
        forged.restore()?;
        if !names(&again, forged.path()) {
            return Err(Failure::new(Exit::Unverified, "the changed file was not found"));
        }
        self.say(&self.out.paint(Tone::Bad, &format!("FAIL: {}", forged.path().display())));
        if verify::check(&receipt, None, &pins)?.exit() != Exit::Success {
            return Err(Failure::new(Exit::Unverified, "the restored file does not verify"));
        }
        self.say("Changed back, it verifies again.");
        Ok(Exit::Success)
    }

    fn step(&self, text: &str) {
        let at = text::lasting(self.started.elapsed());
        self.out.say(format!("\n{} {text}", self.out.paint(Tone::Dim, &format!("[{at}]"))));
    }

    fn say(&self, text: &str) {
        self.out.say(text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"));
    }

    fn what_next(&self, place: &Place) {
        self.step("Done. What to type next");
        let dir = self.dir.display();
        if place.keep {
            self.say(&format!(
                "polity verify {dir}/out --genesis {dir}/genesis.polity\n\
                 polity up --data {dir}/owner-1      (and owner-2, owner-3, … elsewhere)\n\
                 polity ledger head --data {dir}/owner-1"
            ));
        } else {
            self.say(
                "polity demo --keep …                the same, and keep the results\n\
                 polity key show --listen 4870       your own keys, to found or to join\n\
                 polity --help",
            );
        }
    }
}

/// Whether a verdict fails because of exactly this file.
fn names(verdict: &Verdict, path: &Path) -> bool {
    let files = verdict.held.as_ref().ok().and_then(|held| held.files.as_ref());
    files.is_some_and(|files| {
        matches!(files.wrong.as_slice(), [(wrong, verify::Difference::Changed)] if wrong == path)
    })
}
