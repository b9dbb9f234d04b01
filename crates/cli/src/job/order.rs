//! From inputs to an order: the table, how many must agree, the signed job.

use super::{
    content::{Content, Named},
    inputs::Draft,
};
use crate::{data::DataDir, exit::Exit, failure::Failure, machine, text};
use api::Status;
use bytes::Bytes;
use identity::{SecretKey, Signed, canonical};
use objects::{Block, Cid, Codec};
use protocol::{
    Distinct, Genesis, Input, Job, Limits, Placement, TaskSpec, TaskTable, Verification, limits,
};
use std::{path::Path, time::Duration};

/// Bytes of a program.
const PROGRAM_BYTES: u64 = 256 << 20;
/// How long results count if nothing else is said.
const USUAL_LIFETIME: Duration = Duration::from_secs(24 * 3_600);

/// Content with its names.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) content: Content,
    pub(crate) named: Named,
}

/// Everything of a job that does not depend on a node.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) program: Cid,
    pub(crate) table: TaskTable,
    pub(crate) table_block: Block,
    pub(crate) parcels: Vec<Parcel>,
    pub(crate) limits: Limits,
}

impl Plan {
    /// Names every input and makes the table.
    pub(crate) fn of(
        program: Bytes,
        args: Vec<String>,
        drafts: Vec<Draft>,
        limits: Limits,
    ) -> Result<Self, Failure> {
        let mut parcels = Vec::new();
        let program = parcel(Content::Bytes(program), &mut parcels)?.root.cid;
        let mut tasks = Vec::new();
        for draft in drafts {
            let mut inputs = Vec::new();
            for source in draft.inputs {
                let root = parcel(source.content, &mut parcels)?.root;
                inputs.push(Input {
                    name: source.name,
                    cid: root.cid,
                    size_bytes: root.size_bytes,
                });
            }
            let stdin = match draft.stdin {
                Some(content) => Some(parcel(content, &mut parcels)?.root.cid),
                None => None,
            };
            tasks.push(TaskSpec { name: draft.name, inputs, stdin, params: Vec::new() });
        }
        let table = TaskTable { args, tasks };
        table.check().map_err(|e| Failure::usage(e.to_string()))?;
        let bytes = canonical::encode(&table);
        if bytes.len() > limits::TABLE_BYTES {
            let (got, most) = (text::size(bytes.len() as u64), limits::TABLE_BYTES >> 20);
            return Err(Failure::usage(format!("a task table of {got}; at most {most} MiB"))
                .next("split the sweep into several jobs"));
        }
        let table_block = Block::of(Codec::DagCbor, bytes);
        Ok(Self { program, table, table_block, parcels, limits })
    }

    /// Bytes of all inputs and the program.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.parcels.iter().map(|parcel| parcel.named.root.size_bytes).sum()
    }

    /// Signs the order for the network and the home that the node says, which must be the ones of
    /// `data`.
    pub(crate) fn sign(
        &self,
        home: &Home,
        verification: Verification,
        placement: Placement,
        timeout: Option<Duration>,
    ) -> Result<Signed<Job>, Failure> {
        let issued = machine::now();
        let longest = home.status.job_lifetime_ms;
        let lifetime_ms = match timeout.map(text::ms) {
            Some(ms) if ms > longest => {
                let longest = text::lasting(Duration::from_millis(longest));
                return Err(Failure::usage(format!(
                    "this polity keeps jobs for {longest} at most"
                )));
            }
            Some(ms) => ms,
            None => text::ms(USUAL_LIFETIME).min(longest),
        };
        let job = Job {
            network: home.status.network,
            home: home.status.node,
            program: self.program,
            table: self.table_block.cid,
            tasks: u32::try_from(self.table.tasks.len()).map_err(Failure::internal)?,
            engine: home.status.fingerprint,
            seed: machine::nonce()?,
            limits: self.limits,
            placement,
            verification,
            issued,
            expires: issued.after_ms(lifetime_ms),
            nonce: machine::nonce()?,
        };
        let order = Signed::new(job, home.status.network, &home.owner);
        Job::check(&order, home.status.network).map_err(|e| Failure::usage(e.to_string()))?;
        Ok(order)
    }
}

fn parcel(content: Content, parcels: &mut Vec<Parcel>) -> Result<Named, Failure> {
    let named = content.name().map_err(|error| match &content {
        Content::File(path) => Failure::file(path, &error),
        Content::Bytes(_) => Failure::internal(error),
    })?;
    parcels.push(Parcel { content, named: named.clone() });
    Ok(named)
}

/// Reads a program.
pub(crate) fn read_program(path: &Path) -> Result<Bytes, Failure> {
    let bytes = crate::data::read_bounded(path, PROGRAM_BYTES)
        .map_err(|error| Failure::file(path, &error))?;
    Ok(bytes.into())
}

/// The node that takes care of our jobs, and our right to order there.
pub(crate) struct Home {
    pub(crate) status: Status,
    pub(crate) genesis: Genesis,
    owner: SecretKey,
}

impl Home {
    /// Checks that the node is of the network that `data` belongs to, and of the owner whose key
    /// is there.
    pub(crate) fn of(data: &DataDir, status: Status) -> Result<Self, Failure> {
        let dir = data.root().display();
        let genesis = pinned(data, &status)?;
        let owner = data.owner_key()?.filter(|key| key.public() == status.owner);
        let owner = owner.ok_or_else(|| {
            let owner = status.owner;
            Failure::usage(format!("{dir}/owner.key is not the key of this node's owner, {owner}"))
                .next("give jobs from the machine that has it, or copy owner.key from there")
        })?;
        if !status.admitted {
            return Err(Failure::new(Exit::Refused, "this node is not admitted yet")
                .next("see where it stands with: polity node describe"));
        }
        Ok(Self { status, genesis, owner })
    }
}

/// The genesis of the network that `data` belongs to, which must be the node's.
pub(crate) fn pinned(data: &DataDir, status: &Status) -> Result<Genesis, Failure> {
    let dir = data.root().display();
    let genesis = data.genesis()?.ok_or_else(|| {
        Failure::usage(format!("{dir} belongs to no network yet"))
            .next(format!("start a node with: polity up --data {dir} --genesis FILE"))
    })?;
    let (network, other) = (genesis.network(), status.network);
    if network == other {
        return Ok(genesis);
    }
    let message = format!("the node is of network {other}, {dir} belongs to {network}");
    Err(Failure::new(Exit::Refused, message))
}

/// How many must agree: what was asked for, or the best that the connected parties can give, with
/// a sentence that says so.
pub(crate) fn verification(
    asked: Option<Verification>,
    parties: u32,
    distinct: Distinct,
) -> Result<(Verification, String), Failure> {
    let of = |k, n| Verification { k, n };
    let (kind, have) = (kind(distinct), connected(parties, distinct));
    match asked {
        Some(asked) if u32::from(asked.k) > parties => Err(Failure::new(
            Exit::Refused,
            format!("{asked} needs {} different {kind}, {have}", asked.k),
        )
        .next("see who is there with: polity node list")),
        Some(asked) => Ok((asked, format!("{asked}, as asked for"))),
        // Nobody else would be asked on disagreement: all of them, at once.
        None if parties >= 3 && distinct == Distinct::Nodes => {
            Ok((of(3, 3), "3of3 (3 replicas, 1 owner: shows determinism, not honesty)".to_string()))
        }
        None if parties >= 3 => Ok((of(2, 3), format!("2of3 ({have})"))),
        None if parties == 2 => Ok((of(2, 2), format!("2of2, the best there is ({have})"))),
        None => Ok((Verification::SINGLE, format!("single, compared with nothing ({have})"))),
    }
}

/// What replicas of one task differ in.
fn kind(distinct: Distinct) -> &'static str {
    match distinct {
        Distinct::Owners => "owners",
        Distinct::Nodes => "nodes",
    }
}

fn connected(parties: u32, distinct: Distinct) -> String {
    let kind = kind(distinct);
    if parties == 1 {
        format!("1 {} is connected", kind.trim_end_matches('s'))
    } else {
        format!("{parties} {kind} are connected")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_verification_there_is_unless_one_is_asked_for() {
        let owners = Distinct::Owners;
        let usual = |parties| verification(None, parties, owners).unwrap().0.to_string();
        assert_eq!([0, 1, 2, 3, 9].map(usual), ["single", "single", "2of2", "2of3", "2of3"]);
        let asked =
            |text: &str, parties| verification(Some(text.parse().unwrap()), parties, owners);
        assert_eq!(asked("3of5", 3).unwrap().0.to_string(), "3of5");
        let failure = asked("3of5", 2).unwrap_err();
        assert_eq!(failure.exit, Exit::Refused);
        assert!(failure.message.contains("needs 3 different owners"), "{failure}");
    }

    #[test]
    fn replicas_of_one_owner_are_compared_all_and_said_to_show_no_honesty() {
        let usual = |parties| verification(None, parties, Distinct::Nodes).unwrap();
        assert_eq!(
            [1, 2, 3, 5].map(|n| usual(n).0.to_string()),
            ["single", "2of2", "3of3", "3of3"]
        );
        assert!(usual(3).1.contains("determinism, not honesty"), "{}", usual(3).1);
        let asked = verification(Some("4of4".parse().unwrap()), 3, Distinct::Nodes).unwrap_err();
        assert!(asked.message.contains("4 different nodes, 3 nodes are connected"), "{asked}");
    }

    #[test]
    fn a_plan_names_everything_it_needs() {
        let draft = Draft {
            name: "task".into(),
            inputs: Vec::new(),
            stdin: Some(Content::Bytes(Bytes::from_static(b"in"))),
        };
        let program = Bytes::from_static(b"\0asm");
        let plan = Plan::of(program, vec!["{}".into()], vec![draft], Limits::default()).unwrap();
        assert_eq!(plan.parcels.len(), 2);
        assert_eq!(plan.size_bytes(), 6);
        assert_eq!(plan.program, Cid::of(Codec::Raw, b"\0asm"));
        assert_eq!(plan.table.cid(), plan.table_block.cid);
        assert_eq!(plan.table.tasks[0].stdin, Some(Cid::of(Codec::Raw, b"in")));
    }
}
