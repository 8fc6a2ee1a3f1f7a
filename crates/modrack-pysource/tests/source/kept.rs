//! What belongs to a module is enough to have it again: copied elsewhere, as it lay, it is the same module, with its manifest and its data.

use std::path::{Path, PathBuf};

use modrack_core::{Attr, Description, Origin};
use modrack_pysource::Reader;

/// Files, the module among them, and which files belong to it.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a [&'a str]);

fn described(path: &Path) -> Description {
    let attr = None::<Attr>;
    Reader::default().describe(&Origin::File { path: path.to_owned(), attr }).unwrap()
}

/// Copies what belongs to the module at `module`, and gives what is said of the copy; and which files were copied, relative to the
/// folder.
fn copied(files: &[(&str, &str)], module: &str) -> (Description, Description, Vec<String>) {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let first = described(&folder.path().join(module));
    let origin = Origin::File { path: folder.path().join(module), attr: None };
    let (again, sources) = Reader::default().read(&origin).unwrap();
    assert_eq!(again, first, "{module}");
    // What is given of the files is what the hash is of.
    let read: Vec<_> =
        first.files.iter().map(|path| (path.clone(), std::fs::read(path).unwrap().into())).collect();
    assert_eq!(sources, read, "{module}");
    let all: Vec<&PathBuf> = first.files.iter().chain(&first.data).collect();
    let mut names = Vec::new();
    for path in all {
        let name = path.strip_prefix(folder.path()).unwrap();
        let to = elsewhere.path().join(name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(path, to).unwrap();
        names.push(name.display().to_string());
    }
    names.sort();
    let own = first.files[0].strip_prefix(folder.path()).unwrap();
    let second = described(&elsewhere.path().join(own));
    (first, second, names)
}

#[test]
fn a_copy_of_what_belongs_to_a_module_is_that_module() {
    let manifest = "name = \"prices\"\nversion = \"2.1.0\"\n";
    let project = "[project]\nname = \"p\"\n\n[tool.modrack]\nversion = \"3.0.0\"\n";
    let cases: &[Case<'_>] = &[
        (&[("a.py", "import b\n"), ("b.py", ""), ("c.py", "")], "a.py", &["a.py", "b.py"]),
        (&[("a.py", ""), ("a.modrack.toml", manifest)], "a.py", &["a.modrack.toml", "a.py"]),
        (&[("a.py", ""), ("modrack.toml", manifest), ("x.json", "{}")], "a.py", &["a.py", "modrack.toml"]),
        (
            &[
                ("pkg/__init__.py", ""),
                ("pkg/sub/inner.py", ""),
                ("pkg/sub/table.json", "{}"),
                ("pkg/words.txt", "a"),
                ("pkg/.hidden", ""),
                ("pkg/__pycache__/x.pyc", ""),
                ("pkg/modrack.toml", manifest),
                ("beside.txt", ""),
            ],
            "pkg",
            &[
                "pkg/__init__.py",
                "pkg/modrack.toml",
                "pkg/sub/inner.py",
                "pkg/sub/table.json",
                "pkg/words.txt",
            ],
        ),
        (
            &[("pkg/__init__.py", ""), ("pyproject.toml", project)],
            "pkg",
            &["pkg/__init__.py", "pyproject.toml"],
        ),
        (&[("pkg/__init__.py", ""), ("pyproject.toml", "[project]\n")], "pkg", &["pkg/__init__.py"]),
        (
            &[
                ("pkg/__init__.py", ""),
                ("pkg/a.py", "from . import b\n"),
                ("pkg/b.py", ""),
                ("pkg/t.csv", ""),
            ],
            "pkg/a.py",
            &["pkg/__init__.py", "pkg/a.py", "pkg/b.py", "pkg/t.csv"],
        ),
    ];
    for (files, module, expected) in cases {
        let (first, second, names) = copied(files, module);
        assert_eq!(names, *expected, "{module}");
        assert_eq!(second.hash, first.hash, "{module}");
        assert_eq!(second.manifest, first.manifest, "{module}");
        assert_eq!(
            (second.name, second.version, second.entry),
            (first.name, first.version, first.entry),
            "{module}"
        );
    }
}

#[test]
fn a_manifest_that_changes_makes_another_module_and_data_does_not() {
    let files = |version: &str, data: &str| {
        let manifest = format!("version = \"{version}\"\n");
        let files = [("pkg/__init__.py", ""), ("pkg/modrack.toml", manifest.as_str()), ("pkg/t.csv", data)];
        copied(&files, "pkg").0.hash
    };
    assert_ne!(files("1.0.0", "a"), files("2.0.0", "a"));
    assert_eq!(files("1.0.0", "a"), files("1.0.0", "b"));
}
