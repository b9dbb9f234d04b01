//! Jobs, one after the other, ordered at any machine.

use super::{LOOK, seat::Seat};
use sim::Random;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// Tasks of a job.
pub(crate) const TASKS: usize = 300;

/// What came of the orders.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    /// Jobs that were acknowledged.
    pub(crate) jobs: Vec<String>,
    /// Orders without an acknowledgement: there may be a job.
    pub(crate) unknown: u64,
}

/// Orders a job, waits until it is final as some machine says, and orders the next one, until the
/// storm `is_over`.
pub(crate) fn work(seats: &[Seat], seed: u64, is_over: &AtomicBool) -> Orders {
    let mut random = Random::new(seed);
    let mut orders = Orders::default();
    let tasks = TASKS.to_string();
    let run = ["run", "nothing.wasm", "--fresh", "--verify", "single", "--detach", "--array"];
    while !is_over.load(Ordering::SeqCst) {
        let said = seats[random.place(seats.len())].ask(&[&run[..], &[&tasks]].concat());
        if said.code != Some(0) {
            orders.unknown += 1;
            thread::sleep(LOOK);
            continue;
        }
        let job = said.out.trim().to_string();
        while !is_over.load(Ordering::SeqCst) {
            if is_final(&seats[random.place(seats.len())], &job) {
                break;
            }
            thread::sleep(LOOK);
        }
        orders.jobs.push(job);
    }
    orders
}

fn is_final(seat: &Seat, job: &str) -> bool {
    let said = seat.ask(&["job", "list", "--json"]);
    if said.code != Some(0) {
        return false;
    }
    let list = said.json();
    let mut all = list.as_array().expect("a list").iter();
    all.any(|summary| summary["job"] == job && summary["settled"].as_u64() == Some(TASKS as u64))
}
