//! `polity ledger …`: what the polity agreed on.

pub(super) mod block;
pub(super) mod disputes;
pub(super) mod evidence;
mod head;
pub(super) mod sanctions;
mod tx;

use super::Context;
use crate::{exit::Exit, failure::Failure};
use protocol::{Header, Tx};

const AFTER: &str = "\
Examples:
  polity ledger head
  polity ledger block 17
  polity ledger disputes                 what differed, and who was right
  polity ledger sanctions                who lost what for it, until when
  polity ledger evidence 4fzxk2ua -o lie.polity";

/// `polity ledger`
#[derive(Debug, clap::Subcommand)]
#[command(after_help = AFTER)]
pub(super) enum Command {
    /// The header of the last final block
    Head,
    /// A final block and its transactions
    Block(block::Args),
    /// A final transaction
    Tx(tx::Args),
    /// Tasks whose outcomes differed, and what the validators found
    Disputes,
    /// Owners that lost a right, for how long, and for what
    Sanctions,
    /// What is proven against nodes; with an id, the file that proves it
    Evidence(evidence::Args),
}

pub(super) async fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::Head => head::run(context).await,
        Command::Block(args) => block::run(args, context).await,
        Command::Tx(args) => tx::run(args, context).await,
        Command::Disputes => disputes::run(context).await,
        Command::Sanctions => sanctions::run(context).await,
        Command::Evidence(args) => evidence::run(args, context).await,
    }
}

fn header_fields(header: &Header) -> Vec<(&'static str, String)> {
    let proposer = header.proposer.map_or_else(|| "none".into(), |key| key.to_string());
    vec![
        ("height", header.height.to_string()),
        ("time", header.time.to_string()),
        ("network", header.network.to_string()),
        ("digest", header.digest().to_string()),
        ("parent", header.parent.to_string()),
        ("proposer", proposer),
        ("beacon", header.beacon.to_string()),
        ("tx root", header.tx_root.to_string()),
        ("state", header.state_root.to_string()),
    ]
}

/// One line about a transaction.
fn sentence(tx: &Tx) -> String {
    match tx {
        Tx::Admit(admission) => {
            let voucher = &admission.payload.voucher.payload;
            format!(
                "admit …{} of {} (…{})",
                voucher.node.short(),
                voucher.name,
                voucher.owner.short()
            )
        }
        Tx::Second(second) => {
            format!("…{} vouches for …{}", second.by.short(), second.payload.owner.short())
        }
        Tx::Agree(agreements) => {
            let job = crate::text::short(agreements.order.payload.id());
            let tasks = crate::text::plural(agreements.tasks.len(), "task");
            format!("agree on {tasks} of job {job}")
        }
        Tx::Order(order) => {
            let job = crate::text::short(order.payload.id());
            format!("order job {job}, to be drawn with the next beacon")
        }
        Tx::Dispute(dispute) => {
            let job = crate::text::short(dispute.payload.order.payload.id());
            let (by, task) = (dispute.by.short(), dispute.payload.task);
            format!("…{by}: outcomes of task {task} of job {job} differ")
        }
        Tx::Verdict(verdicts) => {
            let count = crate::text::plural(verdicts.payload.rulings.len(), "disputed task");
            format!("…{} ran {count} again", verdicts.by.short())
        }
        Tx::Accuse(accusation) => {
            let (by, against) = (accusation.by.short(), accusation.payload.against.short());
            format!("…{by}: …{against} contradicts itself")
        }
        Tx::Audit(audit) => {
            let (job, task) = (crate::text::short(audit.payload.job), audit.payload.task);
            format!("…{} audited task {task} of job {job}", audit.by.short())
        }
    }
}
