//! Tasks that are run again on this machine, without trust in anybody.

use super::{Held, Proven, stock::Stock, stock::Wanted};
use crate::{
    exit::Exit,
    failure::Failure,
    launch::{Launch, RerunOrder},
};
use identity::{Digest, PublicKey};
use protocol::{Job, JobId, Outcome, OutcomeDigest, Proof, TaskIndex, TaskSpec, TaskTable};
use serde_json::{Value, json};
use std::{borrow::Cow, path::PathBuf};

/// Names in a list, at most.
const LISTED: usize = 20;

/// Where content is looked for, and which tasks are run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Materials {
    pub(crate) program: Option<PathBuf>,
    pub(crate) inputs: Vec<PathBuf>,
    /// Tasks by their names; all, if there are none.
    pub(crate) tasks: Vec<String>,
}

/// What this machine found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// What was agreed on, or what the validators found.
    Same,
    /// Something else.
    Other {
        /// What differs, as far as that can be seen.
        differs: Vec<&'static str>,
    },
    /// What somebody claimed whom the verdict refutes.
    Claimed(PublicKey),
    /// It cannot be compared: the job names another engine than this machine has.
    OtherEngine {
        /// The job's.
        theirs: Digest,
        /// This machine's.
        ours: Digest,
    },
}

/// Hears how many tasks were run again, and how many there are, before each of them.
pub(crate) type Tell<'a> = &'a dyn Fn(usize, usize);

/// A task that was run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Again {
    pub(crate) task: TaskIndex,
    pub(crate) name: String,
    /// What it should give.
    pub(crate) expected: OutcomeDigest,
    /// What it gave.
    pub(crate) here: OutcomeDigest,
    pub(crate) found: Match,
    /// Who claimed something else than was expected: their claims are lies if it is the same.
    pub(crate) others: Vec<PublicKey>,
}

/// All that was run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rerun(pub(crate) Vec<Again>);

impl Rerun {
    /// How the command ends, as far as this matters.
    pub(crate) fn exit(&self) -> Exit {
        let any = |is: fn(&Match) -> bool| self.0.iter().any(|again| is(&again.found));
        if any(|found| matches!(found, Match::Other { .. } | Match::Claimed(_))) {
            Exit::Unverified
        } else if any(|found| matches!(found, Match::OtherEngine { .. })) {
            Exit::NotComparable
        } else {
            Exit::Success
        }
    }

    /// `names` says who a node is.
    pub(crate) fn text(&self, names: impl Fn(&PublicKey) -> String) -> String {
        let mut lines = Vec::new();
        for again in self.0.iter().filter(|again| again.found != Match::Same).take(LISTED) {
            lines.extend(again.trouble(&names));
        }
        let (all, same) = (self.0.len(), self.0.iter().filter(|a| a.found == Match::Same).count());
        let word = match self.exit() {
            Exit::Success => "OK",
            Exit::NotComparable => "??",
            _ => "FAIL",
        };
        let noun = if all == 1 { "task" } else { "tasks" };
        lines
            .push(format!("{word:<10}rerun: {same} of {all} {noun} gave the same on this machine"));
        let lies = self.0.iter().filter(|again| again.found == Match::Same);
        let lies = lies.flat_map(|again| again.others.iter().map(move |node| (node, &again.name)));
        for (node, task) in lies.take(LISTED) {
            let node = names(node);
            lines.push(format!("          {task}: this machine found the same as the validators:"));
            lines.push(format!("          the claim of {node} is a lie"));
        }
        lines.join("\n") + "\n"
    }

    pub(crate) fn json(&self) -> Value {
        let one = |again: &Again| {
            let mut value = json!({
                "task": again.task,
                "name": again.name,
                "expected": again.expected,
                "here": again.here,
                "same": again.found == Match::Same,
                "lies": if again.found == Match::Same { again.others.as_slice() } else { &[] },
            });
            match &again.found {
                Match::Same => {}
                Match::Other { differs } => value["differs"] = json!(differs),
                Match::Claimed(node) => value["claimed_by"] = json!(node),
                Match::OtherEngine { theirs, ours } => {
                    value["engine"] = json!({ "theirs": theirs, "ours": ours });
                }
            }
            value
        };
        self.0.iter().map(one).collect()
    }
}

impl Again {
    fn trouble(&self, names: &impl Fn(&PublicKey) -> String) -> Vec<String> {
        let Self { name, expected, here, .. } = self;
        let digests =
            || [format!("          expected {expected}"), format!("          here     {here}")];
        match &self.found {
            Match::Same => Vec::new(),
            Match::Other { differs } => {
                let what = if differs.is_empty() { "" } else { ": it differs in " };
                let line = format!(
                    "FAIL      {name}: another outcome on this machine{what}{}",
                    differs.join(", ")
                );
                [line].into_iter().chain(digests()).collect()
            }
            Match::Claimed(node) => {
                let node = names(node);
                let line = format!("FAIL      {name}: this machine found what {node}");
                let next = "          claimed: the verdict is wrong, or this machine is".into();
                [line, next].into_iter().chain(digests()).collect()
            }
            Match::OtherEngine { theirs, ours } => vec![
                format!("??        {name}: not comparable, this machine has another engine"),
                format!("          the job's {theirs}"),
                format!("          here      {ours}"),
            ],
        }
    }
}

/// A job of which tasks are run again.
struct Bench<'a> {
    launch: &'a dyn Launch,
    stock: Stock,
    job: &'a Job,
    id: JobId,
    table: &'a TaskTable,
}

impl<'a> Bench<'a> {
    /// Finds everything that the tasks need, or says what is missing.
    fn set_up(
        launch: &'a dyn Launch,
        materials: &Materials,
        (job, table): (&'a Job, &'a TaskTable),
        tasks: &[TaskIndex],
    ) -> Result<Self, Failure> {
        let stock = Stock::of(materials.program.as_deref(), &materials.inputs)?;
        let mut wanted: Vec<Wanted> = vec![("the program".into(), job.program)];
        for spec in tasks.iter().filter_map(|task| table.task_of(*task)) {
            wanted.extend(spec.inputs.iter().map(|input| (input.name.clone(), input.cid)));
            wanted.extend(spec.stdin.map(|cid| (format!("stdin of {}", spec.name), cid)));
        }
        let missing = stock.missing(wanted);
        if missing.is_empty() {
            return Ok(Self { launch, stock, job, id: job.id(), table });
        }
        let mut message = "to run this again these files are needed too:".to_string();
        for (name, cid) in missing.iter().take(LISTED) {
            message.push_str(&format!("\n  {name}  {cid}"));
        }
        if missing.len() > LISTED {
            message.push_str(&format!("\n  … and {} more", missing.len() - LISTED));
        }
        Err(Failure::usage(message).next(
            "name them with --program FILE and --inputs PATH…: files or directories, whatever \
             the files are called now",
        ))
    }

    fn spec(&self, task: TaskIndex) -> Result<Cow<'a, TaskSpec>, Failure> {
        let spec = self.table.task_of(task);
        spec.ok_or_else(|| Failure::new(Exit::Unverified, format!("the job has no task {task}")))
    }

    /// Why an outcome cannot be compared with others of the job, if it cannot.
    fn compare(&self, here: &Outcome) -> Option<Match> {
        let (theirs, ours) = (self.job.engine, here.fingerprint);
        (theirs != ours).then_some(Match::OtherEngine { theirs, ours })
    }

    fn run(&self, task: TaskIndex) -> Result<Outcome, Failure> {
        let spec = self.spec(task)?;
        let mut inputs = Vec::new();
        for input in &spec.inputs {
            inputs.push((input.name.clone(), self.stock.input(&input.cid)?));
        }
        let stdin = spec.stdin.map(|cid| self.stock.input(&cid)).transpose()?;
        let order = RerunOrder {
            job: self.id,
            limits: self.job.limits,
            program: self.stock.program(&self.job.program)?,
            program_cid: self.job.program,
            args: self.table.args_of(&spec),
            inputs,
            stdin,
            env: spec.params.clone(),
            seed: self.table.seed_of(&self.job.seed, &spec),
            task,
        };
        self.launch.rerun(order).map_err(|error| {
            Failure::internal(format!("{}: no result on this machine: {error:#}", spec.name))
                .next("a faster machine, or one with more memory, may give one")
        })
    }
}

/// Runs tasks of a receipt again; the first one only, if this machine has another engine.
pub(crate) fn receipt(
    held: &Held,
    materials: &Materials,
    launch: &dyn Launch,
    tell: Tell<'_>,
) -> Result<Rerun, Failure> {
    let body = &held.receipt.body;
    let tasks = named(&body.table, &materials.tasks)?;
    let settled = |task: &TaskIndex| body.outcomes.iter().find(|outcome| outcome.task == *task);
    if let Some(name) = materials.tasks.iter().zip(&tasks).find(|(_, task)| settled(task).is_none())
    {
        let message = format!("{} was not agreed: there is nothing to compare with", name.0);
        return Err(Failure::usage(message).next("leave it out: --task takes several names"));
    }
    let outcomes: Vec<_> = tasks.iter().filter_map(settled).collect();
    let tasks: Vec<_> = outcomes.iter().map(|outcome| outcome.task).collect();
    let job = &body.order.payload;
    let bench = Bench::set_up(launch, materials, (job, &body.table), &tasks)?;
    let mut all = Vec::new();
    for (done, outcome) in outcomes.iter().enumerate() {
        tell(done, outcomes.len());
        let task = outcome.task;
        let others = held.report.refuted.get(&task).into_iter().flatten();
        let here = bench.run(task)?;
        let found = bench.compare(&here).unwrap_or_else(|| match differences(outcome, &here) {
            differs if differs.is_empty() => Match::Same,
            differs => Match::Other { differs },
        });
        // What another engine gives of the other tasks says nothing either.
        let is_other = matches!(found, Match::OtherEngine { .. });
        all.push(Again {
            task,
            name: bench.spec(task)?.name.clone(),
            expected: outcome.digest(),
            here: here.digest(),
            found,
            others: others.map(|(node, _)| *node).collect(),
        });
        if is_other {
            break;
        }
    }
    Ok(Rerun(all))
}

/// What differs between two outcomes of one task by one engine.
fn differences(expected: &Outcome, here: &Outcome) -> Vec<&'static str> {
    let parts = [
        ("its end", expected.end != here.end),
        ("fuel", expected.fuel != here.fuel),
        ("its files", expected.outputs != here.outputs),
        ("stdout", expected.stdout != here.stdout),
        ("stderr", expected.stderr != here.stderr),
    ];
    parts.into_iter().filter(|(_, differs)| *differs).map(|(part, _)| part).collect()
}

/// Runs the disputed task of an evidence file again.
pub(crate) fn evidence(
    proven: &Proven,
    materials: &Materials,
    launch: &dyn Launch,
    tell: Tell<'_>,
) -> Result<Rerun, Failure> {
    let (Proof::Verdict(decided), Some((_, task, expected))) =
        (&proven.evidence.proof, proven.report.verdict)
    else {
        return Err(Failure::usage(
            "there is nothing to run again: the statements contradict each other, whatever the \
             task gives",
        )
        .next("leave --rerun out"));
    };
    let dispute = decided.disputes.first();
    let dispute =
        dispute.ok_or_else(|| Failure::new(Exit::Unverified, "no dispute in the file"))?;
    let job = &dispute.payload.order.payload;
    let named = named(&decided.table, &materials.tasks)?;
    if !named.contains(&task) {
        let name = proven.task_name(task);
        return Err(Failure::usage(format!("the evidence is about the task {name} only"))
            .next("leave --task out"));
    }
    let bench = Bench::set_up(launch, materials, (job, &decided.table), &[task])?;
    tell(0, 1);
    let outcome = bench.run(task)?;
    let here = outcome.digest();
    let accused = &proven.report.accused;
    let claimant = accused.iter().find(|accused| accused.claimed == Some(here));
    let found = bench.compare(&outcome).unwrap_or_else(|| match claimant {
        _ if here == expected => Match::Same,
        Some(accused) => Match::Claimed(accused.node),
        // The file holds digests only: what differs cannot be seen.
        None => Match::Other { differs: Vec::new() },
    });
    let others = accused.iter().map(|accused| accused.node).collect();
    let name = bench.spec(task)?.name.clone();
    Ok(Rerun(vec![Again { task, name, expected, here, found, others }]))
}

/// The tasks of these names, in that order; all, if there are none.
fn named(table: &TaskTable, names: &[String]) -> Result<Vec<TaskIndex>, Failure> {
    let index = |at: usize| TaskIndex(u32::try_from(at).expect("a table has few enough tasks"));
    if names.is_empty() {
        return Ok((0..table.len()).map(index).collect());
    }
    let find = |name: &String| {
        let found = table.tasks().position(|spec| spec.name == *name);
        found.map(index).ok_or_else(|| {
            let first = table.name(0).unwrap_or_default();
            Failure::usage(format!("the job has no task named {name}"))
                .next(format!("tasks are named as their files are: the first one is {first}"))
        })
    };
    names.iter().map(find).collect()
}
