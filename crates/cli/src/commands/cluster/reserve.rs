//! `polity cluster reserve`: capacity is held back for the jobs of an owner for a time.

use super::super::{Context, needs};
use crate::{connect, exit::Exit, failure::Failure, job::names::Names, out, text};
use api::{ClusterApi, ClusterChange, ClusterInfo, NodeApi, Reservation};
use protocol::Time;
use std::{collections::BTreeSet, time::Duration};

const AFTER: &str = "\
It is held back on each node that is named. Jobs of others that reserve cores,
memory or GPUs are given what is left, and of the slots that all share as large
a part is held back as of the cores. It ends by itself.

Examples:
  polity cluster reserve                          what is held back
  polity cluster reserve nightly --owner guest --cpus 4 --in 6h --for 2h
  polity cluster reserve nightly --none";

/// `polity cluster reserve`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(in crate::commands) struct Args {
    /// What it is called; replaces what was called so before. Without a name, all are listed
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Whose jobs it is for, by the owner's name or key. Usually yours
    #[arg(long, value_name = "O", requires = "name")]
    owner: Option<String>,
    /// A node on which it is held back, by its key, or the beginning or end of it. Usually the
    /// one that is asked
    #[arg(long, value_name = "N", requires = "name")]
    node: Vec<String>,
    /// Cores
    #[arg(long, value_name = "N", requires = "name")]
    cpus: Option<u16>,
    /// Memory: 512M, 8G
    #[arg(long, value_name = "B", value_parser = text::bytes, requires = "name")]
    memory: Option<u64>,
    /// GPUs
    #[arg(long, value_name = "N", requires = "name")]
    gpus: Option<u16>,
    /// When it begins, from now on: 30m, 6h. Usually at once
    #[arg(long = "in", value_name = "T", value_parser = text::duration, requires = "name")]
    after: Option<Duration>,
    /// How long it lasts: 30m, 2h
    #[arg(long = "for", value_name = "T", value_parser = text::duration, requires = "name")]
    lasts: Option<Duration>,
    /// It ends now
    #[arg(
        long,
        requires = "name",
        conflicts_with_all = ["owner", "node", "cpus", "memory", "gpus", "after", "lasts"]
    )]
    none: bool,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let api = connect::node(&context.data()?)?;
    let Some(name) = args.name.clone() else {
        let cluster = api.cluster().await?;
        let names = Names::ask(&api).await?;
        context.out.data(&cluster.reservations, || table(&cluster, &names))?;
        return Ok(Exit::Success);
    };
    if args.none {
        api.manage(ClusterChange::Reserve { name: name.clone(), reservation: None }).await?;
        context.out.say(format!("Nothing is held back as '{}' any more.", text::tame(&name)));
        return Ok(Exit::Success);
    }
    let lasts = args.lasts.ok_or_else(|| {
        Failure::usage("it is not said how long it lasts").next("add --for 2h, or --none to end it")
    })?;
    let reservation = reservation(&args, lasts, &api).await?;
    let said = said(&name, &reservation);
    let reservation = Some(reservation);
    api.manage(ClusterChange::Reserve { name, reservation }).await?;
    context.out.say(said);
    Ok(Exit::Success)
}

async fn reservation(
    args: &Args,
    lasts: Duration,
    api: &impl NodeApi,
) -> Result<Reservation, Failure> {
    let (status, all) = (api.status().await?, api.nodes().await?);
    let owner = match &args.owner {
        Some(wanted) => needs::owner(wanted, &all)?,
        None => {
            let own = all.iter().find(|info| info.node == status.node).map(|info| info.owner);
            own.ok_or_else(|| {
                Failure::usage("the node that is asked is not admitted yet")
                    .next("say with --owner whose jobs it is for")
            })?
        }
    };
    let mut nodes: BTreeSet<_> =
        args.node.iter().map(|wanted| needs::node(wanted, &all)).collect::<Result<_, _>>()?;
    if nodes.is_empty() {
        nodes.insert(status.node);
    }
    let from = status.clock.after_ms(args.after.map_or(0, text::ms));
    Ok(Reservation {
        owner,
        cpus: args.cpus.unwrap_or(0),
        memory_bytes: args.memory.unwrap_or(0),
        gpus: args.gpus.unwrap_or(0),
        nodes,
        from,
        until: from.after_ms(text::ms(lasts)),
    })
}

fn said(name: &str, kept: &Reservation) -> String {
    format!(
        "{} on {}, from {} until {}, for the jobs of {}: '{}'.",
        much(kept),
        text::plural(kept.nodes.len(), "node"),
        text::moment(kept.from),
        text::moment(kept.until),
        text::short(kept.owner),
        text::tame(name)
    )
}

/// What is held back on each node.
fn much(kept: &Reservation) -> String {
    let Reservation { cpus, memory_bytes, gpus, .. } = kept;
    let mut parts = Vec::new();
    if *cpus > 0 {
        parts.push(text::plural((*cpus).into(), "core"));
    }
    if *memory_bytes > 0 {
        parts.push(format!("{} of memory", text::size(*memory_bytes)));
    }
    if *gpus > 0 {
        parts.push(text::plural((*gpus).into(), "GPU"));
    }
    if parts.is_empty() { "nothing".into() } else { parts.join(", ") }
}

/// What is held back, one for each line.
fn table(cluster: &ClusterInfo, names: &Names) -> String {
    if cluster.reservations.is_empty() {
        return "Nothing is held back.\n".into();
    }
    let head = ["NAME", "FOR", "WHAT", "NODES", "FROM", "UNTIL"];
    let row = |(name, kept): (&String, &Reservation)| {
        let mut nodes = kept.nodes.iter();
        let nodes = match (nodes.next(), nodes.next()) {
            (Some(only), None) => text::short(only),
            _ => text::plural(kept.nodes.len(), "node"),
        };
        // To the minute: what is held back is not that exact.
        let moment = |time: Time| {
            let moment = text::moment(time);
            moment.get(..16).map_or(moment.clone(), |minute| format!("{minute}Z"))
        };
        vec![
            text::tame(name).into_owned(),
            names.called(&kept.owner).map_or_else(|| text::short(kept.owner), str::to_string),
            much(kept),
            nodes,
            moment(kept.from),
            moment(kept.until),
        ]
    };
    let rows: Vec<_> = cluster.reservations.iter().map(row).collect();
    out::table(&head, &rows)
}
