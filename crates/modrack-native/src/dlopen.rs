//! The system's loader: the one place that has it load a library, and what it says when it does not.

#![expect(unsafe_code, reason = "loading a library is a call into libc")]

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

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

/// Where the library lies that goes by `name` in the process.
#[cfg(target_env = "gnu")]
pub(crate) fn place_of(name: &str) -> Option<PathBuf> {
    /// The beginning of `link_map` of `link.h`.
    #[repr(C)]
    struct LinkMap {
        address: usize,
        name: *const libc::c_char,
    }
    let name = CString::new(name).ok()?;
    // SAFETY: the name is a C string; nothing is loaded that is not there already.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
    if handle.is_null() {
        return None;
    }
    let mut map: *const LinkMap = std::ptr::null();
    // SAFETY: the handle was given just now; the request writes one pointer.
    let asked = unsafe { libc::dlinfo(handle, libc::RTLD_DI_LINKMAP, (&raw mut map).cast()) };
    let place = (asked == 0 && !map.is_null()).then(|| {
        // SAFETY: the loader gave its own entry of the library, which is there for as long as the handle, and has
        // its path as a C string; it is copied at once.
        let name = unsafe { CStr::from_ptr((*map).name) };
        PathBuf::from(std::ffi::OsStr::from_bytes(name.to_bytes()))
    });
    // SAFETY: the handle counts once; the library stays for who loaded it.
    unsafe { libc::dlclose(handle) };
    place
}

/// Where the library lies that goes by `name` in the process: it is not said.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn place_of(_: &str) -> Option<PathBuf> {
    None
}

/// Where the loader looks for libraries on behalf of the program.
#[cfg(target_env = "gnu")]
pub(crate) fn folders() -> Vec<PathBuf> {
    /// `Dl_serinfo` of `dlfcn.h`, as far as it is of one size; places follow, as many as it says.
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Search {
        size: usize,
        count: libc::c_uint,
    }
    /// `Dl_serpath`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Place {
        name: *const libc::c_char,
        flags: libc::c_uint,
    }
    let mut search = Search { size: 0, count: 0 };
    // SAFETY: without a name the handle is that of the program, which is always there; the request writes size and count.
    let handle = unsafe {
        let handle = libc::dlopen(std::ptr::null(), libc::RTLD_LAZY);
        let asked = libc::dlinfo(handle, libc::RTLD_DI_SERINFOSIZE, (&raw mut search).cast());
        if asked == 0 { handle } else { std::ptr::null_mut() }
    };
    if handle.is_null() || search.size > 1 << 20 {
        return Vec::new();
    }
    let mut room = vec![0_u64; search.size.div_ceil(size_of::<u64>())];
    // SAFETY: the room is aligned for the structure and has as many bytes as the loader said that it needs; the
    // structure begins with what the loader said before, as it asks for.
    let filled = unsafe {
        room.as_mut_ptr().cast::<Search>().write(search);
        libc::dlinfo(handle, libc::RTLD_DI_SERINFO, room.as_mut_ptr().cast())
    };
    if filled != 0 {
        return Vec::new();
    }
    let places = room.as_ptr().cast::<u8>().wrapping_add(size_of::<Search>()).cast::<Place>();
    let folder = |index: usize| {
        // SAFETY: the loader filled in as many places as it said, each with a C string that lies in the room.
        let name = unsafe { CStr::from_ptr((*places.add(index)).name) };
        PathBuf::from(std::ffi::OsStr::from_bytes(name.to_bytes()))
    };
    (0..search.count as usize).map(folder).collect()
}

/// Where the loader looks for libraries on behalf of the program: it does not say.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn folders() -> Vec<PathBuf> {
    Vec::new()
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
