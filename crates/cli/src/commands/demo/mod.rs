//! `polity demo`: nodes, a job, a liar found, a receipt, and a forgery found, all on this machine.

mod liars;
mod society;
mod tamper;

use super::{Context, ledger::evidence, run as run_command};
use crate::{
    connect,
    data::DataDir,
    exit::Exit,
    failure::Failure,
    job::{
        content::Content,
        layout::{EVIDENCE, RECEIPT},
        order::Plan,
    },
    launch::Launch,
    out::{Out, Tone},
    text,
    verify::{self, Checked, Materials, Pins, Verdict},
};
use liars::Liar;
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
  polity demo --program cycles.wasm --each 'examples/data/*.csv' --nodes 7 \\
    --liars 2 --keep";

/// `polity demo`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// Nodes, each of its own owner
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(4..=16))]
    nodes: u8,
    /// How many of them lie about some of their results: at most (nodes - 1) / 3
    #[arg(long, value_name = "N", default_value_t = 1)]
    liars: u8,
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
    check_liars(args.nodes, args.liars)?;
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
        shown = show.all((args.nodes, args.liars), order, context) => shown,
    };
    if shown == Ok(Exit::Success) {
        show.what_next(&dir, args.liars > 0);
    }
    dir.leave(context.out).await;
    shown
}

/// More liars than validators tolerate could decide what is true.
fn check_liars(nodes: u8, liars: u8) -> Result<(), Failure> {
    let most = (nodes - 1) / 3;
    if liars <= most {
        return Ok(());
    }
    let message = format!(
        "{nodes} nodes tolerate {} at most: with more, nobody can tell a lie from the truth",
        text::plural(usize::from(most), "liar")
    );
    let next = match u16::from(liars) * 3 + 1 {
        needed if needed <= 16 => format!("use --liars {most}, or --nodes {needed}"),
        _ => format!("use --liars {most}"),
    };
    Err(Failure::usage(message).next(next))
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
        (nodes, liars): (u8, u8),
        order: run_command::Args,
        context: &Context<'_>,
    ) -> Result<Exit, Failure> {
        let plan = run_command::check(&order, context.launch)?;
        let materials = materials(&plan, &order);
        self.step(&format!("{nodes} owners found a polity; their nodes start"));
        let society = Society::found(self.dir, nodes, liars)?;
        let (network, liars) = (society.genesis.network(), society.liars.clone());
        let mut society = society.start()?;
        society.wait().await?;
        self.say(&format!("network {network}"));
        self.say(&format!("{nodes} nodes are connected; {} vote", society.validators()));
        for Liar { node, name, .. } in &liars {
            self.say(&format!("{name} tells its node …{} to lie about some results", node.short()));
        }

        self.step("A job: nodes of two different owners must agree on every result");
        let exit = run_command::give(order, plan, society.first(), self.out).await?;
        if exit != Exit::Success {
            return Ok(exit);
        }
        let evidence = self.name_liars(society.first(), &liars).await?;
        self.step("Every node stops. The receipt is verified without any of them");
        society.stop().await?;
        let pins = Pins::one(network, "the founding above");
        let exit = self.forge(&pins)?;
        if exit == Exit::Success
            && let Some(evidence) = evidence
        {
            return self.rerun(&evidence, &pins, &materials, context.launch);
        }
        Ok(exit)
    }

    /// The ledger must name the liars and nobody else. Keeps the evidence against the first one.
    async fn name_liars(&self, data: &DataDir, liars: &[Liar]) -> Result<Option<PathBuf>, Failure> {
        let named = liars::named(data, liars).await?;
        let Some(first) = named.evidence.first() else {
            self.say("Nobody lied, and nobody is sanctioned.");
            return Ok(None);
        };
        self.step("The ledger names who lied, and its owner is not drawn for a while");
        self.say(named.table().trim_end());
        let path = self.dir.join("out").join(EVIDENCE);
        let node = connect::node(data)?;
        evidence::fetch(&node, data, *first, &path).await?;
        self.say(&format!("The evidence is in {}", path.display()));
        Ok(Some(path))
    }

    /// Verifies the receipt, with every bit right and with one bit wrong.
    fn forge(&self, pins: &Pins) -> Result<Exit, Failure> {
        let receipt = self.dir.join("out").join(RECEIPT);
        let verdict = verify::check(&receipt, None, pins)?;
        self.say(verdict.text().trim_end());
        if verdict.exit() != Exit::Success {
            return Ok(verdict.exit());
        }
        self.step("One bit of one result changes. The receipt notices");
        let forged = tamper::flip(&verdict, self.dir)?;
        let again = verify::check(&receipt, None, pins)?;
        forged.restore()?;
        if !names(&again, forged.path()) {
            return Err(Failure::new(Exit::Unverified, "the changed file was not found"));
        }
        self.say(&self.out.paint(Tone::Bad, &format!("FAIL: {}", forged.path().display())));
        if verify::check(&receipt, None, pins)?.exit() != Exit::Success {
            return Err(Failure::new(Exit::Unverified, "the restored file does not verify"));
        }
        self.say("Changed back, it verifies again.");
        Ok(Exit::Success)
    }

    /// Runs the task that was lied about again: from the evidence and the inputs, and nothing else.
    fn rerun(
        &self,
        evidence: &Path,
        pins: &Pins,
        materials: &Materials,
        launch: &dyn Launch,
    ) -> Result<Exit, Failure> {
        self.step("The lie once more, from the evidence and the inputs alone: the task runs here");
        let mut checked = verify::check_any(evidence, None, pins)?;
        rerun_apart(&mut checked, materials, launch)?;
        self.say(checked.text().trim_end());
        Ok(checked.exit())
    }

    fn step(&self, text: &str) {
        let at = text::lasting(self.started.elapsed());
        self.out.say(format!("\n{} {text}", self.out.paint(Tone::Dim, &format!("[{at}]"))));
    }

    fn say(&self, text: &str) {
        self.out.say(text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"));
    }

    fn what_next(&self, place: &Place, lied: bool) {
        self.step("Done. What to type next");
        let dir = self.dir.display();
        if place.keep {
            if lied {
                let file = format!("{dir}/out/{EVIDENCE}");
                self.say(&format!("polity verify {file} --genesis {dir}/genesis.polity"));
            }
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

/// Where the program and the inputs of the demo are.
fn materials(plan: &Plan, order: &run_command::Args) -> Materials {
    let files = plan.parcels.iter().filter_map(|parcel| match &parcel.content {
        Content::File(path) => Some(path.clone()),
        Content::Bytes(_) => None,
    });
    let program = Some(order.program().to_path_buf());
    Materials { program, inputs: files.collect(), tasks: Vec::new() }
}

/// The engine may want a runtime of its own, which cannot start on a thread of this one.
fn rerun_apart(
    checked: &mut Checked,
    materials: &Materials,
    launch: &dyn Launch,
) -> Result<(), Failure> {
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| checked.rerun(materials, launch, &|_, _| {})).join()
    });
    ran.unwrap_or_else(|_| Err(Failure::internal("the engine panicked")))
}

/// Whether a verdict fails because of exactly this file.
fn names(verdict: &Verdict, path: &Path) -> bool {
    let files = verdict.held.as_ref().ok().and_then(|held| held.files.as_ref());
    files.is_some_and(|files| {
        matches!(files.wrong.as_slice(), [(wrong, verify::Difference::Changed)] if wrong == path)
    })
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::world::{Engine, House, World},
        *,
    };

    fn liar(world: &World, n: usize) -> Liar {
        let node = world.polity.nodes[n].public();
        let founders = &world.polity.genesis.founders;
        let founder = founders.iter().find(|founder| founder.payload.node == node).unwrap();
        Liar { node, owner: founder.by, name: founder.payload.name.clone() }
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn after_the_job_the_liar_is_named_the_receipt_holds_and_the_lie_is_found_again() {
        let world = World::new();
        assert_eq!(world.sweep(&["a.csv", "lie.csv"]), Exit::Success);
        let show = Show { out: Out::new(false), dir: &world.path(""), started: Instant::now() };
        let pins = Pins::one(world.polity.genesis.network(), "test");
        let named = block_on(show.name_liars(&world.data, &[liar(&world, 3)]));
        let evidence = named.unwrap().unwrap();
        assert_eq!(show.forge(&pins), Ok(Exit::Success));
        let materials = Materials {
            program: Some(world.path("program.wasm")),
            inputs: vec![world.path("in")],
            tasks: Vec::new(),
        };
        for (engine, exit) in [(Engine::Right, Exit::Success), (Engine::Wrong, Exit::Unverified)] {
            let house = House { engine, ..House::default() };
            assert_eq!(show.rerun(&evidence, &pins, &materials, &house), Ok(exit));
        }
        for liars in [&[liar(&world, 2)][..], &[]] {
            let failure = block_on(show.name_liars(&world.data, liars)).unwrap_err();
            assert_eq!(failure.exit, Exit::Unverified, "somebody else is named");
        }
    }

    #[test]
    fn more_liars_than_the_validators_tolerate_are_refused_with_the_way_out() {
        for (nodes, liars) in [(4, 1), (5, 0), (5, 1), (7, 2), (16, 5)] {
            assert_eq!(check_liars(nodes, liars), Ok(()), "{liars} of {nodes}");
        }
        let failure = check_liars(5, 2).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(failure.next.unwrap(), "use --liars 1, or --nodes 7");
        assert_eq!(check_liars(16, 200).unwrap_err().exit, Exit::Usage);
    }
}
