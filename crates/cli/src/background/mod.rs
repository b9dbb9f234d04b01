//! The node in the background: where nobody configured a node, commands start one.
//!
//! It is a polity of one owner on this machine: one process that is validator, home and several
//! executors. Its receipts show determinism, not honesty, and say so. It ends by itself when it has
//! had nothing to do for a while; what it was given stays.

mod child;
mod found;
mod log;
mod spawn;
mod stop;

pub(crate) use child::enter;
pub use child::{Background, Ready};
pub use log::BoundedLog;
pub(crate) use stop::{jobs_running, stop};

use crate::{
    data::{ApiPlace, DataDir, Run},
    exit::Exit,
    failure::Failure,
    out::Out,
};
use std::{fs::File, sync::mpsc, thread, time::Duration};

/// This program's version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// How long somebody else may take to start the node.
const PATIENCE: Duration = Duration::from_secs(90);

/// The node in the background. It is started if it does not run, and started again if it is of
/// another version and has nothing to do. Blocks until its door is open.
pub(crate) fn ensure(data: &DataDir) -> Result<ApiPlace, Failure> {
    if let Some((place, run)) = running(data)?
        && run.version == VERSION
    {
        return Ok(place);
    }
    let _lock = lock(data)?;
    // Whoever held the lock before may have started it.
    match running(data)? {
        Some((place, run)) if run.version == VERSION => return Ok(place),
        Some((place, run)) => {
            if !is_idle(data) {
                say(&format!(
                    "The node in the background is of version {}, this is {VERSION}. It has work; \
                     to change it: polity down --force",
                    run.version
                ));
                return Ok(place);
            }
            say(&format!(
                "The node in the background was of version {}; this is {VERSION}",
                run.version
            ));
            stop(&run.process)?;
        }
        None => {}
    }
    found::found(data)?;
    let pid = spawn::start(data)?;
    say(&format!(
        "started a node in the background (pid {pid}, {}): polity status, polity down",
        data.root().display()
    ));
    let place = running(data)?.map(|(place, _)| place);
    place.ok_or_else(|| {
        Failure::internal("the node in the background ended at once")
            .next(format!("its log is {}", data.log().display()))
    })
}

/// Where the node of a directory is, if its process is there.
pub(crate) fn running(data: &DataDir) -> Result<Option<(ApiPlace, Run)>, Failure> {
    let Some(place) = data.api()? else { return Ok(None) };
    let run = place.run.clone().filter(|run| run.process.is_running());
    Ok(run.map(|run| (place, run)))
}

/// Whether the node of a directory ended without saying so: it was killed, or the machine went
/// down.
pub(crate) fn died(data: &DataDir) -> bool {
    let said = data.api().ok().flatten();
    said.is_some_and(|place| place.run.is_some_and(|run| !run.process.is_running()))
}

fn say(text: &str) {
    Out::new(false).say(text);
}

/// Whether the node has no job to work on. One that cannot be asked is not disturbed.
fn is_idle(data: &DataDir) -> bool {
    let ask = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Failure::internal)?;
        runtime.block_on(jobs_running(data))
    };
    // This may be called on a thread that drives other futures.
    thread::scope(|scope| scope.spawn(ask).join()).is_ok_and(|jobs| jobs.is_ok_and(|n| n == 0))
}

/// Waits until nobody else starts a node in this directory.
fn lock(data: &DataDir) -> Result<File, Failure> {
    let file = data.lock_file("start.lock")?;
    if file.try_lock().is_ok() {
        return Ok(file);
    }
    let (sender, taken) = mpsc::channel();
    // If it takes too long this process ends, and the thread with it.
    thread::spawn(move || sender.send(file.lock().map(|()| file)));
    match taken.recv_timeout(PATIENCE) {
        Ok(file) => file.map_err(Failure::internal),
        Err(_) => {
            let dir = data.root().display();
            let waited = crate::text::lasting(PATIENCE);
            let message = format!("somebody else has been starting a node in {dir} for {waited}");
            Err(Failure::new(Exit::NoNode, message).next("see what it does with: polity status"))
        }
    }
}
