//! What a backend read of a module when it described it, kept with the description for whoever starts it.
//!
//! Only the backend that made it knows what it is. It says nothing of its own: which content it is, the description's hash says.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// The content of a module, as its backend keeps it; it goes with the last description that has it.
#[derive(Clone, Default)]
pub struct Content(Option<Arc<dyn Any + Send + Sync>>);

impl Content {
    /// Keeps `content` for as long as anybody has the description.
    pub fn new(content: impl Any + Send + Sync) -> Self {
        Self(Some(Arc::new(content)))
    }

    /// What is kept, when it is of the type that the asking backend makes.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.as_ref()?.downcast_ref()
    }
}

impl PartialEq for Content {
    /// Descriptions are compared by what they say, and that includes the hash of the content.
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Content(..)" } else { "Content" })
    }
}
