//! `polity ledger disputes`.

use super::super::Context;
use crate::{connect, exit::Exit, failure::Failure, out, text};
use api::{ClaimInfo, DisputeInfo, DisputeState, NodeApi};

/// Characters of a name.
const NAME: usize = 12;

pub(super) async fn run(context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let disputes = node.disputes().await?;
    context.out.data(&disputes, || table(&disputes))?;
    Ok(Exit::Success)
}

/// Disputes, one for each line.
pub(in crate::commands) fn table(disputes: &[DisputeInfo]) -> String {
    let rows: Vec<_> = disputes.iter().map(row).collect();
    out::table(&["ID", "JOB", "TASK", "OPENED", "STATE", "RULINGS", "REFUTED"], &rows)
}

fn row(dispute: &DisputeInfo) -> Vec<String> {
    let ruled = dispute.rulings.iter().filter(|ruling| ruling.outcome.is_some()).count();
    let (state, rulings) = match &dispute.state {
        DisputeState::Filed { .. } => ("filed", ruled.to_string()),
        DisputeState::Open { validators, .. } => ("open", format!("{ruled} of {validators}")),
        DisputeState::Decided { .. } => ("decided", ruled.to_string()),
        DisputeState::Undecided { .. } => ("undecided", ruled.to_string()),
    };
    vec![
        text::short(dispute.id),
        text::short(dispute.job),
        dispute.task.to_string(),
        dispute.opened.to_string(),
        state.into(),
        rulings,
        refuted(dispute),
    ]
}

/// The first node that is refuted, and how many more are.
fn refuted(dispute: &DisputeInfo) -> String {
    let DisputeState::Decided { refuted, .. } = &dispute.state else { return String::new() };
    let Some(first) = refuted.first() else { return String::new() };
    let said: Vec<&ClaimInfo> = dispute.claims.iter().chain(&dispute.rulings).collect();
    let name = said.iter().find(|claim| claim.node == *first).map(|claim| &claim.owner_name);
    let name = name.map(|name| text::cut(name, NAME)).unwrap_or_default();
    let more = match refuted.len() {
        1 => String::new(),
        many => format!(" +{}", many - 1),
    };
    format!("{} {name}{more}", text::short(first))
}
