//! `polity storage pins`.

use super::super::Context;
use crate::{connect, exit::Exit, failure::Failure, out, text};
use api::{PinInfo, PinMode, StorageApi, path};

/// The label of what people pin.
const USER: &str = "user";
/// Columns of a label.
const LABEL: usize = 24;

/// `polity storage pins`
#[derive(Debug, clap::Args)]
pub(in crate::commands) struct Args {
    /// Only those with this label: user, job/ID, shard/CID
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
    /// As many, at most
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    limit: usize,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let node = connect::node(&context.data()?)?;
    let mut pins: Vec<PinInfo> = Vec::new();
    while pins.len() < args.limit {
        let after = pins.last().map(|pin| (pin.label.clone(), pin.root));
        let more = node.pins(args.label.clone(), after).await?;
        let is_last = more.len() < path::PINS;
        pins.extend(more);
        if is_last {
            break;
        }
    }
    pins.truncate(args.limit);
    // What people pinned comes before what the node keeps for itself and for others.
    pins.sort_by_key(|pin| pin.label != USER);
    context.out.data(&pins, || table(&pins))?;
    Ok(Exit::Success)
}

fn table(pins: &[PinInfo]) -> String {
    let row = |pin: &PinInfo| {
        let mode = match pin.mode {
            PinMode::Recursive => "all",
            PinMode::Direct => "block",
        };
        vec![
            pin.root.to_string(),
            text::cut_middle(&pin.label, LABEL),
            mode.to_string(),
            text::moment(pin.since),
            pin.name.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = pins.iter().map(row).collect();
    out::list(&["ROOT", "LABEL", "KEEPS", "SINCE", "NAME"], &rows)
}
