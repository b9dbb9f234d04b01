//! `polity ledger head`.

use super::{super::Context, header_fields};
use crate::{connect, exit::Exit, failure::Failure, out};
use api::NodeApi;

pub(super) async fn run(context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let header = node.head().await?;
    context.out.data(&header, || out::fields(&header_fields(&header)))?;
    Ok(Exit::Success)
}
