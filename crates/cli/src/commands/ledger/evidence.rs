//! `polity ledger evidence`: what is proven against nodes, and the file that proves it.

use super::super::Context;
use crate::{
    connect,
    data::DataDir,
    exit::Exit,
    failure::Failure,
    job::order,
    out,
    pick::{Kind, pick},
    text,
    verify::{self, Pins, Proven},
};
use api::{EvidenceInfo, NodeApi};
use identity::Digest;
use protocol::Cause;
use std::path::PathBuf;

/// Characters of a name.
const NAME: usize = 12;

const AFTER: &str = "\
With an ID the evidence is written to a file that convinces a stranger:
  polity verify evidence-ID.polity --genesis HASH
  polity verify evidence-ID.polity --rerun --program P.wasm --inputs data/";

/// `polity ledger evidence`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(in crate::commands) struct Args {
    /// The evidence to write to a file: its id, or the beginning or end of it
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Where it goes. Usually evidence-ID.polity here
    #[arg(short, long, value_name = "FILE", requires = "id")]
    output: Option<PathBuf>,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let data = context.data()?;
    let node = connect::node(&data)?;
    let Some(wanted) = args.id else {
        let evidence = node.evidence().await?;
        context.out.data(&evidence, || table(&evidence))?;
        return Ok(Exit::Success);
    };
    let id = select(&node, &wanted).await?;
    let path = args.output.unwrap_or_else(|| format!("evidence-{}.polity", text::short(id)).into());
    let proven = fetch(&node, &data, id, &path).await?;
    let accused: Vec<_> = proven.report.accused.iter().map(|accused| accused.node).collect();
    let whole = serde_json::json!({ "id": id, "file": path, "accused": accused });
    let shown = path.display();
    context.out.data(&whole, || shown.to_string())?;
    context.out.say(format!("Check it any time, anywhere:\n  polity verify {shown}"));
    Ok(Exit::Success)
}

/// Evidence, one for each line.
pub(in crate::commands) fn table(evidence: &[EvidenceInfo]) -> String {
    let rows: Vec<_> = evidence.iter().map(row).collect();
    out::table(&["ID", "NODE", "NAME", "HEIGHT", "WHAT"], &rows)
}

/// Fetches an evidence file, checks it against the network of `data`, and writes it.
pub(in crate::commands) async fn fetch(
    node: &impl NodeApi,
    data: &DataDir,
    id: Digest,
    path: &std::path::Path,
) -> Result<Proven, Failure> {
    let genesis = order::pinned(data, &node.status().await?)?;
    let bytes = node.evidence_file(id).await?;
    let pins = Pins::one(genesis.network(), "data directory");
    let proven = verify::prove(&bytes, &pins).map_err(|error| {
        Failure::new(Exit::Unverified, format!("the node's evidence does not hold: {error}"))
            .next("is it your node, of this version? See with: polity status")
    })?;
    crate::data::write_new(path, &bytes)
        .map_err(|error| Failure::file(path, &error).next("name another file with -o FILE"))?;
    Ok(proven)
}

async fn select(node: &impl NodeApi, text: &str) -> Result<Digest, Failure> {
    const EVIDENCE: Kind =
        Kind { one: "evidence", several: "pieces of evidence", list: "polity ledger evidence" };
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    // Nodes that one verdict refutes share their evidence.
    pick(text, &EVIDENCE, node.evidence().await?.into_iter().map(|info| info.id))
}

fn row(info: &EvidenceInfo) -> Vec<String> {
    let finding = &info.finding;
    vec![
        text::short(info.id),
        text::short(finding.node),
        text::cut(&info.owner_name, NAME),
        finding.height.to_string(),
        what(&finding.cause),
    ]
}

/// What a node did, in a few words.
fn what(cause: &Cause) -> String {
    match cause {
        Cause::Refuted { task, .. } => format!("a wrong outcome of task {task}"),
        Cause::Commits { task, .. } => format!("two commitments for task {task}"),
        Cause::Reveals { task, .. } => format!("two reveals of task {task}"),
        Cause::Opening { task, .. } => format!("a reveal that opens nothing, task {task}"),
        Cause::Verdicts { task, .. } => format!("two rulings about task {task}"),
        Cause::Votes { view, .. } => format!("two votes in view {view}"),
        Cause::Unfounded { failed } => format!("{failed} disputes that failed"),
    }
}
