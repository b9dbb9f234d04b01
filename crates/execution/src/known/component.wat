;; A component: randomness, the clock, a sleep, arguments, and what the canonical ABI copies.
(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:io/error@0.2.0" (instance $io-error (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error (type $outer-error))
    (export "error" (type $error (eq $outer-error)))
    (export "output-stream" (type $output-stream (sub resource)))
    (type $failure (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $failure)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $output-stream)) (param "contents" (list u8))
        (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output-stream))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output-stream (type $outer-stream))
    (export "output-stream" (type $output-stream (eq $outer-stream)))
    (export "get-stdout" (func (result (own $output-stream))))))
  (import "wasi:cli/environment@0.2.0" (instance $environment
    (export "get-environment" (func (result (list (tuple string string)))))
    (export "get-arguments" (func (result (list string))))))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $outer-pollable))
    (export "pollable" (type $pollable (eq $outer-pollable)))
    (export "now" (func (result u64)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))
    (export "get-random-u64" (func (result u64)))))

  ;; Memory, and a realloc that only ever goes up.
  (core module $memory
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $next (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.get $next)
      (global.set $next (i32.add (global.get $next) (local.get 3)))))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))

  (core func $get-stdout (canon lower (func $stdout "get-stdout")))
  (core func $write (canon lower
    (func $streams "[method]output-stream.blocking-write-and-flush") (memory $mem)))
  (core func $get-environment (canon lower
    (func $environment "get-environment") (memory $mem) (realloc $realloc)))
  (core func $get-arguments (canon lower
    (func $environment "get-arguments") (memory $mem) (realloc $realloc)))
  (core func $now (canon lower (func $clock "now")))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $drop-pollable (canon resource.drop $pollable))
  (core func $bytes (canon lower
    (func $random "get-random-bytes") (memory $mem) (realloc $realloc)))
  (core func $u64 (canon lower (func $random "get-random-u64")))

  (core module $main
    (import "memory" "memory" (memory 1))
    (import "host" "get-stdout" (func $get-stdout (result i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "get-environment" (func $get-environment (param i32)))
    (import "host" "get-arguments" (func $get-arguments (param i32)))
    (import "host" "now" (func $now (result i64)))
    (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "host" "block" (func $block (param i32)))
    (import "host" "drop-pollable" (func $drop-pollable (param i32)))
    (import "host" "bytes" (func $bytes (param i64 i32)))
    (import "host" "u64" (func $u64 (result i64)))
    (func (export "run") (result i32) (local $pollable i32) (local $i i32)
      (i64.store (i32.const 16) (call $now))
      (loop $again
        (local.set $pollable (call $subscribe (i64.mul (call $u64) (i64.const 0))))
        (call $block (local.get $pollable))
        (call $drop-pollable (local.get $pollable))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (i32.const 100))))
      (local.set $pollable (call $subscribe (i64.const 1000000000)))
      (call $block (local.get $pollable))
      (i64.store (i32.const 24) (call $now))
      (i64.store (i32.const 32) (call $u64))
      (call $get-environment (i32.const 40))
      (call $get-arguments (i32.const 48))
      (call $bytes (i64.const 100) (i32.const 56))
      ;; All that was stored, and all that realloc gave.
      (call $write (call $get-stdout) (i32.const 0) (i32.const 64) (i32.const 0))
      (call $write (call $get-stdout) (i32.const 4096) (i32.const 512) (i32.const 0))
      (i32.load8_u (i32.const 0))))
  (core instance $main (instantiate $main
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "get-stdout" (func $get-stdout))
      (export "write" (func $write))
      (export "get-environment" (func $get-environment))
      (export "get-arguments" (func $get-arguments))
      (export "now" (func $now))
      (export "subscribe" (func $subscribe))
      (export "block" (func $block))
      (export "drop-pollable" (func $drop-pollable))
      (export "bytes" (func $bytes))
      (export "u64" (func $u64))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
