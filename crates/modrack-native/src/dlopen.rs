//! The system's loader: the one place that has it load a library, and what it says when it does not.

#![expect(unsafe_code, reason = "loading a library is a call into libc")]

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use modrack_abi::Module;

/// Loads the library at `path`, for good, and gives its module's table.
///
/// # Errors
/// What the loader said.
pub(crate) fn load(path: &Path) -> Result<*const Module, String> {
    let name =
        CString::new(path.as_os_str().as_bytes()).map_err(|_| "its path has a zero in it".to_owned())?;
    // SAFETY: the name is a C string. What the library runs when it is loaded is its own code, which
    // whoever named it in the configuration trusts; the file was found to be whole before.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        return Err(last_error());
    }
    let symbol = CString::new(modrack_abi::SYMBOL).map_err(|_| "its symbol has a zero in it".to_owned())?;
    // SAFETY: the handle is that of a library that is loaded, and is never closed.
    let table = unsafe { libc::dlsym(handle, symbol.as_ptr()) };
    if table.is_null() { Err(last_error()) } else { Ok(table.cast::<Module>().cast_const()) }
}

/// Whether a library that goes by `name` is in the process.
pub(crate) fn is_loaded(name: &str) -> bool {
    let Ok(name) = CString::new(name) else { return false };
    // SAFETY: the name is a C string; nothing is loaded that is not there already.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
    if handle.is_null() {
        return false;
    }
    // SAFETY: the handle was given just now, and counts once; the library stays for who loaded it.
    unsafe { libc::dlclose(handle) };
    true
}

fn last_error() -> String {
    // SAFETY: `dlerror` gives null, or a C string that lives until the thread's next call of the loader.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "the system's loader does not say why".to_owned();
    }
    // SAFETY: as above; it is copied at once.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
