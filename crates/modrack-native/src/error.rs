//! The failures of native modules before they are called: what a file can be instead of one.

use std::path::Path;

use modrack_abi::{ABI_MAJOR, ABI_MINOR, NOTE_SECTION, SYMBOL};
use modrack_core::elf::NotElf;
use modrack_core::{Code, Error, Phase, Place};

/// The path as messages show it: relative to the rack's folder where it is inside.
pub(crate) fn shown(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

/// That libraries stay of which nothing is used: `unused` bytes, more than the `most` that were to.
pub(crate) fn much_stays(unused: u64, most: u64) -> Error {
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let what =
        format!("Libraries that nothing uses any more take {}, and {} were to", mib(unused), mib(most));
    Error::new(Code::LibrariesStay, what)
        .hint("A library is never unloaded: start the process anew, or have more of them stay: `native: { kept: 1GiB }`")
        .phase(Phase::Load)
}

pub(crate) fn unreadable(path: &Path, root: &Path, why: &std::io::Error) -> Error {
    let code = match why.kind() {
        std::io::ErrorKind::NotFound => Code::ModuleNotFound,
        _ => Code::ModuleUnreadable,
    };
    at(path, Error::new(code, format!("`{}` cannot be read: {why}", shown(path, root))))
        .phase(Phase::Find)
        .hint("See to it that the file is there and may be read by the user that runs this")
}

pub(crate) fn not_a_library(path: &Path, root: &Path, why: &NotElf, content: &[u8]) -> Error {
    let file = shown(path, root);
    let (said, hint) = match why {
        NotElf::Other => (
            format!("`{file}` is not a shared library: it is {}", kind_of(content)),
            "Name a shared library; what a file is, its content decides, not its ending",
        ),
        NotElf::Machine(machine) => (
            format!("`{file}` is for another machine: {machine}, and this is {}", std::env::consts::ARCH),
            "Build the library for this machine",
        ),
        NotElf::Kind(kind) => (
            format!("`{file}` is not a shared library: it is {kind}"),
            "Link it as a shared library: `cc -shared -fPIC`, or `crate-type = [\"cdylib\"]`",
        ),
        NotElf::Cut(what) => (
            format!("`{file}` is cut short: {what} lies behind its end"),
            "Copy or build the file again, and let it be written whole",
        ),
        NotElf::Nonsense(what) => (format!("`{file}` is damaged: {what}"), "Copy or build the file again"),
    };
    check(path, Code::NotALibrary, said).hint(hint)
}

pub(crate) fn no_symbol(path: &Path, root: &Path) -> Error {
    check(
        path,
        Code::NotAModule,
        format!("`{}` is a shared library, but no module: it does not show `{SYMBOL}`", shown(path, root)),
    )
    .hint("Write a module against `include/modrack.h`, or with the SDK; see docs/native-modules.md")
}

/// A library that shows the tables of other major versions only.
pub(crate) fn other_symbol(path: &Path, root: &Path, symbol: &str) -> Error {
    let message =
        format!("`{}` shows `{symbol}`, and not `{SYMBOL}`, the table that is read here", shown(path, root));
    version(path, message)
}

pub(crate) fn other_version(path: &Path, root: &Path, major: u16, minor: u16) -> Error {
    let message = format!(
        "`{}` is written for version {major}.{minor} of the interface; this is {ABI_MAJOR}.{ABI_MINOR}",
        shown(path, root)
    );
    version(path, message)
}

fn version(path: &Path, message: String) -> Error {
    check(path, Code::AbiVersion, message).hint(format!(
        "Build it against version {ABI_MAJOR} of `include/modrack.h` or of the SDK, or use a modrack that has its version"
    ))
}

pub(crate) fn bad_table(path: &Path, root: &Path, what: &str) -> Error {
    check(path, Code::BadModuleTable, format!("The table of `{}` is wrong: {what}", shown(path, root))).hint(
        "Write it as include/modrack.h says; `MODRACK_HEAD` and `MODRACK_FUNCTIONS` fill in sizes and counts",
    )
}

/// What a table lacks, after the words that it is wrong.
pub(crate) fn lacks(function: &str) -> String {
    format!("it lacks the function `{function}`, which the library's WIT has")
}

pub(crate) fn bad_note(path: &Path) -> Error {
    check(path, Code::BadManifest, format!("The section `{NOTE_SECTION}` is not UTF-8 text"))
        .hint("Write the manifest as UTF-8 text of TOML")
}

pub(crate) fn unsafe_shared(path: &Path) -> Error {
    let message =
        "The manifest says `instances = \"shared\"`, but the table does not say that it is thread-safe";
    check(path, Code::BadManifest, message.to_owned())
        .hint("Set `MODRACK_THREAD_SAFE` in the table's flags if it is, or take `instances` away")
}

pub(crate) fn wrong_origin(origin: &str) -> Error {
    Error::new(Code::UnknownBackend, format!("`{origin}` is not a shared library"))
        .phase(Phase::Find)
        .hint("Name a library: `./x.so`, or `native:./x`")
}

pub(crate) fn no_attr(path: &Path, attr: &str) -> Error {
    at(path, Error::new(Code::BadUse, format!("A library is taken whole: `:{attr}` cannot be named")))
        .phase(Phase::Find)
        .hint("Leave it away, and say which function is meant with `function:`")
}

/// Two libraries of one name in one process, of which the second would get the first's code.
pub(crate) fn conflict(path: &Path, root: &Path, name: &str, other: &str) -> Error {
    let message = format!(
        "`{}` needs its own `{name}`, but another library of that name is loaded already, {other}",
        shown(path, root)
    );
    at(path, Error::new(Code::LibraryConflict, message)).phase(Phase::Load).hint(APART)
}

/// What to do about two libraries of one name.
const APART: &str = "One process has one library of a name. Run one of the two slots in a child process \
                     (`isolation: process`), or give the library another SONAME";

pub(crate) fn dependency_missing(path: &Path, root: &Path, what: &str) -> Error {
    let message = format!("`{}` cannot be loaded: {what}", shown(path, root));
    at(path, Error::new(Code::DependencyMissing, message)).phase(Phase::Load).hint(
        "Install what it needs, or put it beside the module and link with `-Wl,-rpath,'$ORIGIN'`; `ldd` lists what is \
         needed",
    )
}

/// A library that needs another one, which is nowhere.
pub(crate) fn dependency_nowhere(path: &Path, root: &Path, needed: &str) -> Error {
    let message = format!(
        "`{}` needs `{needed}`, which is neither beside it nor where the system looks for libraries",
        shown(path, root)
    );
    check(path, Code::DependencyMissing, message).hint(
        "Install it, or put it beside the module and link with `-Wl,-rpath,'$ORIGIN'`; `ldd` lists what is needed",
    )
}

/// Two modules of which one could not be loaded once the other is.
pub(crate) fn conflict_with(path: &Path, root: &Path, name: &str, other: &str) -> Error {
    let message = format!(
        "`{}` needs its own `{name}`, but `{other}` brings another library of that name along",
        shown(path, root)
    );
    check(path, Code::LibraryConflict, message).hint(APART)
}

pub(crate) fn not_loaded(path: &Path, root: &Path, said: &str) -> Error {
    at(path, Error::new(Code::ImportFailed, format!("`{}` cannot be loaded: {said}", shown(path, root))))
        .phase(Phase::Load)
        .hint("That is what the system's loader said")
}

pub(crate) fn cannot_store(folder: &Path, why: &std::io::Error) -> Error {
    Error::new(
        Code::ModuleUnreadable,
        format!("The library cannot be copied to `{}`: {why}", folder.display()),
    )
    .phase(Phase::Load)
    .place(Place::file(folder))
    .hint("A library is loaded from a copy in the state folder; say another with `state:` or `MODRACK_STATE`")
}

pub(crate) fn changed(path: &Path, root: &Path) -> Error {
    at(
        path,
        Error::new(Code::ImportFailed, format!("`{}` was changed while it was loaded", shown(path, root))),
    )
    .phase(Phase::Load)
    .hint("Call again: the new content is then read and loaded")
}

fn check(path: &Path, code: Code, message: String) -> Error {
    at(path, Error::new(code, message)).phase(Phase::Check)
}

fn at(path: &Path, error: Error) -> Error {
    error.place(Place::file(path))
}

/// What a file that is no ELF file seems to be.
fn kind_of(content: &[u8]) -> &'static str {
    const KINDS: &[(&[u8], &str)] = &[
        (b"MZ", "a library or program for Windows"),
        (b"\xcf\xfa\xed\xfe", "a library or program for macOS"),
        (b"\xca\xfe\xba\xbe", "a library or program for macOS"),
        (b"!<arch>", "a static library"),
        (b"\0asm", "WebAssembly"),
    ];
    if content.is_empty() {
        return "empty";
    }
    let known = KINDS.iter().find(|(magic, _)| content.starts_with(magic)).map(|(_, kind)| *kind);
    known.unwrap_or_else(|| match std::str::from_utf8(&content[..content.len().min(512)]) {
        Ok(_) => "text",
        Err(why) if why.error_len().is_none() => "text",
        Err(_) => "something else",
    })
}
