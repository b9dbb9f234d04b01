//! `polity ledger sanctions`.

use super::super::Context;
use crate::{connect, exit::Exit, failure::Failure, out, text};
use api::{NodeApi, SanctionInfo};
use protocol::Right;

/// Characters of a name.
const NAME: usize = 11;

pub(super) async fn run(context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let sanctions = node.sanctions().await?;
    context.out.data(&sanctions, || table(&sanctions))?;
    Ok(Exit::Success)
}

/// Sanctions, one for each line.
pub(in crate::commands) fn table(sanctions: &[SanctionInfo]) -> String {
    let rows: Vec<_> = sanctions.iter().map(row).collect();
    out::table(&["OWNER", "NAME", "LOST", "TIMES", "UNTIL", "BACK", "EVIDENCE"], &rows)
}

fn row(info: &SanctionInfo) -> Vec<String> {
    let sanction = &info.sanction;
    let right = match sanction.right {
        Right::Execute => "execute",
        Right::Dispute => "dispute",
    };
    vec![
        text::short(sanction.owner),
        text::cut(&info.owner_name, NAME),
        right.into(),
        sanction.strike.to_string(),
        text::moment(sanction.until),
        sanction.released.map_or_else(|| "no".into(), |height| height.to_string()),
        info.evidence.map(text::short).unwrap_or_default(),
    ]
}
