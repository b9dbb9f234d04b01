//! Known answers: small programs whose results every sound machine gives.
//!
//! A machine with a faulty processor or memory would be refuted sooner or later. It finds out here
//! first, and withdraws.

use crate::{Error, Order, Ran};
use bytes::Bytes;
use identity::Digest;
use objects::{Cid, Codec};
use protocol::Limits;

/// A program and what it gives.
struct Known {
    name: &'static str,
    program: &'static [u8],
    answer: &'static str,
}

macro_rules! known {
    ($($name:literal => $answer:literal,)*) => {
        const KNOWN: &[Known] = &[$(Known {
            name: $name,
            program: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".wasm")),
            answer: $answer,
        }),*];
    };
}

known! {
    "float" => "exit 0, 2006164 fuel, d2wwt65gseaklajptbp23xyzyfggru32vu75cnd6erh3r4xpmbuq",
    "vector" => "exit 0, 813685 fuel, 6hgu34xxqu2rjniwkm7nrvde52tcm7sm7fmek47hblmkqmz2pz7a",
    "integer" => "exit 0, 1575849 fuel, wp7xfznoyq2pxpxmtqd6reol75dg573y2tqa3df7wkiscahc6rdq",
    "memory" => "exit 0, 25985439 fuel, 5ohdl72tbiwhivbpzzpzbdctp5pkkqbexyvcvix75n7abjmnrhgq",
    "world" => "trap: IntegerOverflow, 7279 fuel, nirofama4uilwwzvdpt5ggnky3t4sxmjzhpluyhoobl3k7tj5sua",
    "component" => "exit 0, 123105 fuel, jp3pkga27syhsub23sao7ovduch4anicrssh6o6f6pmndzf5jdca",
}

/// Runs every program with `run` and compares.
///
/// # Errors
/// [`Error::KnownAnswer`], or what `run` says.
pub(crate) fn check(mut run: impl FnMut(&[u8], Order) -> Result<Ran, Error>) -> Result<(), Error> {
    for known in KNOWN {
        let found = summary(&run(known.program, order(known.program))?);
        if found != known.answer {
            let expected = known.answer.to_owned();
            return Err(Error::KnownAnswer { program: known.name, expected, found });
        }
    }
    Ok(())
}

/// Runs one of the programs, and says how much fuel it used.
///
/// # Errors
/// [`Error::KnownAnswer`] if it gave something else.
pub(crate) fn fuel_of(name: &'static str, mut run: impl FnMut(Order) -> Ran) -> Result<u64, Error> {
    let known = of(name);
    let ran = run(order(known.program));
    match (&ran, summary(&ran)) {
        (Ran::Done(done), found) if found == known.answer => Ok(done.fuel_used),
        (_, found) => {
            let expected = known.answer.to_owned();
            Err(Error::KnownAnswer { program: known.name, expected, found })
        }
    }
}

/// The bytes of one of the programs.
pub(crate) fn program(name: &'static str) -> &'static [u8] {
    of(name).program
}

fn of(name: &'static str) -> &'static Known {
    KNOWN.iter().find(|known| known.name == name).expect("only known programs are named")
}

/// The end, the fuel and a digest of what was written.
fn summary(ran: &Ran) -> String {
    match ran {
        Ran::Done(done) => {
            let written = Digest::of("polity known answer", &[&done.stdout, &done.stderr]);
            format!("{}, {} fuel, {written}", done.end, done.fuel_used)
        }
        Ran::NoResult(reason) => format!("no result: {reason:?}"),
    }
}

fn order(program: &'static [u8]) -> Order {
    Order {
        program: Cid::of(Codec::Raw, program),
        bytes: Bytes::from_static(program),
        args: vec!["first".into(), "second".into()],
        inputs: vec![("b.csv".into(), "1,2\n".into()), ("a.csv".into(), "3\n".into())],
        stdin: Some("standard input".into()),
        env: vec![("first".into(), "1".into()), ("SECOND".into(), "two".into())],
        seed: Digest::plain(b"known answers"),
        limits: Limits {
            fuel: 100_000_000,
            memory_bytes: 1 << 20,
            output_bytes: 1 << 20,
            wall_ms: 60_000,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::{Config, Engine, Error, Ran};
    use protocol::NoResult;

    #[test]
    fn this_machine_gives_the_known_answers() {
        Engine::new(&Config::default(), None).unwrap().self_test().unwrap();
    }

    #[test]
    fn the_engine_measures_the_machine_it_runs_on() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::new(&Config::default(), None).unwrap();
        let speed = engine.measure(Some(dir.path())).unwrap();
        assert!(speed.fuel_ms > 0 && speed.mflops > 0, "{speed:?}");
        assert!(matches!(engine.measure(Some(&dir.path().join("no"))), Err(Error::Disk(..))));
    }

    #[test]
    fn a_machine_that_gives_another_answer_is_told_which() {
        let error = check(|_, _| Ok(Ran::NoResult(NoResult::WallTime))).expect_err("no answer");
        assert!(matches!(error, Error::KnownAnswer { program: "float", .. }), "{error}");
    }
}
