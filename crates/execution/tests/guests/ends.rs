//! How programs end: comparably, or not at all.

use crate::support::{LIMITS, answers, command, done, engine, module, no_result, order};
use bytes::Bytes;
use execution::{Config, Engine, Ran};
use protocol::{End, Limits, NoResult, Trap};
use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

fn looping(body: &str) -> Bytes {
    command(&format!(r#"(func (export "_start") (loop $again {body} (br $again)))"#))
}

fn forever() -> execution::Order {
    let mut order = order(&looping(""));
    order.limits = Limits { fuel: u64::MAX, wall_ms: 86_400_000, ..LIMITS };
    order
}

#[tokio::test]
async fn an_endless_loop_runs_out_of_fuel() {
    let done = done(order(&looping(""))).await;
    assert_eq!((done.end, done.fuel_used), (End::OutOfFuel, LIMITS.fuel));
}

#[tokio::test]
async fn a_loop_of_host_calls_runs_out_of_fuel() {
    for call in [
        "(drop (call $sched_yield))",
        "(drop (call $random_get (i32.const 0) (i32.const 65536)))",
        "(drop (call $path_filestat_get
           (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4000) (i32.const 8000)))",
        "(drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 0)))",
    ] {
        let mut order = order(&looping(call));
        order.limits.fuel = 10_000_000;
        let done = done(order).await;
        assert_eq!((done.end, done.fuel_used), (End::OutOfFuel, 10_000_000), "{call}");
    }
}

#[tokio::test]
async fn a_memory_bomb_ends_at_its_limit() {
    let bomb = looping("(drop (memory.grow (i32.const 1)))");
    let ended = done(order(&bomb)).await;
    assert_eq!(ended.end, End::OutOfMemory);
    assert!(ended.fuel_used < LIMITS.fuel);
    let at_once = command(r#"(func (export "_start") (drop (memory.grow (i32.const 64))))"#);
    assert_eq!(done(order(&at_once)).await.end, End::OutOfMemory);
    let just = command(r#"(func (export "_start") (drop (memory.grow (i32.const 63))))"#);
    assert_eq!(done(order(&just)).await.end, End::Exit(0));
}

#[tokio::test]
async fn a_memory_that_starts_too_large_ends_at_once() {
    let large = module(r#"(module (memory (export "memory") 65) (func (export "_start")))"#);
    let done = done(order(&large)).await;
    assert_eq!((done.end, done.fuel_used), (End::OutOfMemory, 0));
}

#[tokio::test]
async fn growing_past_its_own_maximum_fails_as_everywhere() {
    let polite = module(
        r#"(module (memory (export "memory") 1 3)
             (func (export "_start")
               (if (i32.ne (memory.grow (i32.const 3)) (i32.const -1)) (then unreachable))
               (if (i32.ne (memory.grow (i32.const 65535)) (i32.const -1)) (then unreachable))
               (if (i32.ne (memory.grow (i32.const 2)) (i32.const 1)) (then unreachable))))"#,
    );
    assert_eq!(done(order(&polite)).await.end, End::Exit(0));
    let whole = module(
        r#"(module (memory (export "memory") 1)
             (func (export "_start")
               (if (i32.ne (memory.grow (i32.const 65536)) (i32.const -1)) (then unreachable))))"#,
    );
    assert_eq!(done(order(&whole)).await.end, End::Exit(0));
}

#[tokio::test]
async fn a_bomb_of_tables_ends_at_its_limit() {
    let bomb = module(
        r#"(module (memory (export "memory") 1) (table $t 1 funcref)
             (func (export "_start")
               (loop $again
                 (drop (table.grow $t (ref.null func) (i32.const 1000)))
                 (br $again))))"#,
    );
    assert_eq!(done(order(&bomb)).await.end, End::OutOfMemory);
}

#[tokio::test]
async fn a_gigabyte_of_output_ends_at_its_limit() {
    let screaming = looping("(call $print (i32.const 0) (i32.const 60000))");
    let screamed = done(order(&screaming)).await;
    assert_eq!(screamed.end, End::OutputLimit);
    assert_eq!(screamed.stdout.len(), (1 << 20) / 60_000 * 60_000);
    let open = r#"(data (i32.const 8) "f")
        (func $open (result i32)
          (drop (call $path_open (i32.const 4) (i32.const 0) (i32.const 8) (i32.const 1)
            (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 0)))
          (i32.load (i32.const 0)))"#;
    for call in [
        "(call $fd_filestat_set_size (call $open) (i64.const 1073741824))",
        "(call $fd_filestat_set_size (call $open) (i64.const -1))",
        "(call $fd_allocate (call $open) (i64.const 1048576) (i64.const 1))",
        "(call $fd_pwrite (call $open) (i32.const 16) (i32.const 1) (i64.const 1048576)
           (i32.const 0))",
    ] {
        let data = format!(r#"{open} (data (i32.const 16) "\00\00\00\00\01\00\00\00")"#);
        let done = done(order(&answers(&data, &[call]))).await;
        assert_eq!(done.end, End::OutputLimit, "{call}");
    }
}

#[tokio::test]
async fn all_that_is_written_shares_one_limit() {
    let program = command(
        r#"(data (i32.const 8) "f")
        (func (export "_start")
          (drop (call $path_open (i32.const 4) (i32.const 0) (i32.const 8) (i32.const 1)
            (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 0)))
          (drop (call $fd_filestat_set_size (i32.load (i32.const 0)) (i64.const 600)))
          (call $print (i32.const 0) (i32.const 300))
          (drop (call $fd_filestat_set_size (i32.load (i32.const 0)) (i64.const 100)))
          (call $print (i32.const 0) (i32.const 600))
          (call $print (i32.const 0) (i32.const 1)))"#,
    );
    let mut order = order(&program);
    order.limits.output_bytes = 1000;
    let done = done(order).await;
    assert_eq!((done.end, done.stdout.len()), (End::OutputLimit, 900));
    assert_eq!(done.outputs, [("f".to_owned(), Bytes::from(vec![0; 100]))]);
}

#[tokio::test]
async fn every_trap_has_its_name() {
    for (trap, body) in [
        (Trap::Unreachable, "unreachable"),
        (Trap::MemoryOutOfBounds, "(drop (i32.load (i32.const 65533)))"),
        (Trap::MemoryOutOfBounds, "(drop (i64.load offset=0xffffffff (i32.const -1)))"),
        (Trap::MemoryOutOfBounds, "(memory.fill (i32.const 65530) (i32.const 0) (i32.const 7))"),
        (Trap::TableOutOfBounds, "(call_indirect (i32.const 9))"),
        (Trap::IndirectCallToNull, "(call_indirect (i32.const 1))"),
        (Trap::BadSignature, "(drop (call_indirect (result i32) (i32.const 0)))"),
        (
            Trap::IntegerOverflow,
            "(drop (i32.div_s (i32.const 0x80000000) (i32.sub (i32.load (i32.const 0)) (i32.const 1))))",
        ),
        (Trap::IntegerDivisionByZero, "(drop (i64.rem_u (i64.const 1) (i64.load (i32.const 0))))"),
        (
            Trap::BadConversionToInteger,
            "(drop (i32.trunc_f32_s (f32.div (f32.load (i32.const 0)) (f32.load (i32.const 0)))))",
        ),
        (Trap::IntegerOverflow, "(drop (i32.trunc_f64_u (f64.const 1e10)))"),
    ] {
        let program = command(&format!(
            r#"(table 2 2 funcref) (elem (i32.const 0) $nothing) (func $nothing)
               (func (export "_start")
                 (call $print (i32.const 0) (i32.const 3)) {body})"#
        ));
        let done = done(order(&program)).await;
        assert_eq!(done.end, End::Trap(trap), "{body}");
        assert_eq!(done.stdout.len(), 3, "what was written before the trap is kept");
        assert!(done.fuel_used > 0);
    }
}

#[tokio::test]
async fn a_trap_while_the_program_is_set_up_is_one_too() {
    let program = module(
        r#"(module (memory (export "memory") 1) (data (i32.const 65535) "too long")
             (func (export "_start")))"#,
    );
    assert_eq!(done(order(&program)).await.end, End::Trap(Trap::MemoryOutOfBounds));
}

#[tokio::test]
async fn the_exit_code_is_the_programs_own() {
    for code in [0, 1, 7, 125, 126, 1000, u32::MAX] {
        let program = command(&format!(
            r#"(func (export "_start")
                 (call $proc_exit (i32.const {})) unreachable)"#,
            code as i32
        ));
        assert_eq!(done(order(&program)).await.end, End::Exit(code));
    }
    let returning = command(r#"(func (export "_start"))"#);
    assert_eq!(done(order(&returning)).await.end, End::Exit(0));
}

#[tokio::test]
async fn a_start_function_runs_and_may_call() {
    let program = command(
        r#"(data (i32.const 0) "hello") (func $early (call $print (i32.const 0) (i32.const 5)))
           (start $early) (func (export "_start") (call $print (i32.const 0) (i32.const 1)))"#,
    );
    assert_eq!(done(order(&program)).await.stdout, "helloh");
}

#[tokio::test]
async fn a_stack_overflow_is_no_result() {
    let program = command(
        r#"(func $deep (param i32) (result i32)
             (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (local.get 0)))
           (func (export "_start") (drop (call $deep (i32.const 0))))"#,
    );
    assert_eq!(no_result(order(&program)).await, NoResult::StackOverflow);
}

#[tokio::test]
async fn the_end_of_wall_time_is_no_result() {
    let mut order = forever();
    order.limits.wall_ms = 50;
    assert_eq!(no_result(order).await, NoResult::WallTime);
    let mut calling = forever();
    calling.bytes = looping("(drop (call $sched_yield))");
    calling.program = objects::Cid::of(objects::Codec::Raw, &calling.bytes);
    calling.limits.wall_ms = 50;
    assert_eq!(no_result(calling).await, NoResult::WallTime);
}

#[tokio::test]
async fn a_dropped_run_frees_its_thread() {
    let engine = engine();
    {
        let mut run = pin!(engine.run(forever()));
        assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let program = command(r#"(func (export "_start"))"#);
    let Ran::Done(done) = engine.run(order(&program)).await else { panic!("no result") };
    assert_eq!(done.end, End::Exit(0));
}

#[tokio::test]
async fn a_full_queue_is_busy_at_once() {
    let config = Config { threads: 1, queue: 1, ..Config::default() };
    let engine = Engine::new(&config, None).unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let mut running = pin!(engine.run(forever()));
    assert!(running.as_mut().poll(&mut context).is_pending());
    // The thread takes the first order at some time; then the queue has room for one more.
    let _waiting = loop {
        let mut run = Box::pin(engine.run(forever()));
        match run.as_mut().poll(&mut context) {
            Poll::Pending => break run,
            Poll::Ready(ran) => assert_eq!(ran, Ran::NoResult(NoResult::Busy)),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(engine.run(forever()).await, Ran::NoResult(NoResult::Busy));
}

#[tokio::test]
async fn an_order_that_this_machine_cannot_hold_has_no_result_here() {
    let config = Config { threads: 1, task_bytes: 1 << 20, ..Config::default() };
    let engine = Engine::new(&config, None).unwrap();
    let program = command(r#"(func (export "_start"))"#);
    assert_eq!(engine.run(order(&program)).await, Ran::NoResult(NoResult::HostOutOfMemory));
}

#[tokio::test]
async fn inputs_that_cannot_be_files_are_refused() {
    for names in [&["a", "a"][..], &["../a"], &["/etc/passwd"], &[""], &["."]] {
        let mut order = order(&command(r#"(func (export "_start"))"#));
        order.inputs = names.iter().map(|&name| (name.into(), Bytes::new())).collect();
        assert_eq!(no_result(order).await, NoResult::Refused, "{names:?}");
    }
}
