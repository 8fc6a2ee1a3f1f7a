//! The functions that the host calls: arguments in, the module's code, the result or the failure out.

#![expect(unsafe_code, reason = "the host calls through pointers of the C interface")]

use std::cell::{RefCell, RefMut};
use std::ffi::c_void;
use std::ptr;

use modrack_abi as abi;

use super::panic::caught;
use super::{Reply, host, lent, panic};
use crate::error::What;
use crate::started::count;
use crate::view::{Fields, Shape};
use crate::{Error, FromValue, IntoValue, Outcome, Result, ValueRef};

/// What a function of a module's table does. `#[modrack::module]` writes one for each function.
pub trait Entry {
    /// What an instance is kept in.
    type Kept: Kept;

    /// Reads the arguments, calls the function and replies.
    ///
    /// # Errors
    /// What the function failed with, or an argument that does not fit.
    fn call(kept: &Self::Kept, args: Args<'_>, reply: &mut Reply<'_>) -> Done;
}

/// Whether it went well.
pub type Done = Result<()>;

/// What makes an instance.
pub trait Create {
    /// What an instance is kept in.
    type Kept: Kept;

    /// Makes one.
    ///
    /// # Errors
    /// What the constructor failed with, or a parameter that does not fit.
    fn create(given: Fields<'_>) -> Result<Self::Kept>;
}

/// What an instance is kept in.
pub trait Kept {
    /// Whether several calls may come at once.
    const IS_SHARED: bool;
}

/// No instance: free functions.
impl Kept for () {
    const IS_SHARED: bool = true;
}

/// An instance whose functions all take `&self`: several calls may come at once.
pub struct Shared<S>(S);

/// An instance that one call has at a time.
pub struct Once<S>(RefCell<S>);

impl<S> Kept for Shared<S> {
    const IS_SHARED: bool = true;
}

impl<S> Kept for Once<S> {
    const IS_SHARED: bool = false;
}

impl<S> Shared<S> {
    /// Keeps it. Nothing else makes one, so what is kept may be used by several threads at once. The name is what a
    /// compiler says about a type that may not be.
    pub fn several_calls_at_once_unless_instances_are_one(state: S) -> Self
    where
        S: Send + Sync,
    {
        Self(state)
    }

    /// The instance.
    ///
    /// # Errors
    /// Never; it is asked like one that only one call has.
    #[inline]
    pub fn state(&self) -> Result<&S> {
        Ok(&self.0)
    }
}

impl<S> Once<S> {
    /// Keeps it. Nothing else makes one, so what is kept may go from thread to thread.
    pub fn a_call_may_come_from_any_thread(state: S) -> Self
    where
        S: Send,
    {
        Self(RefCell::new(state))
    }

    /// The instance.
    ///
    /// # Errors
    /// When a call has it already: the module was called by what it calls.
    #[inline]
    pub fn state(&self) -> Result<RefMut<'_, S>> {
        self.0.try_borrow_mut().map_err(|_| {
            Error::new("The module is called while it is in a call")
                .hint("Let what it calls not call it back, or let its functions take `&self`")
        })
    }
}

/// The arguments of a call.
#[derive(Clone, Copy)]
pub struct Args<'v>(&'v [abi::Value]);

impl<'v> Args<'v> {
    /// That there are so many: at least `least`, and no more than there are names, unless the last stands for all
    /// that are left.
    ///
    /// # Errors
    /// Too few or too many, said with the names.
    #[inline]
    pub fn count(self, least: usize, names: &[&str], rest: bool) -> Result<()> {
        count(self.0.len(), least, names, rest)
    }

    #[inline]
    fn at(self, index: usize) -> Option<ValueRef<'v>> {
        // SAFETY: the arguments of a call are as the interface says until the call returns, which is `'v`.
        self.0.get(index).map(|value| ValueRef::lent(unsafe { lent::Value::new(value) }))
    }
}

/// An argument as the type that the function takes; one that is not given is nothing.
///
/// # Errors
/// An argument that does not fit, said with its name.
#[inline]
pub fn arg<'v, T: FromValue<'v>>(args: Args<'v>, index: usize, name: &str) -> Result<T> {
    let value = args.at(index).unwrap_or(ValueRef::lent(lent::Value::null()));
    match T::from_value(value) {
        Ok(value) => Ok(value),
        Err(misfit) => Err(misfit.of_argument(name)),
    }
}

/// However many arguments there are from `index` on: the host hands them over as the WIT has them, as one list.
///
/// # Errors
/// An argument that does not fit.
pub fn rest<'v, T: FromValue<'v>>(args: Args<'v>, index: usize, name: &str) -> Result<Vec<T>> {
    let Some(list) = args.at(index) else { return Ok(Vec::new()) };
    Vec::from_value(list).map_err(|misfit| misfit.of_argument(name))
}

impl Reply<'_> {
    /// Hands over what the function gave.
    ///
    /// # Errors
    /// What the function failed with, or what cannot be given.
    #[inline]
    pub fn give<T: Outcome<Good: IntoValue>>(&mut self, outcome: T) -> Done {
        outcome.outcome()?.reply(self)
    }

    /// Hands over nothing, whatever the function gave: its contract wants nothing.
    ///
    /// # Errors
    /// What the function failed with.
    #[inline]
    pub fn give_nothing<T: Outcome>(&mut self, outcome: T) -> Done {
        outcome.outcome().map(drop)
    }

    /// Hands over what a function gave that was lent what its entry read for it: text and bytes of the result may
    /// lie there, and are copied before that goes.
    ///
    /// # Errors
    /// As [`Reply::give`].
    #[inline]
    pub fn give_copied<T: Outcome<Good: IntoValue>>(&mut self, outcome: T) -> Done {
        let value = outcome.outcome()?.into_value()?;
        self.value(value)
    }
}

/// The entry of a function for the module's table.
pub const fn function<E: Entry>(name: &'static str) -> abi::Function {
    abi::Function { name: abi::Str::new(name), call: Some(called::<E>) }
}

/// The table of a module with these functions.
pub const fn module<C: Create>(functions: &'static [abi::Function]) -> abi::Module {
    let mut module = abi::Module::new(functions, &[]);
    module.flags = if C::Kept::IS_SHARED { abi::THREAD_SAFE } else { 0 };
    module.create = Some(created::<C>);
    module.destroy = Some(destroyed::<C::Kept>);
    module
}

/// # Safety
/// As [`abi::FunctionFn`] says: the instance is one that [`created`] made, `count` arguments lie at `args`, all is
/// there until this returns.
unsafe extern "C" fn called<E: Entry>(
    instance: *mut c_void,
    context: *const abi::Context,
    args: *const abi::Value,
    count: usize,
    output: *mut abi::Output,
) -> i32 {
    // SAFETY: as above; calls of an instance that is not shared come one at a time, and `Kept` is only read.
    let (kept, args, output) =
        unsafe { (&*instance.cast::<E::Kept>(), Args(lent::many(args, count)), &mut *output) };
    let _within = host::Within::new(context);
    let mut reply = Reply::new(output);
    match caught(|| E::call(kept, args, &mut reply)) {
        Ok(()) => abi::STATUS_OK,
        Err(error) => failed(&error, output),
    }
}

/// # Safety
/// As [`abi::CreateFn`] says.
unsafe extern "C" fn created<C: Create>(
    context: *const abi::Context,
    params: *const abi::Value,
    instance: *mut *mut c_void,
    error: *mut abi::Output,
) -> i32 {
    // SAFETY: `params` is a value that is there until this returns, `instance` and `error` are to be written.
    let (params, instance, error) =
        unsafe { (ValueRef::lent(lent::Value::new(&*params)), &mut *instance, &mut *error) };
    panic::listen();
    let _within = host::Within::new(context);
    let made = caught(|| match params.shape() {
        Shape::Map(given) => C::create(given),
        Shape::Null => C::create(Fields::owned(&[])),
        _ => Err(params.misfit("a mapping").of_argument("params")),
    });
    match made {
        Ok(kept) => {
            *instance = Box::into_raw(Box::new(kept)).cast();
            abi::STATUS_OK
        }
        Err(why) => {
            *instance = ptr::null_mut();
            failed(&why, error)
        }
    }
}

/// # Safety
/// As [`abi::DestroyFn`] says: the instance is one that [`created`] made, and it is not used any more.
unsafe extern "C" fn destroyed<K: Kept>(instance: *mut c_void) {
    // SAFETY: as above.
    let kept = unsafe { Box::from_raw(instance.cast::<K>()) };
    // Nobody can be told: the standard hook has printed what a destructor panics with.
    let _ = caught(|| {
        drop(kept);
        Ok(())
    });
}

#[cold]
fn failed(error: &Error, output: &mut abi::Output) -> i32 {
    Reply::new(output).error(error);
    match error.record().what {
        What::Failed => abi::STATUS_FAILED,
        What::BadArguments => abi::STATUS_BAD_ARGUMENTS,
        What::Panicked => abi::STATUS_PANICKED,
        What::Cancelled => abi::STATUS_CANCELLED,
        What::TimedOut => abi::STATUS_TIMED_OUT,
    }
}
