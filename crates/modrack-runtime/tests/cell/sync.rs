//! What the cell, its pins and its grace periods are made of, as the model checker sees it: every atomic, every lock, every
//! wait, and every count of what is shared is a point at which another thread may go on.
#![expect(
    unsafe_code,
    reason = "a count of what is shared that the checker sees, with weak references, which it has none of"
)]

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr;

use loom::cell::UnsafeCell;
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, fence};
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
pub(crate) use std::sync::PoisonError;

/// The end of a thread is no point at which the checker lets others go on.
pub(crate) const HANDED_ON: bool = false;

/// A variable of each thread.
macro_rules! local {
    (static $name:ident: $of:ty = $first:expr) => {
        loom::thread_local! { static $name: $of = $first }
    };
}

/// A variable of all threads.
macro_rules! shared {
    (static $name:ident: $of:ty = $first:expr) => {
        loom::lazy_static! { static ref $name: $of = $first; }
    };
}

pub(crate) use {local, shared};

/// Ordinary fences on both sides: the checker does not know of the system's call, which has every other thread stand at
/// one in place of its own.
#[derive(Clone, Copy)]
pub(crate) struct Fences;

impl Fences {
    pub(crate) fn of_process() -> Self {
        Self
    }

    pub(crate) fn light(self) {
        fence(Ordering::SeqCst);
    }

    pub(crate) fn heavy(self) -> bool {
        fence(Ordering::SeqCst);
        true
    }
}

/// Looked at by who has something, and changed by its end: the checker finds it where the one does not come before the other.
#[derive(Default)]
pub(crate) struct Watched(UnsafeCell<()>);

// SAFETY: there is nothing in it; that it is changed while it is looked at is what the checker is to find.
unsafe impl Sync for Watched {}

impl Watched {
    pub(crate) fn look(&self) {
        self.0.with(|_| ());
    }

    pub(crate) fn change(&self) {
        self.0.with_mut(|_| ());
    }
}

/// What is shared, and counted where the checker sees it.
pub(crate) struct Arc<T>(*const Shared<T>);

/// What does not keep what is shared.
pub(crate) struct Weak<T>(*const Shared<T>);

/// Its memory is never given back: what is used after its end is found by what it says, and not by a crash.
#[repr(C)]
struct Shared<T> {
    value: ManuallyDrop<T>,
    count: AtomicUsize,
}

// SAFETY: as of `std::sync::Arc`: what is shared is reached by reference from any thread, and dropped on any.
unsafe impl<T: Send + Sync> Send for Arc<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Arc<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Send for Weak<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Weak<T> {}

impl<T> Arc<T> {
    pub(crate) fn new(value: T) -> Self {
        let shared = Shared { value: ManuallyDrop::new(value), count: AtomicUsize::new(1) };
        Self(Box::into_raw(Box::new(shared)))
    }

    pub(crate) fn downgrade(this: &Self) -> Weak<T> {
        Weak(this.0)
    }

    /// In no order, as of `std::sync::Arc`.
    pub(crate) fn strong_count(this: &Self) -> usize {
        this.shared().count.load(Ordering::Relaxed)
    }

    pub(crate) fn as_ptr(this: &Self) -> *const T {
        this.0.cast()
    }

    pub(crate) fn into_raw(this: Self) -> *const T {
        ManuallyDrop::new(this).0.cast()
    }

    /// As of `std::sync::Arc`.
    pub(crate) unsafe fn from_raw(value: *const T) -> Self {
        Self(value.cast())
    }

    /// As of `std::sync::Arc`.
    pub(crate) unsafe fn increment_strong_count(value: *const T) {
        // SAFETY: the caller has a count, which this leaves alone.
        let this = ManuallyDrop::new(unsafe { Self::from_raw(value) });
        let _ = ManuallyDrop::new((*this).clone());
    }

    fn shared(&self) -> &Shared<T> {
        // SAFETY: the memory is never given back.
        unsafe { &*self.0 }
    }
}

impl<T: Default> Default for Arc<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Clone for Arc<T> {
    fn clone(&self) -> Self {
        let before = self.shared().count.fetch_add(1, Ordering::Relaxed);
        assert_ne!(before, 0, "what has gone is shared again");
        Self(self.0)
    }
}

impl<T> Drop for Arc<T> {
    fn drop(&mut self) {
        if self.shared().count.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: this was the last count, and nobody takes one of what has none.
            unsafe { ptr::drop_in_place(self.0.cast_mut().cast::<T>()) };
        }
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.shared().value
    }
}

impl<T> Weak<T> {
    pub(crate) fn upgrade(&self) -> Option<Arc<T>> {
        let more = |count| if count == 0 { None } else { Some(count + 1) };
        self.shared().count.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Arc(self.0))
    }

    /// In no order, as of `std::sync::Weak`.
    pub(crate) fn strong_count(&self) -> usize {
        self.shared().count.load(Ordering::Relaxed)
    }

    fn shared(&self) -> &Shared<T> {
        // SAFETY: the memory is never given back.
        unsafe { &*self.0 }
    }
}
