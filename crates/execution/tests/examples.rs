//! The programs of `examples/guests` under the real engine: what they say, and that they say the
//! same again.
//!
//! `cargo xtask guests` builds them; `cargo xtask test` does so before the tests.

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use execution::{Config, Done, Engine, Order, Ran};
use identity::Digest;
use objects::{Cid, Codec};
use protocol::{End, Limits};
use std::{env, fs, path::PathBuf};

/// `$POLITY_GUESTS`, else `guests` in the target directory that this test was built in.
fn guest(name: &str) -> Bytes {
    let beside = || env::current_exe().unwrap().ancestors().nth(3).unwrap().join("guests");
    let directory = env::var_os("POLITY_GUESTS").map_or_else(beside, PathBuf::from);
    let path = directory.join(format!("{name}.wasm"));
    let program = fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run: cargo xtask guests", path.display()));
    program.into()
}

fn data(name: &str) -> Bytes {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap());
    fs::read(here.join("../../examples/data").join(name)).unwrap().into()
}

fn order(guest_name: &str, args: &[&str], inputs: Vec<(String, Bytes)>) -> Order {
    let bytes = guest(guest_name);
    Order {
        program: Cid::of(Codec::Raw, &bytes),
        bytes,
        args: args.iter().map(|arg| arg.to_string()).collect(),
        inputs,
        stdin: None,
        seed: Digest::plain(b"seed"),
        env: Vec::new(),
        limits: Limits::default(),
    }
}

async fn done(order: Order) -> Done {
    let engine = Engine::new(&Config { threads: 1, ..Config::default() }, None).unwrap();
    match engine.run(order).await {
        Ran::Done(done) => done,
        Ran::NoResult(reason) => panic!("no result: {reason:?}"),
    }
}

fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_week_of_weather_gives_its_cycles_and_the_same_again() {
    let name = "JFK-2013-W07.csv";
    let order = order("cycles", &[name], vec![(name.into(), data(name))]);
    let first = done(order.clone()).await;
    assert_eq!(first.end, End::Exit(0), "{}", text(&first.stderr));
    assert_eq!(
        text(&first.stdout),
        "JFK-2013-W07: 168 h, mean 2.9 °C, trend -0.94 ± 0.56 °C/day, daily cycle 2.0 ± 0.3 °C \
         with its crest at 14:00; pressure tide 0.63 ± 0.19 hPa, 09:37\n"
    );
    let names: Vec<_> = first.outputs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["JFK-2013-W07-periodogram.csv", "JFK-2013-W07.json"]);
    eprintln!("cycles: {} fuel", first.fuel_used);
    assert_eq!(done(order).await, first);
}

#[tokio::test]
async fn without_arguments_every_file_is_taken_and_a_bad_one_ends_it_with_a_reason() {
    let names = ["JFK-2013-W07.csv", "EWR-2013-W07.csv"];
    let mut inputs: Vec<_> = names.map(|name| (name.to_string(), data(name))).to_vec();
    let both = done(order("cycles", &[], inputs.clone())).await;
    assert_eq!((both.end, both.outputs.len()), (End::Exit(0), 4));
    inputs.push(("bad.csv".into(), Bytes::from_static(b"a,b\n1,2\n")));
    let bad = done(order("cycles", &[], inputs)).await;
    assert_eq!(bad.end, End::Exit(1));
    assert!(text(&bad.stderr).contains("bad.csv: the first line"), "{}", text(&bad.stderr));
}

#[tokio::test]
async fn a_simulation_follows_the_seed_of_its_task() {
    let first = order("ising", &["16", "500", "1.8", "3.5"], Vec::new());
    let second = Order { seed: Digest::plain(b"other seed"), ..first.clone() };
    let (one, again, other) = (done(first.clone()).await, done(first).await, done(second).await);
    assert_eq!(one.end, End::Exit(0), "{}", text(&one.stderr));
    eprintln!("ising: {} fuel", one.fuel_used);
    assert_eq!(one, again);
    assert_ne!(one.outputs, other.outputs);
}

/// The one program, built for either preview, computes the same to the last byte.
#[tokio::test]
async fn a_component_gives_what_the_module_gives() {
    let weeks = ["JFK-2013-W07.csv", "EWR-2013-W07.csv"].map(|name| (name.to_string(), data(name)));
    let cycles = order("cycles", &[], weeks.to_vec());
    let ising = order("ising", &["16", "500", "1.8", "3.5"], Vec::new());
    for (module, name) in [(cycles, "cycles-component"), (ising, "ising-component")] {
        let bytes = guest(name);
        let program = Cid::of(Codec::Raw, &bytes);
        let component = done(Order { program, bytes, ..module.clone() }).await;
        let module = done(module).await;
        assert_eq!(component.end, End::Exit(0), "{}", text(&component.stderr));
        assert!(!component.outputs.is_empty(), "{name}");
        eprintln!("{name}: {} fuel, the module {}", component.fuel_used, module.fuel_used);
        assert_eq!(Done { fuel_used: module.fuel_used, ..component }, module, "{name}");
    }
}

#[tokio::test]
async fn a_program_in_c_runs_and_refuses_arguments_without_sense() {
    let good = done(order("lorenz", &[], Vec::new())).await;
    assert_eq!(good.end, End::Exit(0), "{}", text(&good.stderr));
    eprintln!("lorenz: {} fuel", good.fuel_used);
    assert!(text(&good.stdout).ends_with("(chaotic)\n"), "{}", text(&good.stdout));
    assert_eq!(good.outputs.len(), 1);
    let bad = done(order("lorenz", &["10", "x", "3"], Vec::new())).await;
    assert_eq!(bad.end, End::Exit(2));
}
