//! What a library needs of the system, looked for as the system's loader looks for it, and nothing of it loaded.
//!
//! Whoever is not sure says that it is there: the loader has the last word when the module is loaded.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::dlopen;

/// Where the loader keeps what it knows of the system's libraries.
const CACHE: &str = "/etc/ld.so.cache";

/// Where the system's libraries are, if the loader does not say.
const FOLDERS: &[&str] = &[
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/usr/local/lib",
    #[cfg(target_arch = "x86_64")]
    "/lib/x86_64-linux-gnu",
    #[cfg(target_arch = "x86_64")]
    "/usr/lib/x86_64-linux-gnu",
    #[cfg(target_arch = "aarch64")]
    "/lib/aarch64-linux-gnu",
    #[cfg(target_arch = "aarch64")]
    "/usr/lib/aarch64-linux-gnu",
];

/// Whether the system has a library called `needed`, or the process has it already.
pub(crate) fn is_there(needed: &str) -> bool {
    dlopen::is_loaded(needed)
        || SYSTEM.iter().any(|folder| folder.join(needed).is_file())
        || is_cached(needed)
}

/// Whether a folder is one of those that the system's libraries are in.
pub(crate) fn is_system(folder: &Path) -> bool {
    let is = |folder: &Path| FOLDERS.iter().any(|known| Path::new(known) == folder);
    is(folder) || folder.canonicalize().is_ok_and(|folder| is(&folder))
}

/// Where the loader looks for whatever library: found out once, because it reads the environment once.
static SYSTEM: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
    let mut folders = dlopen::folders();
    let said = env::var_os("LD_LIBRARY_PATH");
    folders.extend(said.iter().flat_map(|said| env::split_paths(said).collect::<Vec<_>>()));
    // An interpreter that is part of an environment looks there too.
    let environments = ["CONDA_PREFIX", "VIRTUAL_ENV"].iter().filter_map(env::var_os);
    folders.extend(environments.map(|prefix| Path::new(&prefix).join("lib")));
    folders.extend(FOLDERS.iter().map(PathBuf::from));
    folders
});

/// Whether the loader's list of the system's libraries has one of this name.
fn is_cached(needed: &str) -> bool {
    let Ok(cache) = fs::read(CACHE) else { return false };
    // Names stand there between zeros.
    let name = [b"\0", needed.as_bytes(), b"\0"].concat();
    cache.windows(name.len()).any(|window| window == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_process_has_is_there_and_what_nobody_has_is_not() {
        for (needed, there) in [("libc.so.6", true), ("libnobody-has-this.so", false)] {
            assert_eq!(is_there(needed), there, "{needed}");
        }
    }

    #[test]
    fn the_systems_folders_are_known_in_every_spelling() {
        for (folder, is_it) in
            [("/usr/lib", true), ("/usr/lib/", true), ("/usr/../usr/lib", true), ("/opt/x/lib", false)]
        {
            assert_eq!(is_system(Path::new(folder)), is_it, "{folder}");
        }
    }
}
