//! The liars of the demo: whether the ledger names them, and nobody else.

use super::super::ledger::sanctions;
use crate::{connect, data::DataDir, exit::Exit, failure::Failure};
use api::{EvidenceInfo, NodeApi, SanctionInfo};
use identity::{Digest, PublicKey};
use protocol::{Cause, Right};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const LOOK: Duration = Duration::from_millis(100);
/// How long the ledger may take to name everybody once the job is finished.
const NAMING: Duration = Duration::from_secs(30);

/// A node that is told to lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Liar {
    pub(super) node: PublicKey,
    pub(super) owner: PublicKey,
    pub(super) name: String,
}

/// What the ledger says when all liars are named.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) sanctions: Vec<SanctionInfo>,
    /// For each liar, evidence by verdict.
    pub(super) evidence: Vec<Digest>,
}

impl Named {
    /// The sanctions as a table.
    pub(super) fn table(&self) -> String {
        sanctions::table(&self.sanctions)
    }
}

/// Waits until the ledger has named every liar.
///
/// # Errors
/// If it names somebody else, or not all of them.
pub(super) async fn named(data: &DataDir, liars: &[Liar]) -> Result<Named, Failure> {
    let node = connect::node(data)?;
    let until = Instant::now() + NAMING;
    loop {
        let (sanctions, evidence) = (node.sanctions().await?, node.evidence().await?);
        match judge(sanctions, &evidence, liars)? {
            Ok(named) => return Ok(named),
            Err(missing) if Instant::now() > until => {
                let message = format!("{missing} lied, and the ledger does not name it");
                return Err(Failure::new(Exit::Unverified, message)
                    .next("a longer sweep meets every liar: give --each more files"));
            }
            Err(_) => sleep(LOOK).await,
        }
    }
}

/// What the ledger says of the liars; the name of one that it does not know yet.
fn judge(
    sanctions: Vec<SanctionInfo>,
    evidence: &[EvidenceInfo],
    liars: &[Liar],
) -> Result<Result<Named, String>, Failure> {
    let innocent = |name: &str| {
        let message = format!("{name} did not lie, and the ledger says that it did");
        Err(Failure::new(Exit::Unverified, message)
            .next("look at what the nodes said: polity demo --keep keeps their logs"))
    };
    if let Some(found) = evidence.iter().find(|e| liars.iter().all(|l| l.node != e.finding.node)) {
        return innocent(&found.owner_name);
    }
    if let Some(found) =
        sanctions.iter().find(|s| liars.iter().all(|l| l.owner != s.sanction.owner))
    {
        return innocent(&found.owner_name);
    }
    let mut files = Vec::new();
    for liar in liars {
        let lost = |s: &&SanctionInfo| {
            s.sanction.owner == liar.owner && s.sanction.right == Right::Execute
        };
        let by_verdict = |e: &&EvidenceInfo| {
            e.finding.node == liar.node && matches!(e.finding.cause, Cause::Refuted { .. })
        };
        match (sanctions.iter().find(lost), evidence.iter().find(by_verdict)) {
            (Some(_), Some(found)) => files.push(found.id),
            _ => return Ok(Err(liar.name.clone())),
        }
    }
    Ok(Ok(Named { sanctions, evidence: files }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Cid, Codec};
    use protocol::{Finding, Height, JobId, Sanction, TaskIndex, Time};

    fn liar(n: u8) -> Liar {
        let (node, owner) = (PublicKey([n; 32]), PublicKey([n + 100; 32]));
        Liar { node, owner, name: format!("owner {n}") }
    }

    fn finding(liar: &Liar) -> Finding {
        let job = JobId(Cid::of(Codec::DagCbor, b"job"));
        let cause = Cause::Refuted { job, task: TaskIndex(u32::from(liar.node.0[0])) };
        let tx = Digest([1; 32]);
        let (node, owner) = (liar.node, liar.owner);
        Finding { node, owner, cause, tx, height: Height(1), time: Time(1) }
    }

    fn sanction(liar: &Liar) -> SanctionInfo {
        let finding = finding(liar);
        let (owner, right) = (liar.owner, finding.cause.right());
        let until = Time(9);
        let sanction = Sanction { owner, right, finding, strike: 1, until, released: None };
        SanctionInfo::of(sanction, liar.name.clone())
    }

    fn evidence(liar: &Liar) -> EvidenceInfo {
        EvidenceInfo::of(finding(liar), liar.name.clone()).unwrap()
    }

    #[test]
    fn the_demo_ends_well_only_if_every_liar_is_named_and_nobody_else() {
        let (one, two) = (liar(1), liar(2));
        let both = [one.clone(), two.clone()];
        let all = vec![evidence(&one), evidence(&two)];
        let named = judge(vec![sanction(&one), sanction(&two)], &all, &both).unwrap().unwrap();
        assert_eq!(named.evidence, [all[0].id, all[1].id]);
        let less = judge(vec![sanction(&one)], &all[..1], &both).unwrap();
        assert_eq!(less.unwrap_err(), "owner 2");
        let unsanctioned = judge(vec![sanction(&one)], &all, &both).unwrap();
        assert_eq!(unsanctioned.unwrap_err(), "owner 2");
        for liars in [&both[..1], &[]] {
            let failure = judge(vec![sanction(&two)], &[], liars).unwrap_err();
            assert_eq!(failure.exit, Exit::Unverified, "somebody honest is sanctioned");
            assert!(judge(Vec::new(), &all[1..], liars).is_err(), "somebody honest is accused");
        }
        assert!(judge(Vec::new(), &[], &[]).unwrap().is_ok());
    }
}
