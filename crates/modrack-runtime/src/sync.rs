//! What the cell and its grace periods are made of, so that the very same files can be run under a model checker
//! (`tests/cell`), which sees nothing that is of another crate.

pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

pub(crate) use arc_swap::{ArcSwap, Guard};
