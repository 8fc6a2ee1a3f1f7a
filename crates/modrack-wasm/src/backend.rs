//! WebAssembly components as a backend of a rack.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use modrack_core::{
    Backend, BackendName, Cancel, Chain, Content, ContentHash, Description, Due, Error, Guard, Guards, Log,
    Map, Origin, Phase, Place, Result, Start, Started, TableCopies, Text,
};
use wasmtime::{Store, Trap};

use crate::bounds::{Bounds, Crossing};
use crate::cache::{self, Cache};
use crate::data::Data;
use crate::describe::describe;
use crate::engine::{Engines, Width, gives};
use crate::error::changed;
use crate::failure::{failure, of_start};
use crate::instance::{WasmInstance, check_params};
use crate::module::{Compiled, Compiling, Module};
use crate::seat::{Live, Seat};
use crate::source;
use crate::wasi::{self, Wasi};

/// How many components that nothing uses are remembered, by what was read of them and without their code.
const REMEMBERED: usize = 64;

/// What a description keeps: its component, once something of it is started.
type Begun = OnceLock<Arc<Module>>;

/// What the backend is told of the rack.
#[derive(Clone, Debug, Default)]
pub struct WasmSettings {
    /// Where compiled code is kept between runs; none keeps none.
    pub cache: Option<PathBuf>,
    /// The folder of the key by which this user's compiled code is known, outside of every project
    /// ([`WasmSettings::keys_of_user`]); without it none is kept, and none believed.
    pub keys: Option<PathBuf>,
    /// Where components' lines go, and warnings about the cache.
    pub log: Log,
}

impl WasmSettings {
    /// The folder where the key of the user stands who runs this: `modrack` under `$XDG_STATE_HOME`, else under
    /// `~/.local/state`. `None` when there is no home.
    pub fn keys_of_user() -> Option<PathBuf> {
        cache::keys_of_user()
    }
}

/// What there is of components: what takes memory, and goes with the instances that use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InMemory {
    /// Stores, each with an instance and its memories.
    pub stores: usize,
    /// Components whose code is there.
    pub code: usize,
}

/// Describes, compiles, starts and calls WebAssembly components.
pub struct WasmBackend {
    settings: WasmSettings,
    engines: Arc<Engines>,
    cache: OnceLock<Option<Cache>>,
    modules: Mutex<HashMap<ContentHash, Arc<Module>>>,
}

impl WasmBackend {
    /// A backend that has made nothing yet: the engine comes with the first component that starts.
    pub fn new(settings: WasmSettings) -> Arc<Self> {
        Arc::new(Self {
            settings,
            engines: Arc::default(),
            cache: OnceLock::new(),
            modules: Mutex::default(),
        })
    }

    /// What there is of components now: how many stores with their memories, and of how many components the code.
    pub fn in_memory(&self) -> InMemory {
        InMemory { stores: self.engines.stores.now(), code: self.engines.code.now() }
    }

    fn cache(&self) -> Option<&Cache> {
        let WasmSettings { cache, keys, log } = &self.settings;
        let open = || cache.as_deref().and_then(|folder| Cache::open(folder, keys.as_deref(), log));
        self.cache.get_or_init(open).as_ref()
    }

    fn compiling(&self) -> Compiling<'_> {
        Compiling { cache: self.cache(), log: &self.settings.log }
    }

    fn remembered(&self, hash: &ContentHash) -> Option<Arc<Module>> {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner).get(hash).cloned()
    }

    /// The component of an origin, read again unless it was read before.
    fn module(&self, origin: &Origin) -> Result<Arc<Module>> {
        let source = source::read(origin)?;
        // The same content under another name is another module, with the same code.
        let same = self.remembered(&source.hash);
        if let Some(module) = &same
            && module.is_at(&source.path)
        {
            return Ok(module.clone());
        }
        let compiled =
            self.settings.cache.is_some() && self.cache().is_some_and(|cache| cache.knows(&source.hash));
        let described = describe(&source, !compiled)?;
        let hash = source.hash.clone();
        let module = Arc::new(Module::new(source, described, same.as_deref()));
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        // Who read the same meanwhile was faster: its code is compiled once.
        if let Some(first) = modules.get(&hash)
            && first.is_at(&module.path)
        {
            return Ok(first.clone());
        }
        if modules.len() >= REMEMBERED {
            modules.retain(|_, module| Arc::strong_count(module) > 1);
        }
        modules.insert(hash, module.clone());
        Ok(module)
    }

    /// The component that was described, as it was then.
    ///
    /// # Errors
    /// [`modrack_core::Code::ChangedMeanwhile`] when it was forgotten before anything of it was started, and is another one by now.
    fn described(&self, origin: &Origin, description: &Description) -> Result<Arc<Module>> {
        let begun = description.content.get::<Begun>();
        if let Some(module) = begun.and_then(OnceLock::get) {
            return Ok(module.clone());
        }
        let module = match description.hash.as_ref().and_then(|hash| self.remembered(hash)) {
            Some(module) => module,
            None => self.module(origin)?,
        };
        if description.hash.is_some() && module.description.hash != description.hash {
            return Err(changed(&module.name, Place::file(&module.path)));
        }
        if let Some(begun) = begun {
            // Whoever was first set the same.
            _ = begun.set(module.clone());
        }
        Ok(module)
    }

    /// An instance on the engine of this width, which has its params. All that runs of the component has the time of one
    /// call, until it is `due`: as it is instantiated, and to take its params.
    fn instantiate(
        &self,
        module: &Arc<Module>,
        start: &Start<'_>,
        width: Width,
        (due, cancel): (Due, Option<&Cancel>),
    ) -> Result<WasmInstance, Refused> {
        let compiled =
            module.compiled(&self.engines, width, self.compiling(), start.origin).map_err(Refused::For)?;
        let wasi =
            if module.wasi { wasi::of(start, &self.settings.log).map_err(Refused::For)? } else { None };
        let store = self.store(&compiled, start, wasi, (due.at, cancel.cloned()));
        let seat = self.seat(module, compiled, store, start).map_err(|refused| match refused {
            Refused::For(error) => Refused::For(of_start(&module.name, error, due)),
            room @ Refused::Room => room,
        })?;
        let instance = WasmInstance::new(Arc::new(seat));
        instance.initialize(start.params, due, cancel).map_err(Refused::For)?;
        Ok(instance)
    }

    /// A store for what runs until then, or until it is given up.
    fn store(
        &self,
        compiled: &Compiled,
        start: &Start<'_>,
        wasi: Option<Box<Wasi>>,
        (deadline, cancel): (Option<Instant>, Option<Cancel>),
    ) -> Store<Data> {
        let data = Data {
            slot: start.slot.clone(),
            params: Arc::new(start.params.clone()),
            services: start.services.clone(),
            log: self.settings.log.clone(),
            copies: start.copies.clone(),
            deadline,
            cancel,
            ended: Arc::default(),
            memory: start.limits.memory,
            held: 0,
            stopped: None,
            panicked: None,
            carried: Vec::new(),
            wasi,
            _counted: self.engines.stores.count(),
        };
        let mut store = Store::new(compiled.pre.engine(), data);
        store.limiter(|data| data);
        store.epoch_deadline_callback(|mut cx| cx.data_mut().tick());
        store.set_hostcall_fuel(Bounds::new(start.limits).fuel(Crossing::Typed));
        store
    }

    fn seat(
        &self,
        module: &Arc<Module>,
        compiled: Arc<Compiled>,
        mut store: Store<Data>,
        start: &Start<'_>,
    ) -> Result<Seat, Refused> {
        // A component may run as it is instantiated: within the time of a call, where there is one.
        store.set_epoch_deadline(1);
        let bounded = store.data().deadline.is_some() || store.data().cancel.is_some();
        let hold = if bounded { Some(self.engines.ticker.hold().map_err(Refused::For)?) } else { None };
        let made = compiled.pre.instantiate(&mut store);
        drop(hold);
        let instance = made.map_err(|why| {
            if store.data().stopped.is_none()
                && why.downcast_ref::<Trap>().is_none()
                && !gives(store.engine())
            {
                return Refused::Room;
            }
            let why = failure("initialize", &why, store.data_mut(), start.limits.output);
            Refused::For(why.phase(Phase::Start))
        })?;
        let live = Live::new(store, instance);
        Ok(Seat::new(
            module.clone(),
            compiled,
            self.engines.clone(),
            start.copies.clone(),
            Bounds::new(start.limits),
            live,
        ))
    }
}

/// Why there is no instance.
enum Refused {
    /// The system gave no address space for its memories.
    Room,
    /// For another reason.
    For(Error),
}

impl Backend for WasmBackend {
    fn name(&self) -> BackendName {
        BackendName::Wasm
    }

    fn describe(&self, origin: &Origin) -> Result<Description> {
        let description = self.module(origin)?.description.clone();
        Ok(Description { content: Content::new(Begun::default()), ..description })
    }

    fn recognises(&self, _path: &Path, first: Option<&[u8]>) -> bool {
        first.is_some_and(source::is_webassembly)
    }

    fn check_params(&self, description: &Description, params: &Map, injected: &[Text]) -> Vec<Error> {
        // Where nothing says which params there are, they are the component's own affair if it reads any.
        let reads = description.function("initialize").is_some()
            || description
                .hash
                .as_ref()
                .and_then(|hash| self.remembered(hash))
                .is_none_or(|m| m.reads_config);
        check_params(description, reads, params, injected)
    }

    fn guards(&self) -> Guards {
        if cfg!(feature = "wasi") {
            return Guards::ALL;
        }
        // Nothing of the system is given to components, so that nothing of it can be allowed either.
        let none = Guard::Missing;
        Guards { files: none, net: none, env: none, ..Guards::ALL }
    }

    fn least_memory(&self, description: &Description) -> Option<u64> {
        Some(self.remembered(description.hash.as_ref()?)?.least)
    }

    fn table_copies(&self) -> TableCopies {
        TableCopies::OneEachWay
    }

    fn start(&self, start: Start<'_>) -> Result<Started> {
        let began = Instant::now();
        let module = self.described(start.origin, start.description)?;
        let width = self.engines.width();
        let compiled = module.compiled(&self.engines, width, self.compiling(), start.origin);
        let _until_it_is_used = compiled.map_err(|error| error.phase(Phase::Load))?;
        let load = began.elapsed();
        let began = Instant::now();
        // Once for both widths: a start that is made anew has the time that is left.
        let (callers, cancel) = Chain::bounds();
        let until = (Due::nearer(start.limits.time, callers, Instant::now), cancel.as_ref());
        let made = match self.instantiate(&module, &start, width, until) {
            Err(Refused::Room) if width == Width::Wide => {
                self.instantiate(&module, &start, Width::Narrow, until)
            }
            made => made,
        };
        let instance = made.map_err(|refused| match refused {
            Refused::For(error) => error,
            Refused::Room => crate::error::internal("The component", "the system gives it no memory"),
        })?;
        Ok(Started { instance: Arc::new(instance), load, start: began.elapsed() })
    }
}
