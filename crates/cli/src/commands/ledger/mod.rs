//! `polity ledger …`: what the polity agreed on.

mod block;
mod head;
mod tx;

use super::Context;
use crate::{exit::Exit, failure::Failure};
use protocol::{Header, Tx};

/// `polity ledger`
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// The header of the last final block
    Head,
    /// A final block and its transactions
    Block(block::Args),
    /// A final transaction
    Tx(tx::Args),
}

pub(super) async fn run(command: Command, context: &Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::Head => head::run(context).await,
        Command::Block(args) => block::run(args, context).await,
        Command::Tx(args) => tx::run(args, context).await,
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
    }
}
