//! Run Wasm and boxes under limits.
