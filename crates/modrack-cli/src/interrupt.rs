//! Ctrl-C while a verb works: the first asks it to stop, the second leaves at once. Who asks a process to terminate
//! asks once: what has not stopped a while after is left.
//!
//! The flag is set by the signal handler itself, so that whoever fails because of the signal already finds it
//! set. Words and backends are seen to by a thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use modrack_core::{Backend, Cancel, Code, Error};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::output::Failure;

/// Whether nothing is watched any more: a signal to terminate then does what it does by default. A module's
/// thread may hold the process up for long after the verb is done.
static OVER: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| {
    let over = Arc::new(AtomicBool::new(false));
    // What fails here fails again where the signals are watched.
    let _ = signal_hook::flag::register_conditional_default(SIGTERM, Arc::clone(&over));
    over
});

const STOPPING: &str = "Stopping; press Ctrl-C again to leave at once";
const TERMINATING: &str = "Stopping; what has not stopped in 5 seconds is left as it is";

/// How long a module has to stop when the process is to terminate.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the first signal is answered on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// On a line of its own.
    OnTerminal,
    /// As a line.
    Plain,
    /// Not at all.
    None,
}

/// A watch on the signals that ask the command to stop; it ends when this is dropped.
pub(crate) struct Interrupt {
    flag: Arc<AtomicBool>,
    /// Whether this watch has ended: another one in the same process has nothing to do with its signals.
    ended: Arc<AtomicBool>,
    handle: Option<Handle>,
}

/// Lets signals do in a forked process what they did before anything was watched: the thread that sees to them
/// has stayed behind.
pub fn forked_off() {
    OVER.store(true, Ordering::SeqCst);
}

/// Says that signals are watched from now on.
pub(crate) fn begin() {
    OVER.store(false, Ordering::SeqCst);
}

/// Says that nothing is watched any more.
pub(crate) fn end() {
    OVER.store(true, Ordering::SeqCst);
}

/// Whether nothing is watched, for who watches signals of its own.
pub(crate) fn over() -> Arc<AtomicBool> {
    Arc::clone(&OVER)
}

impl Interrupt {
    /// Begins to watch. `before_leaving` runs when the second signal comes, before the process ends.
    ///
    /// A process whose signals cannot be watched works all the same, and ends as the system has it.
    pub(crate) fn watch(
        backends: Vec<Arc<dyn Backend>>,
        words: Words,
        before_leaving: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        begin();
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // What fails here fails again below, where it is seen to.
            let _ = signal_hook::flag::register(signal, Arc::clone(&flag));
        }
        let ended = Arc::new(AtomicBool::new(false));
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else {
            return Self { flag, ended, handle: None };
        };
        let handle = signals.handle();
        let before_leaving = Arc::new(before_leaving);
        let is_over = Arc::clone(&ended);
        let watcher = thread::Builder::new().name("modrack-signals".to_owned()).spawn(move || {
            let mut backends = Some(backends);
            for signal in signals.forever() {
                match backends.take() {
                    Some(backends) => {
                        match words {
                            // A terminal has just shown `^C`, and the bar of a run.
                            Words::OnTerminal if signal == SIGINT => eprintln!("\n{STOPPING}"),
                            Words::Plain if signal == SIGINT => eprintln!("{STOPPING}"),
                            Words::OnTerminal | Words::Plain => eprintln!("{TERMINATING}"),
                            Words::None => {}
                        }
                        if signal == SIGTERM {
                            let (before_leaving, is_over) =
                                (Arc::clone(&before_leaving), Arc::clone(&is_over));
                            let _ = thread::Builder::new().spawn(move || {
                                thread::sleep(PATIENCE);
                                // A verb that is done has its process ended by whoever ran it.
                                if !is_over.load(Ordering::SeqCst) {
                                    before_leaving();
                                    signal_hook::low_level::exit(130);
                                }
                            });
                        }
                        // A backend may have to wait for its interpreter; the next signal must not.
                        let _ = thread::Builder::new().spawn(move || {
                            for backend in backends {
                                // An interpreter in this process had a handler before ours, which ours calls: a
                                // second word would fall upon what a module does about the first.
                                if signal == SIGINT { backend.wake() } else { backend.interrupt() }
                            }
                        });
                    }
                    None => {
                        before_leaving();
                        signal_hook::low_level::exit(130);
                    }
                }
            }
        });
        Self { flag, ended, handle: watcher.is_ok().then_some(handle) }
    }

    /// The word that what runs is not wanted any more.
    pub(crate) fn cancel(&self) -> Cancel {
        let flag = Arc::clone(&self.flag);
        // Where nobody watches for signals, nobody tells the backends.
        if self.handle.is_some() { Cancel::told(flag) } else { Cancel::from(flag) }
    }

    /// `failure`, unless it came of a signal: then just that.
    pub(crate) fn explain(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Failed(error) if self.flag.load(Ordering::Acquire) => {
                let plain = Error::new(Code::Interrupted, "Interrupted");
                Failure::Failed(match error.slot_name() {
                    Some(slot) => plain.slot(slot),
                    None => plain,
                })
            }
            other => other,
        }
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            handle.close();
        }
        self.ended.store(true, Ordering::SeqCst);
        end();
    }
}
