//! `polity storage where`: which nodes hold the shards of an object.

use super::super::Context;
use crate::{connect, content::place::Place, exit::Exit, failure::Failure, out, text};
use api::{HolderInfo, StorageApi, Whereabouts};

/// `polity storage where`
#[derive(Debug, clap::Args)]
pub(in crate::commands) struct Args {
    /// The object that was protected
    #[arg(value_name = "CID")]
    object: Place,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    if !args.object.path.is_empty() {
        return Err(Failure::usage("objects are protected as a whole")
            .next(format!("polity storage where {}", args.object.root)));
    }
    let node = connect::node(&context.data()?)?;
    let found = node.whereabouts(args.object.root).await?;
    context.out.data(&found, || found.iter().map(shown).collect::<Vec<_>>().join("\n"))?;
    let is_lost = found.iter().all(|one| one.tolerance.is_none());
    Ok(if is_lost { Exit::Unverified } else { Exit::Success })
}

fn shown(one: &Whereabouts) -> String {
    let fields = out::fields(&[
        ("object", one.object.to_string()),
        ("kept as", format!("{}, by …{}", one.durability, text::short(one.maker))),
        (
            "size",
            format!("{} in {}", text::size(one.bytes), text::plural(one.blocks as usize, "block")),
        ),
    ]);
    let rows: Vec<_> = one.holders.iter().map(row).collect();
    let table = out::table(&["NODE", "OWNER", "SLOTS", "SHARDS", "SIZE", "STATE"], &rows);
    let state = match &one.tolerance {
        Some(tolerance) => format!("readable; {tolerance}"),
        None => format!(
            "not readable: of {} there are too few shards",
            text::plural(one.unreadable as usize, "group")
        ),
    };
    format!("{fields}\n{table}\n{state}\n")
}

fn row(holder: &HolderInfo) -> Vec<String> {
    let slots: Vec<_> = holder.slots.iter().map(ToString::to_string).collect();
    let state = match &holder.unreachable {
        Some(why) => format!("away: {why}"),
        None if holder.absent > 0 => format!("{} missing", text::number(holder.absent)),
        None if holder.present == holder.shards => "all there".to_string(),
        None => format!("{} there", text::number(holder.present)),
    };
    vec![
        text::short(holder.node),
        text::cut(&holder.owner_name, 20),
        slots.join(","),
        text::number(holder.shards),
        text::size(holder.bytes),
        state,
    ]
}
