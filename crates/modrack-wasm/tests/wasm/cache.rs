//! Compiled code that is kept: what is ours is taken, everything else is ignored, said, and made again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use modrack_core::{Backend, Code, Language, Log, LogLevel, Origin, Value};
use modrack_wasm::{WasmBackend, WasmSettings};

use crate::guests::{ADD, With, call, component, start};

/// Starts the component with a new backend, calls it, and gives what was said; the user's key is beside the folder.
fn run(folder: &Path) -> Vec<String> {
    run_by(folder, Some(keys(folder)))
}

fn keys(folder: &Path) -> PathBuf {
    folder.with_file_name("keys")
}

fn run_by(folder: &Path, keys: Option<PathBuf>) -> Vec<String> {
    let said = Arc::new(Mutex::new(Vec::new()));
    let log = {
        let said = said.clone();
        Log::new(move |line| {
            if line.level >= LogLevel::Warn {
                said.lock().expect("a lock").push(line.message.to_owned());
            }
        })
    };
    let backend = WasmBackend::new(WasmSettings { cache: Some(folder.to_owned()), keys, log });
    let instance =
        start(&backend, &component(&[ADD]), &With::default()).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(call(&instance, "add", &[Value::Int(2), Value::Int(3)]).expect("a sum"), Value::Int(5));
    said.lock().expect("a lock").clone()
}

fn code(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "code")).collect()
}

fn temporary() -> (tempfile::TempDir, PathBuf) {
    let outer = tempfile::tempdir().expect("a folder");
    let folder = outer.path().join("wasm");
    (outer, folder)
}

#[test]
fn code_is_kept_and_taken_again() {
    let (_outer, folder) = temporary();
    assert_eq!(run(&folder), Vec::<String>::new());
    let files = code(&folder);
    assert_eq!(files.len(), 1);
    let kept = fs::metadata(&files[0]).expect("a file").modified().expect("a time");
    assert_eq!(run(&folder), Vec::<String>::new());
    assert_eq!(fs::metadata(&files[0]).expect("a file").modified().expect("a time"), kept);
    assert_eq!(fs::metadata(keys(&folder).join("key")).expect("a key").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 1, "nothing else is left behind");
}

#[test]
fn damaged_code_is_made_again() {
    let (_outer, folder) = temporary();
    run(&folder);
    let file = code(&folder).remove(0);
    let whole = fs::read(&file).expect("code");
    for at in [0, 40, 70, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&file, damaged).expect("written");
        let said = run(&folder);
        assert!(said.len() == 1 && said[0].contains("damaged, or is not modrack's own"), "{at}: {said:?}");
        assert_eq!(run(&folder), Vec::<String>::new());
    }
    fs::write(&file, &whole[..whole.len() / 2]).expect("written");
    assert_eq!(run(&folder).len(), 1);
}

#[test]
fn code_that_somebody_put_there_is_not_taken() {
    let (_outer, folder) = temporary();
    let (_other, foreign) = temporary();
    run(&folder);
    run(&foreign);
    // The same code, by another key.
    let file = code(&folder).remove(0);
    fs::copy(code(&foreign).remove(0), &file).expect("copied");
    assert_eq!(run(&folder).len(), 1);
    assert_eq!(run(&folder), Vec::<String>::new());
}

#[test]
fn code_whose_head_is_forged_is_not_taken() {
    const HEAD: usize = b"modrack compiled component 1\n".len();
    let (_outer, folder) = temporary();
    run(&folder);
    let file = code(&folder).remove(0);
    let whole = fs::read(&file).expect("code");
    let (head, code) = (&whole[..HEAD], &whole[HEAD + 32..]);
    // The hash without a key, and by one that anybody could take; nothing; none at all.
    let plain = blake3::hash(code).as_bytes().to_vec();
    let by_zeros = blake3::Hasher::new_keyed(&[0; 32]).update(code).finalize().as_bytes().to_vec();
    for forged in [plain, by_zeros, vec![0; 32], Vec::new()] {
        fs::write(&file, [head, &forged, code].concat()).expect("written");
        assert_eq!(run(&folder).len(), 1, "{forged:?}");
    }
    for bare in [code, &[]] {
        fs::write(&file, bare).expect("written");
        assert_eq!(run(&folder).len(), 1, "without a head");
    }
    assert_eq!(run(&folder), Vec::<String>::new());
}

#[test]
fn a_folder_of_somebody_else_is_not_used() {
    let (_outer, folder) = temporary();
    let own = keys(&folder);
    // Who may not give a folder away finds one of somebody else's: root's.
    let folder = if rustix::process::geteuid().is_root() {
        run(&folder);
        std::os::unix::fs::chown(&folder, Some(65534), None).expect("given away");
        folder
    } else {
        PathBuf::from("/usr")
    };
    let said = run_by(&folder, Some(own));
    assert!(said.len() == 1 && said[0].contains("it belongs to somebody else"), "{said:?}");
}

#[test]
fn a_key_of_somebody_else_is_not_used() {
    // Only root can put a file of somebody else's into a folder of its own.
    if rustix::process::geteuid().is_root() {
        let (_outer, folder) = temporary();
        run(&folder);
        std::os::unix::fs::chown(keys(&folder).join("key"), Some(65534), None).expect("given away");
        let said = run(&folder);
        assert!(said.len() == 1 && said[0].contains("it belongs to somebody else"), "{said:?}");
    }
}

#[test]
fn what_another_process_of_our_number_writes_is_left_alone() {
    let (_outer, folder) = temporary();
    fs::create_dir(&folder).expect("a folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("set");
    let theirs: Vec<_> = (0..50).map(|at| folder.join(format!(".{}-{at}.tmp", std::process::id()))).collect();
    theirs.iter().for_each(|path| fs::write(path, "theirs").expect("written"));
    assert_eq!(run(&folder), Vec::<String>::new());
    assert_eq!(code(&folder).len(), 1);
    assert!(theirs.iter().all(|path| fs::read(path).expect("a file") == b"theirs"));
}

#[test]
fn code_of_another_engine_or_component_is_not_taken() {
    let (_outer, folder) = temporary();
    run(&folder);
    let file = code(&folder).remove(0);
    let bytes = fs::read(&file).expect("code");
    let name = file.file_name().expect("a name").to_string_lossy().into_owned();
    let (content, engine) = name.split_once('-').expect("two parts");
    // What another engine kept has another name; under this one it is not authentic.
    let other = engine.replace(|c: char| c.is_ascii_hexdigit() && c != 'c' && c != 'd' && c != 'e', "0");
    fs::rename(&file, folder.join(format!("{content}-{other}"))).expect("renamed");
    assert_eq!(run(&folder), Vec::<String>::new(), "it is not even looked at");
    let mut mixed = bytes;
    mixed.rotate_left(64);
    fs::write(&file, mixed).expect("written");
    assert_eq!(run(&folder).len(), 1);
}

#[test]
fn a_folder_that_others_may_write_is_not_used() {
    let (_outer, folder) = temporary();
    fs::create_dir(&folder).expect("a folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("set");
    let said = run(&folder);
    assert!(said.len() == 1 && said[0].contains("others may write to it"), "{said:?}");
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0);
}

#[test]
fn a_key_that_others_may_read_is_not_used() {
    let (_outer, folder) = temporary();
    run(&folder);
    fs::set_permissions(keys(&folder).join("key"), fs::Permissions::from_mode(0o644)).expect("set");
    let said = run(&folder);
    assert!(said.len() == 1 && said[0].contains("others may read it"), "{said:?}");
}

#[test]
fn code_that_comes_with_its_own_key_is_not_taken() {
    let (_outer, folder) = temporary();
    let (_other, ours) = temporary();
    run(&folder);
    let theirs = code(&folder).remove(0);
    let bytes = fs::read(&theirs).expect("code");
    // Everything that made it pass where it was made, laid beside it.
    fs::copy(keys(&folder).join("key"), folder.join("key")).expect("copied");
    assert_eq!(run_by(&folder, Some(keys(&ours))), Vec::<String>::new());
    assert_eq!(code(&folder).len(), 2, "it was compiled again");
    // Nor is it under the name of ours.
    let ours_too = code(&folder).into_iter().find(|path| *path != theirs).expect("ours");
    fs::write(&ours_too, &bytes).expect("written");
    let said = run_by(&folder, Some(keys(&ours)));
    assert!(said.len() == 1 && said[0].contains("damaged, or is not modrack's own"), "{said:?}");
    assert_eq!(fs::read(&theirs).expect("code"), bytes, "theirs is left alone");
}

#[test]
fn without_a_place_for_the_key_nothing_is_kept_or_believed() {
    let (_outer, folder) = temporary();
    let said = run_by(&folder, None);
    assert!(said.len() == 1 && said[0].contains("there is no home for its key"), "{said:?}");
    assert!(!folder.exists());
    // A place that cannot be had: a file stands there.
    run(&folder);
    let file = code(&folder).remove(0);
    let kept = fs::read(&file).expect("code");
    let said = run_by(&folder, Some(file.join("keys")));
    assert!(said.len() == 1 && said[0].contains("is not kept"), "{said:?}");
    assert_eq!((code(&folder), fs::read(&file).expect("code")), (vec![file], kept));
}

#[test]
fn a_name_that_somebody_wrote_makes_no_component_valid() {
    let (_outer, folder) = temporary();
    run(&folder);
    let ours = code(&folder).remove(0).file_name().expect("a name").to_string_lossy().into_owned();
    let text = "(component (core module (func (result i32))))";
    let content = blake3::hash(&wat::parse_str(text).expect("a component")).to_hex().to_string();
    let (_, rest) = ours.split_once('-').expect("two parts");
    for name in [format!("{content}-"), format!("{content}-0-0.code"), format!("{content}-{rest}")] {
        fs::write(folder.join(name), "").expect("written");
    }
    let backend = WasmBackend::new(WasmSettings {
        cache: Some(folder.clone()),
        keys: Some(keys(&folder)),
        ..WasmSettings::default()
    });
    let origin = Origin::Source { name: "guest".into(), language: Language::Wat, text: text.into() };
    let error = backend.describe(&origin).expect_err("no component");
    assert_eq!(error.code(), Code::BadComponent);
}
