;; Memory and calls: growth, copies, and a Shell sort that compares through a table.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (type $order (func (param i32 i32) (result i32)))
  (table funcref (elem $less $more))
  (global $numbers i32 (i32.const 65536))
  (global $count i32 (i32.const 10000))
  (func $less (type $order) (i32.lt_s (local.get 0) (local.get 1)))
  (func $more (type $order) (i32.gt_u (local.get 0) (local.get 1)))
  (func $at (param $i i32) (result i32)
    (i32.add (global.get $numbers) (i32.shl (local.get $i) (i32.const 2))))
  (func $fill (local $i i32) (local $x i32)
    (local.set $x (i32.const 0x3f84d5b5))
    (loop $again
      (local.set $x
        (i32.add (i32.mul (local.get $x) (i32.const 1664525)) (i32.const 1013904223)))
      (i32.store (call $at (local.get $i)) (local.get $x))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (global.get $count)))))
  (func $sort (param $order i32) (local $gap i32) (local $i i32) (local $j i32) (local $x i32)
    (local.set $gap (i32.shr_u (global.get $count) (i32.const 1)))
    (loop $gaps
      (local.set $i (local.get $gap))
      (loop $rest
        (local.set $x (i32.load (call $at (local.get $i))))
        (local.set $j (local.get $i))
        (block $placed
          (loop $shift
            (br_if $placed (i32.lt_u (local.get $j) (local.get $gap)))
            (br_if $placed
              (i32.eqz
                (call_indirect (type $order)
                  (local.get $x)
                  (i32.load (call $at (i32.sub (local.get $j) (local.get $gap))))
                  (local.get $order))))
            (i32.store (call $at (local.get $j))
              (i32.load (call $at (i32.sub (local.get $j) (local.get $gap)))))
            (local.set $j (i32.sub (local.get $j) (local.get $gap)))
            (br $shift)))
        (i32.store (call $at (local.get $j)) (local.get $x))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $rest (i32.lt_u (local.get $i) (global.get $count))))
      (local.set $gap (i32.shr_u (local.get $gap) (i32.const 1)))
      (br_if $gaps (local.get $gap))))
  (func $hash (result i64) (local $i i32) (local $h i64)
    (local.set $h (i64.const 0xcbf29ce484222325))
    (loop $again
      (local.set $h
        (i64.mul
          (i64.xor (local.get $h) (i64.load8_u (i32.add (i32.const 4096) (local.get $i))))
          (i64.const 0x100000001b3)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 120000))))
    (local.get $h))
  (func (export "_start")
    (if (i32.ne (memory.grow (i32.const 3)) (i32.const 1)) (then unreachable))
    (call $fill)
    (call $sort (i32.const 0))
    (i64.store (i32.const 64) (call $hash))
    (memory.copy (i32.const 4097) (i32.const 65536) (i32.const 50000))
    (call $sort (i32.const 1))
    (memory.fill (i32.const 100000) (i32.const 0xa5) (i32.const 333))
    (memory.copy (i32.const 70000) (i32.const 70001) (i32.const 5000))
    (i64.store (i32.const 72) (call $hash))
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.const 16))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
