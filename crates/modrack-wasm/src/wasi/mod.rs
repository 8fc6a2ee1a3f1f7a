//! WASI 0.2 for the components that import it: what a slot allows, and nothing else.
//!
//! Clocks and random numbers are given; files, the network and the environment as far as `allow` of the slot says; the
//! input is empty, and what is printed goes to the log. Whatever waits, waits within the call's time.

mod allow;
mod print;
mod wait;

use modrack_core::{Result, Start};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::data::Data;
use print::Printed;

/// The packages that are given, each in its versions 0.2.
const PACKAGES: &[&str] = &["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// The most streams, files and sockets that an instance may hold at once.
const OPEN: usize = 10_000;

/// The most random bytes that are given at once.
const RANDOM: u64 = 1 << 20;

/// What an instance is given of the system.
pub(crate) struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
    printed: Printed,
    /// The hosts whose addresses may be asked for.
    hosts: Vec<String>,
}

impl Wasi {
    /// What the slot allows.
    ///
    /// # Errors
    /// [`modrack_core::Code::BadValue`] for a folder that cannot be opened.
    pub(crate) fn of(start: &Start<'_>, printed: Printed) -> Result<Self> {
        let mut builder = WasiCtxBuilder::new();
        builder.max_random_size(RANDOM);
        allow::folders(&mut builder, start)?;
        allow::variables(&mut builder, start.allow);
        let hosts = allow::network(&mut builder, start.allow);
        Ok(Self::new(&mut builder, printed, hosts))
    }

    fn new(builder: &mut WasiCtxBuilder, printed: Printed, hosts: Vec<String>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(OPEN);
        Self { ctx: builder.build(), table, printed, hosts }
    }

    /// Writes what was printed last without an end of its line.
    pub(crate) fn flush(&self) {
        self.printed.flush();
    }
}

impl WasiView for Data {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi();
        WasiCtxView { ctx: &mut wasi.ctx, table: &mut wasi.table }
    }
}

impl Data {
    /// What the instance is given of the system; nothing where nothing was said.
    fn wasi(&mut self) -> &mut Wasi {
        let nothing = || {
            Box::new(Wasi::new(&mut WasiCtxBuilder::new(), Printed::new(&self.slot, &self.log), Vec::new()))
        };
        self.wasi.get_or_insert_with(nothing)
    }
}

/// What a component that imports WASI is started with.
///
/// # Errors
/// As [`Wasi::of`].
pub(crate) fn of(start: &Start<'_>, log: &modrack_core::Log) -> Result<Option<Box<Wasi>>> {
    Ok(Some(Box::new(Wasi::of(start, Printed::new(start.slot, log))?)))
}

/// Whether an import is given: a package of WASI that is known here, in a version 0.2.
pub(crate) fn is_given(import: &str) -> bool {
    let parts = import.strip_prefix("wasi:").and_then(|rest| rest.split_once('/'));
    let Some((package, rest)) = parts else { return false };
    let version = rest.split_once('@').and_then(|(_, version)| semver::Version::parse(version).ok());
    PACKAGES.contains(&package) && version.is_some_and(|version| version.major == 0 && version.minor == 2)
}

/// Adds WASI to what components may import.
///
/// # Errors
/// A name that is not there: a mistake of ours.
pub(crate) fn link(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_sync(linker)?;
    linker.allow_shadowing(true);
    wait::link(linker)?;
    print::link(linker)?;
    allow::link(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// The status with which a component asked to exit.
pub(crate) fn exit_status(why: &wasmtime::Error) -> Option<i32> {
    why.downcast_ref::<I32Exit>().map(|exit| exit.0)
}
