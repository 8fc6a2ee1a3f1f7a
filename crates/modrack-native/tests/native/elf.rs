//! Whatever is wrong in a library's tables, it is refused or loaded: nothing ends the process.
//!
//! A sound library is changed in one number at a time: of its header, its segments, and every table that the system's
//! loader goes by. What is not refused is loaded, in a process of its own, because some of it would be its end.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::{BEGIN, Lab, show};

/// A library that runs nothing when it is loaded, and has each kind of table: it needs functions of other libraries
/// by their versions, and has pointers of every kind.
const SOURCE: &str = r#"
#include <stdlib.h>
#include <string.h>
MODRACK_NOTE("name = 'changed'\n");
MODRACK_EXPORT int shown = 3;
MODRACK_EXPORT const char *const words[] = { "a", "b", "c" };
void *(*const others[])(size_t) = { malloc };
static _Thread_local int of_thread = 7;
F(f) { UNUSED; memmove(&shown, words, 1); GIVE(modrack_int(of_thread + (others[0] != 0))); }
"#;

/// Where libraries are that this process is to load, in place of its own tests.
const LOADED_FROM: &str = "MODRACK_TEST_LOADED_FROM";

/// A number in a file: what it is, where it is and how many bytes it has.
struct Spot(String, usize, usize);

/// The file's tables, as far as a test must know them.
struct File<'a>(&'a [u8]);

impl File<'_> {
    fn number(&self, at: usize, size: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(&self.0[at..at + size]);
        u64::from_le_bytes(bytes)
    }

    fn usize(&self, at: usize) -> usize {
        usize::try_from(self.number(at, 8)).unwrap()
    }

    fn segments(&self) -> Vec<usize> {
        (0..usize::from(self.0[56])).map(|index| self.usize(32) + index * 56).collect()
    }

    /// Where in the file an address is.
    fn place(&self, address: usize) -> usize {
        let segments = self.segments();
        let mut loaded = segments.iter().filter(|at| self.number(**at, 4) == 1);
        let holds = |at: &&usize| {
            (self.usize(**at + 16)..self.usize(**at + 16) + self.usize(**at + 32)).contains(&address)
        };
        let at = *loaded.find(holds).unwrap();
        address - self.usize(at + 16) + self.usize(at + 8)
    }

    fn entries(&self) -> Vec<usize> {
        let segment = self.segments().into_iter().find(|at| self.number(*at, 4) == 2).unwrap();
        let (start, size) = (self.usize(segment + 8), self.usize(segment + 32));
        (start..start + size).step_by(16).collect()
    }

    /// What an entry of the dynamic section says.
    fn said(&self, tag: u64) -> Option<usize> {
        let entry = self.entries().into_iter().find(|at| self.number(*at, 8) == tag)?;
        Some(self.usize(entry + 8))
    }

    fn spots(&self) -> Vec<Spot> {
        let mut spots = Vec::new();
        let mut add = |what: &str, index: usize, at: usize, sizes: &[usize]| {
            let mut at = at;
            for (field, size) in sizes.iter().enumerate() {
                spots.push(Spot(format!("{what} {index}, field {field}"), at, *size));
                at += size;
            }
        };
        add("header", 0, 16, &[2, 2, 4, 8, 8, 8, 4, 2, 2, 2, 2, 2, 2]);
        for (index, at) in self.segments().into_iter().enumerate() {
            add("segment", index, at, &[4, 4, 8, 8, 8, 8, 8, 8]);
        }
        for (index, at) in self.entries().into_iter().enumerate() {
            add("entry", index, at, &[8, 8]);
        }
        let hash = self.place(self.said(0x6fff_fef5).unwrap());
        add("hash", 0, hash, &[4; 24]);
        let symbols = self.place(self.said(6).unwrap());
        let count = (self.said(5).unwrap() - self.said(6).unwrap()) / 24;
        for index in 0..count {
            // Not what kind it is: one kind is called, whatever is there.
            add("symbol's name", index, symbols + index * 24, &[4]);
            add("symbol", index, symbols + index * 24 + 6, &[2, 8, 8]);
        }
        add("version", 0, self.place(self.said(0x6fff_fff0).unwrap()), &vec![2; count]);
        let needed = self.place(self.said(0x6fff_fffe).unwrap());
        add("versions needed", 0, needed, &[2, 2, 4, 4, 4, 4, 2, 2, 4, 4]);
        for (what, at, size) in [("relocation", 7, 8), ("relocation of a function", 23, 2)] {
            let (Some(at), Some(size)) = (self.said(at), self.said(size)) else { continue };
            for index in 0..size / 24 {
                add(what, index, self.place(at) + index * 24, &[8, 4, 4, 8]);
            }
        }
        spots
    }
}

/// What a number is changed to.
fn others(number: u64, size: usize) -> Vec<u64> {
    let most = u64::MAX >> (64 - size * 8);
    let mut others = vec![0, 1, 7, most, most >> 1, 1 << 40, (1 << 47) - 8, number ^ 0x80];
    others.extend([1, 8, 4096].iter().flat_map(|by| [number.wrapping_add(*by), number.wrapping_sub(*by)]));
    others.iter_mut().for_each(|other| *other &= most);
    others.retain(|other| *other != number);
    others.sort_unstable();
    others.dedup();
    others
}

fn libraries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|ending| ending == "so"));
    found.sort();
    found
}

#[test]
fn a_number_that_is_wrong_never_ends_the_process() {
    if let Some(folder) = env::var_os(LOADED_FROM) {
        return load_all(Path::new(&folder));
    }
    let lab = Lab::new();
    let source = format!("{BEGIN}{SOURCE}{}", show(&["f"], ""));
    let path = lab.build_with("x.so", &source, &["-nostartfiles", "-Wl,-z,lazy"]);
    let whole = fs::read(&path).unwrap();
    let accepted = lab.path("accepted");
    fs::create_dir(&accepted).unwrap();
    let (mut tried, mut taken) = (0, 0);
    for Spot(what, at, size) in File(&whole).spots() {
        let number = File(&whole).number(at, size);
        for other in others(number, size) {
            let mut bytes = whole.clone();
            bytes[at..at + size].copy_from_slice(&other.to_le_bytes()[..size]);
            fs::write(&path, &bytes).unwrap();
            tried += 1;
            if lab.describe(&path).is_ok() {
                taken += 1;
                fs::write(accepted.join(format!("{what} is {other:#x}, not {number:#x}.so")), &bytes)
                    .unwrap();
            }
        }
    }
    assert!(tried > 1000 && taken > 100 && taken < tried, "{taken} of {tried}");
    // Each process loads what is left; one that ends takes the library that it was at with it.
    let mut fatal = Vec::new();
    while !libraries(&accepted).is_empty() {
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", "elf::a_number_that_is_wrong_never_ends_the_process"]);
        // One that ends leaves its copies behind: they go with the test's own folder.
        let output = child.env(LOADED_FROM, &accepted).env("TMPDIR", lab.folder.path()).output().unwrap();
        if output.status.success() {
            assert!(libraries(&accepted).is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
            break;
        }
        let at = libraries(&accepted).remove(0);
        fatal.push(format!("{}: {}", at.file_stem().unwrap().display(), output.status));
        fs::remove_file(at).unwrap();
    }
    assert!(fatal.is_empty(), "{} of {taken}:\n{}", fatal.len(), fatal.join("\n"));
}

/// Loads each library there, and takes it away once that is done.
fn load_all(folder: &Path) {
    let mut lab = Lab::new();
    lab.backend = modrack_native::NativeBackend::new(modrack_native::NativeSettings {
        root: folder.to_owned(),
        ..modrack_native::NativeSettings::default()
    });
    for path in libraries(folder) {
        // Whether it is loaded or refused is all the same.
        let _ = lab.start(&path);
        fs::remove_file(path).unwrap();
    }
}
