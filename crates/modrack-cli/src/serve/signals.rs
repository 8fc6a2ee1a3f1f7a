//! What signals ask of a server: to read its rack again, to stop when its calls have ended, and to leave at once.
//!
//! A process with an interpreter in it has handlers of that; ours run beside them, on a thread that never waits for anybody, and a
//! process that is forked off hears signals as any other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError, mpsc};
use std::thread;

use modrack_core::{Cancel, Code, Error, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals as Delivered};

use crate::interrupt;

/// A forked process hangs up by default; nothing else that this process does watches for that.
static HANGS_UP: LazyLock<()> = LazyLock::new(|| {
    // What fails here fails again where the signals are watched.
    let _ = signal_hook::flag::register_conditional_default(SIGHUP, interrupt::over());
});

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// The rack is read again.
    Reload,
    /// The server stops.
    Stop,
}

/// A watch on the signals; it ends when this is dropped.
pub(crate) struct Signals {
    wishes: Mutex<mpsc::Receiver<Wish>>,
    stopping: Arc<AtomicBool>,
    before_leaving: Arc<OnceLock<Box<dyn Fn() + Send + Sync>>>,
    handle: Handle,
}

impl Signals {
    /// Begins to watch.
    ///
    /// # Errors
    /// A system that lets nobody watch: a server that cannot be stopped in order is none.
    pub(crate) fn watch() -> Result<Self> {
        interrupt::begin();
        LazyLock::force(&HANGS_UP);
        let failed = |why: std::io::Error| {
            Error::new(Code::Internal, format!("The signals of the process cannot be watched: {why}"))
        };
        let stopping = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&stopping)).map_err(failed)?;
        }
        let mut delivered = Delivered::new([SIGINT, SIGTERM, SIGHUP]).map_err(failed)?;
        let handle = delivered.handle();
        let (sender, wishes) = mpsc::channel();
        let before_leaving: Arc<OnceLock<Box<dyn Fn() + Send + Sync>>> = Arc::default();
        let before = before_leaving.clone();
        let watch = move || {
            let mut is_first = true;
            for signal in delivered.forever() {
                if signal == SIGHUP {
                    // Nobody is left to ask when the server has stopped.
                    let _ = sender.send(Wish::Reload);
                } else if std::mem::take(&mut is_first) {
                    let _ = sender.send(Wish::Stop);
                } else {
                    if let Some(before) = before.get() {
                        before();
                    }
                    signal_hook::low_level::exit(128 + signal);
                }
            }
        };
        thread::Builder::new().name("modrack-signals".to_owned()).spawn(watch).map_err(failed)?;
        Ok(Self { wishes: Mutex::new(wishes), stopping, before_leaving, handle })
    }

    /// Has `run` run before the second signal ends the process.
    pub(crate) fn before_leaving(&self, run: impl Fn() + Send + Sync + 'static) {
        // The first is the one: a server says it once.
        let _ = self.before_leaving.set(Box::new(run));
    }

    /// The word that the server is to stop, for what is under way while it starts.
    pub(crate) fn cancel(&self) -> Cancel {
        Cancel::from(Arc::clone(&self.stopping))
    }

    /// Waits for the next wish.
    pub(crate) fn next(&self) -> Wish {
        // Without a thread that watches there is no more to wait for.
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner).recv().unwrap_or(Wish::Stop)
    }

    /// Whether the server is to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
        interrupt::end();
    }
}
