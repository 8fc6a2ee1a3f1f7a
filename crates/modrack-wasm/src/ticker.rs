//! The one thread that has running components look at the time: it ticks while a call has a deadline or can be given
//! up, and ends soon after the last of those calls.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use modrack_core::Error;
use wasmtime::{Engine, EngineWeak};

use crate::error::internal;

/// How often running components look.
const TICK: Duration = Duration::from_millis(1);

/// After how many ticks without a call that needs them the thread ends: the next call is often near.
const IDLE: u32 = 50;

/// Ticks for the engines of a backend.
#[derive(Default)]
pub(crate) struct Ticker {
    /// Calls that must be looked after.
    calls: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: bool,
    engines: Vec<EngineWeak>,
}

/// A call that is looked after, for as long as this lives.
pub(crate) struct Hold(Arc<Ticker>);

impl Ticker {
    /// Ticks for `engine` too.
    pub(crate) fn add(&self, engine: &Engine) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).engines.push(engine.weak());
    }

    /// Looks after a call: ticks from now on.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn hold(self: &Arc<Self>) -> Result<Hold, Error> {
        let hold = Hold(self.clone());
        // Who comes second finds the thread running, or about to look again before it ends.
        if self.calls.fetch_add(1, Ordering::SeqCst) == 0 {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if !state.running {
                let ticker = self.clone();
                thread::Builder::new()
                    .name("modrack-wasm".into())
                    .spawn(move || ticker.tick())
                    .map_err(|why| internal("No thread can be had that bounds the time of calls", why))?;
                state.running = true;
            }
        }
        Ok(hold)
    }

    /// Has every running component look now.
    pub(crate) fn tick_now(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).tick();
    }

    fn tick(&self) {
        let mut idle = 0;
        loop {
            thread::sleep(TICK);
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            idle = if self.calls.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
            if idle > IDLE {
                // Under the lock, so that a call that begins now starts another thread.
                state.running = false;
                return;
            }
            state.tick();
        }
    }
}

impl State {
    fn tick(&self) {
        for engine in self.engines.iter().filter_map(EngineWeak::upgrade) {
            engine.increment_epoch();
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_running(ticker: &Ticker) -> bool {
        ticker.state.lock().unwrap_or_else(PoisonError::into_inner).running
    }

    #[test]
    fn the_thread_is_there_while_a_call_needs_it_and_not_long_after() {
        let ticker = Arc::<Ticker>::default();
        assert!(!is_running(&ticker));
        let holds = [ticker.hold().expect("a thread"), ticker.hold().expect("the same")];
        assert!(is_running(&ticker));
        drop(holds);
        while is_running(&ticker) {
            thread::yield_now();
        }
        let _hold = ticker.hold().expect("another");
        assert!(is_running(&ticker));
    }
}
