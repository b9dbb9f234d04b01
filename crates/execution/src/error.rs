//! What can be wrong with a program, or with this engine.

use std::path::PathBuf;

/// Failure to accept a program, or to start or trust the engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More bytes than a program may have.
    #[error("the program has {size_bytes} bytes, at most {limit_bytes} are allowed")]
    TooLarge {
        /// Bytes of the program.
        size_bytes: usize,
        /// Bytes that are allowed.
        limit_bytes: usize,
    },
    /// The bytes are no valid WebAssembly.
    #[error("not a WebAssembly module or component that runs here: {0}")]
    NotWasm(String),
    /// The program imports something that does not exist here.
    #[error(
        "the program imports {module}.{name}, which does not exist here; {}",
        "modules see WASI preview 1 (wasi_snapshot_preview1), components WASI 0.2 (wasi:cli/command), and nothing else"
    )]
    UnknownImport {
        /// The import's module or interface.
        module: String,
        /// The import's name.
        name: String,
    },
    /// The component imports an interface that does not exist here.
    #[error(
        "the component imports {name}, which does not exist here; components see the interfaces of wasi:cli/command in their 0.2 versions, and nothing else"
    )]
    UnknownInterface {
        /// The interface.
        name: String,
    },
    /// The component imports something of ours under another type.
    #[error("the component does not fit the interfaces of WASI 0.2: {0}")]
    Types(String),
    /// The component would instantiate more than a program may.
    #[error(
        "the component makes {instances} instances of modules with {size_bytes} bytes, at most {instances_limit} with {limit_bytes} are allowed"
    )]
    Instances {
        /// Instances of modules.
        instances: u64,
        /// Bytes of the modules, counted for each instance.
        size_bytes: u64,
        /// Instances that are allowed.
        instances_limit: u64,
        /// Bytes that are allowed.
        limit_bytes: u64,
    },
    /// The module imports a function of ours under another type.
    #[error("the program imports {module}.{name} as {found}; here it is {expected}")]
    ImportType {
        /// The import's module.
        module: String,
        /// The import's name.
        name: String,
        /// What the program says it is.
        found: String,
        /// What it is.
        expected: String,
    },
    /// The program lacks an export.
    #[error("the program does not export {name}, {what}; is it a command, not a library?")]
    MissingExport {
        /// The export.
        name: &'static str,
        /// What it has to be.
        what: &'static str,
    },
    /// The module declares more tables, or larger ones, than a program may have.
    #[error(
        "the program declares {tables} tables with {elements} elements, at most {tables_limit} with {elements_limit} are allowed"
    )]
    Tables {
        /// Tables declared.
        tables: u32,
        /// Elements that they start with, together.
        elements: u64,
        /// Tables allowed.
        tables_limit: u32,
        /// Elements allowed.
        elements_limit: u64,
    },
    /// A field of the configuration makes no sense.
    #[error("execution: {0}")]
    Config(String),
    /// The cache of compiled programs cannot be opened.
    #[error("the cache of compiled programs at {path}: {source}; is the directory writable?")]
    Cache {
        /// What could not be opened.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The disk cannot be measured.
    #[error("the disk at {0} cannot be measured: {1}; is the directory writable?")]
    Disk(PathBuf, std::io::Error),
    /// A thread could not be started.
    #[error("no thread for running programs could be started: {0}")]
    Thread(std::io::Error),
    /// The system gave no randomness.
    #[error("the system gave no randomness for the cache's key: {0}")]
    Randomness(String),
    /// Wasmtime does not start here, or cannot compile a valid program.
    #[error("wasmtime fails on this machine: {0}")]
    Engine(String),
    /// A known-answer program gave another answer.
    #[error(
        "the known-answer program '{program}' gave {found} instead of {expected}: this machine computes wrongly and must not run tasks; check its memory and processor"
    )]
    KnownAnswer {
        /// The program.
        program: &'static str,
        /// The answer that every sound machine gives.
        expected: String,
        /// What this machine gave.
        found: String,
    },
}
