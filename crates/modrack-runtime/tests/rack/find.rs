//! Finding: what a file is, its content tells; what is not there is not looked for elsewhere.

use expect_test::{Expect, expect};
use modrack_core::{Code, Result};

use crate::{rack_in, shown};

/// The backend that loads `use_text` in a folder with these files.
fn check(files: &[(&str, &[u8])], use_text: &str, expected: Expect) {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let (rack, _) = rack_in(folder.path(), "");
    let slot = rack.slot(use_text).unwrap();
    let found: Result<String> = (|| {
        let (backend, origin) = (slot.backend()?, slot.origin()?);
        slot.describe()?;
        Ok(format!("{backend} {origin}"))
    })();
    let found = found.unwrap_or_else(|error| shown(&error));
    expected.assert_eq(&found.replace(&format!("{}/", folder.path().display()), ""));
}

#[test]
fn what_a_file_is_its_content_tells() {
    check(&[("x.py", b"scripted\n")], "./x.py", expect!["python x.py"]);
    check(
        &[("x.py", b"scripted\n")],
        "./sub/.././x.py:f",
        expect![[r#"
        M0201 slot=./sub/.././x.py:f phase=find
          `sub/../x.py` does not exist
          hint: There is no folder `sub/..` either
    "#]],
    );
    check(&[("x.data", b"scripted\n")], "./x.data", expect!["python x.data"]);
    check(&[("p/scripted", b"")], "./p/", expect!["python p"]);
    check(
        &[("x.py", b"\0asm\x0d\0\x01\0")],
        "./x.py",
        expect![[r#"
        M0202 slot=./x.py phase=find
          No backend here loads WebAssembly components: `x.py`
          hint: This build of modrack is without the `wasm` backend
    "#]],
    );
    check(
        &[("x.py", b"\x7fELF\x02\x01\x01")],
        "./x.py",
        expect![[r#"
        M0202 slot=./x.py phase=find
          No backend here loads shared libraries: `x.py`
          hint: This build of modrack is without the `native` backend
    "#]],
    );
    check(
        &[("x.wat", b"(component)")],
        "./x.wat",
        expect![[r#"
        M0202 slot=./x.wat phase=find
          No backend here loads WebAssembly components: `x.wat`
          hint: This build of modrack is without the `wasm` backend
    "#]],
    );
    check(
        &[("libx.so", b"\x7fELF\x02")],
        "native:./x",
        expect![[r#"
        M0202 slot=native:./x phase=find
          No backend here loads shared libraries: `libx.so`
          hint: This build of modrack is without the `native` backend
    "#]],
    );
    check(
        &[("x.txt", b"hello")],
        "./x.txt",
        expect![[r#"
        M0202 slot=./x.txt phase=find
          Nothing here loads `x.txt`
          hint: A module is Python source, a WebAssembly component or a shared library
    "#]],
    );
    check(
        &[("p/x.txt", b"hello")],
        "./p/",
        expect![[r#"
        M0202 slot=./p/ phase=find
          Nothing here loads `p`
          hint: A folder that fills a slot must be a package: it needs an `__init__.py`; the modules of a folder are found when `catalog:` names it
    "#]],
    );
}

#[test]
fn what_is_built_first_says_so() {
    check(
        &[("p/Cargo.toml", b"")],
        "./p",
        expect![[r#"
        M0202 slot=./p phase=find
          Nothing here loads `p`
          hint: It is a package of cargo: build it, and name the library or the component in its `target`
    "#]],
    );
    check(
        &[("p/lib.rs", b"")],
        "./p/lib.rs",
        expect![[r#"
        M0202 slot=./p/lib.rs phase=find
          Nothing here loads `p/lib.rs`
          hint: Rust is built first: `use` names the library or the component that cargo makes of it
    "#]],
    );
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_read() {
    check(
        &[],
        "/dev/zero",
        expect![[r#"
        M0202 slot=/dev/zero phase=find
          Nothing here loads `/dev/zero`
          hint: It is a pipe or a device, and no file
    "#]],
    );
}

#[cfg(unix)]
#[test]
fn what_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("x.py", folder.path().join("x.py")).unwrap();
    let (rack, _) = rack_in(folder.path(), "");
    let error = rack.slot("./x.py").unwrap().origin().unwrap_err();
    assert_eq!(error.code(), Code::ModuleUnreadable);
    assert!(error.hint_text().is_some());
}

#[test]
fn what_is_not_there_is_an_error_with_a_name_that_may_be_meant() {
    check(
        &[("upper.py", b"scripted")],
        "./uper.py",
        expect![[r#"
            M0201 slot=./uper.py phase=find
              `uper.py` does not exist
              hint: Did you mean `./upper.py`?
        "#]],
    );
    check(
        &[("upper.py", b"scripted")],
        "./upper",
        expect![[r#"
            M0201 slot=./upper phase=find
              `upper` does not exist
              hint: Did you mean `./upper.py`?
        "#]],
    );
    check(
        &[("upper.py", b"scripted")],
        "./other.py",
        expect![[r#"
        M0201 slot=./other.py phase=find
          `other.py` does not exist
          hint: Paths in a rack are relative to the folder of its file; on the command line, to the current one
    "#]],
    );
    check(
        &[("upper.py", b"scripted")],
        "./plugins/upper.py",
        expect![[r#"
        M0201 slot=./plugins/upper.py phase=find
          `plugins/upper.py` does not exist
          hint: There is no folder `plugins` either
    "#]],
    );
    check(
        &[("upper.py", b"scripted")],
        "./upper.py/x.py",
        expect![[r#"
        M0201 slot=./upper.py/x.py phase=find
          `upper.py/x.py` does not exist
          hint: `upper.py` is a file, not a folder
    "#]],
    );
    check(
        &[("upper.py", b"scripted\nbroken It is broken")],
        "./upper.py",
        expect![[r#"
        M0302 slot=./upper.py phase=check
          It is broken
          hint: Mend it
    "#]],
    );
}
