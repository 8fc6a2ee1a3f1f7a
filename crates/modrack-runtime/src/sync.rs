//! What the cell and its grace periods are made of, so that the very same files can be run under a model checker
//! (`tests/cell`), which sees nothing that is of another crate.

pub(crate) use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, fence};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

pub(crate) use crate::fences::Fences;

/// Whether what a thread had is another one's when it has ended.
pub(crate) const HANDED_ON: bool = true;

/// A variable of each thread.
macro_rules! local {
    (static $name:ident: $of:ty = $first:expr) => {
        std::thread_local! { static $name: $of = const { $first } }
    };
}

/// A variable of all threads.
macro_rules! shared {
    (static $name:ident: $of:ty = $first:expr) => {
        static $name: $of = $first;
    };
}

pub(crate) use {local, shared};
