//! Whether bytes are a program that can run here; without compiling anything.

mod component;
mod weight;

use crate::{Error, bounds, settings, wasi};
use wasmparser::{
    FuncType, Parser, ValType, Validator,
    types::{EntityType, Types, TypesRef},
};

/// Bytes that a program may have.
pub const PROGRAM_BYTES: usize = 64 << 20;

/// What can be said of a program before it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramInfo {
    /// Bytes of memory that it starts with.
    pub memory_bytes: u64,
    /// Bytes of memory that it will never exceed, if it says so.
    pub memory_limit_bytes: Option<u64>,
    /// What it imports, sorted: a module functions of `wasi_snapshot_preview1`, a component
    /// interfaces of WASI 0.2.
    pub imports: Vec<String>,
}

/// Checks that `program` is a command that the engine runs: valid, importing nothing that does not
/// exist here. A module is one of WASI preview 1 and exports `_start` and `memory`; a component is
/// one of WASI 0.2 and exports `wasi:cli/run`. Takes about as long as reading it.
///
/// # Errors
/// What is missing or wrong, naming it.
pub fn inspect(program: &[u8]) -> Result<ProgramInfo, Error> {
    if program.len() > PROGRAM_BYTES {
        return Err(Error::TooLarge { size_bytes: program.len(), limit_bytes: PROGRAM_BYTES });
    }
    if Parser::is_component(program) {
        return component::inspect(program);
    }
    if !Parser::is_core_wasm(program) {
        return Err(Error::NotWasm("it does not begin with \\0asm and version 1".into()));
    }
    let types = Validator::new_with_features(settings::FEATURES)
        .validate_all(program)
        .map_err(|error| Error::NotWasm(error.to_string()))?;
    let imports = check_imports(types.as_ref())?;
    check_tables(&types)?;
    let memory = check_exports(types.as_ref())?;
    let bytes = |pages: u64| pages.saturating_mul(65_536);
    Ok(ProgramInfo {
        memory_bytes: bytes(memory.initial),
        memory_limit_bytes: memory.maximum.map(bytes),
        imports,
    })
}

fn check_imports(types: TypesRef<'_>) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for (module, name, entity) in types.core_imports().into_iter().flatten() {
        let unknown = || Error::UnknownImport { module: shown(module), name: shown(name) };
        if module != wasi::MODULE {
            return Err(unknown());
        }
        let expected = wasi::signature(name).ok_or_else(unknown)?;
        let found = match entity {
            EntityType::Func(id) => text_of(types[id].unwrap_func()),
            _ => "something else than a function".into(),
        };
        if found != expected {
            return Err(Error::ImportType {
                module: shown(module),
                name: shown(name),
                found,
                expected,
            });
        }
        names.push(name.to_owned());
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn check_tables(types: &Types) -> Result<(), Error> {
    let types = types.as_ref();
    let tables = types.table_count();
    let elements =
        (0..tables).map(|index| types.table_at(index).initial).fold(0, u64::saturating_add);
    if tables > bounds::TABLES || elements > bounds::TABLE_ELEMENTS {
        return Err(Error::Tables {
            tables,
            elements,
            tables_limit: bounds::TABLES,
            elements_limit: bounds::TABLE_ELEMENTS,
        });
    }
    Ok(())
}

fn check_exports(types: TypesRef<'_>) -> Result<wasmparser::MemoryType, Error> {
    let (mut start, mut memory) = (false, None);
    for (name, entity) in types.core_exports().into_iter().flatten() {
        match (name, entity) {
            ("_start", EntityType::Func(id)) => {
                let ty = types[id].unwrap_func();
                start = ty.params().is_empty() && ty.results().is_empty();
            }
            ("memory", EntityType::Memory(ty)) => memory = Some(ty),
            _ => {}
        }
    }
    if !start {
        let what = "a function without parameters and results";
        return Err(Error::MissingExport { name: "_start", what });
    }
    memory.ok_or(Error::MissingExport { name: "memory", what: "its linear memory" })
}

/// The type of a function, as in `(i32, i64) -> i32`.
fn text_of(ty: &FuncType) -> String {
    let list = |types: &[ValType]| -> String {
        types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    wasi::signature_text(&list(ty.params()), &list(ty.results()))
}

/// A name from the program, cut to what fits a message.
fn shown(name: &str) -> String {
    name.chars().take(80).flat_map(char::escape_debug).collect()
}
