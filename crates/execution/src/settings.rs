//! How wasmtime is configured, and the fingerprint of all that results depend on.

use crate::{
    bounds,
    wasi::{WORLD_VERSION, components, cost},
};
use identity::Digest;
use wasmparser::WasmFeatures;
use wasmtime::{Config, Inlining, OptLevel, Strategy, WasmBacktraceDetails};

/// The exact version of wasmtime: fuel differs between versions. A test holds it to the lock file.
const WASMTIME_VERSION: &str = "48.0.8";

/// Stack of a guest. A guest that needs more has no result, as frames differ between processors.
pub(crate) const STACK_BYTES: usize = 2 << 20;

/// The parts of WebAssembly that programs may use: 2.0 without host references, tail calls,
/// constant expressions and relaxed SIMD (in its deterministic form), and components. No threads, no
/// shared or 64-bit or second memories, no garbage collector, no exceptions, no stack switching, and
/// nothing of components that is not in WASI 0.2: nothing asynchronous above all.
pub(crate) const FEATURES: WasmFeatures = WasmFeatures::FLOATS
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::RELAXED_SIMD)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

/// Wasmtime's configuration. Whatever could let the machine show through is set here by name, not
/// left to a default.
pub(crate) fn wasmtime() -> Config {
    let mut config = Config::new();
    // Results.
    config
        .strategy(Strategy::Cranelift)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .consume_fuel(true)
        .compiler_inlining(Inlining::No)
        .max_wasm_stack(STACK_BYTES);
    config.wasm_features(WasmFeatures::all(), false);
    config.wasm_features(FEATURES, true);
    config.shared_memory(false);
    // Stopping for wall time and cancellation: no result.
    config.epoch_interruption(true);
    // Speed and upkeep; none of these changes a result. The details of backtraces would otherwise
    // follow an environment variable.
    config
        .cranelift_opt_level(OptLevel::Speed)
        .parallel_compilation(true)
        .memory_init_cow(true)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .native_unwind_info(false)
        .debug_info(false);
    config
}

/// Digest of the engine's version, the guest's world and every setting that results depend on.
/// The processor, the operating system and the node's own configuration are not in it.
pub(crate) fn fingerprint() -> Digest {
    let settings = format!(
        "cranelift nan_canonicalization relaxed_simd_deterministic fuel inlining=no features={:x}",
        FEATURES.bits()
    );
    let world = format!(
        "{WORLD_VERSION} call={} path={} random={} entry={} tables={} elements={} instances={} \
         instantiated={} things={} handles={} passed={}",
        cost::CALL,
        cost::PATH_BYTE,
        cost::RANDOM_BYTE,
        cost::ENTRY,
        bounds::TABLES,
        bounds::TABLE_ELEMENTS,
        bounds::INSTANCES,
        bounds::INSTANTIATED_BYTES,
        components::THINGS,
        components::HANDLES,
        components::PASSED_BYTES,
    );
    Digest::of(
        "polity engine",
        &[b"wasmtime", WASMTIME_VERSION.as_bytes(), settings.as_bytes(), world.as_bytes()],
    )
}

#[cfg(test)]
mod tests {
    use super::{FEATURES, WASMTIME_VERSION, fingerprint, wasmtime};

    #[test]
    fn the_engine_accepts_what_inspection_accepts_and_no_more() {
        let engine = wasmtime::Engine::new(&wasmtime()).expect("the settings hold together");
        let accepted = |wat: &str| {
            let bytes = wat::parse_str(wat).expect("text");
            let here = wasmtime::Module::new(&engine, &bytes).is_ok();
            let valid = wasmparser::Validator::new_with_features(FEATURES).validate_all(&bytes);
            assert_eq!(valid.is_ok(), here, "{wat}");
            here
        };
        for wat in [
            "(module (func $f return_call $f))",
            "(module (func (param v128) (result v128) local.get 0 i32x4.relaxed_trunc_f32x4_s))",
            "(module (func (result i32 i64) i32.const 1 i64.const 2))",
            "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 9))))",
            "(module (table 1 funcref) (func (drop (table.grow (ref.null func) (i32.const 1)))))",
            "(module (global i32 (i32.add (i32.const 1) (i32.const 2))))",
        ] {
            assert!(accepted(wat), "{wat}");
        }
        for wat in [
            "(module (memory 1 1 shared))",
            "(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))",
            "(module (memory i64 1))",
            "(module (memory 1) (memory 1))",
            "(module (memory 1 (pagesize 1)))",
            "(module (table 1 externref))",
            "(module (type (struct)))",
            "(module (tag))",
            "(module (func (param i64 i64) (result i64 i64) local.get 0 local.get 1 i64.mul_wide_u))",
        ] {
            assert!(!accepted(wat), "{wat}");
        }
    }

    #[test]
    fn the_version_is_that_of_the_lock_file() {
        let lock = include_str!("../../../Cargo.lock");
        let entry = format!("name = \"wasmtime\"\nversion = \"{WASMTIME_VERSION}\"\n");
        assert!(lock.contains(&entry), "wasmtime changed: so must the fingerprint");
    }

    #[test]
    fn the_fingerprint_changes_only_on_purpose() {
        assert_eq!(
            fingerprint().to_string(),
            "brdiziwndj42jcwgsk5so3hdowprfboxvf2rgj5t75wrs7qlv4iq"
        );
    }
}
