//! The names that libraries which come along with modules have in the process: whoever needs one of them by its name
//! is given the one that came first, whatever its content.

use std::collections::HashMap;
use std::fs;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::dlopen;
use crate::read::Part;

/// Who has a name.
struct Holder {
    hash: blake3::Hash,
    /// The module that it came with first.
    by: String,
    /// How many loads rely on it.
    takers: usize,
}

static NAMES: LazyLock<Mutex<HashMap<String, Holder>>> = LazyLock::new(Mutex::default);

fn names() -> MutexGuard<'static, HashMap<String, Holder>> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Names that a load relies on. They are given back with this value unless they are [kept](Self::keep): then what goes
/// by them is in the process.
#[derive(Default)]
pub(crate) struct Taken(Vec<String>);

/// A name that another library has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) name: String,
    /// The module that brought the other one along; without one it is the system's.
    pub(crate) by: Option<String>,
}

impl Taken {
    /// Takes the names of a library's parts on behalf of `by`, so that no other content goes by them.
    ///
    /// # Errors
    /// The first that another library has.
    pub(crate) fn take(parts: &[Part], by: &str) -> Result<Self, Conflict> {
        let mut taken = Self::default();
        for (index, part) in parts.iter().enumerate() {
            // Modules are loaded by their paths: two of one name do not meet.
            let is_main = index == 0;
            for name in &part.names {
                let mut names = names();
                let others = |by: Option<&str>| Conflict { name: name.clone(), by: by.map(str::to_owned) };
                match names.get_mut(name) {
                    Some(holder) if holder.hash == part.hash => {
                        holder.takers += 1;
                        taken.0.push(name.clone());
                    }
                    Some(_) if is_main => {}
                    Some(holder) => {
                        let conflict = others(Some(&holder.by));
                        drop(names);
                        return Err(conflict);
                    }
                    None if !is_main && is_others(name, part) => {
                        drop(names);
                        return Err(others(None));
                    }
                    None => {
                        let holder = Holder { hash: part.hash, by: by.to_owned(), takers: 1 };
                        names.insert(name.clone(), holder);
                        taken.0.push(name.clone());
                    }
                }
            }
        }
        Ok(taken)
    }

    /// Leaves the names taken: what goes by them is in the process, for good.
    pub(crate) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut names = names();
        for name in self.0.drain(..) {
            let Some(holder) = names.get_mut(&name) else { continue };
            holder.takers -= 1;
            // What was loaded on the way stays loaded, and keeps its name.
            if holder.takers == 0 && !dlopen::is_loaded(&name) {
                names.remove(&name);
            }
        }
    }
}

/// Whether the process has something else by this name, that none of our modules brought along.
fn is_others(name: &str, part: &Part) -> bool {
    // What is loaded from where it lies is the same for everybody.
    let is_it = || {
        part.place.is_none()
            && dlopen::place_of(name)
                .and_then(|at| fs::read(at).ok())
                .is_some_and(|c| blake3::hash(&c) == part.hash)
    };
    dlopen::is_loaded(name) && !is_it()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(name: &str, content: &str) -> [Part; 2] {
        [("main", Vec::new()), (content, vec![name.to_owned()])].map(|(content, names)| Part {
            path: "x.so".into(),
            place: Some("x.so".into()),
            names,
            content: Vec::new(),
            size: 0,
            hash: blake3::hash(content.as_bytes()),
        })
    }

    #[test]
    fn a_name_is_taken_until_the_last_load_that_relies_on_it_failed() {
        let name = "libof-many.so";
        let other = || Taken::take(&parts(name, "two"), "other").err();
        let conflict = || Some(Conflict { name: name.into(), by: Some("first".into()) });
        let first = Taken::take(&parts(name, "one"), "first").unwrap();
        let second = Taken::take(&parts(name, "one"), "second").unwrap();
        assert_eq!(other(), conflict());
        // The load that took it fails, the one that relies on it goes on.
        drop(first);
        assert_eq!(other(), conflict());
        drop(second);
        assert_eq!(other(), None);
        Taken::take(&parts(name, "one"), "first").unwrap().keep();
        assert_eq!(other(), conflict());
    }

    #[test]
    fn what_the_system_has_is_nobodys_but_its_own() {
        let conflict = Conflict { name: "libc.so.6".into(), by: None };
        assert_eq!(Taken::take(&parts("libc.so.6", "mine"), "x.so").err(), Some(conflict));
        // The same file is the same library.
        let at = dlopen::place_of("libc.so.6").unwrap();
        let mut parts = parts("libc.so.6", "mine");
        (parts[1].place, parts[1].hash) = (None, blake3::hash(&fs::read(at).unwrap()));
        drop(Taken::take(&parts, "x.so").unwrap());
    }
}
