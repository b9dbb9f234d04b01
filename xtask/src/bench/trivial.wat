;; Reads /in/ARG, at most 60 KB, and writes it to /out/ARG with every byte turned over.
;; Ends with the first error number.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (func $check (param $errno i32)
    (if (local.get $errno) (then (call $exit (local.get $errno)))))
  (func (export "_start") (local $name i32) (local $length i32) (local $at i32) (local $end i32)
    (call $check (call $sizes (i32.const 0) (i32.const 4)))
    (call $check (call $args (i32.const 16) (i32.const 1024)))
    (local.set $name (i32.load (i32.const 20)))
    (local.set $length
      (i32.sub
        (i32.sub (i32.add (i32.const 1024) (i32.load (i32.const 4))) (local.get $name))
        (i32.const 1)))
    (call $check (call $open (i32.const 3) (i32.const 0) (local.get $name) (local.get $length)
      (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 8)))
    (i32.store (i32.const 32) (i32.const 4096))
    (i32.store (i32.const 36) (i32.const 60000))
    (call $check (call $read (i32.load (i32.const 8)) (i32.const 32) (i32.const 1) (i32.const 40)))
    (i32.store (i32.const 36) (i32.load (i32.const 40)))
    (local.set $at (i32.const 4096))
    (local.set $end (i32.add (i32.const 4096) (i32.load (i32.const 40))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (i32.store8 (local.get $at)
          (i32.xor (i32.load8_u (local.get $at)) (i32.const 255)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (call $check (call $open (i32.const 4) (i32.const 0) (local.get $name) (local.get $length)
      (i32.const 9) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 12)))
    (call $check
      (call $write (i32.load (i32.const 12)) (i32.const 32) (i32.const 1) (i32.const 44)))))
