//! Programs, compiled once and kept: in memory, and on disk if there is a cache.

use crate::{
    Config, Error,
    aot::{Cache, Code},
    inspect, settings,
    wasi::{self, Host, components},
};
use identity::Digest;
use objects::Cid;
use protocol::NoResult;
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use wasmparser::Parser;
use wasmtime::{
    Engine, InstancePre, Linker, Module,
    component::{self, Component, ComponentExportIndex},
};

/// A program that is ready to be instantiated.
#[derive(Clone)]
pub(crate) enum Program {
    Module(InstancePre<Host>),
    /// A component, and where its `run` is.
    Component(component::InstancePre<Host>, ComponentExportIndex),
}

/// What became of compiling. A program that cannot run is remembered as such.
type Compiled = Arc<OnceLock<Result<Program, NoResult>>>;

/// All programs that this engine knows.
pub(crate) struct Programs {
    engine: Engine,
    modules: Linker<Host>,
    components: component::Linker<Host>,
    cache: Option<Cache>,
    /// Version and settings of the compiler, and what it found of this processor.
    compiler: [u8; 8],
    /// The most recently used first, at most `limit`.
    recent: Mutex<Vec<(Cid, Compiled)>>,
    limit: usize,
}

impl Programs {
    pub(crate) fn new(
        engine: &Engine,
        config: &Config,
        directory: Option<&Path>,
    ) -> Result<Self, Error> {
        let failed = |error: wasmtime::Error| Error::Engine(error.to_string());
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self {
            engine: engine.clone(),
            modules: wasi::link(engine).map_err(failed)?,
            components: components::link(engine).map_err(failed)?,
            cache: directory.map(|path| Cache::open(path, config.cache_bytes)).transpose()?,
            compiler: hasher.finish().to_be_bytes(),
            recent: Mutex::new(Vec::new()),
            limit: config.programs,
        })
    }

    /// The program of this name, whose bytes are `bytes`. The first to ask compiles it, the others
    /// wait.
    pub(crate) fn get(&self, name: Cid, bytes: &[u8]) -> Result<Program, NoResult> {
        let compiled = self.recent(name);
        let program = compiled.get_or_init(|| self.load(name, bytes)).clone();
        if let Err(NoResult::HostFailure) = program {
            self.forget(name);
        }
        program
    }

    /// Compiles a program, past every cache.
    pub(crate) fn compile(&self, bytes: &[u8]) -> Result<(Program, Code), Error> {
        inspect(bytes)?;
        let failed = |error: wasmtime::Error| Error::Engine(format!("{error:#}"));
        let code = if Parser::is_component(bytes) {
            Code::Component(Component::new(&self.engine, bytes).map_err(failed)?)
        } else {
            Code::Module(Module::new(&self.engine, bytes).map_err(failed)?)
        };
        Ok((self.link(&code)?, code))
    }

    fn link(&self, code: &Code) -> Result<Program, Error> {
        match code {
            Code::Module(module) => {
                let program = self.modules.instantiate_pre(module);
                program.map(Program::Module).map_err(|error| Error::Engine(format!("{error:#}")))
            }
            Code::Component(component) => {
                // Inspection has compared names. The types are compared here.
                let program = self.components.instantiate_pre(component);
                let program = program.map_err(|error| Error::Types(format!("{error:#}")))?;
                let (interface, function) = components::RUN;
                let interface = component.get_export_index(None, components::versioned(interface));
                let run = interface
                    .and_then(|interface| component.get_export_index(Some(&interface), function))
                    .ok_or_else(|| Error::Types("it has no wasi:cli/run".into()))?;
                Ok(Program::Component(program, run))
            }
        }
    }

    fn load(&self, name: Cid, bytes: &[u8]) -> Result<Program, NoResult> {
        let file = Digest::of(
            "polity aot file",
            &[&name.to_bytes(), settings::fingerprint().as_bytes(), &self.compiler],
        );
        if let Some(code) = self.cache.as_ref().and_then(|cache| cache.load(&self.engine, file)) {
            match self.link(&code) {
                Ok(program) => return Ok(program),
                Err(error) => tracing::warn!(%name, %error, "a kept program does not link"),
            }
        }
        match self.compile(bytes) {
            Ok((program, code)) => {
                if let Some(cache) = &self.cache {
                    cache.store(file, &code);
                }
                Ok(program)
            }
            // It passed inspection, so it is this machine, or the compiler, that could not.
            Err(error @ Error::Engine(_)) => {
                tracing::warn!(%name, %error, "could not compile a program");
                Err(NoResult::HostFailure)
            }
            Err(error) => {
                tracing::info!(%name, %error, "refused a program");
                Err(NoResult::BadProgram)
            }
        }
    }

    fn forget(&self, name: Cid) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|(known, _)| *known != name);
    }

    fn recent(&self, name: Cid) -> Compiled {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let place = recent.iter().position(|(known, _)| *known == name);
        let entry = match place {
            Some(place) => recent.remove(place),
            None => (name, Compiled::default()),
        };
        recent.insert(0, entry.clone());
        recent.truncate(self.limit);
        entry.1
    }
}
