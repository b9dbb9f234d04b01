//! From a plan to an order and its results: what is known is taken, what runs already is followed,
//! the rest is ordered. For `run` and `rerun`.

use super::{
    job::{Whole, conclude},
    wishes::{Place, Terms},
};
use crate::{
    connect,
    content::spread::spread,
    data::DataDir,
    exit::Exit,
    failure::Failure,
    job::{
        course::Wait,
        fit,
        follow::{Followed, Patience},
        known::{self, Known, Wanted},
        manifest::Manifest,
        order::{self, Home, Plan},
        results::{self, Results},
        select,
        twin::{self, Orders},
        upload,
    },
    out::Out,
    text,
    verify::Pins,
};
use api::{NodeApi, Submission};
use futures::future::try_join;
use identity::Digest;
use objects::{CHUNK_BYTES, Cid};
use protocol::{Job, JobId, Placement, TaskKey, TaskSpec, TaskTable, limits};
use std::{borrow::Cow, collections::BTreeSet, path::PathBuf, sync::Arc};

/// What is to be done.
pub(super) struct Wish {
    pub(super) plan: Plan,
    pub(super) terms: Terms,
    pub(super) place: Place,
    /// What a directory is called after, if none is named.
    pub(super) called: String,
    pub(super) source: Source,
    pub(super) dry_run: bool,
}

/// Where results may come from that need no order.
pub(super) enum Source {
    /// From nowhere: everything runs.
    Fresh,
    /// From wherever the node knows them.
    Known,
    /// From here, and nowhere else.
    Taken(Known),
}

/// What every step needs.
struct Begun<N> {
    node: N,
    home: Home,
    terms: order::Terms,
    after: Vec<JobId>,
    orders: Orders,
    /// Blocks that the node does not have.
    missing: BTreeSet<Cid>,
    /// Why nothing can be ordered now; what is known may be enough.
    refusal: Option<Failure>,
    out: Out,
}

/// What is left to do for the tasks that are not known.
enum Rest {
    Nothing,
    /// They run already.
    Runs(JobId, TaskTable),
    /// They are to be ordered.
    Order(Box<(Job, Plan)>),
}

/// Orders what is neither known nor running, and waits for all of it.
pub(super) async fn order(wish: Wish, data: &DataDir, out: Out) -> Result<Exit, Failure> {
    let Wish { plan, terms, place, called, source, dry_run } = wish;
    let mut begun = begin(&plan, &terms, data, out).await?;
    let whole = plan.job(&begun.home, &begun.terms)?;
    let fresh = matches!(source, Source::Fresh);
    let mut known = match source {
        Source::Fresh => Known::default(),
        Source::Taken(known) => known,
        Source::Known => begun.ask(&plan, &whole).await?,
    };
    if dry_run {
        return begun.describe(&plan, &known);
    }
    let (run, table) = (plan.run(), plan.table.clone());
    let limit_bytes = plan.limits.output_bytes;
    let rest = begun.rest(plan, whole, &mut known, fresh).await?;
    let job = match &rest {
        Rest::Nothing => known.parts.first().map(|part| part.job),
        Rest::Runs(job, _) => Some(*job),
        Rest::Order(order) => Some(order.0.id()),
    };
    let job = job.ok_or_else(|| Failure::internal("a run without tasks"))?;
    let name = |at: usize| table.name(at).unwrap_or_default().into_owned();
    let ordered = !matches!(rest, Rest::Nothing);
    // Whoever leaves, and waits for everything, needs no directory yet.
    let nowhere = place.detach && ordered && place.output.is_none() && known.parts.is_empty();
    let results = match nowhere {
        true => None,
        false => {
            let manifest = Manifest { run, tasks: table.len(), known: known.listed(name) };
            let dir = place.output.unwrap_or_else(|| free_dir(&called, &job, &run));
            let results = Results::open(dir, manifest, limit_bytes)?;
            let receipts = known.parts.iter().filter(|_| ordered || known.parts.len() > 1);
            results.keep_known(receipts.map(|part| (&part.job, &part.bytes)))?;
            Some(results)
        }
    };
    let followed = match begun.follow(rest, results.as_ref()).await {
        Ok(followed) => followed,
        Err(failure) => {
            results.into_iter().for_each(Results::abandon);
            return Err(failure);
        }
    };
    match (results, followed) {
        (Some(results), followed) if !(place.detach && ordered) => {
            let receipt = known.parts.first().filter(|_| !ordered && known.parts.len() == 1);
            let whole = Whole {
                table: &table,
                known: known.done(name),
                receipt: receipt.map(|part| part.bytes.clone()),
                shows: known.parts.iter().find_map(|part| part.shows.clone()),
                results: &results,
                collect: &place.collect,
                header: place.collect_header,
                quiet: place.detach || place.collect.iter().any(|one| one.file().is_none()),
            };
            let patience = patience(&begun.terms, &place.wait, &place.collect);
            let exit =
                conclude(&begun.node, &begun.home.genesis, whole, followed, patience, out).await?;
            if place.detach && !out.json {
                out.bytes(format!("{job}\n").as_bytes())?;
            }
            // What did not end well is not worth keeping for long.
            if let (Some(durability), Exit::Success) = (place.durability, exit) {
                let node = Arc::new(connect::node(data)?);
                spread(node, results.dir(), durability, out).await?;
            }
            Ok(exit)
        }
        (results, _) => leave(job, results, out),
    }
}

/// A directory that nobody named: called after the job, or, if results of another run that the job
/// knew are there, after the run.
fn free_dir(called: &str, job: &JobId, run: &Digest) -> PathBuf {
    let dir = results::usual_dir(called, job);
    match results::check(&dir, run) {
        Ok(()) => dir,
        Err(_) => results::usual_dir(called, run),
    }
}

/// How far to wait, and how long.
fn patience<C>(terms: &order::Terms, wait: &Option<Wait>, collect: &[C]) -> Patience {
    let wait = wait.unwrap_or(Wait::Final);
    // Of one replica the first outcome is all that there will be; and what is collected is files.
    let least = terms.verification.k == 1 || !collect.is_empty();
    let wait = if least { wait.max(Wait::Agreed) } else { wait };
    Patience { wait, timeout: terms.timeout }
}

/// Asks what must be known of the node, and settles the terms.
async fn begin(
    plan: &Plan,
    terms: &Terms,
    data: &DataDir,
    out: Out,
) -> Result<Begun<impl NodeApi + use<>>, Failure> {
    let node = connect::node(data)?;
    let status = async { Ok(node.status().await?) };
    let (status, missing) = try_join(status, upload::missing(plan, &node)).await?;
    let home = Home::of(data, status)?;
    let found = order::verification(terms.verify, home.status.parties, home.status.distinct);
    let (verification, how, refusal) = match (found, terms.verify) {
        (Ok((verification, how)), _) => (verification, how, None),
        (Err(refusal), Some(asked)) => (asked, format!("{asked}, as asked for"), Some(refusal)),
        (Err(refusal), None) => return Err(refusal),
    };
    let placement = terms.placement.unwrap_or(Placement::Fast);
    let count = text::plural(plan.table.len(), "task");
    let size = match plan.size_bytes() {
        0 => String::new(),
        bytes => format!(", {}", text::size(bytes)),
    };
    let first = match terms.needs.first() {
        Some(first) => format!(", {first}"),
        None => String::new(),
    };
    out.say(format!("{count}{size}, verification {how}, placement {placement}{first}"));
    let mut after = Vec::new();
    for text in &terms.after {
        let job = select::job(&node, text).await?;
        if !after.contains(&job) {
            after.push(job);
        }
    }
    if after.len() > limits::AFTER {
        let (got, most) = (after.len(), limits::AFTER);
        return Err(Failure::usage(format!("{got} jobs to wait for; at most {most}")));
    }
    let nodes = if terms.needs.asks() { node.nodes().await? } else { Vec::new() };
    let asked = terms.needs.terms(&nodes)?;
    let (timeout, deadline) = (terms.timeout, terms.needs.deadline);
    let terms = order::Terms { verification, placement, timeout, deadline, asked };
    let orders = Orders::of(data);
    if !nodes.is_empty() {
        fit::check(&plan.job(&home, &terms)?, &home.owner(), &nodes)?;
    }
    Ok(Begun { node, home, terms, after, orders, missing, refusal, out })
}

impl<N: NodeApi> Begun<N> {
    /// What the node knows of these tasks, verified.
    async fn ask(&self, plan: &Plan, whole: &Job) -> Result<Known, Failure> {
        let key = |task: Cow<'_, TaskSpec>| whole.key_of(&plan.table, &task);
        let keys: Vec<TaskKey> = plan.table.tasks().map(key).collect();
        let (k, placement) = (self.terms.verification.k, self.terms.placement);
        let pins = Pins::one(self.home.genesis.network(), "data directory");
        let wanted = Wanted { keys: &keys, k, placement };
        let known = known::ask(&self.node, &pins, &wanted).await?;
        for (job, failure) in known.refused.iter().take(known::REFUSALS) {
            let job = text::short(job);
            self.out.say(format!("the receipt of job …{job} is not used: {failure}"));
        }
        if known.count() > 0 {
            self.out.say(known.sentence(keys.len()));
        }
        Ok(known)
    }

    /// What is to be done about what is not known. What runs already counts more than what is
    /// known: it is whole.
    async fn rest(
        &mut self,
        plan: Plan,
        whole: Job,
        known: &mut Known,
        fresh: bool,
    ) -> Result<Rest, Failure> {
        let places = known.rest(plan.table.len());
        if places.is_empty() {
            return Ok(Rest::Nothing);
        }
        if !fresh && let Some(job) = self.running(&whole).await? {
            *known = Known::default();
            return Ok(Rest::Runs(job, plan.table));
        }
        if known.parts.is_empty() {
            return match self.refusal.take() {
                Some(refusal) => Err(refusal),
                None => Ok(Rest::Order(Box::new((whole, plan)))),
            };
        }
        let mut part = match plan.only(&places) {
            // Of a grid the rest is no grid any more.
            Err(_) if !plan.table.axes().is_empty() && self.refusal.is_none() => {
                self.out.say("What is left is too much to list: everything runs once more.");
                *known = Known::default();
                return Ok(Rest::Order(Box::new((whole, plan))));
            }
            part => part?,
        };
        let job = part.job(&self.home, &self.terms)?;
        if !fresh && let Some(job) = self.running(&job).await? {
            return Ok(Rest::Runs(job, part.table));
        }
        if let Some(refusal) = self.refusal.take() {
            return Err(refusal);
        }
        plan.hand_over(&mut part);
        // Nobody has asked for this table yet.
        self.missing.insert(part.table_block.cid);
        Ok(Rest::Order(Box::new((job, part))))
    }

    async fn running(&self, job: &Job) -> Result<Option<JobId>, Failure> {
        let running = twin::running(&self.node, &self.orders, job, &self.after).await?;
        if let Some(job) = running {
            self.out.say(format!(
                "this runs already: following job …{} (--fresh starts another)",
                text::short(job)
            ));
        }
        Ok(running)
    }

    /// Orders what is to be ordered, and listens to it or to what runs already.
    async fn follow(
        &mut self,
        rest: Rest,
        results: Option<&Results>,
    ) -> Result<Option<Followed>, Failure> {
        let sealed = self.terms.placement == Placement::Sealed;
        let mark = |job: &JobId| results.map_or(Ok(()), |results| results.mark(job));
        match rest {
            Rest::Nothing => Ok(None),
            Rest::Runs(job, table) => {
                let events = self.node.events(job).await?;
                mark(&job)?;
                Ok(Some(Followed { job, table, sealed, events }))
            }
            Rest::Order(order) => {
                let (job, plan) = *order;
                let (id, asked) = (job.id(), twin::what(&job, &self.after));
                let order = self.home.sign(job)?;
                let (table, missing) = (plan.table.clone(), std::mem::take(&mut self.missing));
                let blobs = upload::blobs(plan, missing);
                let submission = Submission { order, after: self.after.clone(), blobs };
                let events = self.node.submit(submission).await?;
                self.out.say(format!("job {id}"));
                mark(&id)?;
                // Whoever repeats this command then orders once more, and no harm is done.
                let _ = self.orders.keep(&asked, &id);
                Ok(Some(Followed { job: id, table, sealed, events }))
            }
        }
    }

    /// What would be ordered.
    fn describe(&self, plan: &Plan, known: &Known) -> Result<Exit, Failure> {
        let task = |task: Cow<'_, TaskSpec>| {
            let args = plan.table.args_of(&task);
            serde_json::json!({ "name": task.name, "args": args, "params": task.params })
        };
        let missing = self.missing.len();
        let whole = serde_json::json!({
            "program": plan.program,
            "table": plan.table_block.cid,
            "verification": self.terms.verification.to_string(),
            "placement": self.terms.placement,
            "limits": plan.limits,
            "terms": self.terms.asked,
            "deadline": self.terms.deadline.map(|deadline| deadline.to_string()),
            "seed": plan.seed,
            "tasks": plan.table.tasks().map(task).collect::<Vec<_>>(),
            "known": known.count(),
            "blocks_to_send": missing,
        });
        self.out
            .data(&whole, || plan.table.tasks().map(|task| format!("{}\n", task.name)).collect())?;
        let most = text::size((missing * CHUNK_BYTES) as u64);
        self.out.say(format!("{} to send, {most} at most", text::plural(missing, "block")));
        self.out.say("Nothing was ordered: this was a dry run.");
        Ok(Exit::Success)
    }
}

/// Leaves a job that goes on.
fn leave(job: JobId, results: Option<Results>, out: Out) -> Result<Exit, Failure> {
    let dir = match &results {
        Some(results) => {
            results.clear()?;
            Some(results.dir())
        }
        None => None,
    };
    let place = dir.map(|dir| format!(" -o {}", dir.display())).unwrap_or_default();
    let whole = serde_json::json!({ "job": job, "dir": dir });
    out.data(&whole, || format!("{job}\n"))?;
    out.say(format!("Fetch its results with:\n  polity job get {}{place}", text::short(job)));
    Ok(Exit::Success)
}
