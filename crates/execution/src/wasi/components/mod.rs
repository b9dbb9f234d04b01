//! The world as components see it: WASI 0.2, the imports of `wasi:cli/command`.
//!
//! Source: the texts in `wit`. A component may ask for any 0.2 version: later ones only add.
//!
//! An interface is a table of names and methods of [`call::Call`]. Arguments that could be large are
//! read where they lie, in the guest's memory; the guest gets handles of things in
//! [`World::things`](super::World).

mod call;
mod cli;
mod clocks;
mod descriptors;
mod directories;
mod filesystem;
mod interface;
mod poll;
mod random;
mod sockets;
mod streams;
mod types;

use super::Host;
use interface::Interface;
use wasmtime::{
    Engine, Result,
    component::{Linker, ResourceTable},
};

/// The version under which the interfaces are linked; wasmtime lets every compatible one find them.
const VERSION: &str = "0.2.12";

/// The interface that a command exports, and its function.
pub(crate) const RUN: (&str, &str) = ("wasi:cli/run", "run");

/// Handles that a component may have of things of this world.
pub(crate) const THINGS: usize = 8192;
/// Handles that a component may have in all, of its own things too.
pub(crate) const HANDLES: usize = 65_536;
/// Bytes that a component may pass in one call.
pub(crate) const PASSED_BYTES: usize = 256 << 20;

/// All interfaces that a component may import.
const INTERFACES: &[Interface] = &[
    cli::ENVIRONMENT,
    cli::EXIT,
    cli::STDIN,
    cli::STDOUT,
    cli::STDERR,
    cli::TERMINAL_INPUT,
    cli::TERMINAL_OUTPUT,
    cli::TERMINAL_STDIN,
    cli::TERMINAL_STDOUT,
    cli::TERMINAL_STDERR,
    clocks::MONOTONIC,
    clocks::WALL,
    filesystem::PREOPENS,
    filesystem::TYPES,
    poll::ERROR,
    poll::POLL,
    random::INSECURE,
    random::INSECURE_SEED,
    random::RANDOM,
    sockets::INSTANCE_NETWORK,
    sockets::NAME_LOOKUP,
    sockets::NETWORK,
    sockets::TCP,
    sockets::TCP_CREATE,
    sockets::UDP,
    sockets::UDP_CREATE,
    streams::STREAMS,
];

/// A linker with the whole world in it, and nothing else.
pub(crate) fn link(engine: &Engine) -> Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    for interface in INTERFACES {
        interface.link(&mut linker.instance(&versioned(interface.name))?)?;
    }
    Ok(linker)
}

/// The things of a component that has not begun.
pub(super) fn things() -> ResourceTable {
    let mut things = ResourceTable::new();
    things.set_max_capacity(THINGS);
    things
}

/// An interface's name with the version that it is linked under.
pub(crate) fn versioned(name: &str) -> String {
    format!("{name}@{VERSION}")
}

/// The name without the version, if that is some 0.2.
pub(crate) fn unversioned(name: &str) -> Option<&str> {
    let (name, version) = name.split_once('@')?;
    let patch = version.strip_prefix("0.2.")?;
    (!patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit())).then_some(name)
}

/// The interface that an import of this name and version finds here.
pub(crate) fn find(import: &str) -> Option<&'static Interface> {
    let name = unversioned(import)?;
    INTERFACES.iter().find(|interface| interface.name == name)
}

/// Whether some interface has a resource of this name.
pub(crate) fn is_resource(name: &str) -> bool {
    INTERFACES.iter().any(|interface| interface.resources.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::{INTERFACES, find, link, unversioned};
    use crate::{inspect, settings};
    use std::collections::{BTreeMap, BTreeSet};
    use wasmtime::component::{Component, types::ComponentItem};
    use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
    use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

    /// A command that imports everything in the standard's text.
    fn everything() -> Vec<u8> {
        let mut resolve = Resolve::default();
        let mut last = None;
        for (name, text) in [
            ("io.wit", include_str!("../../../wit/io.wit")),
            ("clocks.wit", include_str!("../../../wit/clocks.wit")),
            ("random.wit", include_str!("../../../wit/random.wit")),
            ("filesystem.wit", include_str!("../../../wit/filesystem.wit")),
            ("sockets.wit", include_str!("../../../wit/sockets.wit")),
            ("cli.wit", include_str!("../../../wit/cli.wit")),
        ] {
            last = Some(resolve.push_str(name, text).expect("the standard's text"));
        }
        let cli = last.expect("six files");
        let world = resolve.select_world(&[cli], Some("command")).expect("wasi:cli/command");
        let abi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
        let mut module = dummy_module(&resolve, world, abi);
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
    }

    #[test]
    fn every_function_of_the_standard_is_here_with_its_type_and_none_besides() {
        let program = everything();
        let engine = wasmtime::Engine::new(&settings::wasmtime()).unwrap();
        let component = Component::new(&engine, &program).unwrap();
        link(&engine).unwrap().instantiate_pre(&component).unwrap_or_else(|e| panic!("{e:#}"));
        let mut standard = BTreeMap::new();
        for (name, item) in component.component_type().imports(&engine) {
            let ComponentItem::ComponentInstance(instance) = item.ty else { panic!("{name}") };
            let functions = instance.exports(&engine).filter_map(|(name, item)| {
                matches!(item.ty, ComponentItem::ComponentFunc(_)).then(|| name.to_owned())
            });
            let functions: BTreeSet<_> = functions.collect();
            standard.insert(unversioned(name).expect("some 0.2").to_owned(), functions);
        }
        let here = INTERFACES.iter().map(|interface| {
            let functions = interface.functions.iter().map(|name| (*name).to_owned());
            (interface.name.to_owned(), functions.collect::<BTreeSet<_>>())
        });
        assert_eq!(here.collect::<BTreeMap<_, _>>(), standard);
        assert_eq!(inspect(&program).unwrap().imports.len(), standard.len());
    }

    #[test]
    fn every_patch_of_0_2_is_found_and_no_other_version() {
        for version in ["0.2.0", "0.2.3", "0.2.12", "0.2.99"] {
            assert!(find(&format!("wasi:io/poll@{version}")).is_some(), "{version}");
        }
        for name in [
            "wasi:io/poll",
            "wasi:io/poll@0.2",
            "wasi:io/poll@0.2.",
            "wasi:io/poll@0.3.0",
            "wasi:io/poll@0.2.0-rc-2023-11-10",
            "wasi:io/poll@1.2.0",
            "wasi:io/other@0.2.0",
            "wasi:http/types@0.2.0",
        ] {
            assert!(find(name).is_none(), "{name}");
        }
    }
}
