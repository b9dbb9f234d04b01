//! The same order gives the same result: again, elsewhere, and from every cache.

use crate::support::{CALLS, command, engine, order};
use execution::{Config, Engine, Order, Ran};
use identity::Digest;
use protocol::{End, Trap};
use std::{collections::BTreeSet, fs, path::Path};

/// Calls everything there is with arguments that are good, bad and absurd, as its randomness says,
/// and prints its memory again and again.
fn restless() -> Order {
    let arms: String = CALLS
        .iter()
        .map(|(name, params)| {
            let args: String =
                params.split_whitespace().map(|ty| format!("(call $arg_{ty})")).collect();
            format!("(drop (call ${name} {args}))\n")
        })
        .collect();
    let program = command(&format!(
        r#"(data (i32.const 0) "a.csv\00made/deeper\00../../etc/passwd\00.\00")
           (data (i32.const 128) "\00\00\00\00\05\00\00\00\10\00\00\00\ff\ff\ff\ff")
           (global $seed (mut i64) (i64.const 0))
           (func $next (result i64)
             (global.set $seed
               (i64.add (i64.mul (global.get $seed) (i64.const 6364136223846793005))
                 (i64.const 1442695040888963407)))
             (i64.shr_u (global.get $seed) (i64.const 33)))
           (func $arg_i32 (result i32) (local $n i32)
             (local.set $n (i32.wrap_i64 (call $next)))
             (if (i32.lt_u (i32.and (local.get $n) (i32.const 15)) (i32.const 9))
               (then (return (i32.rem_u (i32.shr_u (local.get $n) (i32.const 4)) (i32.const 12)))))
             (if (i32.lt_u (i32.and (local.get $n) (i32.const 15)) (i32.const 14))
               (then (return (i32.rem_u (i32.shr_u (local.get $n) (i32.const 4)) (i32.const 300)))))
             (i32.sub (i32.const 3) (i32.rem_u (local.get $n) (i32.const 70000))))
           (func $arg_i64 (result i64)
             (if (i64.eqz (i64.and (call $next) (i64.const 63)))
               (then (return (i64.sub (i64.const 2) (call $next)))))
             (i64.rem_u (call $next) (i64.const 200)))
           (func (export "_start") (local $i i32)
             (drop (call $random_get (i32.const 256) (i32.const 8)))
             (global.set $seed (i64.load (i32.const 256)))
             (loop $again
               {arms}
               (call $print (i32.const 0) (i32.const 512))
               (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (br_if $again (i32.lt_u (local.get $i) (i32.const 100)))))"#
    ));
    let mut order = order(&program);
    order.args = vec!["one".into(), "zwei".into()];
    order.inputs = vec![("b.csv".into(), "4,5\n".into()), ("a.csv".into(), "1,2,3\n".into())];
    order.stdin = Some("to be read".into());
    order
}

async fn run_all(engine: &Engine) -> Vec<Ran> {
    let mut all = Vec::new();
    for n in 0..50u8 {
        all.push(engine.run(Order { seed: Digest::plain(&[n]), ..restless() }).await);
    }
    all
}

#[tokio::test]
async fn bad_pointers_and_absurd_arguments_are_answered_not_followed() {
    let mut ends = BTreeSet::new();
    let mut printed = 0;
    for ran in run_all(&engine()).await {
        let Ran::Done(done) = ran else { panic!("no result") };
        ends.insert(done.end);
        printed += done.stdout.len();
    }
    // The guest may close its own stdout, and then `$print` traps; it may ask for an absurd file.
    let expected = [End::Exit(0), End::Trap(Trap::Unreachable), End::OutputLimit];
    assert!(ends.iter().all(|end| expected.contains(end)), "{ends:?}");
    assert!(printed > 50_000, "most of them get far: {printed}");
}

#[tokio::test]
async fn runs_engines_and_caches_make_no_difference() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config { threads: 2, ..Config::default() };
    let plain = run_all(&Engine::new(&config, None).unwrap()).await;
    assert_ne!(plain[0], plain[1], "another task sees another randomness");
    assert_eq!(run_all(&engine()).await, plain, "another engine");
    let filling = Engine::new(&config, Some(directory.path())).unwrap();
    assert_eq!(run_all(&filling).await, plain, "an empty cache");
    let filled = Engine::new(&config, Some(directory.path())).unwrap();
    assert_eq!(run_all(&filled).await, plain, "a full cache");
}

#[tokio::test]
async fn an_altered_compiled_program_is_compiled_again() {
    let directory = tempfile::tempdir().unwrap();
    let run = async || {
        let engine = Engine::new(&Config::default(), Some(directory.path())).unwrap();
        engine.run(restless()).await
    };
    let first = run().await;
    let path = compiled(directory.path());
    let kept = fs::read(&path).unwrap();
    let mut altered = kept.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 0x40;
    fs::write(&path, &altered).unwrap();
    assert_eq!(run().await, first);
    assert_eq!(fs::read(&path).unwrap().len(), kept.len(), "it was compiled and kept again");
    assert_ne!(fs::read(&path).unwrap(), altered);
}

#[tokio::test]
async fn few_programs_are_kept_and_the_others_compiled_again() {
    let config = Config { threads: 1, programs: 1, ..Config::default() };
    let engine = Engine::new(&config, None).unwrap();
    for _ in 0..2 {
        for code in 0..3 {
            let program = command(&format!(
                r#"(func (export "_start") (call $proc_exit (i32.const {code})))"#
            ));
            let Ran::Done(done) = engine.run(order(&program)).await else { panic!("no result") };
            assert_eq!(done.end, End::Exit(code));
        }
    }
}

#[test]
fn a_cache_that_cannot_be_is_said_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let error = Engine::new(&Config::default(), Some(&file)).err().unwrap();
    assert!(error.to_string().contains("in the way") || error.to_string().contains("file"));
}

fn compiled(directory: &Path) -> std::path::PathBuf {
    let mut files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.extension().is_some_and(|suffix| suffix == "aot")).unwrap()
}
