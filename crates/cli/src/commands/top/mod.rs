//! `polity top`: nodes, queue, throughput and ledger, as they are now, on a terminal that lives.

mod facts;
mod keys;
mod plain;
#[cfg(test)]
mod tests;
mod view;

use super::Context;
use crate::{connect, exit::Exit, failure::Failure};
use api::{Code, NodeApi};
use facts::Facts;
use futures::{
    FutureExt,
    future::{LocalBoxFuture, try_join4},
};
use keys::Keys;
use std::{io::IsTerminal, time::Duration};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use view::{Key, View};

/// How often the node is asked.
const EVERY: Duration = Duration::from_secs(1);

const AFTER: &str = "\
Keys:
  q, Esc, Ctrl-C     leave
  Tab                nodes or jobs
  up, down           move in what is chosen; also j and k
  PgUp, PgDn, Home   by pages, to the beginning
  s                  sort by something else

Examples:
  polity top
  polity top --once            once, as plain text, for pipes and logs
  polity top --once --json";

/// `polity top`
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// Print what there is now, as plain text, and leave
    #[arg(long)]
    once: bool,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let out = context.out;
    let here = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    if !args.once && (!here || out.json) {
        return Err(Failure::usage("there is no terminal here for a view that lives")
            .next("print it once with: polity top --once"));
    }
    let node = connect::node(&context.data()?)?;
    let mut facts = Facts::default();
    facts.take(ask(&node).await?);
    if args.once {
        out.data(&facts.json(), || plain::text(&facts))?;
        return Ok(Exit::Success);
    }
    live(&node, facts).await
}

/// What is asked of a node, all at once.
async fn ask(node: &impl NodeApi) -> Result<facts::Answer, Failure> {
    let jobs = async {
        match node.jobs().await {
            Ok(jobs) => Ok((jobs, None)),
            // The rest is known all the same: nobody leads its cluster.
            Err(error) if error.code == Code::Unavailable => Ok((Vec::new(), Some(error.message))),
            Err(error) => Err(error),
        }
    };
    let all = try_join4(node.status(), node.nodes(), jobs, node.cluster()).await?;
    let (status, nodes, (jobs, unknown), cluster) = all;
    Ok(facts::Answer { status, nodes, jobs, unknown, cluster })
}

/// Draws whenever something is new, until somebody leaves.
async fn live(node: &impl NodeApi, mut facts: Facts) -> Result<Exit, Failure> {
    let mut terminal = ratatui::try_init().map_err(Failure::internal)?;
    let shown = watch(node, &mut facts, &mut terminal).await;
    // The terminal is a person's again, whatever happened.
    ratatui::try_restore().map_err(Failure::internal)?;
    shown.map(|()| Exit::Success)
}

async fn watch(
    node: &impl NodeApi,
    facts: &mut Facts,
    terminal: &mut ratatui::DefaultTerminal,
) -> Result<(), Failure> {
    let (_reading, mut keys) = Keys::read().map_err(Failure::internal)?;
    let mut view = View::default();
    let mut tick = interval_at(Instant::now() + EVERY, EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asking: Option<Asking<'_>> = None;
    loop {
        terminal.draw(|frame| view.draw(frame, facts)).map_err(Failure::internal)?;
        tokio::select! {
            key = keys.recv() => match key {
                None | Some(Key::Leave) => return Ok(()),
                Some(key) => view.press(key, facts),
            },
            _ = tick.tick(), if asking.is_none() => asking = Some(ask(node).boxed_local()),
            answer = answer(&mut asking) => {
                asking = None;
                match answer {
                    Ok(answer) => facts.take(answer),
                    // It may come back; what was seen last is shown, and that it is old.
                    Err(failure) => facts.lose(failure.message),
                }
            }
        }
    }
}

/// A question that is under way. Keys do not wait for it.
type Asking<'a> = LocalBoxFuture<'a, Result<facts::Answer, Failure>>;

/// Its answer; none as long as there is no question.
async fn answer(asking: &mut Option<Asking<'_>>) -> Result<facts::Answer, Failure> {
    match asking {
        Some(asking) => asking.await,
        None => std::future::pending().await,
    }
}
