//! What the cell and its grace periods are made of, as the model checker sees it: every lock, every wait, and every count
//! of what is shared is a point at which another thread may go on.

use std::ops::Deref;

use loom::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
pub(crate) use std::sync::PoisonError;

/// What is shared, and counted where the checker sees it.
pub(crate) struct Arc<T> {
    value: std::sync::Arc<T>,
    count: std::sync::Arc<AtomicUsize>,
}

/// What does not keep what is shared.
pub(crate) struct Weak<T> {
    value: std::sync::Weak<T>,
    count: std::sync::Arc<AtomicUsize>,
}

/// The pointer, as a lock.
pub(crate) struct ArcSwap<T>(Mutex<Arc<T>>);

/// What the pointer pointed at.
pub(crate) struct Guard<T>(T);

impl<T> Arc<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: std::sync::Arc::new(value), count: std::sync::Arc::new(AtomicUsize::new(1)) }
    }

    pub(crate) fn downgrade(this: &Self) -> Weak<T> {
        Weak { value: std::sync::Arc::downgrade(&this.value), count: this.count.clone() }
    }
}

impl<T: Default> Default for Arc<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Clone for Arc<T> {
    fn clone(&self) -> Self {
        self.count.fetch_add(1, Ordering::AcqRel);
        Self { value: self.value.clone(), count: self.count.clone() }
    }
}

impl<T> Drop for Arc<T> {
    fn drop(&mut self) {
        // What is shared goes after this, with the last of these.
        self.count.fetch_sub(1, Ordering::AcqRel);
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Weak<T> {
    pub(crate) fn upgrade(&self) -> Option<Arc<T>> {
        // A point at which others may go on; whether it is there is decided after it, at once with counting it.
        self.count.load(Ordering::Acquire);
        let value = self.value.upgrade()?;
        self.count.fetch_add(1, Ordering::AcqRel);
        Some(Arc { value, count: self.count.clone() })
    }

    pub(crate) fn strong_count(&self) -> usize {
        self.count.load(Ordering::Acquire);
        self.value.strong_count()
    }
}

impl<T> ArcSwap<T> {
    pub(crate) fn from_pointee(value: T) -> Self {
        Self(Mutex::new(Arc::new(value)))
    }

    pub(crate) fn load(&self) -> Guard<Arc<T>> {
        Guard(self.load_full())
    }

    pub(crate) fn load_full(&self) -> Arc<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn swap(&self, value: Arc<T>) -> Arc<T> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), value)
    }
}

impl<T> Guard<T> {
    pub(crate) fn into_inner(this: Self) -> T {
        this.0
    }
}

impl<T> Deref for Guard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
