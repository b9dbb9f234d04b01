//! How the tests write components down.

use bytes::Bytes;

/// What every component of these tests imports, at one version.
const IMPORTS: &str = r#"
  (import "wasi:io/poll@VERSION" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))
    (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:io/error@VERSION" (instance $io-error (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))
  (import "wasi:io/streams@VERSION" (instance $streams
    (alias outer 1 $error (type $outer-error))
    (export "error" (type $error (eq $outer-error)))
    (export "output-stream" (type $output-stream (sub resource)))
    (type $failure (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $failure)))
    (export "input-stream" (type $input-stream (sub resource)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $output-stream)) (param "contents" (list u8))
        (result (result (error $stream-error)))))
    (export "[method]output-stream.write-zeroes"
      (func (param "self" (borrow $output-stream)) (param "len" u64)
        (result (result (error $stream-error)))))
    (export "[method]output-stream.splice"
      (func (param "self" (borrow $output-stream)) (param "src" (borrow $input-stream))
        (param "len" u64) (result (result u64 (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output-stream))
  (alias export $streams "input-stream" (type $input-stream))
  (import "wasi:cli/stdin@VERSION" (instance $stdin
    (alias outer 1 $input-stream (type $outer-stream))
    (export "input-stream" (type $input-stream (eq $outer-stream)))
    (export "get-stdin" (func (result (own $input-stream))))))
  (import "wasi:cli/stdout@VERSION" (instance $stdout
    (alias outer 1 $output-stream (type $outer-stream))
    (export "output-stream" (type $output-stream (eq $outer-stream)))
    (export "get-stdout" (func (result (own $output-stream))))))
  (import "wasi:cli/exit@VERSION" (instance $exit
    (export "exit" (func (param "status" (result))))
    (export "exit-with-code" (func (param "status-code" u8)))))
  (import "wasi:clocks/monotonic-clock@VERSION" (instance $clock
    (alias outer 1 $pollable (type $outer-pollable))
    (export "pollable" (type $pollable (eq $outer-pollable)))
    (export "now" (func (result u64)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
  (import "wasi:random/random@VERSION" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))
    (export "get-random-u64" (func (result u64)))))
  (import "wasi:random/insecure-seed@VERSION" (instance $seed
    (export "insecure-seed" (func (result (tuple u64 u64))))))
  (import "wasi:filesystem/types@VERSION" (instance $files
    (type $codes (enum CODES))
    (export "error-code" (type $code (eq $codes)))
    (type $path (flags "symlink-follow"))
    (export "path-flags" (type $path-flags (eq $path)))
    (type $open (flags "create" "directory" "exclusive" "truncate"))
    (export "open-flags" (type $open-flags (eq $open)))
    (type $flags (flags "read" "write" "file-integrity-sync" "data-integrity-sync"
      "requested-write-sync" "mutate-directory"))
    (export "descriptor-flags" (type $descriptor-flags (eq $flags)))
    (type $hash (record (field "lower" u64) (field "upper" u64)))
    (export "metadata-hash-value" (type $metadata-hash (eq $hash)))
    (export "descriptor" (type $descriptor (sub resource)))
    (export "[method]descriptor.open-at" (func (param "self" (borrow $descriptor))
      (param "path-flags" $path-flags) (param "path" string) (param "open-flags" $open-flags)
      (param "flags" $descriptor-flags) (result (result (own $descriptor) (error $code)))))
    (export "[method]descriptor.write" (func (param "self" (borrow $descriptor))
      (param "buffer" (list u8)) (param "offset" u64) (result (result u64 (error $code)))))
    (export "[method]descriptor.read" (func (param "self" (borrow $descriptor))
      (param "length" u64) (param "offset" u64)
      (result (result (tuple (list u8) bool) (error $code)))))
    (export "[method]descriptor.metadata-hash" (func (param "self" (borrow $descriptor))
      (result (result $metadata-hash (error $code)))))
    (export "[method]descriptor.is-same-object" (func (param "self" (borrow $descriptor))
      (param "other" (borrow $descriptor)) (result bool)))))
  (alias export $files "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@VERSION" (instance $preopens
    (alias outer 1 $descriptor (type $outer-descriptor))
    (export "descriptor" (type $descriptor (eq $outer-descriptor)))
    (export "get-directories" (func (result (list (tuple (own $descriptor) string)))))))
  (import "wasi:sockets/network@VERSION" (instance $network
    (type $code (enum "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory"
      "timeout" "concurrency-conflict" "not-in-progress" "would-block" "invalid-state"
      "new-socket-limit" "address-not-bindable" "address-in-use" "remote-unreachable"
      "connection-refused" "connection-reset" "connection-aborted" "datagram-too-large"
      "name-unresolvable" "temporary-resolver-failure" "permanent-resolver-failure"))
    (export "error-code" (type (eq $code)))
    (type $families (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type (eq $families)))))
  (alias export $network "error-code" (type $code))
  (alias export $network "ip-address-family" (type $family))
  (import "wasi:sockets/tcp@VERSION" (instance $tcp (export "tcp-socket" (type (sub resource)))))
  (alias export $tcp "tcp-socket" (type $socket))
  (import "wasi:sockets/tcp-create-socket@VERSION" (instance $tcp-create
    (alias outer 1 $code (type $c)) (export "error-code" (type $code (eq $c)))
    (alias outer 1 $family (type $f)) (export "ip-address-family" (type $family (eq $f)))
    (alias outer 1 $socket (type $s)) (export "tcp-socket" (type $socket (eq $s)))
    (export "create-tcp-socket" (func (param "address-family" $family)
      (result (result (own $socket) (error $code)))))))"#;

/// The error codes of `wasi:filesystem`, in their order.
pub(crate) const CODES: &str = "access would-block already bad-descriptor busy deadlock quota exist \
    file-too-large illegal-byte-sequence in-progress interrupted invalid io is-directory loop \
    too-many-links message-size name-too-long no-device no-entry no-lock insufficient-memory \
    insufficient-space not-directory not-empty not-recoverable unsupported no-tty no-such-device \
    overflow not-permitted pipe read-only invalid-seek text-file-busy cross-device";

/// The host's functions as the core module sees them: name, how they are lowered, core type.
const FUNCTIONS: &[(&str, &str, &str)] = &[
    ("block", r#"(func $poll "[method]pollable.block")"#, "(param i32)"),
    ("poll", r#"(func $poll "poll") (memory $mem) (realloc $realloc)"#, "(param i32 i32 i32)"),
    (
        "write",
        r#"(func $streams "[method]output-stream.blocking-write-and-flush") (memory $mem)"#,
        "(param i32 i32 i32 i32)",
    ),
    ("stdout", r#"(func $stdout "get-stdout")"#, "(result i32)"),
    ("exit", r#"(func $exit "exit")"#, "(param i32)"),
    ("exit-code", r#"(func $exit "exit-with-code")"#, "(param i32)"),
    ("now", r#"(func $clock "now")"#, "(result i64)"),
    ("subscribe", r#"(func $clock "subscribe-duration")"#, "(param i64) (result i32)"),
    (
        "bytes",
        r#"(func $random "get-random-bytes") (memory $mem) (realloc $realloc)"#,
        "(param i64 i32)",
    ),
    ("u64", r#"(func $random "get-random-u64")"#, "(result i64)"),
    ("seed", r#"(func $seed "insecure-seed") (memory $mem)"#, "(param i32)"),
    (
        "directories",
        r#"(func $preopens "get-directories") (memory $mem) (realloc $realloc)"#,
        "(param i32)",
    ),
    ("stdin", r#"(func $stdin "get-stdin")"#, "(result i32)"),
    (
        "zeroes",
        r#"(func $streams "[method]output-stream.write-zeroes") (memory $mem)"#,
        "(param i32 i64 i32)",
    ),
    (
        "splice",
        r#"(func $streams "[method]output-stream.splice") (memory $mem)"#,
        "(param i32 i32 i64 i32)",
    ),
    (
        "open",
        r#"(func $files "[method]descriptor.open-at") (memory $mem)"#,
        "(param i32 i32 i32 i32 i32 i32 i32)",
    ),
    (
        "write-file",
        r#"(func $files "[method]descriptor.write") (memory $mem)"#,
        "(param i32 i32 i32 i64 i32)",
    ),
    (
        "read-file",
        r#"(func $files "[method]descriptor.read") (memory $mem) (realloc $realloc)"#,
        "(param i32 i64 i64 i32)",
    ),
    (
        "hash",
        r#"(func $files "[method]descriptor.metadata-hash") (memory $mem)"#,
        "(param i32 i32)",
    ),
    (
        "same",
        r#"(func $files "[method]descriptor.is-same-object")"#,
        "(param i32 i32) (result i32)",
    ),
    ("tcp", r#"(func $tcp-create "create-tcp-socket") (memory $mem)"#, "(param i32 i32)"),
];

/// The text of a command with one page of memory, every function above under its name, `$print`,
/// which writes `$len` bytes at `$at` to stdout, and `$drop`, which drops a pollable. `rest` holds
/// `run`.
pub(crate) fn text(version: &str, rest: &str) -> String {
    let codes: String = CODES.split(' ').map(|code| format!("\"{code}\" ")).collect();
    let imports = IMPORTS.replace("VERSION", version).replace("CODES", &codes);
    let mut lowered = "(core func $drop (canon resource.drop $pollable))".to_owned();
    let mut named = r#"(export "drop" (func $drop))"#.to_owned();
    let mut core = r#"(import "host" "drop" (func $drop (param i32)))"#.to_owned();
    for (name, how, ty) in FUNCTIONS {
        lowered += &format!("(core func ${name} (canon lower {how}))\n");
        named += &format!("(export \"{name}\" (func ${name}))\n");
        core += &format!("(import \"host\" \"{name}\" (func ${name} {ty}))\n");
    }
    format!(
        r#"(component {imports}
          (core module $memory
            (memory (export "memory") 1)
            (global $next (mut i32) (i32.const 32768))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32)
              (global.set $next (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
              (global.get $next)
              (global.set $next (i32.add (global.get $next) (local.get 3)))))
          (core instance $memory (instantiate $memory))
          (alias core export $memory "memory" (core memory $mem))
          (alias core export $memory "realloc" (core func $realloc))
          {lowered}
          (core module $main
            (import "memory" "memory" (memory 1))
            {core}
            (func $print (param $at i32) (param $len i32)
              (call $write (call $stdout) (local.get $at) (local.get $len) (i32.const 65520))
              (if (i32.load8_u (i32.const 65520)) (then unreachable)))
            {rest})
          (core instance $main (instantiate $main
            (with "memory" (instance $memory))
            (with "host" (instance {named}))))
          (func $run (result (result)) (canon lift (core func $main "run")))
          (instance $cli (export "run" (func $run)))
          (export "wasi:cli/run@{version}" (instance $cli)))"#
    )
}

pub(crate) fn bytes(wat: &str) -> Bytes {
    wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}")).into()
}

/// A component whose `run` is `body`, and succeeds if that comes to its end.
pub(crate) fn component(body: &str) -> Bytes {
    bytes(&text("0.2.0", &format!(r#"(func (export "run") (result i32) {body} (i32.const 0))"#)))
}
