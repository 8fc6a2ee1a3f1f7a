//! The content of what served: kept, loaded again, cleaned up.

use std::fs;
use std::path::PathBuf;

use modrack_core::{Attr, Code, ContentHash, Error, Origin};
use modrack_state::{Filling, Outcome, RackState, Settings};

use crate::bench::{Bench, described, filling, settings, slot, some_hash, swap};

fn path_of(origin: &Origin) -> PathBuf {
    match origin {
        Origin::File { path, .. } => path.clone(),
        other => panic!("{other:?}"),
    }
}

fn load(state: &RackState, filling: &Filling) -> Result<Vec<u8>, Error> {
    let origin = state.kept(filling.hash.as_ref().unwrap(), None)?;
    Ok(fs::read(path_of(&origin)).unwrap())
}

#[test]
fn a_module_is_loaded_again_with_all_its_files_when_its_own_have_changed() {
    let bench = Bench::new();
    let modules = tempfile::tempdir().unwrap();
    let files = ["pkg/__init__.py", "pkg/sub/x.py"].map(|name| modules.path().join(name));
    fs::create_dir_all(files[1].parent().unwrap()).unwrap();
    for file in &files {
        fs::write(file, file.to_str().unwrap()).unwrap();
    }
    let (origin, description) = described(&files, b"all");
    let hash = description.hash.clone().unwrap();
    let attr = Attr::parse("Clean");
    let origin = match origin {
        Origin::File { path, .. } => Origin::File { path, attr: attr.clone() },
        other => other,
    };
    {
        let state = bench.state();
        let mut copied = None;
        let kept = state.keep(&origin, &description, |copy| {
            copied = Some(copy.clone());
            Ok(Some(hash.clone()))
        });
        assert_eq!(kept.unwrap(), copied);
        fs::remove_dir_all(modules.path().join("pkg")).unwrap();
        // The same again is not read again.
        assert_eq!(state.keep(&origin, &description, |_| panic!("read again")).unwrap(), copied);
    }
    let state = bench.state();
    let again = state.kept(&hash, attr.clone()).unwrap();
    assert_eq!(again.attr(), attr.as_ref());
    let first = path_of(&again);
    assert!(first.starts_with(bench.state_folder()) && first.ends_with("pkg/__init__.py"));
    let read = |path: &PathBuf| fs::read_to_string(path).unwrap();
    assert_eq!(read(&first), files[0].to_str().unwrap());
    assert_eq!(read(&first.with_file_name("sub").join("x.py")), files[1].to_str().unwrap());
    let content = state.read().content(&hash).unwrap();
    let expected = files.map(|file| (file.clone(), file.to_str().unwrap().as_bytes().to_vec()));
    assert_eq!(content, expected);
}

#[test]
fn what_changed_while_it_was_kept_is_not_kept() {
    let bench = Bench::new();
    let state = bench.state();
    let file = bench.state_folder().join("a.py");
    fs::write(&file, "new").unwrap();
    let (origin, description) = described(std::slice::from_ref(&file), b"old");
    let why = state.keep(&origin, &description, |copy| Ok(Some(hash_of_file(copy)))).unwrap_err();
    assert_eq!(why.code(), Code::ModuleUnreadable);
    assert_eq!(state.kept(&some_hash("old"), None).unwrap_err().code(), Code::ContentGone);
    let (_, description) = described(std::slice::from_ref(&file), b"new");
    assert!(state.keep(&origin, &description, |copy| Ok(Some(hash_of_file(copy)))).unwrap().is_some());
    fs::remove_file(&file).unwrap();
    let (_, description) = described(&[file], b"third");
    let why = state.keep(&origin, &description, |_| panic!("not reached")).unwrap_err();
    assert_eq!(why.code(), Code::ModuleNotFound);
}

fn hash_of_file(origin: &Origin) -> ContentHash {
    modrack_state::hash_of(&fs::read(path_of(origin)).unwrap())
}

#[test]
fn what_has_no_files_is_not_kept() {
    let state = Bench::new().state();
    let (_, description) = described(&["/nowhere/a.py".into()], b"1");
    let import = Origin::Import { module: "json".into(), attr: None };
    assert_eq!(state.keep(&import, &description, |_| panic!("not reached")).unwrap(), None);
}

#[test]
fn a_damaged_file_is_said_and_kept_anew() {
    let bench = Bench::new();
    let one = {
        let state = bench.state();
        let one = bench.keep(&state, "a.py", b"one");
        state.settle([(&slot("a"), &one)]).unwrap();
        one
    };
    let hash = one.hash.clone().unwrap();
    let file = bench.state_folder().join("content").join(&hash.as_str()[..2]).join(hash.as_str());
    fs::remove_file(&file).unwrap();
    fs::write(&file, "two").unwrap();
    let state = bench.state();
    assert_eq!(load(&state, &one).unwrap_err().code(), Code::ContentDamaged);
    assert_eq!(load(&state, &one).unwrap_err().code(), Code::ContentGone);
    bench.keep(&state, "a.py", b"one");
    assert_eq!(load(&state, &one).unwrap(), b"one");
}

/// What is still kept of three modules of ten bytes each, which served one after the other, and how many files went.
fn after_cleaning(budget: u64, entries: u32, prepare: impl Fn(&RackState, &[Filling; 3])) -> (Vec<u8>, u64) {
    let bench = Bench::new();
    let modules = {
        let state = bench.state();
        let modules = [b"1", b"2", b"3"].map(|digit| bench.keep(&state, "a.py", &digit.repeat(10)));
        for pair in [[0, 1], [1, 2]] {
            let change = swap(&[("a", Some(&modules[pair[0]]), &modules[pair[1]])]);
            state.record(&change, &Outcome::Done).unwrap();
        }
        modules
    };
    let state = bench.opened(Settings { budget, entries, ..settings() }).state;
    prepare(&state, &modules);
    let went = state.collect().unwrap();
    assert_eq!(state.collect().unwrap().files, 0, "the second time there is nothing to do");
    assert_eq!(went.bytes, went.files * 10);
    let is_kept = |n: &u8| load(&state, &modules[usize::from(*n) - 1]).is_ok();
    let mut kept: Vec<u8> = [1, 2, 3].into();
    kept.retain(is_kept);
    for entry in state.read().history(None, 10).unwrap() {
        let slot = &entry.slots[0];
        assert_eq!(slot.is_kept, load(&state, slot.to.as_ref().unwrap()).is_ok(), "{entry:?}");
    }
    (kept, went.files)
}

#[test]
fn what_nothing_names_goes_and_of_the_history_the_oldest() {
    let nothing = |_: &RackState, _: &[Filling; 3]| {};
    // The first served before the history begins.
    assert_eq!(after_cleaning(100, 10, nothing), (vec![2, 3], 1));
    assert_eq!(after_cleaning(19, 10, nothing), (vec![3], 2));
    assert_eq!(after_cleaning(0, 10, nothing), (vec![], 3));
    assert_eq!(after_cleaning(100, 1, nothing), (vec![3], 2));
}

#[test]
fn what_is_in_force_stays_whatever_it_takes() {
    let good = |state: &RackState, modules: &[Filling; 3]| {
        state.settle([(&slot("a"), &modules[0])]).unwrap();
    };
    assert_eq!(after_cleaning(0, 10, good), (vec![1], 2));
    assert_eq!(after_cleaning(20, 10, good), (vec![1, 3], 1));
    let loaded = |state: &RackState, modules: &[Filling; 3]| {
        load(state, &modules[1]).unwrap();
    };
    assert_eq!(after_cleaning(0, 10, loaded), (vec![2], 2));
    let let_go = |state: &RackState, modules: &[Filling; 3]| {
        load(state, &modules[1]).unwrap();
        state.release(modules[1].hash.as_ref().unwrap());
    };
    assert_eq!(after_cleaning(0, 10, let_go), (vec![], 3));
}

#[test]
fn what_served_once_can_be_gone_back_to_as_long_as_it_is_kept() {
    let bench = Bench::new();
    let state = bench.opened(Settings { budget: 0, ..settings() }).state;
    let one = bench.keep(&state, "a.py", b"one");
    let id = state.record(&swap(&[("a", None, &one)]), &Outcome::Done).unwrap();
    let is_kept = || state.read().entry(id).unwrap().slots[0].is_kept;
    assert!(is_kept());
    state.release(one.hash.as_ref().unwrap());
    state.collect().unwrap();
    assert!(!is_kept());
    assert_eq!(load(&state, &one).unwrap_err().code(), Code::ContentGone);
    // Kept anew, it is what the old entry means again.
    bench.keep(&state, "a.py", b"one");
    assert!(is_kept());
    assert_eq!(load(&state, &filling("a.py", b"one")).unwrap(), b"one");
}
