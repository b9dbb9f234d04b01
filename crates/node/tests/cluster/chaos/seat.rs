//! Where somebody sits who talks to one machine, whoever runs that machine now.

use super::super::society::{GUARD, Said, space::Way};
use std::{
    fs::File,
    io::{Read, Seek},
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
        // Nobody reads while it runs, and a list of many jobs is more than a pipe holds.
        let [mut out, mut err] = [(); 2].map(|()| tempfile::tempfile().unwrap());
        command.stdin(Stdio::null());
        command.stdout(out.try_clone().unwrap()).stderr(err.try_clone().unwrap());
        let mut child = command.spawn().unwrap();
        let end = Instant::now() + GUARD;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() >= end {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("{args:?} does not end: {}{}", text_of(&mut out), text_of(&mut err));
            }
            thread::sleep(LOOK);
        };
        Said { code: status.code(), out: text_of(&mut out), err: text_of(&mut err) }
    }
}

/// Everything that was written to a file.
fn text_of(file: &mut File) -> String {
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}
