//! The call convention that builds no tuple, where the interpreter has it.
//!
//! It belongs to the stable interface from 3.12 on only, so it is looked up in the running interpreter; a
//! tuple serves where it is not found.

#![expect(unsafe_code, reason = "the function is known by name only, and takes raw pointers")]

use std::ffi::CStr;
use std::sync::OnceLock;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// `PyObject_Vectorcall`, and `PyObject_VectorcallDict` when its last argument is null.
type Vectorcall = unsafe extern "C" fn(
    *mut ffi::PyObject,
    *const *mut ffi::PyObject,
    usize,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;

/// Tells the callee that it may use the place before the first argument.
const OFFSET: usize = 1 << (usize::BITS - 1);

/// Calls `callable` with the first `count` of `args`, which are all there.
#[inline]
pub(crate) fn call<'py, const N: usize>(
    callable: &Bound<'py, PyAny>,
    args: &[Option<Bound<'py, PyAny>>; N],
    count: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let py = callable.py();
    let Some(vectorcall) = vectorcall() else {
        return callable.call1(PyTuple::new(py, args.iter().flatten().collect::<Vec<_>>())?);
    };
    let mut raw = [std::ptr::null_mut(); 8];
    const { assert!(N < 8, "one place before the arguments is the callee's") };
    for (place, arg) in raw[1..].iter_mut().zip(args.iter().flatten()) {
        *place = arg.as_ptr();
    }
    let count = count.min(N);
    // SAFETY: `vectorcall` is the interpreter's own function of this signature; `raw` has `count` living
    // objects from its second place on, and its first place may be written, as `OFFSET` promises. The
    // function gives a new reference, or null with an exception set.
    unsafe {
        let result = vectorcall(
            callable.as_ptr(),
            raw.as_mut_ptr().add(1).cast_const(),
            count | OFFSET,
            std::ptr::null_mut(),
        );
        Bound::from_owned_ptr_or_err(py, result)
    }
}

#[inline]
fn vectorcall() -> Option<Vectorcall> {
    static FOUND: OnceLock<Option<Vectorcall>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let found = symbol(c"PyObject_Vectorcall").or_else(|| symbol(c"PyObject_VectorcallDict"))?;
        // SAFETY: both functions have this signature in every CPython that has them; the last argument,
        // names or a mapping, is null here.
        Some(unsafe { std::mem::transmute::<*mut libc::c_void, Vectorcall>(found) })
    })
}

/// Whether the current thread is attached to the interpreter.
pub(crate) fn is_attached() -> bool {
    static FOUND: OnceLock<Option<unsafe extern "C" fn() -> libc::c_int>> = OnceLock::new();
    let check = FOUND.get_or_init(|| {
        let found = symbol(c"PyGILState_Check")?;
        // SAFETY: this is the function's signature in every CPython.
        Some(unsafe {
            std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn() -> libc::c_int>(found)
        })
    });
    // SAFETY: the function may be called by any thread at any time.
    check.is_some_and(|check| unsafe { check() } == 1)
}

fn symbol(name: &CStr) -> Option<*mut libc::c_void> {
    // SAFETY: the name ends with a NUL; the default handle stands for everything that is loaded.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}
