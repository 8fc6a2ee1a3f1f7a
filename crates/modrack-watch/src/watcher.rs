//! A watcher with its thread: it waits for what the system says and for the engine's own time.
//!
//! No lock is held while the consumer runs, which may therefore watch other files in the middle of a change.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use modrack_core::{Error, Result};

use crate::disk::Real;
use crate::engine::Engine;
use crate::error;
use crate::event::{Answer, Changed, Settings, Watched};
use crate::source::{Seen, Source, System};

/// Who is told of changes, on the watcher's own thread, one after the other.
pub trait Sink<K>: Send + 'static {
    /// Files have changed.
    fn changed(&mut self, changed: &Changed<K>) -> Answer;

    /// Something is wrong that stops nobody: the system does not watch, so that changes are seen later.
    fn warned(&mut self, warning: &Error);
}

/// Watches files until it is dropped. `K` is what files are watched for: the name of a slot, or of the configuration.
pub struct Watcher<K> {
    shared: Arc<Shared<K>>,
    tell: Sender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared<K> {
    engine: Mutex<Engine<K>>,
    began: Instant,
}

enum Message {
    Seen(Seen),
    /// What there is to wait for may have changed.
    Look,
    Stop,
}

impl From<Seen> for Message {
    fn from(seen: Seen) -> Self {
        Self::Seen(seen)
    }
}

impl<K: Ord + Clone + Send + 'static> Watcher<K> {
    /// A watcher of nothing yet, that tells `sink`. Where the system gives no watches at all, that is told as a warning, and files are
    /// polled.
    ///
    /// # Errors
    /// [`modrack_core::Code::WatchRefused`] when there is no thread for it.
    pub fn new(settings: Settings, sink: impl Sink<K>) -> Result<Self> {
        let (tell, told) = channel();
        let system = if settings.always_poll { None } else { Some(System::new(tell.clone())) };
        let (source, warning) = match system {
            None => (None, None),
            Some(Ok(system)) => (Some(Box::new(system) as Box<dyn Source>), None),
            Some(Err(why)) => (None, Some(why)),
        };
        let mut engine = Engine::new(settings, Box::new(Real), source);
        if let Some(warning) = warning {
            engine.warn(warning);
        }
        let shared = Arc::new(Shared { engine: Mutex::new(engine), began: Instant::now() });
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("modrack-watch".to_owned())
            .spawn(move || run(&theirs, &told, sink))
            .map_err(|why| error::no_thread(&why))?;
        let watcher = Self { shared, tell, thread: Mutex::new(Some(thread)) };
        // There may be a warning already.
        watcher.look();
        Ok(watcher)
    }

    /// Watches these files for a key, in place of those that it had. What happens to them from now on is told; so is what a file
    /// holds now, where that is not what it held when it was [read](Watched::as_read).
    ///
    /// The paths are absolute. A file that is not there is watched for its coming. One file may be watched for several keys.
    pub fn watch(&self, key: &K, files: impl IntoIterator<Item = Watched>) {
        let now = self.shared.now();
        self.shared.lock().set(key, files, now);
        self.look();
    }

    /// Watches these files for a key beside those that it has.
    pub fn watch_also(&self, key: &K, files: impl IntoIterator<Item = Watched>) {
        let now = self.shared.now();
        self.shared.lock().add(key, files, now);
        self.look();
    }

    /// Watches these files for a key beside those that it has; of one of those the last save is known still, so that one that came since is told
    /// where [each save](Watched::each_save) is.
    pub fn go_on(&self, key: &K, files: impl IntoIterator<Item = Watched>) {
        let now = self.shared.now();
        self.shared.lock().go_on(key, files, now);
        self.look();
    }

    /// Takes what was saved of a key's files until now as known, but for what is another content: where
    /// [each save](Watched::each_save) is told, it is no save that who was told did itself.
    pub fn settle(&self, key: &K) {
        self.shared.lock().settle(key);
    }

    /// Watches nothing for a key any more.
    pub fn unwatch(&self, key: &K) {
        self.shared.lock().unset(key);
        self.look();
    }

    /// Has the thread look what there is to wait for. It ends only after this does.
    fn look(&self) {
        drop(self.tell.send(Message::Look));
    }
}

impl<K> Watcher<K> {
    /// Has it tell of no more changes. It waits for nothing: the consumer may be in the middle of one.
    pub fn stop(&self) {
        drop(self.tell.send(Message::Stop));
    }

    /// Waits for the consumer of a watcher that was [stopped](Self::stop), if it is in the middle of a change.
    pub fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A consumer that ends its own watcher is not waited for by itself.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id()) {
            drop(thread.join());
        }
    }
}

impl<K> Drop for Watcher<K> {
    fn drop(&mut self) {
        self.stop();
        self.join();
    }
}

impl<K> fmt::Debug for Watcher<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").finish_non_exhaustive()
    }
}

impl<K> Shared<K> {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Engine<K>> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run<K: Ord + Clone>(shared: &Shared<K>, told: &Receiver<Message>, mut sink: impl Sink<K>) {
    loop {
        let until = shared.lock().next();
        let first = match until {
            Some(until) => told.recv_timeout(until.saturating_sub(shared.now())),
            None => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let mut messages = match first {
            Ok(message) => vec![message],
            Err(RecvTimeoutError::Timeout) => Vec::new(),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        messages.extend(told.try_iter());
        let now = shared.now();
        let (changes, warning) = {
            let mut engine = shared.lock();
            for message in messages {
                match message {
                    Message::Seen(seen) => engine.saw(&seen, now),
                    Message::Look => {}
                    Message::Stop => return,
                }
            }
            (engine.turn(now), engine.warning())
        };
        if let Some(warning) = warning {
            // A consumer that panics has had its word.
            drop(catch_unwind(AssertUnwindSafe(|| sink.warned(&warning))));
        }
        for changed in changes {
            let answer = catch_unwind(AssertUnwindSafe(|| sink.changed(&changed))).unwrap_or(Answer::Taken);
            let now = shared.now();
            shared.lock().answered(changed, answer, now);
        }
    }
}
