//! Chores of a node's store, and how a person sees them go on.

use super::bar::Bar;
use crate::{exit::Exit, failure::Failure, out::Out, text};
use api::{Chore, ChoreReport, Progress, StorageApi};
use futures::StreamExt;
use objects::Cid;
use protocol::Durability;

/// Does a chore and tells nothing.
pub(crate) async fn quiet(node: &impl StorageApi, chore: Chore) -> Result<ChoreReport, Failure> {
    followed(node, chore, |_, _| {}).await
}

/// Does a chore and tells how it goes on and what it did.
pub(crate) async fn told(
    node: &impl StorageApi,
    chore: Chore,
    out: Out,
) -> Result<ChoreReport, Failure> {
    let report = watched(node, chore, out).await?;
    out.data(&report, || shown(&report))?;
    Ok(report)
}

/// Does a chore and tells how it goes on.
pub(crate) async fn watched(
    node: &impl StorageApi,
    chore: Chore,
    out: Out,
) -> Result<ChoreReport, Failure> {
    let bar = Bar::new(out, None);
    let done = followed(node, chore, |bytes, of_bytes| bar.set(bytes, of_bytes)).await;
    bar.close();
    done
}

async fn followed(
    node: &impl StorageApi,
    chore: Chore,
    tell: impl Fn(u64, Option<u64>),
) -> Result<ChoreReport, Failure> {
    let mut going = node.chore(chore).await?;
    while let Some(progress) = going.next().await {
        match progress? {
            Progress::Going { bytes, of_bytes, .. } => tell(bytes, of_bytes),
            Progress::Done(report) => return Ok(report),
        }
    }
    Err(Failure::internal("the node stopped answering before this was done"))
}

/// How a command ends that did this.
pub(crate) fn exit(report: &ChoreReport) -> Exit {
    match report {
        ChoreReport::Verified { damaged, .. } if !damaged.is_empty() => Exit::Unverified,
        ChoreReport::Repaired { missing, .. } if !missing.is_empty() => Exit::Unverified,
        _ => Exit::Success,
    }
}

/// What a chore did, for people.
pub(crate) fn shown(report: &ChoreReport) -> String {
    let amount = |blocks: &u64, bytes: &u64| {
        format!("{}, {}", text::plural(*blocks as usize, "block"), text::size(*bytes))
    };
    match report {
        ChoreReport::Pinned { blocks, bytes } => format!("pinned: {}", amount(blocks, bytes)),
        ChoreReport::Fetched { blocks, bytes } => format!("here: {}", amount(blocks, bytes)),
        ChoreReport::Verified { records, bytes, damaged } if damaged.is_empty() => {
            let records = text::plural(*records as usize, "record");
            format!("OK: {records}, {}", text::size(*bytes))
        }
        ChoreReport::Verified { records, bytes, damaged } => format!(
            "{} looked at, {} damaged and set aside:\n{}\nfetch them again with: polity storage \
             repair",
            amount(records, bytes),
            text::plural(damaged.len(), "block"),
            lines(damaged)
        ),
        ChoreReport::Collected {
            kept,
            kept_bytes,
            young,
            young_bytes,
            collected,
            collected_bytes,
            freed_bytes,
            missing,
            damaged,
        } => {
            let mut lines = vec![
                format!("given up: {}", amount(collected, collected_bytes)),
                format!("given back to the disk: {}", text::size(*freed_bytes)),
                format!("kept: {}", amount(kept, kept_bytes)),
            ];
            if *young > 0 {
                let young = amount(young, young_bytes);
                lines.push(format!("kept for now, for it was put lately (see --grace): {young}"));
            }
            if *missing > 0 {
                let missing = text::plural(*missing as usize, "block");
                lines.push(format!("missing below what is kept: {missing}"));
            }
            if *damaged > 0 {
                let damaged = text::plural(*damaged as usize, "block");
                lines.push(format!(
                    "{damaged} with links cannot be read, so nothing is given up before: polity \
                     storage repair"
                ));
            }
            lines.join("\n")
        }
        ChoreReport::Protected { bytes, kept_bytes, nodes, tolerance, failed, .. } => {
            let mut lines = vec![
                format!(
                    "spread over {}: {} for {}",
                    text::plural(usize::from(*nodes), "node"),
                    text::size(*kept_bytes),
                    text::size(*bytes)
                ),
                tolerance.to_string(),
            ];
            lines.extend(failed.iter().map(|(node, why)| format!("…{}: {why}", node.short())));
            lines.join("\n")
        }
        ChoreReport::Repaired { healed, missing } if missing.is_empty() => {
            format!("healed: {}", text::plural(*healed as usize, "block"))
        }
        ChoreReport::Repaired { healed, missing } => format!(
            "healed: {}; nobody who is connected has:\n{}",
            text::plural(*healed as usize, "block"),
            lines(missing)
        ),
    }
}

/// What is missing of what was asked for, and how to get it.
pub(crate) fn short_of(report: &ChoreReport, wish: Durability, object: Cid) -> Option<String> {
    let ChoreReport::Protected { tolerance, .. } = report else { return None };
    (usize::from(tolerance.nodes) < wish.parity()).then(|| {
        format!(
            "{wish} would outlive the loss of any {}: there are too few nodes now\n\
             when there are more: polity storage protect {object} {wish}",
            text::plural(wish.parity(), "node")
        )
    })
}

fn lines(cids: &[Cid]) -> String {
    cids.iter().map(|cid| format!("  {cid}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::Codec;
    use protocol::durability::Tolerance;

    #[test]
    fn who_gets_less_than_was_asked_for_is_told_so() {
        let object = Cid::of(Codec::Raw, b"object");
        let spread = |nodes| ChoreReport::Protected {
            manifest: object,
            blocks: 1,
            bytes: 1,
            kept_bytes: 2,
            nodes: 6,
            tolerance: Tolerance { owners: 0, nodes },
            failed: Vec::new(),
        };
        let wish: Durability = "4+2".parse().unwrap();
        assert_eq!(short_of(&spread(2), wish, object), None);
        let told = short_of(&spread(1), wish, object).unwrap();
        assert!(told.starts_with("4+2 would outlive the loss of any 2 nodes"), "{told}");
        assert!(told.ends_with(&format!("polity storage protect {object} 4+2")), "{told}");
    }
}
