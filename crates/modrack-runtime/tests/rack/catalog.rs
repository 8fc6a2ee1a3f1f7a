//! The catalog: an index of everything that can be found, the broken beside the healthy; nothing runs.

use std::path::Path;

use expect_test::{Expect, expect};
use modrack_runtime::Rack;

use crate::{rack_in, shown, shown_all};

/// A folder with these files, and a rack in it.
fn rack_with(files: &[(&str, &str)], yaml: &str) -> (tempfile::TempDir, Rack) {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let (rack, backend) = rack_in(folder.path(), yaml);
    let _ = rack.catalog();
    assert!(backend.record().iter().all(|entry| entry.starts_with("describe ")));
    (folder, rack)
}

/// The catalog, an entry a line.
fn listed(rack: &Rack, folder: &Path) -> String {
    let entry = |entry: &modrack_runtime::CatalogEntry| {
        let version = entry.version.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let backend = entry.backend.map_or("-", |backend| backend.as_str());
        let error = entry.error.as_ref().map_or_else(String::new, |error| format!(" {}", shown(error)));
        format!("{} {version} {backend} {}{error}\n", entry.name, entry.origin)
    };
    let lines: String = rack.catalog().unwrap().entries().iter().map(entry).collect();
    lines.replace(&format!("{}/", folder.display()), "")
}

fn check_found(rack: &Rack, folder: &Path, text: &str, expected: Expect) {
    let found = rack.slot(text).and_then(|slot| Ok(slot.origin()?.to_string()));
    let found = found.unwrap_or_else(|error| shown(&error));
    expected.assert_eq(&found.replace(&format!("{}/", folder.display()), ""));
}

#[test]
fn a_broken_module_is_an_entry_beside_healthy_ones() {
    let (folder, rack) = rack_with(
        &[
            ("m/upper.py", "scripted\nversion 1.2.0\nfunction f"),
            ("m/bad.py", "scripted\nbroken It is broken"),
            ("m/named.py", "scripted\nname lower\nversion 2.0.0"),
            ("m/package/scripted", "version 0.1.0"),
            ("m/c.wasm", "\0asm\r\0\u{1}\0"),
            ("m/libn.so", "\u{7f}ELF"),
            ("m/_private.py", "scripted"),
            ("m/README.md", "scripted"),
            ("m/data/x.csv", "a,b"),
        ],
        "catalog: [./m]\nslots: { up: { use: upper }, worse: { use: bad } }\n",
    );
    expect![[r#"
        bad - python m/bad.py M0302 module=bad phase=check at=m/bad.py
          It is broken
          hint: Mend it

        c - wasm m/c.wasm
        n - native m/libn.so
        lower 2.0.0 python m/named.py
        package 0.1.0 python m/package
        upper 1.2.0 python m/upper.py
    "#]]
    .assert_eq(&listed(&rack, folder.path()));
    check_found(&rack, folder.path(), "up", expect!["m/upper.py"]);
    check_found(&rack, folder.path(), "lower", expect!["m/named.py"]);
    check_found(
        &rack,
        folder.path(),
        "bad",
        expect![[r#"
        M0302 slot=bad module=bad phase=check at=m/bad.py
          It is broken
          hint: Mend it
    "#]],
    );
    check_found(
        &rack,
        folder.path(),
        "uppr",
        expect![[r#"
        M0106
          There is no slot `uppr`
          hint: Did you mean `upper`?
    "#]],
    );
    expect![[r#"
        M0302 slot=worse module=bad phase=check at=m/bad.py
          It is broken
          hint: Mend it
    "#]]
    .assert_eq(&shown_all(&rack.check()).replace(&format!("{}/", folder.path().display()), ""));
}

#[test]
fn the_highest_version_that_fits_is_meant() {
    let (folder, rack) = rack_with(
        &[
            ("a/upper.py", "scripted\nversion 1.2.0"),
            ("b/upper.py", "scripted\nversion 1.10.0"),
            ("c/upper.py", "scripted\nversion 2.0.0"),
            ("d/upper.py", "scripted"),
            ("e/upper.py", "scripted\nversion 1.10.0"),
        ],
        "catalog: [./a, ./b, ./c, ./d, ./e]\n",
    );
    let check = |text, expected| check_found(&rack, folder.path(), text, expected);
    check("upper", expect!["c/upper.py"]);
    check("upper@^1.2", expect!["b/upper.py"]);
    check("upper@1", expect!["b/upper.py"]);
    check("upper@=1.2.0", expect!["a/upper.py"]);
    check(
        "upper@^3",
        expect![[r#"
        M0203 slot=upper@^3 phase=find
          The catalog has no version of `upper` that fits `^3`
          hint: It has `1.2.0`, `1.10.0` and `2.0.0`
    "#]],
    );
    check(
        "lower@1",
        expect![[r#"
        M0203 slot=lower@1 phase=find
          The catalog has no module `lower`
          hint: It has `upper`
    "#]],
    );
    expect![[r#"
        M0107 module=upper phase=check at=e/upper.py
          The catalog has `upper` 1.10.0 twice: `b/upper.py` and `e/upper.py`
          hint: Give one of them another name or version; until then the first is taken
    "#]]
    .assert_eq(&shown_all(&rack.check()).replace(&format!("{}/", folder.path().display()), ""));
}

#[test]
fn entry_points_are_read_from_the_packages_of_the_venv() {
    let point = "[console_scripts]\nacme = acme:main\n[acme.plugins]\nupper = acme.text:Upper\nlow = acme.low [x]\n\
                 odd = acme.text:Up-per\nno module = acme text\n";
    let (folder, rack) = rack_with(
        &[
            ("venv/lib/python3.11/site-packages/acme-1.2.dist-info/entry_points.txt", point),
            ("venv/lib/python3.11/site-packages/other-1.0.dist-info/METADATA", "Name: other"),
            ("venv/lib/python3.11/site-packages/acme/text.py", "broken"),
        ],
        "catalog: [{ entry-points: acme.plugins }]\npython: { venv: venv }\n",
    );
    expect![[r#"
        upper 1.2.0 python python:acme.text:Upper
        low 1.2.0 python python:acme.low
        odd 1.2.0 python python:acme.text:Up-per M0308 module=odd phase=find at=venv/lib/python3.11/site-packages/acme-1.2.dist-info/entry_points.txt:6
          The entry point `odd` names `acme.text:Up-per`, which is no module
          hint: An entry point is `name = package.module` or `name = package.module:Name`; the package must mend it

        no module 1.2.0 python python:acme text M0308 module=no module phase=find at=venv/lib/python3.11/site-packages/acme-1.2.dist-info/entry_points.txt:7
          The entry point `no module` names `acme text`, which is no module
          hint: An entry point is `name = package.module` or `name = package.module:Name`; the package must mend it

    "#]]
    .assert_eq(&listed(&rack, folder.path()));
    check_found(&rack, folder.path(), "upper@^1", expect!["python:acme.text:Upper"]);
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let (folder, rack) = rack_with(&[], "catalog: [./plugins]\n");
    check_found(
        &rack,
        folder.path(),
        "upper",
        expect![[r#"
        M0201 phase=find at=plugins
          The catalog's folder `plugins` cannot be read: No such file or directory (os error 2)
          hint: Folders under `catalog:` are relative to the rack's folder; make it, or take it out
    "#]],
    );
    check_found(&rack, folder.path(), "python:x", expect!["python:x"]);
    // It is looked for again once it is there.
    std::fs::create_dir(folder.path().join("plugins")).unwrap();
    std::fs::write(folder.path().join("plugins/upper.py"), "scripted\nbroken It is broken").unwrap();
    check_found(
        &rack,
        folder.path(),
        "upper",
        expect![[r#"
        M0302 slot=upper module=upper phase=check at=plugins/upper.py
          It is broken
          hint: Mend it
    "#]],
    );
    // And read again once it is mended.
    std::fs::write(folder.path().join("plugins/upper.py"), "scripted").unwrap();
    check_found(&rack, folder.path(), "upper", expect!["plugins/upper.py"]);
}
