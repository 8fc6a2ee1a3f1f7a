//! Objects that one backend owns and hands on unconverted.
//!
//! Whoever is not that backend can ask what the object is called, convert it, or pass it on; nothing more.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::{BackendName, Error, Result, Value};

/// The values that a foreign object yields, one after the other.
pub type Items = Box<dyn Iterator<Item = Result<Value>> + Send>;

/// What a backend must say of an object it hands out.
pub trait ForeignObject: Any + Send + Sync {
    /// Who owns the object.
    fn backend(&self) -> BackendName;

    /// The object's class, as its own language writes it.
    fn type_name(&self) -> String;

    /// The object as plain data.
    ///
    /// # Errors
    /// [`crate::Code::ValueDoesNotFit`] when some of it has no form as a [`Value`]; the error says which.
    fn to_value(&self) -> Result<Value>;

    /// The values it yields, when it is a generator or another iterator; asking twice goes on where the
    /// first asking stopped.
    fn items(&self) -> Option<Items>;

    /// Whether [`ForeignObject::items`] gives any, found out without asking for them.
    fn is_stream(&self) -> bool;

    /// What a stream needs of the instance that it reads from, where that takes a call at a time or ends with its call.
    /// [`ForeignObject::items`] minds it; who reads the object in its own language has to.
    fn lease(&self) -> Option<Arc<dyn Lease>> {
        None
    }

    /// The call that it is of, where that ends only when the object has been awaited.
    fn later(&self) -> Option<&dyn Later> {
        None
    }

    /// The object for its own backend to recognise.
    fn as_any(&self) -> &dyn Any;
}

/// What a stream has of the instance that it reads from: that it is there, until this is ended or dropped.
pub trait Lease: Send + Sync {
    /// Runs `read`, which asks for one value, as a call of the instance.
    ///
    /// # Errors
    /// That the instance cannot be had now, and nothing was run; what `read` fails with.
    fn read(&self, read: &mut dyn FnMut() -> Result<()>) -> Result<()>;

    /// Needs the instance no longer.
    fn end(&self);
}

/// A call that goes on when its function has returned, because what that gave is awaited elsewhere.
pub trait Later {
    /// Keeps `end` until the call has ended.
    fn at_end(&self, end: Box<dyn AtEnd>);
}

/// What is due when a call ends that goes on when its function has returned. What only has to be kept until then goes as it is
/// dropped.
pub trait AtEnd: Send {
    /// Says of the failure of a call that took too long whose it is.
    fn blame(&self, error: Error) -> Error {
        error
    }

    /// The call has ended, and whether it worked; none where its caller gave it up.
    fn ended(self: Box<Self>, _worked: Option<bool>) {}
}

/// A shared handle on a foreign object.
#[derive(Clone)]
pub struct Foreign(Arc<dyn ForeignObject>);

impl Foreign {
    /// Wraps an object for its way through the rack.
    pub fn new(object: impl ForeignObject) -> Self {
        Self(Arc::new(object))
    }

    /// The object, when it is of the type that the asking backend makes.
    pub fn downcast<T: ForeignObject>(&self) -> Option<&T> {
        self.0.as_any().downcast_ref()
    }
}

impl std::ops::Deref for Foreign {
    type Target = dyn ForeignObject;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl PartialEq for Foreign {
    /// Two handles are equal when they are of the same object.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Foreign({} {})", self.0.backend(), self.0.type_name())
    }
}
