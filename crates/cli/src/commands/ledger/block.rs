//! `polity ledger block`.

use super::{super::Context, header_fields, sentence};
use crate::{connect, exit::Exit, failure::Failure, out, text};
use api::{FinalBlock, NodeApi};
use protocol::Height;

/// `polity ledger block`
#[derive(Debug, clap::Args)]
pub(in crate::commands) struct Args {
    /// The block's number; 0 is the genesis
    #[arg(value_name = "HEIGHT")]
    height: u64,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let block = node.block(Height(args.height)).await?;
    context.out.data(&block, || show(&block))?;
    Ok(Exit::Success)
}

pub(in crate::commands) fn show(FinalBlock { block, finality }: &FinalBlock) -> String {
    let mut fields = header_fields(&block.header);
    let signers = finality.as_ref().map(|finality| finality.certificate.signatures.len());
    fields.push((
        "final",
        match (signers, finality) {
            (Some(signers), Some(finality)) if finality.above.is_empty() => {
                format!("certified by {}", text::plural(signers, "validator"))
            }
            (Some(signers), Some(finality)) => format!(
                "by the certificate {} above, of {}",
                text::plural(finality.above.len(), "block"),
                text::plural(signers, "validator"),
            ),
            _ => "by definition".into(),
        },
    ));
    let mut shown = out::fields(&fields);
    for tx in &block.txs {
        // 'polity ledger tx' takes the whole digest: it gets a line of its own.
        shown.push_str(&format!("\n{}\n", tx.digest()));
        for line in text::words(&sentence(tx), text::COLUMNS - 2) {
            shown.push_str(&format!("  {line}\n"));
        }
    }
    shown
}
