//! Loading: copies by content, private dependencies, libraries that cannot be had twice, what the loader refuses.

use std::fs;
use std::path::Path;

use modrack_core::{Backend, Code, Value};
use modrack_native::{NativeBackend, NativeSettings};

use crate::{BEGIN, Lab, call, failed, show};

fn answer(lab: &Lab, name: &str, number: i64) -> std::path::PathBuf {
    lab.module(name, &["f"], &format!("F(f) {{ UNUSED; GIVE(modrack_int({number})); }}"), "")
}

#[test]
fn what_is_loaded_is_a_copy_and_stays_as_it_was() {
    let lab = Lab::new();
    let path = answer(&lab, "x.so", 1);
    let first = lab.start(&path).unwrap();
    // The same name with other content is another library.
    answer(&lab, "x.so", 2);
    let second = lab.start(&path).unwrap();
    assert_eq!(call(&first, "f", &[]).unwrap(), Value::Int(1));
    assert_eq!(call(&second, "f", &[]).unwrap(), Value::Int(2));
    let (one, two) = (first.footprint(), second.footprint());
    assert_ne!(one.hash, two.hash);
    assert!(one.kept > 0 && one.kept == one.bytes.unwrap());
    for hash in [one.hash.unwrap(), two.hash.unwrap()] {
        assert!(lab.path(".modrack/native").join(hash.as_str()).join("x.so").is_file());
    }
}

#[test]
fn what_stays_is_listed_and_is_warned_of_once() {
    let mut lab = Lab::new();
    let path = answer(&lab, "stays.so", 51);
    let first = lab.start(&path).unwrap();
    let (hash, bytes) = (first.footprint().hash.unwrap(), first.footprint().kept);
    let of = |lab: &Lab| {
        let mut all = lab.backend.stays().into_iter().filter(|stays| stays.hash == hash);
        (all.next().map(|stays| (stays.name, stays.bytes, stays.is_used)), all.count())
    };
    assert_eq!(of(&lab), (Some(("stays.so".to_owned(), bytes, true)), 0));
    drop(first);
    // Of the same content there is one, however often it is started.
    drop(lab.start(&path).unwrap());
    assert_eq!(of(&lab), (Some(("stays.so".to_owned(), bytes, false)), 0));
    assert!(lab.backend.warnings().is_empty());
    for (kept, warns) in [(u64::MAX, false), (bytes - 1, true)] {
        lab.backend = NativeBackend::new(NativeSettings { kept: Some(kept), ..NativeSettings::default() });
        let warned = lab.backend.warnings();
        assert_eq!(warned.len(), usize::from(warns));
        assert!(warned.iter().all(|error| error.code() == Code::LibrariesStay));
        assert!(lab.backend.warnings().is_empty());
    }
}

#[test]
fn another_instance_of_a_loaded_library_needs_no_file() {
    let lab = Lab::new();
    let path = answer(&lab, "x.so", 11);
    let origin = modrack_core::Origin::File { path: path.clone(), attr: None };
    let description = modrack_core::Backend::describe(&lab.backend, &origin).unwrap();
    let first = lab.start(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let second = lab.start_described(&origin, &description, &modrack_core::Map::new(), Vec::new()).unwrap();
    assert_eq!(first.footprint().hash, second.footprint().hash);
    assert_eq!(call(&second, "f", &[]).unwrap(), Value::Int(11));
}

#[test]
fn a_copy_that_somebody_put_there_is_not_believed() {
    let lab = Lab::new();
    let path = answer(&lab, "x.so", 31);
    let hash = lab.describe(&path).unwrap().hash.unwrap();
    let copy = lab.path(".modrack/native").join(hash.as_str()).join("x.so");
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    fs::write(&copy, "not what the hash says").unwrap();
    assert_eq!(call(&lab.start(&path).unwrap(), "f", &[]).unwrap(), Value::Int(31));
}

#[test]
fn without_a_store_nothing_is_left_behind() {
    let mut lab = Lab::new();
    lab.backend = NativeBackend::new(NativeSettings {
        root: lab.folder.path().to_owned(),
        store: None,
        log: modrack_core::Log::default(),
        kept: None,
    });
    let path = answer(&lab, "x.so", 41);
    let instance = lab.start(&path).unwrap();
    assert_eq!(call(&instance, "f", &[]).unwrap(), Value::Int(41));
    let mine = format!("modrack-{}-", std::process::id());
    let left = fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    assert!(!left.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(&mine)));
    assert!(!lab.path(".modrack").exists());
}

/// Builds `folder/x.so`, which gives what its own `libNAME.so` in `search` says.
fn with_helper(lab: &Lab, folder: &str, name: &str, search: &str, number: i64) -> std::path::PathBuf {
    let helper = Path::new(folder).join(search).join(format!("lib{name}.so"));
    fs::create_dir_all(lab.path(folder)).unwrap();
    fs::create_dir_all(lab.path(folder).join(search)).unwrap();
    let helper = helper.to_str().unwrap().to_owned();
    let soname = format!("-Wl,-soname,lib{name}.so");
    lab.build_with(&helper, &format!("int {name}(void) {{ return {number}; }}"), &[&soname]);
    let source = format!(
        "{BEGIN}int {name}(void); F(f) {{ UNUSED; GIVE(modrack_int({name}())); }}\n{}",
        show(&["f"], "")
    );
    let run_path = format!("-Wl,-rpath,$ORIGIN/{search}");
    lab.build_with(&format!("{folder}/x.so"), &source, &[&helper, &run_path])
}

#[test]
fn private_dependencies_are_copied_along() {
    for (at, search) in [".", "deps", "../shared/lib"].iter().enumerate() {
        let lab = Lab::new();
        let name = format!("along{at}");
        let path = with_helper(&lab, "one", &name, search, 7);
        let about = lab.describe(&path).unwrap();
        assert_eq!(about.files.len(), 2);
        let instance = lab.start(&path).unwrap();
        // The helper that was copied serves, whatever becomes of the one beside the module.
        fs::remove_dir_all(lab.path("one")).unwrap();
        assert_eq!(call(&instance, "f", &[]).unwrap(), Value::Int(7));
        assert!(instance.footprint().kept > fs::metadata(lab.path(".modrack")).map_or(0, |_| 0));
    }
}

#[test]
fn two_versions_with_a_helper_of_one_name_are_refused() {
    let lab = Lab::new();
    let first = with_helper(&lab, "one", "conflicting", ".", 1);
    let second = with_helper(&lab, "two", "conflicting", ".", 2);
    let same = with_helper(&lab, "three", "conflicting", ".", 1);
    assert_eq!(call(&lab.start(&first).unwrap(), "f", &[]).unwrap(), Value::Int(1));
    let Err(error) = lab.start(&second) else { panic!("it was loaded") };
    assert_eq!(
        crate::line(&error),
        "M0320: `two/x.so` needs its own `libconflicting.so`, but another library of that name is loaded already, for \
         `one/x.so`"
    );
    assert!(error.hint_text().unwrap().contains("isolation: process"));
    assert_eq!(call(&lab.start(&same).unwrap(), "f", &[]).unwrap(), Value::Int(1));
}

#[test]
fn what_is_needed_and_is_not_there_is_named() {
    let lab = Lab::new();
    let path = with_helper(&lab, "one", "gone", ".", 1);
    fs::remove_file(lab.path("one/libgone.so")).unwrap();
    assert_eq!(
        failed(lab.start(&path)),
        "M0321: `one/x.so` cannot be loaded: libgone.so: cannot open shared object file: No such file or directory"
    );
    let source = "int nowhere(void); F(f) { UNUSED; GIVE(modrack_int(nowhere())); }";
    let path = lab.module("y.so", &["f"], source, "");
    assert_eq!(failed(lab.start(&path)), "M0321: `y.so` cannot be loaded: undefined symbol: nowhere");
}

#[test]
fn what_is_needed_and_is_not_there_is_told_by_a_check() {
    let lab = Lab::new();
    let path = with_helper(&lab, "one", "nowhere", ".", 1);
    let about = lab.describe(&path).unwrap();
    assert!(modrack_core::Backend::check_requires(&lab.backend, &about).is_empty());
    fs::remove_file(lab.path("one/libnowhere.so")).unwrap();
    let about = lab.describe(&path).unwrap();
    let faults = modrack_core::Backend::check_requires(&lab.backend, &about);
    let faults: Vec<_> = faults.iter().map(crate::line).collect();
    assert_eq!(
        faults,
        [
            "M0321: `one/x.so` needs `libnowhere.so`, which is neither beside it nor where the system looks for \
             libraries"
        ]
    );
}

#[test]
fn modules_that_cannot_be_in_one_process_are_told_by_a_check() {
    let lab = Lab::new();
    let about =
        |folder: &str, number: i64| lab.describe(&with_helper(&lab, folder, "apart", ".", number)).unwrap();
    let (one, two, same) = (about("one", 1), about("two", 2), about("three", 1));
    let faults = modrack_core::Backend::check_together(&lab.backend, &[&one, &same, &two, &one]);
    let faults: Vec<_> = faults.iter().map(|(index, fault)| (*index, crate::line(fault))).collect();
    let message = "M0320: `two/x.so` needs its own `libapart.so`, but `one/x.so` brings another library of that name along";
    assert_eq!(faults, [(2, message.to_owned())]);
    assert!(modrack_core::Backend::check_together(&lab.backend, &[&one, &same]).is_empty());
}

#[test]
fn who_loads_the_same_at_once_has_one_library() {
    // It counts how often it was loaded, in the environment: another copy would have a count of its own.
    let source = r#"
#include <stdlib.h>
int setenv(const char *name, const char *value, int overwrite);
__attribute__((constructor)) static void loaded(void) {
    const char *before = getenv("MODRACK_TEST_LOADED");
    char count[2] = { before ? (char)(before[0] + 1) : '1', 0 };
    setenv("MODRACK_TEST_LOADED", count, 1);
}
F(f) { UNUSED; GIVE(modrack_int(getenv("MODRACK_TEST_LOADED")[0] - '0')); }
"#;
    let mut lab = Lab::new();
    lab.backend = NativeBackend::new(NativeSettings {
        root: lab.folder.path().to_owned(),
        ..NativeSettings::default()
    });
    let path = lab.module("x.so", &["f"], source, "");
    let begin = std::sync::Barrier::new(8);
    let counts = std::thread::scope(|scope| {
        let starts = [(); 8].map(|()| {
            scope.spawn(|| {
                begin.wait();
                call(&lab.start(&path).unwrap(), "f", &[]).unwrap()
            })
        });
        starts.map(|start| start.join().unwrap())
    });
    assert_eq!(counts, [const { Value::Int(1) }; 8]);
}

#[test]
fn nothing_is_left_of_what_was_refused() {
    let lab = Lab::new();
    let missing = "int nowhere(void); F(f) { UNUSED; GIVE(modrack_int(nowhere())); }";
    let wrong = "MODRACK_EXPORT const modrack_module modrack_module_v1 = { .head = MODRACK_HEAD(modrack_module), \
                 .functions = (void *)16, .function_count = 2, .function_size = 24 };";
    for (path, code) in
        [(lab.module("x.so", &["f"], missing, ""), "M0321"), (lab.build("y.so", wrong), "M0319")]
    {
        for _ in 0..2 {
            assert!(failed(lab.start(&path)).starts_with(code));
            let left = fs::read_dir(lab.path(".modrack/native")).unwrap().count();
            assert_eq!(left, 0, "{code}");
        }
    }
    // What stood there before is somebody else's, and stays.
    let path = answer(&lab, "z.so", 51);
    drop(lab.start(&path).unwrap());
    assert_eq!(fs::read_dir(lab.path(".modrack/native")).unwrap().count(), 1);
}
