//! How the tests build guests and orders.

use bytes::Bytes;
use execution::{Config, Done, Engine, Order, Ran};
use identity::Digest;
use objects::{Cid, Codec};
use protocol::{Limits, NoResult};

/// Limits that no honest guest of these tests meets.
pub(crate) const LIMITS: Limits =
    Limits { fuel: 200_000_000, memory_bytes: 4 << 20, output_bytes: 1 << 20, wall_ms: 600_000 };

/// Every call with its type, so that a guest can name what it needs.
pub(crate) const CALLS: &[(&str, &str)] = &[
    ("args_get", "i32 i32"),
    ("args_sizes_get", "i32 i32"),
    ("clock_res_get", "i32 i32"),
    ("clock_time_get", "i32 i64 i32"),
    ("environ_get", "i32 i32"),
    ("environ_sizes_get", "i32 i32"),
    ("fd_advise", "i32 i64 i64 i32"),
    ("fd_allocate", "i32 i64 i64"),
    ("fd_close", "i32"),
    ("fd_datasync", "i32"),
    ("fd_fdstat_get", "i32 i32"),
    ("fd_fdstat_set_flags", "i32 i32"),
    ("fd_fdstat_set_rights", "i32 i64 i64"),
    ("fd_filestat_get", "i32 i32"),
    ("fd_filestat_set_size", "i32 i64"),
    ("fd_filestat_set_times", "i32 i64 i64 i32"),
    ("fd_pread", "i32 i32 i32 i64 i32"),
    ("fd_prestat_dir_name", "i32 i32 i32"),
    ("fd_prestat_get", "i32 i32"),
    ("fd_pwrite", "i32 i32 i32 i64 i32"),
    ("fd_read", "i32 i32 i32 i32"),
    ("fd_readdir", "i32 i32 i32 i64 i32"),
    ("fd_renumber", "i32 i32"),
    ("fd_seek", "i32 i64 i32 i32"),
    ("fd_sync", "i32"),
    ("fd_tell", "i32 i32"),
    ("fd_write", "i32 i32 i32 i32"),
    ("path_create_directory", "i32 i32 i32"),
    ("path_filestat_get", "i32 i32 i32 i32 i32"),
    ("path_filestat_set_times", "i32 i32 i32 i32 i64 i64 i32"),
    ("path_link", "i32 i32 i32 i32 i32 i32 i32"),
    ("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32"),
    ("path_readlink", "i32 i32 i32 i32 i32 i32"),
    ("path_remove_directory", "i32 i32 i32"),
    ("path_rename", "i32 i32 i32 i32 i32 i32"),
    ("path_symlink", "i32 i32 i32 i32 i32"),
    ("path_unlink_file", "i32 i32 i32"),
    ("poll_oneoff", "i32 i32 i32 i32"),
    ("proc_raise", "i32"),
    ("random_get", "i32 i32"),
    ("sched_yield", ""),
    ("sock_accept", "i32 i32 i32"),
    ("sock_recv", "i32 i32 i32 i32 i32 i32"),
    ("sock_send", "i32 i32 i32 i32 i32"),
    ("sock_shutdown", "i32 i32"),
];

/// A command with one page of memory, every call under its name, and `$print`, which writes
/// `$len` bytes at `$at` to stdout. `rest` holds the data and `_start`.
pub(crate) fn command(rest: &str) -> Bytes {
    let imports: String = CALLS
        .iter()
        .map(|(name, params)| {
            format!(
                "(import \"wasi_snapshot_preview1\" \"{name}\" \
                 (func ${name} (param {params}) (result i32)))\n"
            )
        })
        .collect();
    module(&format!(
        r#"(module
          {imports}
          (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
          (memory (export "memory") 1)
          (func $print (param $at i32) (param $len i32)
            (i32.store (i32.const 65520) (local.get $at))
            (i32.store (i32.const 65524) (local.get $len))
            (if (call $fd_write (i32.const 1) (i32.const 65520) (i32.const 1) (i32.const 65528))
              (then unreachable)))
          {rest})"#
    ))
}

/// A command whose `_start` prints, as one byte each, the error numbers that `calls` give.
pub(crate) fn answers(data: &str, calls: &[&str]) -> Bytes {
    let stores: String = calls
        .iter()
        .enumerate()
        .map(|(i, call)| format!("(i32.store8 (i32.const {}) {call})\n", 60_000 + i))
        .collect();
    command(&format!(
        r#"{data} (func (export "_start") {stores}
           (call $print (i32.const 60000) (i32.const {})))"#,
        calls.len()
    ))
}

/// The bytes of a module.
pub(crate) fn module(wat: &str) -> Bytes {
    wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}")).into()
}

/// An order for a program, with neither inputs nor arguments.
pub(crate) fn order(program: &Bytes) -> Order {
    Order {
        program: Cid::of(Codec::Raw, program),
        bytes: program.clone(),
        args: Vec::new(),
        inputs: Vec::new(),
        stdin: None,
        seed: Digest::plain(b"seed"),
        env: Vec::new(),
        limits: LIMITS,
    }
}

/// An engine with one thread and no cache.
pub(crate) fn engine() -> Engine {
    Engine::new(&Config { threads: 1, ..Config::default() }, None).unwrap()
}

pub(crate) async fn run(order: Order) -> Ran {
    engine().run(order).await
}

pub(crate) async fn done(order: Order) -> Done {
    match run(order).await {
        Ran::Done(done) => done,
        Ran::NoResult(reason) => panic!("no result: {reason:?}"),
    }
}

pub(crate) async fn no_result(order: Order) -> NoResult {
    match run(order).await {
        Ran::Done(done) => panic!("a result: {done:?}"),
        Ran::NoResult(reason) => reason,
    }
}

/// What a program prints, if it ends well.
pub(crate) async fn printed(order: Order) -> Bytes {
    let done = done(order).await;
    assert_eq!(done.end, protocol::End::Exit(0), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}
