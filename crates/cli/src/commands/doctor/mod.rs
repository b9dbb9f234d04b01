//! `polity doctor`: looks at this machine, its node and its peers, and says what to do.

mod check;
mod clock;
mod directory;
mod machine;
mod ports;
mod running;

use super::Context;
use crate::{
    connect, data::DataDir, exit::Exit, failure::Failure, job::explain::machines::off_ms,
    launch::NodePlan,
};
use api::{ClusterApi, ClusterInfo, NodeApi, NodeInfo, Status};
use check::{Check, Grade};
use protocol::Genesis;
use serde_json::json;
use std::time::Duration;

/// How long the node may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

const AFTER: &str = "\
Each line says what was looked at: ✓ is well, ! is worth a look, ✗ keeps
something from working. It needs no node and no data directory, and changes
nothing.

Exit codes:
  0    nothing is ✗
  127  something is

Examples:
  polity doctor
  polity doctor --data /srv/polity
  polity doctor --json";

/// `polity doctor`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {}

/// What is known before anything is judged.
struct Patient<'a> {
    data: &'a DataDir,
    genesis: Option<Genesis>,
    plan: Option<NodePlan>,
    /// The process of the node, if it says that it runs and does.
    pid: Option<i32>,
    /// What the node says, if it answers.
    node: Option<Answers>,
}

/// What a node says.
struct Answers {
    status: Status,
    nodes: Vec<NodeInfo>,
    /// The machines of its owner, if it tells of them.
    cluster: Option<ClusterInfo>,
}

impl Answers {
    /// How far the clocks of others are ahead.
    fn off_ms(&self) -> Option<i64> {
        off_ms(&self.nodes, self.status.head_time.since_ms(self.status.clock))
    }
}

pub(super) async fn run(_: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let mut checks = machine::checks();
    match context.data() {
        Ok(data) => checks.extend(examine(&data, context).await),
        Err(failure) => checks.push(Check::failed("directory", &failure)),
    }
    checks.push(engine(context));
    let worst = checks.iter().map(|check| check.grade).max().unwrap_or(Grade::Good);
    let ok = worst < Grade::Bad;
    let whole = json!({ "ok": ok, "checks": checks });
    context.out.data(&whole, || checks.iter().map(|check| check.show(context.out)).collect())?;
    Ok(if ok { Exit::Success } else { Exit::Internal })
}

/// Everything about a directory and its node.
async fn examine(data: &DataDir, context: &Context<'_>) -> Vec<Check> {
    if let Some(closed) = directory::closed(data) {
        return vec![closed];
    }
    let mut checks = directory::checks(data);
    let genesis = data.genesis().unwrap_or_default();
    let plan = match context.launch.plan(data) {
        Ok(plan) => Some(plan),
        Err(error) => {
            checks.push(
                Check::bad("settings", unusable(&format!("{error:#}")))
                    .next("correct it, or remove it"),
            );
            None
        }
    };
    let place = data.api().unwrap_or_default();
    let run = place.and_then(|place| place.run).filter(|run| run.process.is_running());
    let pid = run.map(|run| run.process.pid);
    let (node, answers) = ask(data, pid).await;
    let patient = Patient { data, genesis, plan, pid, node: answers };
    checks.push(machine::disk(&patient));
    checks.push(machine::open_files(&patient));
    checks.push(directory::locks(&patient));
    checks.extend(ports::checks(&patient));
    checks.push(node);
    checks.push(clock::check(&patient));
    checks.extend(running::checks(&patient));
    checks
}

/// Why config.toml cannot be used, in one sentence: without the lines that quote it, with a margin.
fn unusable(error: &str) -> String {
    let quotes = |line: &&str| {
        let margin = |c: char| c.is_ascii_digit() || c == ' ';
        line.trim_start_matches(margin).starts_with('|')
    };
    let said = error.lines().map(str::trim).filter(|line| !line.is_empty() && !quotes(line));
    format!("config.toml cannot be used: {}.", said.collect::<Vec<_>>().join(": "))
}

/// Asks the node of a directory, if it runs.
async fn ask(data: &DataDir, pid: Option<i32>) -> (Check, Option<Answers>) {
    let said = async {
        let node = connect::running(data)?;
        let (status, nodes) = (node.status().await?, node.nodes().await?);
        let cluster = node.cluster().await.ok();
        Ok::<_, Failure>(Answers { status, nodes, cluster })
    };
    match tokio::time::timeout(PATIENCE, said).await {
        Ok(Ok(answers)) => {
            let (version, name) = (&answers.status.version, &answers.status.network_name);
            let said = format!("It runs version {version} and answers; its polity is '{name}'.");
            (Check::good("node", said), Some(answers))
        }
        Ok(Err(failure)) if failure.exit == Exit::NoNode && pid.is_none() => {
            let check = Check::warn("node", format!("{}.", check::sentence(&failure.message)));
            (Check { next: failure.next, ..check }, None)
        }
        Ok(Err(failure)) => {
            let said = format!("It runs and does not answer: {}.", failure.message);
            let next = failure.next.unwrap_or_else(|| "look at its log, and start it again".into());
            (Check::bad("node", said).next(next), None)
        }
        Err(_) => {
            let said = "It runs and does not answer within 10 s.";
            (Check::bad("node", said).next("look at its log, and start it again"), None)
        }
    }
}

/// The engine must give what it is known to give on every sound machine.
fn engine(context: &Context<'_>) -> Check {
    match context.launch.self_test() {
        Ok(fingerprint) => Check::good(
            "engine",
            format!("It gives the known answers; its fingerprint is {fingerprint}."),
        ),
        Err(error) => {
            Check::bad("engine", format!("This machine fails the known answers: {error:#}."))
                .next("do not run a node here: look at processor and memory")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_settings_is_one_sentence() {
        let error =
            "x.toml: error at line 2, column 1\n  |\n2 | a = true\n  | ^\nunknown field `a`\n";
        let said =
            "config.toml cannot be used: x.toml: error at line 2, column 1: unknown field `a`.";
        assert_eq!(unusable(error), said);
    }
}
