//! A watcher over real files. Every test waits for what is told, and for no time.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, and its helpers too")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use modrack_core::{ContentHash, Error};
use modrack_watch::{Answer, Changed, Found, Settings, Sink, Watched, Watcher};
use tempfile::TempDir;

/// Much longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

struct Bench {
    folder: TempDir,
    watcher: Watcher<&'static str>,
    told: Receiver<String>,
}

/// Tells in words what is changed, relative to a folder, and answers what it is told to.
struct Words {
    folder: PathBuf,
    tell: Sender<String>,
}

impl Sink<&'static str> for Words {
    fn changed(&mut self, changed: &Changed<&'static str>) -> Answer {
        let files: Vec<String> = changed
            .files
            .iter()
            .map(|file| {
                let path = file.path.strip_prefix(&self.folder).unwrap_or(&file.path).display();
                match &file.found {
                    Found::Content(hash) => format!("{path}={}", hash.short()),
                    Found::Gone => format!("{path} gone"),
                    Found::Unreadable(why) => format!("{path} {}", why.code()),
                }
            })
            .collect();
        let last = if changed.is_last { " for the last time" } else { "" };
        self.tell.send(format!("{}: {}{last}", changed.keys.join("+"), files.join(", "))).unwrap();
        let is_half = files.iter().any(|file| file.ends_with(hash("half").short()));
        if is_half { Answer::NotYet } else { Answer::Taken }
    }

    fn warned(&mut self, warning: &Error) {
        self.tell.send(format!("warning {}", warning.code())).unwrap();
    }
}

fn hash(text: &str) -> ContentHash {
    ContentHash::from_hex(&blake3::hash(text.as_bytes()).to_hex())
}

/// More patient than users want it, because a machine that tests run on may be busy between two writes.
fn patient() -> Settings {
    Settings { longest: Duration::from_secs(10), patience: Duration::from_secs(1), ..Settings::default() }
}

impl Bench {
    fn new() -> Self {
        Self::with(patient())
    }

    fn polling() -> Self {
        let (poll, quiet) = (Duration::from_millis(20), Duration::from_millis(100));
        Self::with(Settings { always_poll: true, poll, quiet, ..patient() })
    }

    fn with(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (tell, told) = channel();
        let words = Words { folder: folder.path().to_owned(), tell };
        let watcher = Watcher::new(settings, words).unwrap();
        Self { folder, watcher, told }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn watch(&self, key: &'static str, names: &[&str]) {
        self.watcher.watch(&key, names.iter().map(|name| Watched::new(self.path(name))));
    }

    /// The next that is told is this: nothing else was told before.
    fn tells(&self, key: &str, name: &str, text: &str) {
        let expected = format!("{key}: {name}={}", hash(text).short());
        assert_eq!(self.told.recv_timeout(PATIENCE).unwrap(), expected, "{text:?}");
    }
}

/// Saves as editors do, each in its own way.
fn saves(bench: &Bench) {
    bench.write("a.py", "one");
    bench.write("other.py", "one");
    bench.watch("a", &["a.py"]);
    bench.watch("other", &["other.py"]);
    // In place; twice with one size.
    for text in ["two", "six"] {
        bench.write("a.py", text);
        bench.tells("a", "a.py", text);
    }
    // Written beside and renamed over.
    for text in ["ten", "tin"] {
        bench.write("a.py.tmp", text);
        bench.rename("a.py.tmp", "a.py");
        bench.tells("a", "a.py", text);
    }
    // The old one kept under another name.
    bench.rename("a.py", "a.py~");
    bench.write("a.py", "elf");
    bench.tells("a", "a.py", "elf");
    // What is beside it is nobody's, and what is written as it was is no change: the next that is told is another file.
    for name in [".a.py.swp", "4913", "#a.py#", "a.py~"] {
        bench.write(name, "x");
    }
    bench.write("a.py", "elf");
    fs::File::options()
        .write(true)
        .open(bench.path("a.py"))
        .unwrap()
        .set_modified(std::time::SystemTime::now())
        .unwrap();
    bench.write("other.py", "two");
    bench.tells("other", "other.py", "two");
    fs::remove_file(bench.path("a.py")).unwrap();
    assert_eq!(bench.told.recv_timeout(PATIENCE).unwrap(), "a: a.py gone");
    bench.write("a.py", "elf");
    bench.tells("a", "a.py", "elf");
}

#[test]
fn every_way_to_save_is_seen() {
    saves(&Bench::new());
}

#[test]
fn every_way_to_save_is_seen_by_polling() {
    saves(&Bench::polling());
}

/// Turns a mounted folder, as Kubernetes does.
fn turns(bench: &Bench) {
    bench.write("..1/rack.yaml", "one");
    symlink("..1", bench.path("..data")).unwrap();
    symlink("..data/rack.yaml", bench.path("rack.yaml")).unwrap();
    bench.watch("rack", &["rack.yaml"]);
    for (n, text) in [(2, "two"), (3, "six")] {
        bench.write(&format!("..{n}/rack.yaml"), text);
        symlink(format!("..{n}"), bench.path("..data_tmp")).unwrap();
        bench.rename("..data_tmp", "..data");
        fs::remove_dir_all(bench.path(&format!("..{}", n - 1))).unwrap();
        bench.tells("rack", "rack.yaml", text);
    }
}

#[test]
fn a_mounted_folder_that_is_turned_is_seen() {
    turns(&Bench::new());
    turns(&Bench::polling());
}

#[test]
fn a_folder_that_is_replaced_or_comes_later_is_seen() {
    let bench = Bench::new();
    bench.write("m/pkg/a.py", "one");
    bench.watch("a", &["m/pkg/a.py"]);
    bench.watch("b", &["later/b.py"]);
    bench.write("new/a.py", "two");
    bench.rename("m/pkg", "old");
    bench.rename("new", "m/pkg");
    bench.tells("a", "m/pkg/a.py", "two");
    // The folder that went is nobody's, and the one that came is watched.
    bench.write("old/a.py", "six");
    bench.write("m/pkg/a.py", "ten");
    bench.tells("a", "m/pkg/a.py", "ten");
    bench.write("later/b.py", "one");
    bench.tells("b", "later/b.py", "one");
}

#[test]
fn a_module_is_all_its_files() {
    let bench = Bench::new();
    for name in ["a.py", "help.py", "b.py"] {
        bench.write(name, "one");
    }
    bench.watch("a", &["a.py", "help.py"]);
    bench.watch("b", &["b.py", "help.py"]);
    bench.write("help.py", "two");
    bench.tells("a+b", "help.py", "two");
    // What was changed between reading and watching.
    let read = Watched::as_read(bench.path("b.py"), hash("before"));
    bench.watcher.watch(&"b", [read]);
    bench.tells("b", "b.py", "one");
    bench.watcher.unwatch(&"a");
    bench.write("help.py", "six");
    bench.write("b.py", "two");
    bench.tells("b", "b.py", "two");
}

#[test]
fn what_cannot_be_taken_is_told_again() {
    let bench = Bench::new();
    bench.write("a.py", "one");
    bench.watch("a", &["a.py"]);
    bench.write("a.py", "half");
    bench.tells("a", "a.py", "half");
    let again = format!("a: a.py={} for the last time", hash("half").short());
    assert_eq!(bench.told.recv_timeout(PATIENCE).unwrap(), again);
}

#[test]
fn many_files_are_watched_and_each_is_seen() {
    let bench = Bench::new();
    let names: Vec<String> = (0..1000).map(|n| format!("m{}/f{n}.py", n % 10)).collect();
    for name in &names {
        bench.write(name, "one");
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    bench.watch("all", &names);
    for name in [names[0], names[999], names[500]] {
        bench.write(name, "two");
        bench.tells("all", name, "two");
    }
    // All at once, which is told in as many parts as it takes to write them.
    names.iter().for_each(|name| bench.write(name, "six"));
    let mut left = names.len();
    while left > 0 {
        left -= bench.told.recv_timeout(PATIENCE).unwrap().matches('=').count();
    }
}

/// A consumer that panics at first, then watches another file in the middle of a change.
struct Busy {
    watcher: Arc<Mutex<Option<Watcher<u8>>>>,
    other: PathBuf,
    tell: Sender<u8>,
    panics: u8,
}

impl Sink<u8> for Busy {
    fn changed(&mut self, changed: &Changed<u8>) -> Answer {
        self.tell.send(changed.keys[0]).unwrap();
        self.panics -= 1;
        assert!(self.panics == 0 || changed.keys[0] == 2, "the consumer fails");
        let mut watcher = self.watcher.lock().unwrap();
        if changed.keys[0] == 2 {
            // It drops its own watcher.
            *watcher = None;
        } else if let Some(watcher) = &*watcher {
            watcher.watch(&2, [Watched::as_read(&self.other, hash("another"))]);
        }
        self.panics = 1;
        Answer::Taken
    }

    fn warned(&mut self, _warning: &Error) {}
}

#[test]
fn a_consumer_may_fail_and_may_watch_and_may_end_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let write = |path: &Path, text: &str| fs::write(path, text).unwrap();
    write(&path("a"), "one");
    write(&path("b"), "one");
    let (tell, told) = channel();
    let shared = Arc::new(Mutex::new(None));
    let busy = Busy { watcher: Arc::clone(&shared), other: path("b"), tell, panics: 2 };
    let watcher = Watcher::new(Settings::default(), busy).unwrap();
    watcher.watch(&1, [Watched::new(path("a"))]);
    *shared.lock().unwrap() = Some(watcher);
    write(&path("a"), "two");
    assert_eq!(told.recv_timeout(PATIENCE), Ok(1));
    write(&path("a"), "six");
    assert_eq!(told.recv_timeout(PATIENCE), Ok(1));
    assert_eq!(told.recv_timeout(PATIENCE), Ok(2));
    // The consumer goes with its watcher, and with it the other end.
    assert!(told.recv_timeout(PATIENCE).is_err());
    assert!(shared.lock().unwrap().is_none());
}

/// Says that this process is the one that has too few descriptors.
const POOR: &str = "MODRACK_TEST_POOR";

/// Does nothing as a test of its own: it is the process that the next test starts.
#[test]
fn the_process_that_has_too_few_descriptors() {
    if std::env::var_os(POOR).is_none() {
        return;
    }
    let mut held: Vec<fs::File> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
    // One is enough to read files, and too few for watches.
    held.pop();
    let (poll, quiet) = (Duration::from_millis(20), Duration::from_millis(100));
    let folder = std::env::temp_dir();
    let (tell, told) = channel();
    let words = Words { folder, tell };
    let watcher = Watcher::new(Settings { poll, quiet, ..patient() }, words).unwrap();
    drop(held);
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "warning M0821");
    let bench = Bench { folder: tempfile::tempdir().unwrap(), watcher, told };
    bench.write("a.py", "one");
    bench.watch("a", &["a.py"]);
    bench.write("a.py", "two");
    let told = bench.told.recv_timeout(PATIENCE).unwrap();
    assert!(told.ends_with(&format!("/a.py={}", hash("two").short())), "{told}");
}

#[test]
fn where_the_system_refuses_files_are_polled_with_a_warning() {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -n 64 && exec \"$@\"", "sh"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "the_process_that_has_too_few_descriptors", "--test-threads=1"]);
    let ended = command.env(POOR, "1").output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    assert!(String::from_utf8_lossy(&ended.stdout).contains("1 passed"));
}

/// Says that it has begun, and goes on when it is let.
struct Slow {
    began: Sender<()>,
    go_on: Receiver<()>,
    ended: Sender<()>,
}

impl Sink<()> for Slow {
    fn changed(&mut self, _: &Changed<()>) -> Answer {
        self.began.send(()).unwrap();
        self.go_on.recv().unwrap();
        self.ended.send(()).unwrap();
        Answer::Taken
    }

    fn warned(&mut self, _: &Error) {}
}

#[test]
fn one_that_is_stopped_in_the_middle_of_a_change_ends_when_that_does() {
    let folder = tempfile::tempdir().unwrap();
    let ((began, begun), (go, go_on), (ended, ends)) = (channel(), channel(), channel());
    let watcher = Watcher::new(patient(), Slow { began, go_on, ended }).unwrap();
    let path = folder.path().join("a");
    fs::write(&path, "two").unwrap();
    watcher.watch(&(), [Watched::as_read(path, hash("one"))]);
    begun.recv_timeout(PATIENCE).unwrap();
    // It returns, though the consumer cannot until it is let.
    watcher.stop();
    assert!(ends.try_recv().is_err());
    go.send(()).unwrap();
    watcher.join();
    ends.try_recv().unwrap();
    // The consumer is gone with the thread.
    assert!(go.send(()).is_err());
    watcher.join();
}
