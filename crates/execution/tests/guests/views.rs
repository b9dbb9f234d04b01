//! What a guest sees of its world: the same everywhere, and nothing of the host.

use crate::support::{LIMITS, answers, command, done, order, printed};
use execution::Order;
use identity::Digest;

/// 2000-01-01T00:00:00Z in nanoseconds.
const START_NS: u64 = 946_684_800_000_000_000;
const HOUR_NS: u64 = 3_600_000_000_000;

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

#[tokio::test]
async fn arguments_follow_the_programs_name_and_the_environment_is_as_given() {
    let program = command(
        r#"(func (export "_start")
             (drop (call $args_sizes_get (i32.const 0) (i32.const 4)))
             (drop (call $environ_sizes_get (i32.const 8) (i32.const 12)))
             (drop (call $args_get (i32.const 16) (i32.const 36)))
             (drop (call $environ_get (i32.const 28) (i32.const 53)))
             (call $print (i32.const 0) (i32.const 80)))"#,
    );
    let mut order = order(&program);
    order.args = vec!["größe".into(), String::new()];
    order.env = vec![("x".into(), "1".into()), ("LÄNGE".into(), "two words".into())];
    let seen = printed(order).await;
    let mut expected = Vec::new();
    for number in [3u32, 8 + 8 + 1, 2, 4 + 17, 36, 44, 52, 53, 57] {
        expected.extend(number.to_le_bytes());
    }
    expected.extend("program\0größe\0\0x=1\0LÄNGE=two words\0".as_bytes());
    assert_eq!(seen[..expected.len()], expected);
}

#[tokio::test]
async fn stdin_is_read_to_its_end() {
    let program = command(
        r#"(func (export "_start")
             (loop $again
               (i32.store (i32.const 0) (i32.const 100))
               (i32.store (i32.const 4) (i32.const 3))
               (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
               (call $print (i32.const 100) (i32.load (i32.const 8)))
               (br_if $again (i32.load (i32.const 8)))))"#,
    );
    let mut with = order(&program);
    with.stdin = Some("a line\nand another\n".into());
    assert_eq!(printed(with).await, "a line\nand another\n");
    assert_eq!(printed(order(&program)).await, "");
}

#[tokio::test]
async fn a_sleep_of_an_hour_takes_an_hour_of_virtual_time_and_none_of_ours() {
    let program = command(
        r#"(func (export "_start")
             (drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 200)))
             (i64.store (i32.const 0) (i64.const 77))
             (i32.store (i32.const 16) (i32.const 1))
             (i64.store (i32.const 24) (i64.const 3600000000000))
             (if (call $poll_oneoff (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 300))
               (then unreachable))
             (drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 208)))
             (drop (call $clock_time_get (i32.const 2) (i64.const 0) (i32.const 216)))
             (call $print (i32.const 100) (i32.const 32))
             (call $print (i32.const 200) (i32.const 24))
             (call $print (i32.const 300) (i32.const 4)))"#,
    );
    let mut order = order(&program);
    order.limits.wall_ms = 600_000;
    let done = done(order).await;
    let seen = &done.stdout;
    assert_eq!(u64_at(seen, 0), 77, "the event is the sleep's");
    assert_eq!(seen[56..60], [1, 0, 0, 0], "one event");
    let (before, after, cpu) = (u64_at(seen, 32), u64_at(seen, 40), u64_at(seen, 48));
    assert!((START_NS..START_NS + 10_000).contains(&before), "{before}");
    assert!((HOUR_NS..HOUR_NS + 10_000).contains(&(after - before)), "{}", after - before);
    assert!(cpu < 10_000, "sleeping is no work: {cpu}");
}

#[tokio::test]
async fn waiting_for_the_earliest_of_many_and_for_what_is_ready() {
    // Two clocks: only the earlier one ends the wait. Then a clock and stdin: no wait at all.
    let program = command(
        r#"(func $clock (param $at i32) (param $ns i64)
             (i64.store (local.get $at) (local.get $ns))
             (i32.store8 (i32.add (local.get $at) (i32.const 8)) (i32.const 0))
             (i32.store (i32.add (local.get $at) (i32.const 16)) (i32.const 0))
             (i64.store (i32.add (local.get $at) (i32.const 24)) (local.get $ns)))
           (func (export "_start")
             (call $clock (i32.const 0) (i64.const 5000000000))
             (call $clock (i32.const 48) (i64.const 4000000000))
             (drop (call $poll_oneoff (i32.const 0) (i32.const 200) (i32.const 2) (i32.const 300)))
             (call $print (i32.const 300) (i32.const 4))
             (call $print (i32.const 200) (i32.const 8))
             (i32.store8 (i32.const 56) (i32.const 1))
             (i32.store (i32.const 64) (i32.const 0))
             (drop (call $poll_oneoff (i32.const 0) (i32.const 200) (i32.const 2) (i32.const 300)))
             (call $print (i32.const 300) (i32.const 4))
             (call $print (i32.const 200) (i32.const 32)))"#,
    );
    let mut order = order(&program);
    order.stdin = Some("12345".into());
    let seen = printed(order).await;
    assert_eq!(seen[..4], [1, 0, 0, 0]);
    assert_eq!(u64_at(&seen, 4), 4_000_000_000);
    assert_eq!(seen[12..16], [1, 0, 0, 0]);
    assert_eq!(seen[26], 1, "a read");
    assert_eq!(u64_at(&seen, 32), 5, "bytes are there");
}

#[tokio::test]
async fn randomness_is_a_function_of_the_seed() {
    let program = command(
        r#"(func (export "_start")
             (drop (call $random_get (i32.const 0) (i32.const 1000)))
             (call $print (i32.const 0) (i32.const 1000)))"#,
    );
    let of = |seed: &[u8]| printed(Order { seed: Digest::plain(seed), ..order(&program) });
    let first = of(b"a").await;
    assert_eq!(of(b"a").await, first);
    assert_ne!(of(b"b").await, first);
    assert!((0..=255).filter(|byte| first.contains(byte)).count() > 200, "it looks random");
}

#[tokio::test]
async fn files_have_fixed_times_and_numbers_that_only_their_paths_decide() {
    let program = command(
        r#"(data (i32.const 0) "a.csv")
           (func (export "_start")
             (drop (call $path_filestat_get
               (i32.const 3) (i32.const 1) (i32.const 0) (i32.const 5) (i32.const 64)))
             (drop (call $fd_filestat_get (i32.const 3) (i32.const 128)))
             (call $print (i32.const 64) (i32.const 128)))"#,
    );
    let mut few = order(&program);
    few.inputs = vec![("a.csv".into(), "1,2,3\n".into())];
    let few = printed(few).await;
    let (file, directory) = few.split_at(64);
    for stat in [file, directory] {
        assert_eq!([40, 48, 56].map(|at| u64_at(stat, at)), [START_NS; 3]);
    }
    assert_eq!((file[16], u64_at(file, 32)), (4, 6), "a regular file of six bytes");
    assert_eq!(directory[16], 3, "a directory");
    assert_ne!(u64_at(file, 8), u64_at(directory, 8));
    let mut many = order(&program);
    many.inputs = ["0", "z", "a.csv"].map(|name| (name.into(), "other".into())).into();
    many.seed = Digest::plain(b"other seed");
    let many = printed(many).await;
    assert_eq!(u64_at(&many, 8), u64_at(file, 8), "the same path, the same number");
}

#[tokio::test]
async fn what_does_not_exist_here_is_said_to_be_unsupported() {
    let none = "(i32.const 0)";
    let calls = [
        format!("(call $sock_accept {none} {none} {none})"),
        format!("(call $sock_recv {none} {none} {none} {none} {none} {none})"),
        format!("(call $sock_send {none} {none} {none} {none} {none})"),
        format!("(call $sock_shutdown {none} {none})"),
        format!("(call $proc_raise {none})"),
        format!("(call $path_symlink {none} {none} (i32.const 4) {none} {none})"),
        format!("(call $path_link (i32.const 4) {none} {none} {none} (i32.const 4) {none} {none})"),
        "(call $fd_fdstat_set_rights (i32.const 4) (i64.const 0) (i64.const 0))".to_string(),
    ];
    let calls: Vec<&str> = calls.iter().map(String::as_str).collect();
    assert_eq!(printed(order(&answers("", &calls))).await, vec![58; calls.len()]);
}

#[tokio::test]
async fn the_virtual_clock_never_stands_still() {
    let program = command(
        r#"(func (export "_start") (local $i i32)
             (loop $again
               (drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 0)))
               (if (i64.le_u (i64.load (i32.const 0)) (i64.load (i32.const 8))) (then unreachable))
               (i64.store (i32.const 8) (i64.load (i32.const 0)))
               (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (br_if $again (i32.lt_u (local.get $i) (i32.const 1000)))))"#,
    );
    // A sleep to the end of time is over at once too, and the clock stays there.
    let long = command(
        r#"(func (export "_start")
             (i64.store (i32.const 24) (i64.const -1))
             (drop (call $poll_oneoff (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 8)))
             (drop (call $poll_oneoff (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 8)))
             (drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 0)))
             (call $print (i32.const 0) (i32.const 8)))"#,
    );
    let done = done(order(&program)).await;
    assert!(done.fuel_used < LIMITS.fuel && done.end.is_success(), "{:?}", done.end);
    assert_eq!(u64_at(&printed(order(&long)).await, 0), u64::MAX);
}
