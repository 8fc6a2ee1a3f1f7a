//! A component that was read: its description, its functions, and its code once it is needed. Who needs it first
//! compiles it; the others wait for that.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use modrack_core::{Description, FunctionInfo, Log, Origin, Place, Result};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

use crate::cache::{Cache, Id};
use crate::data::Data;
use crate::describe::Described;
use crate::engine::{Counted, Engines, Width};
use crate::error::{changed, damaged, imports};
use crate::host;
use crate::quick::Shortcut;
use crate::shape::Shape;
use crate::source;

/// How a function says that it failed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fails {
    /// Only by a trap.
    Never,
    /// By the `error` of `modrack:types`.
    Error,
    /// By a text.
    Text,
    /// By a value of another type, or by none.
    Other(Option<Shape>),
}

/// A function, and what a call of it needs to know.
pub(crate) struct Plan {
    /// The function as callers see it.
    pub(crate) info: FunctionInfo,
    /// Its name in its interface, as callers would see it there.
    pub(crate) own_name: String,
    /// The interface that exports it; none for the world itself.
    pub(crate) interface: Option<String>,
    /// Its name in WIT.
    pub(crate) item: String,
    /// What it takes.
    pub(crate) params: Vec<Shape>,
    /// What it gives when it does not fail; none for nothing.
    pub(crate) result: Option<Shape>,
    /// How it fails.
    pub(crate) fails: Fails,
    /// The typed call that fits it.
    pub(crate) shortcut: Option<Shortcut>,
}

/// A component.
pub(crate) struct Module {
    /// What it says of itself.
    pub(crate) description: Description,
    /// Its functions, in the order of the description.
    pub(crate) plans: Vec<Arc<Plan>>,
    /// Whether it imports what gives it the slot's params.
    pub(crate) reads_config: bool,
    /// Whether it imports what WASI gives.
    pub(crate) wasi: bool,
    /// The bytes of memory that an instance begins with, at least.
    pub(crate) least: u64,
    /// Its name in messages.
    pub(crate) name: String,
    /// Where it was read from.
    pub(crate) path: PathBuf,
    kept: Arc<Kept>,
}

/// The code of a content, under whichever names it is found, while anybody uses it.
struct Kept {
    /// The binary form, until it was compiled.
    bytes: Mutex<Option<Vec<u8>>>,
    wide: Mutex<Weak<Compiled>>,
    narrow: Mutex<Weak<Compiled>>,
}

/// What compiling needs beside the component.
#[derive(Clone, Copy)]
pub(crate) struct Compiling<'a> {
    /// Where code is kept.
    pub(crate) cache: Option<&'a Cache>,
    /// Where is said what was compiled.
    pub(crate) log: &'a Log,
}

/// A component's code, ready to be instantiated.
pub(crate) struct Compiled {
    pub(crate) pre: InstancePre<Data>,
    /// Where each function of the plans is found.
    pub(crate) indices: Vec<ComponentExportIndex>,
    _counted: Counted,
}

impl Plan {
    /// The plan of a function that gives `result`, as WIT says it.
    pub(crate) fn new(
        info: FunctionInfo,
        own_name: String,
        interface: Option<String>,
        item: String,
        params: Vec<Shape>,
        result: Option<Shape>,
    ) -> Self {
        let (result, fails) = match result {
            Some(Shape::Result(ok, err)) => {
                let fails = match err.as_deref() {
                    Some(Shape::Error) => Fails::Error,
                    Some(Shape::Text) => Fails::Text,
                    other => Fails::Other(other.cloned()),
                };
                (ok.map(|ok| *ok), fails)
            }
            other => (other, Fails::Never),
        };
        let shortcut = Shortcut::find(&params, result.as_ref(), &fails);
        Self { info, own_name, interface, item, params, result, fails, shortcut }
    }
}

impl Module {
    /// A component that was read; one of the same content has its code already.
    pub(crate) fn new(source: source::Source, described: Described, same: Option<&Self>) -> Self {
        let Described { description, plans, wasi, least } = described;
        Self {
            wasi,
            least,
            description,
            plans: plans.into_iter().map(Arc::new).collect(),
            // The text of the import stands in the binary as it is.
            reads_config: source
                .bytes
                .windows(b"modrack:host/host@".len())
                .any(|at| at == b"modrack:host/host@"),
            name: source.name,
            path: source.path,
            kept: match same {
                Some(module) => module.kept.clone(),
                None => Arc::new(Kept {
                    bytes: Mutex::new(Some(source.bytes)),
                    wide: Mutex::default(),
                    narrow: Mutex::default(),
                }),
            },
        }
    }

    /// Whether it was read from there.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        self.path == path
    }

    /// The code for the engine of this width. It goes with the last who has it: then it is taken from where code is kept, or made again.
    ///
    /// # Errors
    /// [`modrack_core::Code::BadComponent`] for code that is not valid, [`modrack_core::Code::ImportNotGiven`];
    /// [`modrack_core::Code::ChangedMeanwhile`] when it is to be read again and is another one by now.
    pub(crate) fn compiled(
        &self,
        engines: &Engines,
        width: Width,
        with: Compiling<'_>,
        origin: &Origin,
    ) -> Result<Arc<Compiled>> {
        let Compiling { cache, log } = with;
        let cell = match width {
            Width::Wide => &self.kept.wide,
            Width::Narrow => &self.kept.narrow,
        };
        // Held while it is compiled, which is our own code: others of the same component wait for it.
        let mut cell = cell.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = cell.upgrade() {
            return Ok(compiled);
        }
        let engine = engines.get(width)?;
        let id = self.description.hash.as_ref().map(|hash| Id::new(hash, engine));
        let kept = cache.zip(id.as_ref()).and_then(|(cache, id)| cache.load(engine, id));
        let component = match kept {
            Some(component) => component,
            None => {
                let began = Instant::now();
                let component = self.compile(engine, origin)?;
                log.debug(&format!("Compiled `{}` in {} ms", self.name, began.elapsed().as_millis()));
                if let Some((cache, id)) = cache.zip(id.as_ref()) {
                    cache.keep(id, &component);
                }
                component
            }
        };
        let compiled = Arc::new(self.link(engine, &component, engines.code.count())?);
        *cell = Arc::downgrade(&compiled);
        *self.kept.bytes.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(compiled)
    }

    fn compile(&self, engine: &wasmtime::Engine, origin: &Origin) -> Result<Component> {
        let kept = self.kept.bytes.lock().unwrap_or_else(PoisonError::into_inner).take();
        let bytes = match kept {
            Some(bytes) => bytes,
            None => {
                let source = source::read(origin)?;
                if Some(&source.hash) != self.description.hash.as_ref() {
                    return Err(changed(&self.name, Place::file(&self.path)));
                }
                source.bytes
            }
        };
        Component::from_binary(engine, &bytes)
            .map_err(|why| damaged(&self.name, &innermost(&why), Place::file(&self.path)))
    }

    fn link(&self, engine: &wasmtime::Engine, component: &Component, counted: Counted) -> Result<Compiled> {
        let linker = host::linker(engine, self.wasi)
            .map_err(|why| crate::error::internal("The host's functions", why))?;
        let pre = linker.instantiate_pre(component).map_err(|why| {
            let what = innermost(&why);
            match why.to_string() {
                said if said.contains("import") => imports(&self.name, &[what], Place::file(&self.path)),
                _ => damaged(&self.name, &what, Place::file(&self.path)),
            }
        })?;
        let indices = self.plans.iter().map(|plan| {
            let interface = match &plan.interface {
                Some(name) => Some(component.get_export_index(None, name)?),
                None => None,
            };
            component.get_export_index(interface.as_ref(), &plan.item)
        });
        let indices: Option<Vec<_>> = indices.collect();
        let indices = indices.ok_or_else(|| {
            damaged(&self.name, "an export is not where it was read", Place::file(&self.path))
        })?;
        Ok(Compiled { pre, indices, _counted: counted })
    }
}

/// What an error of the engine says at the end of its chain.
pub(crate) fn innermost(why: &wasmtime::Error) -> String {
    why.chain().last().map_or_else(|| why.to_string(), ToString::to_string)
}
