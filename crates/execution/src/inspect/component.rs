//! Whether a component is a command that can run here.

use super::{
    ProgramInfo, shown,
    weight::{Weight, weigh},
};
use crate::{Error, settings, wasi::components};
use wasmparser::{
    Parser, Payload, Validator,
    component_types::{
        ComponentAnyTypeId, ComponentDefinedType, ComponentEntityType, ComponentValType,
    },
    types::TypesRef,
};

/// Checks that `program` is a WASI 0.2 command.
pub(super) fn inspect(program: &[u8]) -> Result<ProgramInfo, Error> {
    let types = Validator::new_with_features(settings::FEATURES)
        .validate_all(program)
        .map_err(|error| Error::NotWasm(error.to_string()))?;
    let Weight { memory_bytes, memory_limit_bytes, .. } = weigh(program)?;
    let types = types.as_ref();
    let outside = outside(program)?;
    let mut imports = Vec::new();
    for name in outside.imports {
        check_import(types, name)?;
        imports.push(name.to_owned());
    }
    if !outside.exports.iter().any(|name| is_run(types, name)) {
        let (name, what) = (components::RUN.0, "an instance with `run: func() -> result`");
        return Err(Error::MissingExport { name, what });
    }
    imports.sort_unstable();
    Ok(ProgramInfo { memory_bytes, memory_limit_bytes, imports })
}

/// The names by which a component meets the world.
struct Outside<'a> {
    imports: Vec<&'a str>,
    exports: Vec<&'a str>,
}

/// What the outermost component imports and exports.
fn outside(program: &[u8]) -> Result<Outside<'_>, Error> {
    let mut outside = Outside { imports: Vec::new(), exports: Vec::new() };
    let mut depth = 0;
    let unreadable = |error: wasmparser::BinaryReaderError| Error::NotWasm(error.to_string());
    for payload in Parser::new(0).parse_all(program) {
        match payload.map_err(unreadable)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(imports) if depth == 0 => {
                for import in imports {
                    outside.imports.push(import.map_err(unreadable)?.name.name);
                }
            }
            Payload::ComponentExportSection(exports) if depth == 0 => {
                for export in exports {
                    outside.exports.push(export.map_err(unreadable)?.name.name);
                }
            }
            _ => {}
        }
    }
    Ok(outside)
}

/// Checks that an import names an interface of this world, and nothing in it that is not here.
/// Whether the types agree is left to wasmtime, when it links.
fn check_import(types: TypesRef<'_>, import: &str) -> Result<(), Error> {
    let missing = || Error::UnknownInterface { name: shown(import) };
    let interface = components::find(import).ok_or_else(missing)?;
    let item = types.component_item_for_import(import).ok_or_else(missing)?;
    let ComponentEntityType::Instance(instance) = item.ty else { return Err(missing()) };
    for (name, item) in &types[instance].exports {
        let here = match item.ty {
            ComponentEntityType::Func(_) => interface.functions.contains(&name.as_str()),
            ComponentEntityType::Type { created: ComponentAnyTypeId::Resource(_), .. } => {
                // Resources of other interfaces are named again where they are used.
                components::is_resource(name)
            }
            ComponentEntityType::Type { .. } => true,
            _ => false,
        };
        if !here {
            return Err(Error::UnknownImport { module: shown(import), name: shown(name) });
        }
    }
    Ok(())
}

/// Whether an export is the interface that makes a component a command.
fn is_run(types: TypesRef<'_>, export: &str) -> bool {
    let (interface, function) = components::RUN;
    let function_id = || {
        if components::unversioned(export) != Some(interface) {
            return None;
        }
        let ComponentEntityType::Instance(instance) = types.component_item_for_export(export)?.ty
        else {
            return None;
        };
        match types[instance].exports.get(function)?.ty {
            ComponentEntityType::Func(id) => Some(id),
            _ => None,
        }
    };
    let Some(id) = function_id() else { return false };
    let run = &types[id];
    let Some(ComponentValType::Type(result)) = run.result else { return false };
    run.params.is_empty()
        && matches!(types[result], ComponentDefinedType::Result { ok: None, err: None, .. })
}
