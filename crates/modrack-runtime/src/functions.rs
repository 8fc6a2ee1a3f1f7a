//! Slot-level function ids, and each generation's map from them to its own functions.
//!
//! An id is given once for a name and holds for every generation that ever fills the slot; id 0 means the
//! main function, whatever it is called. Reading either side takes no lock and allocates nothing.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use indexmap::IndexSet;

/// A function of a slot, whoever fills it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FunctionId(usize);

/// The names of a slot's functions that were ever bound, each with its id.
#[derive(Default)]
pub(crate) struct FunctionNames {
    names: ArcSwap<IndexSet<Arc<str>>>,
    adding: Mutex<()>,
}

/// A list that grows and is filled without moving what is in it: chunks of 8, 16, 32 and so on.
pub(crate) struct ByFunction<T> {
    chunks: [OnceLock<Box<[OnceLock<T>]>>; CHUNKS],
}

const FIRST: usize = 8;
const CHUNKS: usize = 24;

impl FunctionId {
    /// The main function, whatever it is called.
    pub(crate) const MAIN: Self = Self(0);
}

impl FunctionNames {
    /// The id of the function called `name`, if it was ever bound; of the main function without a name.
    pub(crate) fn find(&self, name: Option<&str>) -> Option<FunctionId> {
        match name {
            None => Some(FunctionId::MAIN),
            Some(name) => self.names.load().get_index_of(name).map(|at| FunctionId(at + 1)),
        }
    }

    /// The id of the function called `name`, given now if it has none. Ids are for functions that exist: the
    /// list is never shortened.
    pub(crate) fn add(&self, name: &str) -> FunctionId {
        let _one_at_a_time = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = self.find(Some(name)) {
            return id;
        }
        let mut names = IndexSet::clone(&self.names.load());
        let (at, _) = names.insert_full(name.into());
        self.names.store(Arc::new(names));
        FunctionId(at + 1)
    }

    /// Every id that was given, the main function's first.
    pub(crate) fn ids(&self) -> impl Iterator<Item = FunctionId> + use<> {
        (0..=self.names.load().len()).map(FunctionId)
    }

    /// The name of `id`; none for the main function.
    pub(crate) fn name(&self, id: FunctionId) -> Option<Arc<str>> {
        id.0.checked_sub(1).and_then(|at| self.names.load().get_index(at).cloned())
    }
}

impl<T> ByFunction<T> {
    /// What is noted for `id`.
    #[inline]
    pub(crate) fn get(&self, id: FunctionId) -> Option<&T> {
        let (chunk, at) = locate(id);
        self.chunks.get(chunk)?.get()?.get(at)?.get()
    }

    /// Notes `value` for `id`, unless something is noted already, and gives what is noted then.
    ///
    /// `None` when there are more functions than a list can hold (over a hundred million).
    pub(crate) fn fill(&self, id: FunctionId, value: T) -> Option<&T> {
        let (chunk, at) = locate(id);
        let cells =
            self.chunks.get(chunk)?.get_or_init(|| (0..FIRST << chunk).map(|_| OnceLock::new()).collect());
        Some(cells.get(at)?.get_or_init(|| value))
    }
}

impl<T> Default for ByFunction<T> {
    fn default() -> Self {
        Self { chunks: std::array::from_fn(|_| OnceLock::new()) }
    }
}

/// The chunk of an id, and its place in there.
#[inline]
fn locate(id: FunctionId) -> (usize, usize) {
    let at = id.0 + FIRST;
    let chunk = (at.ilog2() - FIRST.ilog2()) as usize;
    (chunk, at - (FIRST << chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_id_and_a_list_keeps_what_it_holds() {
        let names = FunctionNames::default();
        let list = ByFunction::default();
        assert_eq!(names.find(None), Some(FunctionId::MAIN));
        for i in 0..100 {
            let id = names.add(&format!("f{i}"));
            assert_eq!(names.add(&format!("f{i}")), id);
            assert_eq!(list.get(id), None);
            assert_eq!(list.fill(id, i), Some(&i));
            assert_eq!(list.fill(id, -1), Some(&i));
        }
        for i in 0..100 {
            let id = names.find(Some(&format!("f{i}"))).unwrap();
            assert_eq!(list.get(id), Some(&i));
            assert_eq!(names.name(id).as_deref(), Some(format!("f{i}").as_str()));
        }
        assert_eq!(names.find(Some("g")), None);
        assert_eq!(names.name(FunctionId::MAIN), None);
    }
}
