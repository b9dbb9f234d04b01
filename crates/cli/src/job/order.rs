//! From inputs to an order: the table, how many must agree, the signed job.

use super::{
    content::{Content, Named, name_all},
    deadline::Deadline,
    inputs::{Draft, Inputs},
};
use crate::{data::DataDir, exit::Exit, failure::Failure, machine, text};
use api::Status;
use bytes::Bytes;
use identity::{Digest, PublicKey, SecretKey, Signed, canonical};
use objects::{Block, Cid, Codec, FileRoot};
use protocol::{
    Distinct, Genesis, Input, Job, Limits, Placement, TaskSpec, TaskTable, Verification, limits,
};
use std::{borrow::Cow, path::Path, time::Duration};

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
    /// Seed of what the program sees as random.
    pub(crate) seed: Digest,
}

/// How a job is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) verification: Verification,
    pub(crate) placement: Placement,
    /// How long its results count, if that was said.
    pub(crate) timeout: Option<Duration>,
    /// When it should be done, if that was said.
    pub(crate) deadline: Option<Deadline>,
    /// Everything else that the queue is told.
    pub(crate) asked: protocol::Terms,
}

impl Plan {
    /// Names every input and makes the table.
    pub(crate) fn of(
        program: Bytes,
        args: Vec<String>,
        inputs: Inputs,
        limits: Limits,
        seed: Digest,
    ) -> Result<Self, Failure> {
        let Inputs { mut contents, tasks, axes, .. } = inputs;
        contents.push(Content::Bytes(program));
        let named = name_all(&contents).map_err(|(at, error)| match &contents[at] {
            Content::File(path) => Failure::file(path, &error),
            Content::Bytes(_) => Failure::internal(error),
        })?;
        let cid = |at: usize| named[at].root.cid;
        let spec = |draft: Draft| {
            let input = |(name, at): (String, usize)| {
                let FileRoot { cid, size_bytes, .. } = named[at].root;
                Input { name, cid, size_bytes }
            };
            TaskSpec {
                name: draft.name,
                inputs: draft.inputs.into_iter().map(input).collect(),
                stdin: draft.stdin.map(cid),
                params: draft.params,
            }
        };
        let table = TaskTable::grid(args, tasks.into_iter().map(spec).collect(), axes);
        let program = cid(contents.len() - 1);
        let parcels = contents.into_iter().zip(named);
        let parcels = parcels.map(|(content, named)| Parcel { content, named }).collect();
        Ok(Self { parcels, ..Self::of_table(program, table, limits, seed)? })
    }

    /// A plan of which the node has everything but perhaps the table.
    pub(crate) fn of_table(
        program: Cid,
        table: TaskTable,
        limits: Limits,
        seed: Digest,
    ) -> Result<Self, Failure> {
        table.check().map_err(|e| Failure::usage(e.to_string()))?;
        let bytes = canonical::encode(&table);
        if bytes.len() > limits::TABLE_BYTES {
            let (got, most) = (text::size(bytes.len() as u64), limits::TABLE_BYTES >> 20);
            let count = table.len();
            let (tasks, fit) =
                (text::number(count as u64), count * limits::TABLE_BYTES / bytes.len());
            return Err(Failure::usage(format!(
                "the table of {tasks} tasks has {got}; at most {most} MiB"
            ))
            .next(format!(
                "split the sweep into several jobs: about {} such tasks fit into one",
                text::number(fit as u64)
            )));
        }
        let table_block = Block::of(Codec::DagCbor, bytes);
        Ok(Self { program, table, table_block, parcels: Vec::new(), limits, seed })
    }

    /// The same with only these tasks, which are places in the table in rising order, and only the
    /// content that they need.
    pub(crate) fn only(&self, places: &[usize]) -> Result<Self, Failure> {
        let tasks =
            places.iter().filter_map(|at| self.table.task(*at)).map(Cow::into_owned).collect();
        let table = TaskTable::of(self.table.args.clone(), tasks);
        Self::of_table(self.program, table, self.limits, self.seed)
    }

    /// Gives the content away to a plan with a part of the tasks.
    pub(crate) fn hand_over(self, part: &mut Self) {
        let mut needed = part.table.roots();
        needed.insert(part.program);
        let is_needed = |parcel: &Parcel| needed.contains(&parcel.named.root.cid);
        part.parcels = self.parcels.into_iter().filter(is_needed).collect();
    }

    /// What the results are of: equal for the same program, arguments, inputs and seed, whatever
    /// limits they are computed under.
    pub(crate) fn run(&self) -> Digest {
        run_of(&self.program, &self.table_block.cid, &self.seed)
    }

    /// Bytes of all inputs and the program.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.parcels.iter().map(|parcel| parcel.named.root.size_bytes).sum()
    }

    /// The job for the network and the home that the node says.
    pub(crate) fn job(&self, home: &Home, terms: &Terms) -> Result<Job, Failure> {
        let issued = machine::now();
        let longest = home.status.job_lifetime_ms;
        let lifetime_ms = match terms.timeout.map(text::ms) {
            Some(ms) if ms > longest => {
                let longest = text::lasting(Duration::from_millis(longest));
                return Err(Failure::usage(format!(
                    "this polity keeps jobs for {longest} at most"
                )));
            }
            Some(ms) => ms,
            None => text::ms(USUAL_LIFETIME).min(longest),
        };
        let expires = issued.after_ms(lifetime_ms);
        let deadline = terms.deadline.map(|deadline| deadline.at(issued));
        let asked = protocol::Terms { deadline, ..terms.asked.clone() };
        asked.check(issued, expires).map_err(|error| {
            let failure = Failure::usage(error.to_string());
            match deadline {
                Some(deadline) if deadline > expires => {
                    failure.next("let it live longer, as with: --timeout 7d")
                }
                _ => failure,
            }
        })?;
        Ok(Job {
            network: home.status.network,
            home: home.status.node,
            program: self.program,
            table: self.table_block.cid,
            tasks: u32::try_from(self.table.len()).map_err(Failure::internal)?,
            engine: home.status.fingerprint,
            seed: self.seed,
            limits: self.limits,
            placement: terms.placement,
            verification: terms.verification,
            issued,
            expires,
            nonce: machine::nonce()?,
            terms: asked,
        })
    }
}

/// What the results of a program, a table and a seed are of.
pub(crate) fn run_of(program: &Cid, table: &Cid, seed: &Digest) -> Digest {
    Digest::of("polity run", &[&program.to_bytes(), &table.to_bytes(), seed.as_bytes()])
}

/// The seed that a person means: of nothing, unless something is said.
pub(crate) fn seed(text: Option<&str>) -> Digest {
    text.map_or_else(Digest::default, |text| Digest::of("polity run seed", &[text.as_bytes()]))
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
                .next("ask an owner of the polity for 'polity invite', then: polity up --join …"));
        }
        Ok(Self { status, genesis, owner })
    }

    /// Who orders.
    pub(crate) fn owner(&self) -> PublicKey {
        self.owner.public()
    }

    /// Signs an order, which must be one that the node takes.
    pub(crate) fn sign(&self, job: Job) -> Result<Signed<Job>, Failure> {
        let order = Signed::new(job, self.status.network, &self.owner);
        Job::check(&order, self.status.network).map_err(|e| Failure::usage(e.to_string()))?;
        Ok(order)
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

    fn plan() -> Plan {
        let bytes = |text: &'static str| Content::Bytes(Bytes::from_static(text.as_bytes()));
        let task = |at: usize| Draft {
            name: format!("task {at}"),
            inputs: vec![("shared".into(), 0), ("own".into(), at)],
            stdin: Some(0),
            params: vec![("x".into(), at.to_string())],
        };
        let contents = vec![bytes("in"), bytes("one"), bytes("three")];
        let inputs = Inputs { contents, tasks: vec![task(1), task(2)], ..Inputs::default() };
        let program = Bytes::from_static(b"\0asm");
        Plan::of(program, vec!["{}".into()], inputs, Limits::default(), seed(None)).unwrap()
    }

    #[test]
    fn a_plan_names_everything_it_needs() {
        let plan = plan();
        assert_eq!((plan.parcels.len(), plan.size_bytes()), (4, 2 + 3 + 5 + 4));
        assert_eq!(plan.program, Cid::of(Codec::Raw, b"\0asm"));
        assert_eq!(plan.table.cid(), plan.table_block.cid);
        let task = &plan.table.rows()[1];
        assert_eq!(task.stdin, Some(Cid::of(Codec::Raw, b"in")));
        assert_eq!(task.inputs[1].cid, Cid::of(Codec::Raw, b"three"));
        assert_eq!(task.params, [("x".to_string(), "2".to_string())]);
    }

    #[test]
    fn a_part_of_a_plan_has_what_its_tasks_need_and_is_of_another_run() {
        let plan = plan();
        let mut part = plan.only(&[1]).unwrap();
        assert_ne!(part.run(), plan.run());
        assert_eq!(part.table.rows(), &plan.table.rows()[1..]);
        plan.hand_over(&mut part);
        assert_eq!(part.size_bytes(), 2 + 5 + 4);
    }

    #[test]
    fn a_run_is_the_same_whatever_its_limits() {
        let plan = plan();
        let more = Limits { fuel: 1, ..plan.limits };
        let table = plan.table.clone();
        let again = Plan::of_table(plan.program, table.clone(), more, plan.seed).unwrap();
        assert_eq!(again.run(), plan.run());
        let other = Plan::of_table(plan.program, table, more, seed(Some("7"))).unwrap();
        assert_ne!(other.run(), plan.run());
        assert_eq!(seed(None), Digest::default());
    }

    #[test]
    fn a_table_that_is_too_large_is_refused_with_how_many_fit() {
        let task = |at: usize| TaskSpec {
            name: format!("{at}{}", "x".repeat(200)),
            inputs: Vec::new(),
            stdin: None,
            params: Vec::new(),
        };
        let table = TaskTable::of(Vec::new(), (0..20_000).map(task).collect());
        let cid = Cid::of(Codec::Raw, b"");
        let failure = Plan::of_table(cid, table, Limits::default(), seed(None)).unwrap_err();
        assert!(failure.message.contains("20,000 tasks") && failure.message.contains("4 MiB"));
        assert!(failure.next.unwrap().contains("about 1"));
    }
}
