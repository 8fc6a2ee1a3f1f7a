//! Descriptions that slots share: a thousand slots filled from one file have one of it.
//!
//! Only what is equal is shared. Content alone does not tell a description: a name or a manifest may come from beside
//! the file.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use modrack_core::{ContentHash, Description};

/// The descriptions that somebody holds.
#[derive(Default)]
pub(crate) struct Descriptions(Mutex<Held>);

#[derive(Default)]
struct Held {
    by_content: HashMap<ContentHash, Vec<Weak<Description>>>,
    /// How many contents there are to be before those that nobody holds are looked for.
    full: usize,
}

/// So many contents are held before any is looked at again.
const FEW: usize = 64;

impl Descriptions {
    /// A description that is equal to `description`: one that is held already, else this one.
    pub(crate) fn share(&self, description: Description) -> Arc<Description> {
        let Some(hash) = description.hash.clone() else { return Arc::new(description) };
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.sweep();
        let same = held.by_content.entry(hash).or_default();
        same.retain(|held| held.strong_count() > 0);
        if let Some(there) = same.iter().filter_map(Weak::upgrade).find(|there| **there == description) {
            return there;
        }
        let description = Arc::new(description);
        same.push(Arc::downgrade(&description));
        description
    }
}

impl Held {
    /// Forgets contents that nobody holds, when there may be as many of them as of others.
    fn sweep(&mut self) {
        if self.by_content.len() < self.full.max(FEW) {
            return;
        }
        self.by_content.retain(|_, same| same.iter().any(|held| held.strong_count() > 0));
        self.full = 2 * self.by_content.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, content: &str) -> Description {
        let hash = Some(ContentHash::from_hex(content));
        Description { name: name.to_owned(), hash, ..Description::default() }
    }

    #[test]
    fn what_is_equal_is_shared_while_somebody_holds_it() {
        let descriptions = Descriptions::default();
        let one = descriptions.share(of("a", "x"));
        assert!(Arc::ptr_eq(&one, &descriptions.share(of("a", "x"))));
        for other in [of("b", "x"), of("a", "y"), Description { hash: None, ..of("a", "x") }] {
            assert!(!Arc::ptr_eq(&one, &descriptions.share(other)));
        }
        let gone = Arc::downgrade(&one);
        drop(one);
        assert_eq!(gone.strong_count(), 0);
        assert_eq!(descriptions.share(of("a", "x")).name, "a");
    }

    #[test]
    fn contents_that_nobody_holds_are_forgotten() {
        let descriptions = Descriptions::default();
        let kept = descriptions.share(of("kept", "kept"));
        for number in 0..10 * FEW {
            descriptions.share(of("gone", &number.to_string()));
        }
        assert!(descriptions.0.lock().unwrap().by_content.len() <= FEW);
        assert!(Arc::ptr_eq(&kept, &descriptions.share(of("kept", "kept"))));
    }
}
