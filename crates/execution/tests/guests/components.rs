//! Components: the same world, limits and ends as modules have.

use crate::component_text::{CODES, bytes, component, text};
use crate::support::{LIMITS, command, done, engine, no_result, order, printed};
use bytes::Bytes;
use execution::{Config, Engine, Order, inspect};
use identity::Digest;
use protocol::{End, Limits, NoResult, Trap};

fn looping(body: &str) -> Bytes {
    component(&format!("(loop $again {body} (br $again))"))
}

async fn end(body: &str) -> End {
    done(order(&component(body))).await.end
}

#[tokio::test]
async fn a_component_of_any_0_2_version_prints() {
    for version in ["0.2.0", "0.2.6", "0.2.99"] {
        let rest = r#"(data (i32.const 0) "hello")
          (func (export "run") (result i32)
            (call $print (i32.const 0) (i32.const 5)) (i32.const 0))"#;
        let program = bytes(&text(version, rest));
        inspect(&program).unwrap();
        assert_eq!(printed(order(&program)).await, "hello", "{version}");
    }
}

#[test]
fn a_component_is_described() {
    let info = inspect(&component("")).unwrap();
    assert_eq!(info.memory_bytes, 65_536);
    assert_eq!(info.memory_limit_bytes, None);
    assert_eq!(info.imports[..2], ["wasi:cli/exit@0.2.0", "wasi:cli/stdin@0.2.0"]);
}

#[tokio::test]
async fn a_component_ends_by_its_result_its_exit_or_its_trap() {
    assert_eq!(end("").await, End::Exit(0));
    assert_eq!(end("(return (i32.const 1))").await, End::Exit(1));
    assert_eq!(end("(call $exit (i32.const 0)) unreachable").await, End::Exit(0));
    assert_eq!(end("(call $exit (i32.const 1)) unreachable").await, End::Exit(1));
    assert_eq!(end("(call $exit-code (i32.const 42)) unreachable").await, End::Exit(42));
    assert_eq!(end("unreachable").await, End::Trap(Trap::Unreachable));
    let division = "(drop (i32.div_u (i32.const 1) (i32.load (i32.const 0))))";
    assert_eq!(end(division).await, End::Trap(Trap::IntegerDivisionByZero));
}

#[tokio::test]
async fn what_breaks_a_rule_of_components_is_a_trap_everywhere() {
    let just = "(call $write (call $stdout) (i32.const 0) (i32.const 4096) (i32.const 65520))";
    assert_eq!(end(just).await, End::Exit(0));
    for breach in [
        "(call $block (i32.const 77))",
        "(call $drop (i32.const 1))",
        "(call $write (call $stdout) (i32.const 0) (i32.const 4097) (i32.const 65520))",
        "(call $write (call $stdout) (i32.const 65535) (i32.const 2) (i32.const 65520))",
        "(call $write (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 65520))",
        "(call $poll (i32.const 0) (i32.const 0) (i32.const 8))",
        "(call $poll (i32.const 0) (i32.const 1) (i32.const 8))",
        "(call $poll (i32.const 0) (i32.const 4097) (i32.const 8))",
        "(call $bytes (i64.const 100000) (i32.const 0))",
        "(call $bytes (i64.const -1) (i32.const 0))",
        "(call $exit (i32.const 2))",
        "(return (i32.const 2))",
    ] {
        let done = done(order(&component(breach))).await;
        assert_eq!(done.end, End::Trap(Trap::Other), "{breach}");
        assert!(done.fuel_used > 0, "{breach}");
    }
}

#[tokio::test]
async fn loops_of_a_component_run_out_of_fuel() {
    let endless = done(order(&looping(""))).await;
    assert_eq!((endless.end, endless.fuel_used), (End::OutOfFuel, LIMITS.fuel));
    for call in [
        "(drop (call $now))",
        "(drop (call $u64))",
        "(call $drop (call $subscribe (i64.const 1)))",
        "(call $block (i32.const 0)) (br $again)",
        "(call $seed (i32.const 0))",
        "(call $tcp (i32.const 0) (i32.const 0))",
    ] {
        let program = if call.contains("block") {
            component(
                "(i32.store (i32.const 0) (call $subscribe (i64.const 5)))
                 (loop $again (call $block (i32.load (i32.const 0))) (br $again))",
            )
        } else {
            looping(call)
        };
        let mut order = order(&program);
        order.limits.fuel = 3_000_000;
        let done = done(order).await;
        assert_eq!((done.end, done.fuel_used), (End::OutOfFuel, 3_000_000), "{call}");
    }
}

#[tokio::test]
async fn handles_that_are_never_dropped_are_bounded() {
    let hoarder = looping("(drop (call $subscribe (i64.const 1)))");
    assert_eq!(done(order(&hoarder)).await.end, End::OutOfMemory);
    let preopens = looping("(call $directories (i32.const 0))");
    let end = done(order(&preopens)).await.end;
    assert!(matches!(end, End::OutOfMemory | End::Trap(Trap::Other)), "{end:?}");
}

#[tokio::test]
async fn a_components_own_handles_are_bounded() {
    let program = bytes(
        r#"(component
             (type $own (resource (rep i32)))
             (core func $new (canon resource.new $own))
             (core module $main
               (import "host" "new" (func $new (param i32) (result i32)))
               (func (export "run") (result i32)
                 (loop $again (drop (call $new (i32.const 1))) (br $again)) unreachable))
             (core instance $main (instantiate $main
               (with "host" (instance (export "new" (func $new))))))
             (func $run (result (result)) (canon lift (core func $main "run")))
             (instance $cli (export "run" (func $run)))
             (export "wasi:cli/run@0.2.0" (instance $cli)))"#,
    );
    assert_eq!(done(order(&program)).await.end, End::Trap(Trap::Other));
}

#[tokio::test]
async fn all_memories_of_a_component_share_its_limit() {
    let with = |pages: u32, grow: u32| {
        bytes(&format!(
            r#"(component
                 (core module $other (memory {pages}))
                 (core module $main (memory 1)
                   (func (export "run") (result i32)
                     (drop (memory.grow (i32.const {grow}))) (i32.const 0)))
                 (core instance (instantiate $other))
                 (core instance $main (instantiate $main))
                 (func $run (result (result)) (canon lift (core func $main "run")))
                 (instance $cli (export "run" (func $run)))
                 (export "wasi:cli/run@0.2.0" (instance $cli)))"#
        ))
    };
    // The limit is 64 pages.
    assert_eq!(done(order(&with(30, 33))).await.end, End::Exit(0));
    assert_eq!(done(order(&with(30, 34))).await.end, End::OutOfMemory);
    let at_once = done(order(&with(64, 0))).await;
    assert_eq!((at_once.end, at_once.fuel_used), (End::OutOfMemory, 0));
}

#[tokio::test]
async fn a_component_that_screams_ends_at_its_output_limit() {
    let done = done(order(&looping("(call $print (i32.const 0) (i32.const 4000))"))).await;
    assert_eq!(done.end, End::OutputLimit);
    assert_eq!(done.stdout.len(), (1 << 20) / 4000 * 4000);
}

#[tokio::test]
async fn what_only_this_machine_could_not_do_is_no_result() {
    let deep = bytes(&text(
        "0.2.0",
        r#"(func $deep (param i32) (result i32)
             (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (local.get 0)))
           (func (export "run") (result i32) (call $deep (i32.const 0)))"#,
    ));
    assert_eq!(no_result(order(&deep)).await, NoResult::StackOverflow);
    let mut forever = order(&looping("(drop (call $now))"));
    forever.limits = Limits { fuel: u64::MAX, wall_ms: 50, ..LIMITS };
    assert_eq!(no_result(forever).await, NoResult::WallTime);
}

#[tokio::test]
async fn a_sleep_of_a_day_takes_no_time_of_ours() {
    let program = component(
        "(i64.store (i32.const 0) (call $now))
         (call $block (call $subscribe (i64.const 86400000000000)))
         (i64.store (i32.const 8) (call $now))
         (i32.store (i32.const 16) (call $subscribe (i64.const 9000000000)))
         (i32.store (i32.const 20) (call $subscribe (i64.const 7000000000)))
         (i32.store (i32.const 24) (call $subscribe (i64.const 7000000000000)))
         (call $poll (i32.const 16) (i32.const 3) (i32.const 32))
         (i64.store (i32.const 16) (call $now))
         (call $print (i32.const 0) (i32.const 24))
         (call $print (i32.load (i32.const 32)) (i32.mul (i32.load (i32.const 36)) (i32.const 4)))",
    );
    let mut order = order(&program);
    order.limits.wall_ms = 600_000;
    let seen = printed(order).await;
    let at = |at: usize| u64::from_le_bytes(seen[at..at + 8].try_into().unwrap());
    let (start, day, polled) = (at(0), at(8) - at(0), at(16) - at(8));
    assert!(start - 946_684_800_000_000_000 < 100_000, "{start}");
    assert!(day - 86_400_000_000_000 < 100_000, "{day}");
    assert!(polled - 7_000_000_000 < 100_000, "the earliest: {polled}");
    assert_eq!(seen[24..], [1, 0, 0, 0], "only the second is ready");
}

#[tokio::test]
async fn a_component_gets_the_randomness_that_a_module_gets() {
    let module = command(
        r#"(func (export "_start")
             (drop (call $random_get (i32.const 0) (i32.const 64)))
             (call $print (i32.const 0) (i32.const 64)))"#,
    );
    let component = component(
        "(i64.store (i32.const 0) (call $u64))
         (call $seed (i32.const 8))
         (call $bytes (i64.const 40) (i32.const 32))
         (call $print (i32.const 0) (i32.const 24))
         (call $print (i32.load (i32.const 32)) (i32.load (i32.const 36)))",
    );
    let of = |program: &Bytes, seed: &[u8]| {
        printed(Order { seed: Digest::plain(seed), ..order(program) })
    };
    assert_eq!(of(&component, b"a").await, of(&module, b"a").await);
    assert_eq!(of(&component, b"b").await, of(&module, b"b").await);
    assert_ne!(of(&component, b"a").await, of(&component, b"b").await);
}

#[tokio::test]
async fn nobody_gets_a_socket() {
    let program = component(
        "(call $tcp (i32.const 0) (i32.const 0)) (call $print (i32.const 0) (i32.const 5))",
    );
    assert_eq!(printed(order(&program)).await, [1, 0, 0, 0, 2][..], "an error: not-supported");
}

#[tokio::test]
async fn stdin_is_spliced_to_its_end_and_then_closed() {
    let program = component(
        "(local $out i32) (local $in i32)
         (local.set $out (call $stdout)) (local.set $in (call $stdin))
         (loop $again
           (call $splice (local.get $out) (local.get $in) (i64.const 4) (i32.const 0))
           (br_if $again (i32.eqz (i32.load8_u (i32.const 0)))))
         ;; An error, and it is `closed`.
         (call $print (i32.const 8) (i32.const 1))
         (call $zeroes (local.get $out) (i64.const 3) (i32.const 0))
         (call $print (i32.const 0) (i32.const 1))",
    );
    let mut with = order(&program);
    with.stdin = Some("0123456789".into());
    assert_eq!(printed(with).await, "0123456789\x01\0\0\0\0");
    assert_eq!(printed(order(&program)).await, "\x01\0\0\0\0");
}

#[tokio::test]
async fn files_are_reached_through_handles() {
    let rest = r#"(data (i32.const 0) "f") (data (i32.const 8) "hello") (data (i32.const 16) "../in")
      (func $open-at (param $in i32) (param $path i32) (param $len i32) (param $how i32)
        (param $flags i32)
        (call $open (local.get $in) (i32.const 0) (local.get $path) (local.get $len)
          (local.get $how) (local.get $flags) (i32.const 64)))
      (func (export "run") (result i32) (local $in i32) (local $out i32) (local $f i32)
        (call $directories (i32.const 64))
        (local.set $in (i32.load (i32.load (i32.const 64))))
        (local.set $out (i32.load offset=12 (i32.load (i32.const 64))))
        ;; Neither made in `/in`, nor outside, nor found before it is there.
        (call $open-at (local.get $in) (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 3))
        (call $print (i32.const 68) (i32.const 1))
        (call $open-at (local.get $out) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 1))
        (call $print (i32.const 68) (i32.const 1))
        (call $open-at (local.get $out) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))
        (call $print (i32.const 68) (i32.const 1))
        ;; Made, written past its end, and read again.
        (call $open-at (local.get $out) (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 3))
        (local.set $f (i32.load (i32.const 68)))
        (call $write-file (local.get $f) (i32.const 8) (i32.const 5) (i64.const 2) (i32.const 64))
        (call $print (i32.const 72) (i32.const 1))
        (call $read-file (local.get $f) (i64.const 4) (i64.const 1) (i32.const 64))
        (call $print (i32.load (i32.const 68)) (i32.load (i32.const 72)))
        (call $print (i32.const 76) (i32.const 1))
        (call $read-file (local.get $f) (i64.const 4) (i64.const 7) (i32.const 64))
        (call $print (i32.const 76) (i32.const 1))
        ;; Opened again, it is the same, under the same number.
        (call $hash (local.get $f) (i32.const 128))
        (call $open-at (local.get $out) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))
        (call $hash (i32.load (i32.const 68)) (i32.const 160))
        (if (i64.ne (i64.load (i32.const 136)) (i64.load (i32.const 168))) (then unreachable))
        (if (i32.eqz (call $same (local.get $f) (i32.load (i32.const 68)))) (then unreachable))
        (if (call $same (local.get $f) (local.get $out)) (then unreachable))
        ;; It was not opened for writing.
        (call $write-file (i32.load (i32.const 68)) (i32.const 8) (i32.const 5) (i64.const 2)
          (i32.const 64))
        (call $print (i32.const 72) (i32.const 1))
        (i32.const 0))"#;
    let done = done(order(&bytes(&text("0.2.0", rest)))).await;
    assert_eq!(done.end, End::Exit(0));
    let code = |name: &str| CODES.split(' ').position(|code| code == name).unwrap() as u8;
    let mut expected = vec![code("read-only"), code("not-permitted"), code("no-entry"), 5];
    expected.extend(b"\0hel\0\x01");
    expected.push(code("bad-descriptor"));
    assert_eq!(done.stdout, expected);
    assert_eq!(done.outputs, [("f".to_owned(), Bytes::from("\0\0hello"))]);
}

#[tokio::test]
async fn engines_and_caches_make_no_difference_to_components() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config { threads: 2, ..Config::default() };
    let program = component(
        "(loop $again
           (call $block (call $subscribe (i64.shr_u (call $u64) (i64.const 30))))
           (i64.store (i32.const 0) (call $now))
           (call $print (i32.const 0) (i32.const 8))
           (br_if $again (i64.ne (i64.and (call $u64) (i64.const 31)) (i64.const 0))))",
    );
    let run_all = async |engine: &Engine| {
        let mut all = Vec::new();
        for n in 0..20u8 {
            all.push(engine.run(Order { seed: Digest::plain(&[n]), ..order(&program) }).await);
        }
        all
    };
    let plain = run_all(&Engine::new(&config, None).unwrap()).await;
    assert_ne!(plain[0], plain[1], "another task sees another randomness");
    assert_eq!(run_all(&engine()).await, plain, "another engine");
    let filling = Engine::new(&config, Some(directory.path())).unwrap();
    assert_eq!(run_all(&filling).await, plain, "an empty cache");
    let filled = Engine::new(&config, Some(directory.path())).unwrap();
    assert_eq!(run_all(&filled).await, plain, "a full cache");
}

#[test]
fn an_import_of_a_component_that_does_not_exist_is_named() {
    let run = r#"(core module $m (func (export "run") (result i32) i32.const 0))
        (core instance $m (instantiate $m))
        (func $run (result (result)) (canon lift (core func $m "run")))
        (instance $cli (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $cli))"#;
    for (import, named) in [
        (r#"(import "wasi:http/types@0.2.0" (instance))"#, "wasi:http/types@0.2.0"),
        (r#"(import "wasi:cli/stdin@0.3.0" (instance))"#, "wasi:cli/stdin@0.3.0"),
        (r#"(import "mine" (func))"#, "imports mine"),
        (r#"(import "my:own/thing" (instance (export "f" (func))))"#, "my:own/thing"),
        (
            r#"(import "wasi:random/random@0.2.0" (instance (export "get-dice" (func))))"#,
            "wasi:random/random@0.2.0.get-dice",
        ),
        (
            r#"(import "wasi:random/random@0.2.0" (instance (export "dice" (type (sub resource)))))"#,
            "wasi:random/random@0.2.0.dice",
        ),
    ] {
        let error = inspect(&bytes(&format!("(component {import} {run})"))).expect_err(import);
        let text = error.to_string();
        assert!(text.contains(named) && text.contains("does not exist"), "{text}");
    }
    inspect(&bytes(&format!("(component {run})"))).unwrap();
}

#[tokio::test]
async fn a_component_that_does_not_fit_is_refused() {
    let library = bytes("(component)");
    assert!(inspect(&library).expect_err("no run").to_string().contains("wasi:cli/run"));
    assert_eq!(no_result(order(&library)).await, NoResult::BadProgram);
    let other_run = r#"(core module $m (func (export "run")))
        (core instance $m (instantiate $m))
        (func $run (canon lift (core func $m "run")))
        (instance $cli (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $cli))"#;
    assert!(inspect(&bytes(&format!("(component {other_run})"))).is_err());
    // The name is right, the type is not: found when it is linked.
    let other_type = text("0.2.0", r#"(func (export "run") (result i32) i32.const 0)"#)
        .replace(r#"(export "now" (func (result u64)))"#, r#"(export "now" (func (result s64)))"#);
    assert_eq!(no_result(order(&bytes(&other_type))).await, NoResult::BadProgram);
}

#[test]
fn what_is_asynchronous_does_not_run_here() {
    for wat in [
        "(component (type (future u8)))",
        "(component (type (stream u8)))",
        "(component (type (func async)))",
        "(component (core func (canon task.cancel)))",
        "(component (core func (canon waitable-set.new)))",
    ] {
        let program = wat::parse_str(wat).unwrap_or_else(|error| panic!("{wat}: {error}"));
        let text = inspect(&program).expect_err(wat).to_string();
        assert!(text.contains("not a WebAssembly module or component"), "{wat}: {text}");
    }
}
