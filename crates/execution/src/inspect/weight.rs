//! How much a component instantiates, counted without doing it.
//!
//! Components nest: each level can instantiate the level below more than once, and so a file of a
//! kilobyte could ask for more instances than there is memory. Every count here is exact, because
//! what cannot be counted (modules and components passed about as values) is refused.

use super::super::{Error, bounds};
use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, Instance, MemoryType, Parser, Payload,
};

const PAGE_BYTES: u64 = 65_536;

/// What instantiating something takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    /// Core modules, each time they are instantiated.
    pub(super) instances: u64,
    /// Bytes of these modules.
    module_bytes: u64,
    /// Bytes of memory that they start with.
    pub(super) memory_bytes: u64,
    /// Bytes of memory that they never exceed; `None` if one of them does not say.
    pub(super) memory_limit_bytes: Option<u64>,
}

impl Weight {
    const NOTHING: Self =
        Self { instances: 0, module_bytes: 0, memory_bytes: 0, memory_limit_bytes: Some(0) };

    fn add(&mut self, other: Self) {
        self.instances = self.instances.saturating_add(other.instances);
        self.module_bytes = self.module_bytes.saturating_add(other.module_bytes);
        self.memory_bytes = self.memory_bytes.saturating_add(other.memory_bytes);
        let limits = self.memory_limit_bytes.zip(other.memory_limit_bytes);
        self.memory_limit_bytes = limits.map(|(one, other)| one.saturating_add(other));
    }

    fn add_memory(&mut self, memory: &MemoryType) {
        let bytes = |pages: u64| pages.saturating_mul(PAGE_BYTES);
        self.add(Self {
            memory_bytes: bytes(memory.initial),
            memory_limit_bytes: memory.maximum.map(bytes),
            ..Self::NOTHING
        });
    }
}

/// A module or component that is being read.
struct Frame {
    is_module: bool,
    /// What instantiating it takes, as far as it was read.
    total: Weight,
    /// The modules and components that it can name, by index.
    modules: Vec<Weight>,
    components: Vec<Weight>,
}

impl Frame {
    fn component() -> Self {
        let total = Weight::NOTHING;
        Self { is_module: false, total, modules: Vec::new(), components: Vec::new() }
    }

    fn module(bytes: usize) -> Self {
        let total = Weight { instances: 1, module_bytes: bytes as u64, ..Weight::NOTHING };
        Self { is_module: true, total, ..Self::component() }
    }
}

/// What instantiating a valid component takes, if that is not too much.
pub(super) fn weigh(component: &[u8]) -> Result<Weight, Error> {
    let mut open = vec![Frame::component()];
    let mut whole = Weight::NOTHING;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(unreadable)? {
            Payload::ModuleSection { unchecked_range, .. } => {
                open.push(Frame::module(unchecked_range.len()));
            }
            Payload::ComponentSection { .. } => open.push(Frame::component()),
            Payload::End(_) => {
                let Some(frame) = open.pop() else { break };
                match open.last_mut() {
                    Some(parent) if frame.is_module => parent.modules.push(frame.total),
                    Some(parent) => parent.components.push(frame.total),
                    None => whole = frame.total,
                }
            }
            payload => read(&mut open, payload)?,
        }
    }
    check(whole)
}

fn check(whole: Weight) -> Result<Weight, Error> {
    if whole.instances > bounds::INSTANCES || whole.module_bytes > bounds::INSTANTIATED_BYTES {
        return Err(Error::Instances {
            instances: whole.instances,
            size_bytes: whole.module_bytes,
            instances_limit: bounds::INSTANCES,
            limit_bytes: bounds::INSTANTIATED_BYTES,
        });
    }
    Ok(whole)
}

/// Reads a section of the module or component that is open.
fn read(open: &mut [Frame], payload: Payload<'_>) -> Result<(), Error> {
    let Some((frame, above)) = open.split_last_mut() else { return Ok(()) };
    match payload {
        Payload::MemorySection(memories) => {
            for memory in memories {
                frame.total.add_memory(&memory.map_err(unreadable)?);
            }
        }
        Payload::InstanceSection(instances) => {
            for instance in instances {
                if let Instance::Instantiate { module_index, .. } = instance.map_err(unreadable)? {
                    frame.total.add(named(&frame.modules, module_index)?);
                }
            }
        }
        Payload::ComponentInstanceSection(instances) => {
            for instance in instances {
                let instance = instance.map_err(unreadable)?;
                if let ComponentInstance::Instantiate { component_index, .. } = instance {
                    frame.total.add(named(&frame.components, component_index)?);
                }
            }
        }
        Payload::ComponentImportSection(imports) => {
            for import in imports {
                let kind = import.map_err(unreadable)?.ty;
                if matches!(kind, ComponentTypeRef::Module(_) | ComponentTypeRef::Component(_)) {
                    return Err(passed());
                }
            }
        }
        Payload::ComponentAliasSection(aliases) => {
            for alias in aliases {
                name_alias(frame, above, &alias.map_err(unreadable)?)?;
            }
        }
        Payload::ComponentExportSection(exports) => {
            for export in exports {
                let export = export.map_err(unreadable)?;
                // An export is one more name for the same.
                match export.kind {
                    ComponentExternalKind::Module => {
                        frame.modules.push(named(&frame.modules, export.index)?);
                    }
                    ComponentExternalKind::Component => {
                        frame.components.push(named(&frame.components, export.index)?);
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// Notes what an alias names. `above` are the components around, the outermost first.
fn name_alias(frame: &mut Frame, above: &[Frame], alias: &ComponentAlias<'_>) -> Result<(), Error> {
    match *alias {
        ComponentAlias::InstanceExport {
            kind: ComponentExternalKind::Module | ComponentExternalKind::Component,
            ..
        } => Err(passed()),
        ComponentAlias::Outer { kind, count, index } => {
            let outer = |frame: &Frame, kind| match kind {
                ComponentOuterAliasKind::CoreModule => named(&frame.modules, index).map(Some),
                ComponentOuterAliasKind::Component => named(&frame.components, index).map(Some),
                _ => Ok(None),
            };
            let weight = match (count as usize).checked_sub(1) {
                None => outer(frame, kind)?,
                Some(up) => match above.iter().nth_back(up) {
                    Some(around) => outer(around, kind)?,
                    None => return Err(Error::NotWasm("an alias to nowhere".into())),
                },
            };
            match (kind, weight) {
                (ComponentOuterAliasKind::CoreModule, Some(weight)) => frame.modules.push(weight),
                (_, Some(weight)) => frame.components.push(weight),
                (_, None) => {}
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn named(weights: &[Weight], index: u32) -> Result<Weight, Error> {
    let weight = weights.get(index as usize).copied();
    weight.ok_or_else(|| Error::NotWasm(format!("nothing has the index {index}")))
}

fn passed() -> Error {
    Error::NotWasm("it passes modules or components about as values".into())
}

fn unreadable(error: wasmparser::BinaryReaderError) -> Error {
    Error::NotWasm(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::{PAGE_BYTES, Weight, weigh};
    use crate::Error;

    fn weight(wat: &str) -> Result<Weight, Error> {
        let bytes = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}"));
        wasmparser::Validator::new().validate_all(&bytes).expect("valid");
        weigh(&bytes)
    }

    #[test]
    fn every_instance_counts_with_its_memory() {
        let weight = weight(
            "(component
               (core module $m (memory 2 3))
               (core module $n (memory 1 1))
               (component $c
                 (core instance (instantiate $m))
                 (core instance (instantiate $m)))
               (instance (instantiate $c))
               (instance (instantiate $c))
               (core instance (instantiate $n)))",
        )
        .unwrap();
        assert_eq!(weight.instances, 5);
        assert_eq!(weight.memory_bytes, 9 * PAGE_BYTES);
        assert_eq!(weight.memory_limit_bytes, Some(13 * PAGE_BYTES));
    }

    #[test]
    fn what_is_defined_and_not_instantiated_weighs_nothing() {
        let weight = weight("(component (core module (memory 2)) (component))").unwrap();
        assert_eq!(weight, Weight::NOTHING);
    }

    #[test]
    fn a_small_file_cannot_ask_for_a_thousand_instances() {
        let mut text =
            "(component $c0 (core module $m) (core instance (instantiate $m)))".to_owned();
        for level in 1..=10 {
            let below = level - 1;
            text = format!(
                "(component $c{level} {text}
                   (instance (instantiate $c{below})) (instance (instantiate $c{below})))"
            );
        }
        let error = weight(&text).expect_err("1,024 instances");
        assert!(matches!(error, Error::Instances { instances: 1024, .. }), "{error}");
    }

    #[test]
    fn aliases_and_exports_name_what_they_lead_to() {
        let weight = weight(
            "(component $root
               (core module $big (memory 7))
               (core module $small)
               (component $c
                 (alias outer $root $big (core module $alias))
                 (export $again \"again\" (core module $alias))
                 (core instance (instantiate $again)))
               (instance (instantiate $c)))",
        )
        .unwrap();
        assert_eq!((weight.instances, weight.memory_bytes), (1, 7 * PAGE_BYTES));
    }

    #[test]
    fn components_as_values_are_refused() {
        for wat in [
            "(component (component (import \"a\" (component))))",
            "(component (component (import \"a\" (core module))))",
            "(component (component $c (core module $m) (export \"m\" (core module $m)))
               (instance $i (instantiate $c)) (alias export $i \"m\" (core module)))",
        ] {
            assert!(weight(wat).expect_err(wat).to_string().contains("as values"), "{wat}");
        }
    }
}
