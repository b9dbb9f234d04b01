//! What is refused before it runs, and by which name.

use crate::component_text::component;
use crate::support::{command, module, no_result, order};
use bytes::Bytes;
use execution::{Error, inspect};
use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};
use protocol::NoResult;

fn refusal(program: &[u8]) -> String {
    inspect(program).expect_err("this is no program").to_string()
}

#[test]
fn a_command_is_described() {
    let info = inspect(&module(
        r#"(module
             (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
             (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
             (memory (export "memory") 2 5) (func (export "_start")))"#,
    ))
    .unwrap();
    assert_eq!(info.memory_bytes, 131_072);
    assert_eq!(info.memory_limit_bytes, Some(327_680));
    assert_eq!(info.imports, ["fd_write", "proc_exit"]);
    assert_eq!(inspect(&command(r#"(func (export "_start"))"#)).unwrap().imports.len(), 46);
}

#[test]
fn what_is_not_wasm_is_said_to_be_not_wasm() {
    for bytes in [&b""[..], b"\0asm", b"\x7fELF", b"#!/bin/sh\n", b"(module)", b"\0asm\x02\0\0\0"] {
        assert!(refusal(bytes).contains("not a WebAssembly module"), "{bytes:?}");
    }
    let valid = command(r#"(func (export "_start"))"#);
    for len in [8, 20, valid.len() / 2, valid.len() - 1] {
        assert!(inspect(&valid[..len]).is_err(), "{len} bytes of {}", valid.len());
    }
    assert!(refusal(b"\0asm\x0d\0\x01\0").contains("does not export wasi:cli/run"));
    assert!(matches!(inspect(&vec![0; (64 << 20) + 1]), Err(Error::TooLarge { .. })));
}

#[test]
fn an_import_that_does_not_exist_is_named() {
    for (import, named) in [
        (r#"(import "env" "abort" (func (param i32 i32 i32 i32)))"#, "env.abort"),
        (r#"(import "wasi_snapshot_preview1" "fd_dup" (func))"#, "wasi_snapshot_preview1.fd_dup"),
        (r#"(import "wasi_unstable" "fd_close" (func (param i32) (result i32)))"#, "wasi_unstable"),
        (r#"(import "env" "memory" (memory 1))"#, "env.memory"),
        (r#"(import "a\nb" "c" (global i32))"#, r"a\nb.c"),
    ] {
        let program = module(&format!(
            r#"(module {import} (func (export "_start"))
                 {})"#,
            if import.contains("memory\" (memory") {
                r#"(export "memory" (memory 0))"#
            } else {
                r#"(memory (export "memory") 1)"#
            }
        ));
        let text = refusal(&program);
        assert!(text.contains(named) && text.contains("does not exist"), "{text}");
    }
}

#[test]
fn an_import_of_another_type_is_named_with_both_types() {
    for import in ["(func (param i32) (result i64))", "(global i32)", "(func (param i64))"] {
        let text = refusal(&module(&format!(
            r#"(module (import "wasi_snapshot_preview1" "fd_close" {import})
                 (memory (export "memory") 1) (func (export "_start")))"#
        )));
        assert!(text.contains("fd_close") && text.contains("(i32) -> i32"), "{text}");
    }
}

#[test]
fn a_missing_export_is_named() {
    for (wat, named) in [
        (r#"(module (memory (export "memory") 1))"#, "_start"),
        (r#"(module (memory (export "memory") 1) (func (export "_start") (param i32)))"#, "_start"),
        (
            r#"(module (memory (export "memory") 1) (global (export "_start") i32 (i32.const 0)))"#,
            "_start",
        ),
        (r#"(module (memory 1) (func (export "_start")))"#, "memory"),
        (r#"(module (func (export "memory")) (func (export "_start")))"#, "memory"),
    ] {
        let text = refusal(&module(wat));
        assert!(text.contains(&format!("does not export {named}")), "{text}");
    }
}

#[test]
fn tables_are_bounded() {
    for tables in ["(table 1048577 funcref)".to_owned(), "(table 1 funcref)".repeat(65)] {
        let wat =
            format!(r#"(module (memory (export "memory") 1) {tables} (func (export "_start")))"#);
        assert!(matches!(inspect(&module(&wat)), Err(Error::Tables { .. })));
    }
}

#[tokio::test]
async fn a_program_that_cannot_run_has_no_result() {
    let bytes = Bytes::from_static(b"not wasm");
    assert_eq!(no_result(order(&bytes)).await, NoResult::BadProgram);
    let invalid = module(
        r#"(module (import "env" "f" (func)) (memory (export "memory") 1)
             (func (export "_start")))"#,
    );
    assert_eq!(no_result(order(&invalid)).await, NoResult::BadProgram);
}

fn altered(valid: Bytes) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8).prop_map(
        move |changes| {
            let mut bytes = valid.to_vec();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        },
    )
}

fn program_like() -> impl Strategy<Value = Vec<u8>> {
    let module = command(r#"(table 3 funcref) (func (export "_start") (drop (i32.const 1)))"#);
    let altered = prop_oneof![altered(module), altered(component(""))];
    let headed = prop::collection::vec(any::<u8>(), 0..300)
        .prop_map(|tail| [&b"\0asm\x01\0\0\0"[..], &tail].concat());
    prop_oneof![prop::collection::vec(any::<u8>(), 0..300), headed, altered]
}

proptest! {
    #[test]
    fn no_bytes_make_inspection_panic(bytes in program_like()) {
        if let Ok(info) = inspect(&bytes) {
            assert!(info.memory_bytes <= 128 * (4 << 30));
        }
    }
}
