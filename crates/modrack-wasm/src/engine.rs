//! The engines: one that reserves much address space for each memory, which makes the fastest code, and one that
//! reserves little, for systems that refuse the first. Each is made when it is first needed.

use std::sync::{Arc, OnceLock};

use modrack_core::Error;
use wasmtime::{Config, Engine, Memory, MemoryType, Store};

use crate::error::internal;
use crate::ticker::Ticker;

/// How much address space memories reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// All that a memory can become.
    Wide,
    /// What it holds.
    Narrow,
}

/// The engines of a backend.
#[derive(Default)]
pub(crate) struct Engines {
    wide: OnceLock<Result<Engine, Error>>,
    narrow: OnceLock<Result<Engine, Error>>,
    width: OnceLock<Width>,
    pub(crate) ticker: Arc<Ticker>,
    /// How many components' code there is.
    pub(crate) code: Count,
    /// How many stores there are.
    pub(crate) stores: Count,
}

/// How many there are of something that takes memory.
#[derive(Default)]
pub(crate) struct Count(Arc<()>);

/// One of what is counted, as long as it is there.
pub(crate) struct Counted {
    _one: Arc<()>,
}

impl Count {
    /// Counts one more.
    pub(crate) fn count(&self) -> Counted {
        Counted { _one: self.0.clone() }
    }

    /// How many there are.
    pub(crate) fn now(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

impl Engines {
    /// The engine of this width.
    ///
    /// # Errors
    /// The engine does not run on this processor.
    pub(crate) fn get(&self, width: Width) -> Result<&Engine, Error> {
        let cell = match width {
            Width::Wide => &self.wide,
            Width::Narrow => &self.narrow,
        };
        let made = cell.get_or_init(|| {
            let engine =
                Engine::new(&config(width)).map_err(|why| internal("WebAssembly cannot be run here", why))?;
            self.ticker.add(&engine);
            Ok(engine)
        });
        made.as_ref().map_err(Clone::clone)
    }

    /// The width whose memories the system gives, as far as it was asked: it may run out of them later.
    pub(crate) fn width(&self) -> Width {
        *self.width.get_or_init(|| match self.get(Width::Wide) {
            Ok(engine) if gives(engine) => Width::Wide,
            _ => Width::Narrow,
        })
    }
}

/// Whether the system gives a memory as the engine reserves it.
pub(crate) fn gives(engine: &Engine) -> bool {
    let mut store = Store::new(engine, ());
    Memory::new(&mut store, MemoryType::new(1, None)).is_ok()
}

fn config(width: Width) -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.memory_init_cow(true);
    // Lines of a guest's source need a crate more; its functions' names do.
    config.generate_address_map(true);
    if width == Width::Narrow {
        config.memory_reservation(0);
        config.memory_guard_size(0);
        config.memory_reservation_for_growth(1 << 20);
        config.guard_before_linear_memory(false);
    }
    config
}
