//! What the command line needs of the house.

use crate::{Config, alone, basis, memory, start::Node, worker::describe};
use anyhow::{Context, bail};
use cli::{
    Agree, Background, Began, Launch, NodePlan, Ready, RerunOrder, UpOptions, data::DataDir,
};
use execution::{Engine, Ran};
use identity::Digest;
use protocol::Outcome;
use std::{io::IsTerminal, path::Path, sync::Mutex};
use tokio::{
    io::AsyncReadExt,
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

/// The house, as the command line sees it.
pub struct House;

impl Launch for House {
    fn check(&self, options: &UpOptions) -> anyhow::Result<()> {
        basis::check(options)
    }

    fn up(&self, mut options: UpOptions) -> anyhow::Result<()> {
        let ready = match options.background.take() {
            Some(Background { ready, log }) => {
                log_to(Mutex::new(log), false);
                Some(ready)
            }
            None => {
                let colours = std::io::stderr().is_terminal();
                log_to(std::io::stderr, colours && std::env::var_os("NO_COLOR").is_none());
                None
            }
        };
        memory::keep_together();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let ended = runtime.block_on(run(options, ready));
        // A thread may still wait for stdin, which nobody can interrupt; all else has ended.
        runtime.shutdown_background();
        ended
    }

    fn inspect(&self, program: &[u8]) -> Result<(), String> {
        execution::inspect(program).map(drop).map_err(|error| error.to_string())
    }

    fn rerun(&self, order: RerunOrder) -> anyhow::Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let engine = Engine::new(&execution::Config::default(), None)?;
        let (job, task) = (order.job, order.task);
        let order = execution::Order {
            program: order.program_cid,
            bytes: order.program,
            args: order.args,
            inputs: order.inputs,
            stdin: order.stdin,
            env: order.env,
            seed: order.seed,
            limits: order.limits,
        };
        match runtime.block_on(engine.run(order)) {
            Ran::Done(done) => Ok(describe(job, task, &done).0),
            Ran::NoResult(reason) => bail!("this machine has no result of the task: {reason}"),
        }
    }

    fn plan(&self, data: &DataDir) -> anyhow::Result<NodePlan> {
        let config = Config::load(data.root())?;
        let kept = data.settings()?.listen;
        let mut listen = config.network.listen;
        if !kept.is_empty() {
            listen = kept;
        }
        Ok(NodePlan { listen, reserve_bytes: config.storage.reserve_bytes })
    }

    fn recover(&self, data: &DataDir, agree: Agree<'_>) -> anyhow::Result<Option<Began>> {
        offline()?.block_on(alone::recover(data, agree))
    }

    fn restore(
        &self,
        data: &DataDir,
        file: &Path,
        agree: Agree<'_>,
    ) -> anyhow::Result<Option<Began>> {
        offline()?.block_on(alone::restore(data, file, agree))
    }

    fn self_test(&self) -> anyhow::Result<Digest> {
        Engine::new(&execution::Config::default(), None)?.self_test()?;
        Ok(Engine::fingerprint())
    }
}

/// For work on a directory whose node is stopped.
fn offline() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

async fn run(options: UpOptions, ready: Option<Ready>) -> anyhow::Result<()> {
    let root = options.data.root().to_path_buf();
    let ended = live(options, ready).await;
    if ended.is_err() && storage::is_exhausted(&root) {
        // Whichever part gave up first, this is what it died of.
        let root = root.display();
        return ended.with_context(|| {
            format!("the disk of {root} is full; free some space there and start the node again")
        });
    }
    ended
}

async fn live(options: UpOptions, ready: Option<Ready>) -> anyhow::Result<()> {
    let with_stdin = options.exit_with_stdin;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = stdin_closed(), if with_stdin => {}
        }
    };
    tokio::pin!(stop);
    let mut node = tokio::select! {
        node = Node::start(options, ready) => node?,
        () = &mut stop => return Ok(()),
    };
    let ran = node.run(stop).await;
    tracing::info!("stopping");
    let stopped = node.stop().await;
    ran.and(stopped)
}

/// Resolves when whoever started this node is gone.
async fn stdin_closed() {
    let mut stdin = tokio::io::stdin();
    let mut nothing = [0; 64];
    while matches!(stdin.read(&mut nothing).await, Ok(read) if read > 0) {}
}

/// What is written unless `POLITY_LOG` asks for something else.
/// Warnings of libraries about what they mend themselves tell an owner nothing.
const USUAL: &str = "warn,node=info,cluster=info,openraft=off,libp2p_gossipsub=error,\
    commonware_consensus::marshal=error";

/// What is to be written, and what is wrong with what was asked for.
fn filter(asked: Option<&str>) -> (EnvFilter, Option<String>) {
    let usual = || EnvFilter::new(USUAL);
    match asked.filter(|asked| !asked.is_empty()).map(str::parse) {
        None => (usual(), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => {
            let error: tracing_subscriber::filter::ParseError = error;
            (usual(), Some(error.to_string()))
        }
    }
}

/// Logs hold what is worth a person's attention, or what `POLITY_LOG` asks for.
fn log_to<W>(writer: W, colours: bool)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let asked = std::env::var_os("POLITY_LOG");
    let (filter, wrong) = filter(asked.as_ref().map(|asked| asked.to_string_lossy()).as_deref());
    // A second node in one process would find the first one's logger in place.
    let _in_place = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colours)
        .with_target(false)
        .try_init();
    if let Some(error) = wrong {
        tracing::warn!(%error, usual = USUAL, "POLITY_LOG cannot be read, and does not count");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_can_be_chosen_and_a_choice_that_makes_no_sense_is_told() {
        let usual = EnvFilter::new(USUAL).to_string();
        assert_eq!(filter(None).0.to_string(), usual);
        assert_eq!(filter(Some("")).0.to_string(), usual);
        let (chosen, wrong) = filter(Some("node=debug"));
        assert_eq!((chosen.to_string().as_str(), wrong), ("node=debug", None));
        let (chosen, wrong) = filter(Some("node=loud,warn"));
        assert_eq!(chosen.to_string(), usual);
        assert!(wrong.is_some());
    }
}
