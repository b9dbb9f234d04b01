//! `polity rerun`: a job once more, or what failed in it.

use super::{
    Context, EXIT_CODES,
    ordering::{Source, Wish, order},
    wishes::{Place, Terms},
};
use crate::{
    connect,
    exit::Exit,
    failure::Failure,
    job::{
        known::{self, Known, Part},
        order::{self as orders, Plan},
        select,
    },
    text,
    verify::{Pins, shows},
};
use api::NodeApi;
use bytes::Bytes;
use protocol::{Genesis, JobId, Receipt, Report, TaskIndex};

/// `polity rerun`
#[derive(Debug, clap::Args)]
#[command(after_help = after())]
pub(super) struct Args {
    /// The job: its id, the beginning or end of its id, or last
    #[arg(value_name = "JOB|last", default_value = "last")]
    job: String,
    /// Only tasks that were not agreed, or did not end with 0
    #[arg(long)]
    failed: bool,
    /// Check everything and order nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    place: Place,
}

fn after() -> String {
    format!(
        "\
Program, inputs and arguments are those of the job; the node has them. So are
limits, verification, placement, priority and what nodes must be, unless
something else is said. A deadline is not: it was that of another day.

With --failed the results of all other tasks are fetched too, with the receipt
that they have: DIR is complete in the end. It may be the directory of the job.

{EXIT_CODES}

Examples:
  polity rerun --failed --fuel 500G -o out/
  polity rerun abcd1234 --verify 3of5"
    )
}

/// What a receipt says of the tasks of its job.
struct Before {
    good: Vec<(usize, TaskIndex)>,
    not_agreed: usize,
    ended: usize,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let Args { job, failed, dry_run, mut terms, place } = args;
    let data = context.data()?;
    let node = connect::node(&data)?;
    let genesis = orders::pinned(&data, &node.status().await?)?;
    let job = select::job(&node, &job).await?;
    let bytes = node.receipt(job).await?;
    let (receipt, report) = hold(bytes.clone(), job, &genesis).await?;
    let (body, ordered) = (&receipt.body, &receipt.body.order.payload);
    let limits = terms.limits(ordered.limits);
    let plan = Plan::of_table(ordered.program, body.table.clone(), limits, ordered.seed)?;
    terms.verify = terms.verify.or(Some(ordered.verification));
    // Its deadline was that of another day.
    terms.needs.usual = protocol::Terms { deadline: None, ..ordered.terms.clone() };
    terms.placement = terms.placement.or(Some(ordered.placement));
    let all = body.table.len();
    let short = text::short(job);
    let source = if failed {
        let before = Before::of(&receipt, &report);
        if before.good.len() == all {
            let tasks = text::plural(all, "task");
            context.out.say(format!("job …{short}: {tasks}, and none failed"));
            return Ok(Exit::Success);
        }
        context.out.say(format!("job …{short}: {}", before.sentence(all)));
        if before.ended > 0 && limits == ordered.limits {
            context.out.say(
                "The same program ends the same way again, unless it met a limit: --fuel, --memory",
            );
        }
        let (good, shows) = (before.good, shows::of_receipt(&genesis, &report));
        Source::Taken(taken(job, bytes, (&receipt, &report), good, shows))
    } else {
        context.out.say(format!("job …{short}: {} once more", text::plural(all, "task")));
        Source::Fresh
    };
    let wish = Wish { plan, terms, place, called: "rerun".into(), source, dry_run };
    order(wish, &data, context.out).await
}

/// The receipt must hold: what it says of the tasks is what is done about them.
async fn hold(bytes: Bytes, job: JobId, genesis: &Genesis) -> Result<(Receipt, Report), Failure> {
    let pins = Pins::one(genesis.network(), "data directory");
    let held = tokio::task::spawn_blocking(move || known::hold(&bytes, &job, &pins)).await;
    held.map_err(Failure::internal)?.map_err(|failure| {
        let message = format!("the receipt of job …{}: {}", text::short(job), failure.message);
        Failure::new(failure.exit, message)
    })
}

fn taken(
    job: JobId,
    bytes: Bytes,
    (receipt, report): (&Receipt, &Report),
    good: Vec<(usize, TaskIndex)>,
    shows: Option<String>,
) -> Known {
    let outcome = |(at, task)| Some((at, task, known::good(receipt, report, task)?.clone()));
    let tasks: Vec<_> = good.into_iter().filter_map(outcome).collect();
    if tasks.is_empty() {
        return Known::default();
    }
    let part = Part { job, bytes, time: None, tasks, shows };
    Known { parts: vec![part], refused: Vec::new() }
}

impl Before {
    fn of(receipt: &Receipt, report: &Report) -> Self {
        let mut before = Self { good: Vec::new(), not_agreed: 0, ended: 0 };
        for (at, task) in (0..receipt.body.table.len()).zip((0..).map(TaskIndex)) {
            if known::good(receipt, report, task).is_some() {
                before.good.push((at, task));
            } else if report.settled.contains_key(&task) {
                before.ended += 1;
            } else {
                before.not_agreed += 1;
            }
        }
        before
    }

    fn sentence(&self, all: usize) -> String {
        let number = |count: usize| text::number(count as u64);
        let mut why = Vec::new();
        if self.not_agreed > 0 {
            why.push(format!("{} not agreed", number(self.not_agreed)));
        }
        if self.ended > 0 {
            why.push(format!("{} ended otherwise than with 0", number(self.ended)));
        }
        let failed = self.not_agreed + self.ended;
        format!("{} of {} tasks once more: {}", number(failed), number(all), why.join(", "))
    }
}
