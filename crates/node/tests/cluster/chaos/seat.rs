//! Where somebody sits who talks to one machine, whoever runs that machine now.

use super::super::society::{GUARD, Said, space::Way};
use std::{
    path::PathBuf,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

const LOOK: Duration = Duration::from_millis(5);

/// A way to a machine, and the directory of its node.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) way: Way,
    pub(crate) data: PathBuf,
}

impl Seat {
    /// Runs a command line to its end.
    pub(crate) fn ask(&self, args: &[&str]) -> Said {
        let mut command = self.way.command(super::super::society::POLITY);
        command.args(args).arg("--data").arg(&self.data);
        command.current_dir(self.data.parent().expect("it lies in the directory of the test"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let end = Instant::now() + GUARD;
        // What these commands print fits into a pipe.
        while child.try_wait().unwrap().is_none() {
            if Instant::now() >= end {
                child.kill().unwrap();
                let said: Said = child.wait_with_output().unwrap().into();
                panic!("{args:?} does not end: {said:?}");
            }
            thread::sleep(LOOK);
        }
        child.wait_with_output().unwrap().into()
    }
}
