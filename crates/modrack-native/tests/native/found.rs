//! Where what a library needs is found: by folders named from the root, by a path, by those of who loaded it.

use std::fs;
use std::path::{Path, PathBuf};

use modrack_core::{Backend, Value};

use crate::{BEGIN, Lab, call, failed, line, show};

/// Builds `folder/x.so`, whose `f` gives what `libNAME.so` beside it says, with these flags.
fn with_helper(lab: &Lab, folder: &str, name: &str, number: i64, flags: &[&str]) -> PathBuf {
    let helper = format!("{folder}/lib{name}.so");
    let soname = format!("-Wl,-soname,lib{name}.so");
    lab.build_with(&helper, &format!("int {name}(void) {{ return {number}; }}"), &[&soname]);
    let flags: Vec<&str> = [helper.as_str()].into_iter().chain(flags.iter().copied()).collect();
    lab.build_with(&format!("{folder}/x.so"), &source(name), &flags)
}

fn source(name: &str) -> String {
    let call = format!("int {name}(void); F(f) {{ UNUSED; GIVE(modrack_int({name}())); }}");
    format!("{BEGIN}{call}\n{}", show(&["f"], ""))
}

fn run_path(folder: &Path) -> String {
    format!("-Wl,-rpath,{}", folder.display())
}

#[test]
fn a_folder_that_is_named_from_the_root_brings_a_library_along_like_any_other() {
    let lab = Lab::new();
    let [one, two, same] = [("one", 1), ("two", 2), ("same", 1)]
        .map(|(folder, number)| with_helper(&lab, folder, "rooted", number, &[&run_path(&lab.path(folder))]));
    let about = [&one, &two, &same].map(|path| lab.describe(path).unwrap());
    assert_eq!(about[0].files, [lab.path("one/x.so"), lab.path("one/librooted.so")]);
    let faults = lab.backend.check_together(&[&about[0], &about[2], &about[1]]);
    let message = "M0320: `two/x.so` needs its own `librooted.so`, but `one/x.so` brings another library of that \
                   name along";
    let faults: Vec<_> = faults.iter().map(|(index, fault)| (*index, line(fault))).collect();
    assert_eq!(faults, [(2, message.to_owned())]);
    assert_eq!(call(&lab.start(&one).unwrap(), "f", &[]).unwrap(), Value::Int(1));
    let conflict = |path: &Path, by: &str| {
        let message = format!(
            "M0320: `{by}` needs its own `librooted.so`, but another library of that name is loaded already, for \
             `one/x.so`"
        );
        assert_eq!(failed(lab.start(path)), message);
    };
    conflict(&two, "two/x.so");
    assert_eq!(call(&lab.start(&same).unwrap(), "f", &[]).unwrap(), Value::Int(1));
    // Another content at the same place is another library too, though the module itself is the same.
    let before = lab.describe(&one).unwrap().hash;
    fs::remove_file(lab.path("one/librooted.so")).unwrap();
    with_helper(&lab, "one", "rooted", 3, &[&run_path(&lab.path("one"))]);
    assert_ne!(lab.describe(&one).unwrap().hash, before);
    conflict(&one, "one/x.so");
}

#[test]
fn a_library_that_is_needed_by_its_path_comes_along() {
    let lab = Lab::new();
    let helper = lab.build_with("deep/libpathed.so", "int pathed(void) { return 4; }", &[]);
    let path = lab.build_with("x.so", &source("pathed"), &[helper.to_str().unwrap()]);
    let about = lab.describe(&path).unwrap();
    assert_eq!(about.files, [path.clone(), helper.clone()]);
    assert_eq!(call(&lab.start(&path).unwrap(), "f", &[]).unwrap(), Value::Int(4));
    fs::remove_file(&helper).unwrap();
    lab.build_with("deep/libpathed.so", "int pathed(void) { return 5; }", &[]);
    assert!(failed(lab.start(&path)).starts_with("M0320: `x.so` needs its own `"));
    fs::remove_file(&helper).unwrap();
    let faults = lab.backend.check_requires(&lab.describe(&path).unwrap());
    assert_eq!(faults.len(), 1);
    assert!(line(&faults[0]).starts_with("M0321: `x.so` needs `"));
}

#[test]
fn the_folders_of_who_loads_a_library_hold_for_what_that_needs_unless_they_are_for_itself() {
    for (tags, name, is_there) in
        [("--disable-new-dtags", "inherits", true), ("--enable-new-dtags", "stands_alone", false)]
    {
        let lab = Lab::new();
        let (inner, outer) = (format!("deps/lib{name}_in.so"), format!("deps/lib{name}.so"));
        let soname = |of: &str| format!("-Wl,-soname,{}", of.trim_start_matches("deps/"));
        lab.build_with(&inner, &format!("int {name}_in(void) {{ return 6; }}"), &[&soname(&inner)]);
        let source_of = format!("int {name}_in(void); int {name}(void) {{ return {name}_in(); }}");
        lab.build_with(&outer, &source_of, &[&inner, &soname(&outer)]);
        let flags = [
            outer.as_str(),
            "-Wl,-rpath,$ORIGIN/deps",
            &format!("-Wl,{tags}"),
            "-Wl,--allow-shlib-undefined",
        ];
        let path = lab.build_with("x.so", &source(name), &flags);
        let about = lab.describe(&path).unwrap();
        let faults: Vec<_> = lab.backend.check_requires(&about).iter().map(line).collect();
        if is_there {
            assert_eq!(faults, [""; 0]);
            assert_eq!(about.files.len(), 3);
            assert_eq!(call(&lab.start(&path).unwrap(), "f", &[]).unwrap(), Value::Int(6));
        } else {
            let nowhere = format!(
                "M0321: `{outer}` needs `lib{name}_in.so`, which is neither beside it nor where the system looks for \
                 libraries"
            );
            assert_eq!(faults, [nowhere]);
            assert!(failed(lab.start(&path)).starts_with("M0321"));
        }
    }
}
