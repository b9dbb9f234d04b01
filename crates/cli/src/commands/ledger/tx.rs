//! `polity ledger tx`.

use super::{super::Context, sentence};
use crate::{connect, exit::Exit, failure::Failure, out};
use api::NodeApi;
use identity::Digest;

/// `polity ledger tx`
#[derive(Debug, clap::Args)]
pub(in crate::commands) struct Args {
    /// The transaction's digest
    #[arg(value_name = "DIGEST")]
    digest: Digest,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let placed = node.tx(args.digest).await?;
    context.out.data(&placed, || {
        out::fields(&[
            ("tx", placed.tx.digest().to_string()),
            ("height", placed.height.to_string()),
            ("index", placed.index.to_string()),
            ("says", sentence(&placed.tx)),
        ])
    })?;
    Ok(Exit::Success)
}
