//! What signals ask of a server: to read its rack again, to stop when its calls have ended, and to leave at once.
//!
//! A process with an interpreter in it has handlers of that; ours run beside them, on a thread that never waits for anybody, and a
//! process that is forked off hears signals as any other. Who is asked to stop has a limit for it, whatever a module does: past that the process
//! ends as it is.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

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

/// How long the server may take to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// With requests under way, and all the rest.
    pub(crate) most: Duration,
    /// When nothing but a start keeps it from stopping.
    pub(crate) of_a_start: Duration,
}

/// What is done at a signal, beside telling the wish.
pub(crate) struct Hooks {
    /// Runs at the first signal to stop.
    pub(crate) stopping: Box<dyn Fn() + Send + Sync>,
    /// Whether nothing but a start keeps the server from stopping.
    pub(crate) only_starts: Box<dyn Fn() -> bool + Send + Sync>,
    /// Runs before a signal ends the process as it is.
    pub(crate) before_leaving: Box<dyn Fn() + Send + Sync>,
}

/// A watch on the signals; it ends when this is dropped.
pub(crate) struct Signals {
    wishes: Mutex<mpsc::Receiver<Wish>>,
    stopping: Arc<AtomicBool>,
    hooks: Arc<OnceLock<Hooks>>,
    handle: Handle,
    /// Held for the thread that ends the process past its limit: with this it ends itself.
    _watched: mpsc::Sender<()>,
}

impl Signals {
    /// Begins to watch.
    ///
    /// # Errors
    /// A system that lets nobody watch: a server that cannot be stopped in order is none.
    pub(crate) fn watch(limits: Limits) -> Result<Self> {
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
        let (watched, ended) = mpsc::channel();
        let hooks: Arc<OnceLock<Hooks>> = Arc::default();
        let known = hooks.clone();
        let watch = move || {
            let mut ended = Some(ended);
            for signal in delivered.forever() {
                if signal == SIGHUP {
                    // Nobody is left to ask when the server has stopped.
                    let _ = sender.send(Wish::Reload);
                } else if let Some(ended) = ended.take() {
                    if let Some(hooks) = known.get() {
                        (hooks.stopping)();
                    }
                    let _ = sender.send(Wish::Stop);
                    let hooks = known.clone();
                    // Without a thread it takes the second signal to end what hangs.
                    let _ = thread::Builder::new().name("modrack-limit".to_owned()).spawn(move || {
                        if is_past(limits, &ended, &hooks) {
                            say("warning: The server has not stopped in time, and ends as it is\n");
                            leave(&hooks, 128 + signal);
                        }
                    });
                } else {
                    leave(&known, 128 + signal);
                }
            }
        };
        thread::Builder::new().name("modrack-signals".to_owned()).spawn(watch).map_err(failed)?;
        Ok(Self { wishes: Mutex::new(wishes), stopping, hooks, handle, _watched: watched })
    }

    /// Has this be done at signals.
    pub(crate) fn hook(&self, hooks: Hooks) {
        // The first is the one: a server says it once.
        let _ = self.hooks.set(hooks);
    }

    /// Ends the process as it is, with this status: what runs in it cannot be ended.
    pub(crate) fn leave(&self, status: i32) -> ! {
        leave(&self.hooks, status)
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

/// Waits until the server has stopped, and gives whether its limit came first.
fn is_past(limits: Limits, ended: &mpsc::Receiver<()>, hooks: &OnceLock<Hooks>) -> bool {
    let is_over = |limit| matches!(ended.recv_timeout(limit), Err(mpsc::RecvTimeoutError::Timeout));
    let first = limits.of_a_start.min(limits.most);
    if !is_over(first) {
        return false;
    }
    let only_starts = hooks.get().is_none_or(|hooks| (hooks.only_starts)());
    only_starts || is_over(limits.most - first)
}

fn leave(hooks: &OnceLock<Hooks>, status: i32) -> ! {
    if let Some(hooks) = hooks.get() {
        (hooks.before_leaving)();
    }
    signal_hook::low_level::exit(status);
}

/// Says something to whoever reads standard error now.
fn say(text: &'static str) {
    let (said, is_said) = mpsc::channel();
    let saying = thread::Builder::new().spawn(move || {
        let _ = io::stderr().write_all(text.as_bytes());
        let _ = said.send(());
    });
    if saying.is_ok() {
        let _ = is_said.recv_timeout(Duration::from_secs(1));
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
        interrupt::end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(only_starts: bool, is_ended: bool, most: Duration, wanted: bool) {
        let hooks = OnceLock::new();
        let known = Hooks {
            stopping: Box::new(|| {}),
            only_starts: Box::new(move || only_starts),
            before_leaving: Box::new(|| {}),
        };
        assert!(hooks.set(known).is_ok());
        let (watched, ended) = mpsc::channel();
        let _watched = (!is_ended).then_some(watched);
        let limits = Limits { most, of_a_start: Duration::from_millis(1) };
        assert_eq!(is_past(limits, &ended, &hooks), wanted, "{only_starts} {is_ended} {most:?}");
    }

    #[test]
    fn a_server_that_does_not_stop_has_a_limit() {
        check(false, false, Duration::from_millis(2), true);
        check(true, false, Duration::MAX, true);
        check(true, true, Duration::MAX, false);
        check(false, true, Duration::ZERO, false);
    }
}
