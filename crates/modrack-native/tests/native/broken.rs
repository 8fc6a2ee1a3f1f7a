//! Files that are no modules, each broken in one way: they are found out before anything of them runs.

use std::fs;

use modrack_core::elf::MACHINE;

use crate::{BEGIN, Lab, failed, show};

const EMPTY: &str = "F(f) { UNUSED; GIVE(modrack_null()); }";

/// Checks that a library with this table is refused with this message.
fn check(source: &str, message: &str) {
    let lab = Lab::new();
    let path = lab.build("x.so", source);
    let described = lab.describe(&path).err().map(|error| crate::line(&error));
    let got = described.unwrap_or_else(|| failed(lab.start(&path)));
    assert_eq!(got, message);
}

#[test]
fn text_that_is_called_a_library_is_told_as_text() {
    let lab = Lab::new();
    for (content, message) in [
        (b"hello\n".as_slice(), "M0316: `x.so` is not a shared library: it is text"),
        (b"", "M0316: `x.so` is not a shared library: it is empty"),
        (b"MZ\x90\x00", "M0316: `x.so` is not a shared library: it is a library or program for Windows"),
        (b"\x7fELF\x02", "M0316: `x.so` is cut short: its header lies behind its end"),
    ] {
        fs::write(lab.path("x.so"), content).unwrap();
        assert_eq!(failed(lab.describe(&lab.path("x.so"))), message);
    }
}

#[test]
fn a_library_that_was_cut_anywhere_is_refused_before_it_is_loaded() {
    let lab = Lab::new();
    let path = lab.module("x.so", &["f"], EMPTY, "");
    let whole = fs::read(&path).unwrap();
    let cut = lab.path("cut.so");
    for length in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
        fs::write(&cut, &whole[..length]).unwrap();
        let message = failed(lab.start(&cut));
        assert!(message.starts_with("M0316: `cut.so` is"), "{length}: {message}");
    }
}

#[test]
fn flipped_bytes_of_the_headers_never_end_the_process_when_it_is_read() {
    let lab = Lab::new();
    let path = lab.module("x.so", &["f"], EMPTY, "");
    let whole = fs::read(&path).unwrap();
    let flipped = lab.path("flipped.so");
    for at in (0..whole.len()).step_by(13).chain(0..800) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        fs::write(&flipped, &bytes).unwrap();
        // What is read is refused, or is as good as before; that it comes back is what counts.
        let _ = lab.describe(&flipped);
    }
}

#[test]
fn a_dynamic_section_by_which_the_loader_would_end_the_process_is_refused() {
    let lab = Lab::new();
    let path = lab.module("x.so", &["f"], EMPTY, "");
    let whole = fs::read(&path).unwrap();
    let number = |at: usize| u64::from_le_bytes(whole[at..at + 8].try_into().unwrap()) as usize;
    let segments = (0..usize::from(whole[56])).map(|index| number(32) + index * 56);
    let segment = segments.into_iter().find(|at| whole[*at] == 2).unwrap();
    let (start, size) = (number(segment + 8), number(segment + 32));
    let entry = |tag: usize| (start..start + size).step_by(16).find(|at| number(*at) == tag).unwrap();
    let check = |places: &[usize], value: u64, message: &str| {
        let mut bytes = whole.clone();
        for at in places {
            bytes[*at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        fs::write(&path, &bytes).unwrap();
        assert_eq!(failed(lab.start(&path)), format!("M0316: `x.so` {message}"));
    };
    let broken = |what: &str| format!("is damaged: {what}");
    check(&[segment + 16], 1 << 40, &broken("its dynamic section is not mapped where it says"));
    check(&[entry(9) + 8], 25, &broken("its relocations have a size that is not ELF's"));
    let ends: Vec<usize> = (start..start + size).step_by(16).filter(|at| number(*at) == 0).collect();
    check(&ends, 0x7fff_fffd, "is cut short: its dynamic section lies behind its end");
}

#[test]
fn a_library_for_another_machine_is_told_so() {
    let lab = Lab::new();
    let path = lab.module("x.so", &["f"], EMPTY, "");
    let mut bytes = fs::read(&path).unwrap();
    let other: u16 = if MACHINE == 183 { 62 } else { 183 };
    bytes[18..20].copy_from_slice(&other.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let name = if other == 183 { "ARM64" } else { "x86-64" };
    let message =
        format!("M0316: `x.so` is for another machine: {name}, and this is {}", std::env::consts::ARCH);
    assert_eq!(failed(lab.describe(&path)), message);
    bytes[4] = 1;
    bytes[18..20].copy_from_slice(&3u16.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    assert!(failed(lab.describe(&path)).starts_with("M0316: `x.so` is for another machine: 32 bits of x86"));
}

#[test]
fn a_program_is_no_library() {
    let lab = Lab::new();
    let source = "int main(void) { return 0; }";
    let path = lab.build_with("x", source, &["-c"]);
    assert_eq!(
        failed(lab.describe(&path)),
        "M0316: `x` is not a shared library: it is an object file that was not linked"
    );
}

#[test]
fn a_library_without_the_table_is_no_module() {
    check(
        "MODRACK_EXPORT int answer(void) { return 42; }",
        "M0317: `x.so` is a shared library, but no module: it does not show `modrack_module_v1`",
    );
    check(
        "MODRACK_EXPORT const int modrack_module_v2 = 1;",
        "M0318: `x.so` shows `modrack_module_v2`, and not `modrack_module_v1`, the table that is read here",
    );
    check(
        "MODRACK_EXPORT int modrack_module_v1(void) { return 0; }",
        "M0319: The table of `x.so` is wrong: `modrack_module_v1` is a function, and must be an object",
    );
}

#[test]
fn a_table_of_another_version_is_refused() {
    for (head, message) in [
        ("{64, 0, 9}", "M0318: `x.so` is written for version 0.9 of the interface; this is 1.0"),
        ("{64, 2, 0}", "M0318: `x.so` is written for version 2.0 of the interface; this is 1.0"),
        (
            "{64, 0xbeef, 0xdead}",
            "M0318: `x.so` is written for version 48879.57005 of the interface; this is 1.0",
        ),
        (
            "{8, 1, 0}",
            "M0319: The table of `x.so` is wrong: it says that it has 8 bytes; the symbol has 64, and version 1.0 has 64",
        ),
        (
            "{0x7fffffff, 1, 0}",
            "M0319: The table of `x.so` is wrong: it says that it has 2147483647 bytes; the symbol has 64, and version \
             1.0 has 64",
        ),
    ] {
        let table = format!("MODRACK_EXPORT const modrack_module modrack_module_v1 = {{ .head = {head} }};");
        check(&table, message);
    }
}

#[test]
fn a_newer_minor_version_with_more_entries_is_taken() {
    let lab = Lab::new();
    let source = format!(
        "{EMPTY}\n\
         static const modrack_function functions[] = {{ {{MODRACK_STR(\"f\"), f}} }};\n\
         MODRACK_EXPORT const struct {{ modrack_module known; void (*later)(void); }} modrack_module_v1 = \
         {{ {{ .head = {{72, 1, 7}}, MODRACK_FUNCTIONS(functions) }}, 0 }};"
    );
    let path = lab.build("x.so", &source);
    assert_eq!(lab.start(&path).unwrap().names(), ["f"]);
}

#[test]
fn a_table_that_cannot_be_one_is_refused() {
    for (entries, table, message) in [
        ("{MODRACK_STR(\"f\"), NULL}", "MODRACK_FUNCTIONS(functions)", "its function `f` is null"),
        ("{{NULL, 4}, f}", "MODRACK_FUNCTIONS(functions)", "its function 0 has no sound name"),
        ("{MODRACK_STR(\"a b\"), f}", "MODRACK_FUNCTIONS(functions)", "its function 0 has no sound name"),
        (
            "{{(const uint8_t *)\"x\", (size_t)1 << 60}, f}",
            "MODRACK_FUNCTIONS(functions)",
            "its function 0 has no sound name",
        ),
        (
            "{MODRACK_STR(\"f\"), f}, {MODRACK_STR(\"f\"), f}",
            "MODRACK_FUNCTIONS(functions)",
            "its function `f` is there twice",
        ),
        (
            "{MODRACK_STR(\"f\"), f}",
            ".functions = functions, .function_count = 1, .function_size = 3",
            "it says that it has 1 functions of 3 bytes each",
        ),
        (
            "{MODRACK_STR(\"f\"), f}",
            ".functions = functions, .function_count = 0x7fffffff, .function_size = 24",
            "it says that it has 2147483647 functions of 24 bytes each",
        ),
        (
            "{MODRACK_STR(\"f\"), f}",
            ".functions = (void *)16, .function_count = 2, .function_size = 24, .flags = (uint64_t)(sizeof functions > 0)",
            "its functions are not where it says",
        ),
    ] {
        let source = format!(
            "__attribute__((used)) {EMPTY}\n__attribute__((used)) static const modrack_function functions[] = {{ {entries} }};\n\
             MODRACK_EXPORT const modrack_module modrack_module_v1 = {{ .head = MODRACK_HEAD(modrack_module), {table} }};"
        );
        check(&source, &format!("M0319: The table of `x.so` is wrong: {message}"));
    }
}

#[test]
fn a_note_that_is_wrong_is_told_with_its_key() {
    let module = show(&["f"], "");
    for (note, message) in [
        (
            "MODRACK_NOTE(\"name = \");",
            "M0308: The manifest in `x.so` is not valid TOML: string values must be quoted, expected literal string",
        ),
        (
            "MODRACK_NOTE(\"wit = 'package a:b; world module { export f: fun(); }'\");",
            "M0308: The module's WIT is wrong (line 1 of it)",
        ),
        (
            "MODRACK_NOTE(\"wit = 'package a:b; world module { export g: func(); }'\");",
            "M0319: The table of `x.so` is wrong: it lacks the function `g`, which the library's WIT has",
        ),
        (
            "MODRACK_NOTE(\"instances = 'shared'\");",
            "M0308: The manifest says `instances = \"shared\"`, but the table does not say that it is thread-safe",
        ),
        ("MODRACK_NOTE(\"name = '\\xff'\");", "M0308: The section `.note.modrack` is not UTF-8 text"),
    ] {
        let lab = Lab::new();
        let path = lab.build_with("x.so", &format!("{BEGIN}{note}\n{EMPTY}\n{module}"), &[]);
        let described = lab.describe(&path).err().map(|error| crate::line(&error));
        let got = described.unwrap_or_else(|| failed(lab.start(&path)));
        let start = message.split(": string values").next().unwrap();
        assert!(got.starts_with(start), "{got}");
    }
}
