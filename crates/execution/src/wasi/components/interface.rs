//! How an interface is written down: once, as the linker's functions and as the names that
//! inspection knows.

use super::super::Host;
use wasmtime::{Result, component::LinkerInstance};

/// One interface of WASI.
pub(crate) struct Interface {
    /// Its name without a version.
    pub(crate) name: &'static str,
    pub(crate) resources: &'static [&'static str],
    pub(crate) functions: &'static [&'static str],
    pub(crate) link: fn(&mut LinkerInstance<'_, Host>) -> Result<()>,
}

impl Interface {
    pub(crate) fn link(&self, instance: &mut LinkerInstance<'_, Host>) -> Result<()> {
        (self.link)(instance)
    }
}

/// Writes an interface. A line `how "name" => method(arguments);` binds a function to a method of
/// `Call`; `how` is the function of `call` that turns the method's answer into the interface's. A
/// line `never "name";` is a function of a resource that nobody can have.
macro_rules! interface {
    ($constant:ident = $name:literal {
        $(resource $resource:literal: $thing:ty;)*
        $(call $how:ident $function:literal => $method:ident($($arg:ident: $ty:ty),*);)*
        $(never $absent:literal;)*
    }) => {
        pub(super) const $constant: $crate::wasi::components::interface::Interface =
            $crate::wasi::components::interface::Interface {
                name: $name,
                resources: &[$($resource),*],
                functions: &[$($function,)* $($absent,)*],
                link: |instance| {
                    $(instance.resource(
                        $resource,
                        wasmtime::component::ResourceType::host::<$thing>(),
                        $crate::wasi::components::call::close::<$thing>,
                    )?;)*
                    $(instance.func_wrap($function, |
                        store: wasmtime::StoreContextMut<'_, $crate::wasi::Host>,
                        ($($arg,)*): ($($ty,)*),
                    | {
                        $crate::wasi::components::call::$how(store, |call| call.$method($($arg),*))
                    })?;)*
                    $(instance.func_new($absent, |_, _, _, _| {
                        Err(wasmtime::Error::new($crate::stop::Stop::Breach("a handle of nothing")))
                    })?;)*
                    let _ = instance;
                    Ok(())
                },
            };
    };
}

pub(super) use interface;
