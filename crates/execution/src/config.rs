//! What a node's operator may set. Nothing here changes a result.

use crate::Error;
use serde::{Deserialize, Serialize};

/// How much of the machine the engine may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Programs that run at the same time; each has a thread of its own. 0 means one for each
    /// processor.
    pub threads: usize,
    /// Orders that may wait for a thread; more are turned away as busy.
    pub queue: usize,
    /// Compiled programs kept in memory.
    pub programs: usize,
    /// Bytes of compiled programs kept on disk.
    pub cache_bytes: u64,
    /// Bytes of memory and output that one task may ask for on this machine; an order that asks
    /// for more is not run here.
    pub task_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { threads: 0, queue: 1_024, programs: 32, cache_bytes: 1 << 30, task_bytes: 5 << 30 }
    }
}

impl Config {
    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Config`], naming the field.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |text: &str| Err(Error::Config(text.to_owned()));
        if self.threads > 1024 {
            return wrong("threads: at most 1024");
        }
        if self.queue == 0 || self.queue > 65_536 {
            return wrong("queue: 1 to 65536");
        }
        if self.programs == 0 || self.programs > 4096 {
            return wrong("programs: 1 to 4096");
        }
        if self.task_bytes == 0 {
            return wrong("task_bytes: no task could run");
        }
        Ok(())
    }

    /// The number of threads, with 0 resolved for this machine.
    pub fn threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn the_default_is_valid_and_senseless_values_are_named() {
        Config::default().check().expect("default");
        let queue = Config { queue: 0, ..Config::default() };
        assert!(queue.check().expect_err("no queue").to_string().contains("queue"));
        let programs = Config { programs: 0, ..Config::default() };
        assert!(programs.check().expect_err("no programs").to_string().contains("programs"));
    }
}
