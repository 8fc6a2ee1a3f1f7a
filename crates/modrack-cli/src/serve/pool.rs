//! Where what modules do runs: threads of their own, as many as are allowed at once, and a queue that says when it is full.
//!
//! The threads that see to connections never wait for a module. Whoever asked and went away has given up; so has everybody, once the
//! server has waited long enough at its end. A call that cannot be given up keeps its place until it ends by itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use modrack_core::{Backend, BackendName, Cancel, Code, Error};
use modrack_runtime::Rack;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::serve::answer::stopping;
use crate::serve::connections;

/// How many calls run at once.
const CALLS: usize = 64;
/// How many may wait for one of these places.
const QUEUE: usize = 256;
/// How many changes of the rack are made at once, whatever calls are doing.
const CHANGES: usize = 8;
/// How many may wait to be made.
const CHANGES_QUEUE: usize = 64;
/// How much is looked up at once.
const LOOKS: usize = 8;
/// How much may wait to be looked up.
const LOOKS_QUEUE: usize = 256;

// Who asks how the server is finds a connection when calls have taken all that they may have.
const _: () = assert!(CALLS + QUEUE < connections::MOST);

/// How many threads the runtime may have for all of it.
pub(crate) const THREADS: usize = CALLS + CHANGES + LOOKS;

/// What sort of work it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Modules are called.
    Call,
    /// The rack is changed.
    Change,
    /// Something is looked up, and no module runs.
    Look,
}

/// The places.
pub(crate) struct Pool {
    calls: Lane,
    changes: Lane,
    looks: Lane,
    under_way: Arc<UnderWay>,
    backends: Arc<[Arc<dyn Backend>]>,
}

/// Places of one sort.
struct Lane {
    places: Arc<Semaphore>,
    /// Those that have a place, and those that wait for one.
    all: Arc<Semaphore>,
    queue: usize,
    most: usize,
}

/// How each piece of work that is under way is given up.
#[derive(Default)]
struct UnderWay {
    words: Mutex<BTreeMap<u64, Cancel>>,
    next: AtomicU64,
}

/// A piece of work that is under way, until this goes.
struct Noted {
    number: u64,
    under_way: Arc<UnderWay>,
}

/// Gives up when it is dropped before the work is done: whoever asked went away.
struct Asking {
    cancel: Option<Cancel>,
    backends: Arc<[Arc<dyn Backend>]>,
}

impl Pool {
    /// Places for calls of this rack.
    pub(crate) fn new(rack: &Rack) -> Self {
        // Of the backends that are here only an interpreter has to be told that somebody gave up; the others look for it.
        let told = rack.backend(BackendName::Python).ok().cloned();
        Self {
            calls: Lane::new(CALLS, QUEUE),
            changes: Lane::new(CHANGES, CHANGES_QUEUE),
            looks: Lane::new(LOOKS, LOOKS_QUEUE),
            under_way: Arc::default(),
            backends: told.into_iter().collect(),
        }
    }

    /// Runs `work` on a thread that may wait, once there is a place, and gives what it comes to.
    ///
    /// # Errors
    /// [`Code::ServerBusy`] when too many wait already, and what `work` fails with.
    pub(crate) async fn run<T, E>(
        &self,
        what: Work,
        work: impl FnOnce(&Cancel) -> std::result::Result<T, E> + Send + 'static,
    ) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let lane = self.lane(what);
        let queued = lane.all.clone().try_acquire_owned().map_err(|_| busy(lane.most))?;
        let place = lane.places.clone().acquire_owned().await.map_err(|_| stopping())?;
        let cancel = Cancel::told(Arc::default());
        let noted = Noted::new(&self.under_way, &cancel);
        let mut asking = Asking { cancel: Some(cancel.clone()), backends: self.backends.clone() };
        let done = spawn_blocking(move || {
            let done = work(&cancel);
            drop((noted, place, queued));
            done
        })
        .await;
        asking.cancel = None;
        done.unwrap_or_else(|why| Err(if why.is_panic() { mistaken() } else { stopping() }.into()))
    }

    /// Whether there is a place for one more, or one to wait in. Who has asked still has to be given it by [`Pool::run`].
    ///
    /// # Errors
    /// [`Code::ServerBusy`].
    pub(crate) fn has_room(&self, what: Work) -> Result<(), Error> {
        let lane = self.lane(what);
        if lane.all.available_permits() == 0 { Err(busy(lane.most)) } else { Ok(()) }
    }

    /// How many pieces of work are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.words().len()
    }

    /// How many pieces of work wait for a place.
    pub(crate) fn waiting(&self) -> usize {
        [&self.calls, &self.changes, &self.looks].map(Lane::waiting).into_iter().sum()
    }

    /// Waits until nothing is under way.
    pub(crate) async fn idle(&self) {
        for lane in [&self.calls, &self.changes, &self.looks] {
            // All places at once: nobody has one. The number is small.
            let _ = lane.all.acquire_many(u32::try_from(lane.most).unwrap_or(u32::MAX)).await;
        }
    }

    /// Gives everything up that is under way, as well as it can be.
    pub(crate) fn give_up(&self) {
        self.under_way.words().values().for_each(Cancel::cancel);
        wake(&self.backends);
    }

    fn lane(&self, what: Work) -> &Lane {
        match what {
            Work::Call => &self.calls,
            Work::Change => &self.changes,
            Work::Look => &self.looks,
        }
    }
}

impl Lane {
    fn new(places: usize, queue: usize) -> Self {
        let most = places + queue;
        let semaphore = |count| Arc::new(Semaphore::new(count));
        Self { places: semaphore(places), all: semaphore(most), queue, most }
    }

    fn waiting(&self) -> usize {
        // Whoever has a place has one of both.
        (self.queue + self.places.available_permits()).saturating_sub(self.all.available_permits())
    }
}

impl UnderWay {
    fn words(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Cancel>> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Noted {
    fn new(under_way: &Arc<UnderWay>, cancel: &Cancel) -> Self {
        let number = under_way.next.fetch_add(1, Ordering::Relaxed);
        under_way.words().insert(number, cancel.clone());
        Self { number, under_way: under_way.clone() }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.under_way.words().remove(&self.number);
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(cancel) = self.cancel.take() {
            cancel.cancel();
            wake(&self.backends);
        }
    }
}

/// Tells the backends that somebody gave up, on a thread of its own: one may have to wait for its interpreter.
fn wake(backends: &Arc<[Arc<dyn Backend>]>) {
    if backends.is_empty() {
        return;
    }
    let backends = backends.clone();
    let told = std::thread::Builder::new().name("modrack-wake".to_owned()).spawn(move || {
        backends.iter().for_each(|backend| backend.wake());
    });
    // Without a thread what was given up ends by itself.
    drop(told);
}

fn busy(most: usize) -> Error {
    Error::new(Code::ServerBusy, format!("{most} requests are being answered or wait for it already"))
        .hint("Ask again later")
}

fn mistaken() -> Error {
    Error::new(Code::Internal, "modrack met a mistake of its own and gave the request up")
        .hint("What it printed says where; please report it with the output of `modrack version`")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use modrack_core::Result;

    use super::*;

    fn pool(places: usize, queue: usize) -> Arc<Pool> {
        let lane = || Lane::new(places, queue);
        Arc::new(Pool {
            calls: lane(),
            changes: lane(),
            looks: lane(),
            under_way: Arc::default(),
            backends: Arc::new([]),
        })
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap()
    }

    /// Work that says when it has begun, and ends when it is given up or told to.
    fn waits(
        begun: mpsc::Sender<()>,
        end: mpsc::Receiver<()>,
    ) -> impl FnOnce(&Cancel) -> Result<bool> + Send {
        move |cancel| {
            begun.send(()).unwrap();
            loop {
                match end.recv_timeout(Duration::from_millis(1)) {
                    Ok(()) => return Ok(true),
                    Err(_) if cancel.is_cancelled() => return Ok(false),
                    Err(_) => {}
                }
            }
        }
    }

    #[test]
    fn a_full_queue_says_so_and_an_idle_pool_is_waited_for() {
        let (pool, runtime) = (pool(1, 1), runtime());
        let ((begun, has_begun), (end, ends)) = (mpsc::channel(), mpsc::channel());
        let first = runtime.spawn({
            let pool = pool.clone();
            async move { pool.run(Work::Call, waits(begun, ends)).await }
        });
        has_begun.recv().unwrap();
        let second = runtime.spawn({
            let pool = pool.clone();
            async move { pool.run(Work::Call, |_| Ok::<_, Error>(true)).await }
        });
        while pool.calls.all.available_permits() > 0 {
            std::thread::yield_now();
        }
        let third = runtime.block_on(pool.run(Work::Call, |_| Ok::<_, Error>(true)));
        assert_eq!(third.unwrap_err().code(), Code::ServerBusy);
        assert_eq!(pool.has_room(Work::Call).unwrap_err().code(), Code::ServerBusy);
        assert!(pool.has_room(Work::Change).is_ok());
        assert_eq!(pool.waiting(), 1);
        // Changes have places of their own.
        assert!(runtime.block_on(pool.run(Work::Change, |_| Ok::<_, Error>(true))).unwrap());
        assert_eq!(pool.under_way(), 1);
        end.send(()).unwrap();
        runtime.block_on(pool.idle());
        assert!(runtime.block_on(first).unwrap().unwrap());
        assert!(runtime.block_on(second).unwrap().unwrap());
        assert_eq!((pool.under_way(), pool.waiting()), (0, 0));
    }

    #[test]
    fn who_goes_away_gives_up() {
        let (pool, runtime) = (pool(1, 1), runtime());
        let ((begun, has_begun), (_end, ends)) = (mpsc::channel(), mpsc::channel());
        let asked = runtime.spawn({
            let pool = pool.clone();
            async move { pool.run(Work::Call, waits(begun, ends)).await }
        });
        has_begun.recv().unwrap();
        asked.abort();
        runtime.block_on(pool.idle());
    }

    #[test]
    fn everything_can_be_given_up() {
        let (pool, runtime) = (pool(1, 1), runtime());
        let ((begun, has_begun), (_end, ends)) = (mpsc::channel(), mpsc::channel());
        let asked = runtime.spawn({
            let pool = pool.clone();
            async move { pool.run(Work::Call, waits(begun, ends)).await }
        });
        has_begun.recv().unwrap();
        pool.give_up();
        assert!(!runtime.block_on(asked).unwrap().unwrap());
    }

    #[test]
    fn a_panic_is_a_failure() {
        let (pool, runtime) = (pool(1, 1), runtime());
        let failed = runtime.block_on(pool.run(Work::Call, |_| -> Result<()> { panic!("so") }));
        assert_eq!(failed.unwrap_err().code(), Code::Internal);
        runtime.block_on(pool.idle());
    }
}
