//! The engine over a script: files, watches and time are the test's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use modrack_core::{Code, ContentHash};

use super::*;

const MS: Duration = Duration::from_millis(1);

/// Files that a test writes, and the folders that are watched.
#[derive(Default)]
struct World {
    nodes: BTreeMap<PathBuf, Entry>,
    watched: BTreeSet<PathBuf>,
    /// Folders that the system refuses to watch.
    refused: BTreeSet<PathBuf>,
    writes: u64,
    /// How long ago every file was changed.
    age: Option<Duration>,
}

#[derive(Clone)]
enum Entry {
    Folder,
    Link(PathBuf),
    File(String, u64),
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<World>>);

/// One engine in its world.
struct Script {
    world: Shared,
    engine: Engine<&'static str>,
    now: Duration,
}

impl World {
    /// The path with every link followed.
    fn real(&self, path: &Path) -> Option<PathBuf> {
        let mut at = PathBuf::from("/");
        let mut left: Vec<_> = path.iter().rev().filter(|name| *name != "/").map(PathBuf::from).collect();
        for _ in 0..100 {
            let Some(name) = left.pop() else { return Some(at) };
            at.push(name);
            match self.nodes.get(&at)? {
                Entry::Link(target) => {
                    at.pop();
                    left.extend(target.iter().rev().map(PathBuf::from));
                }
                Entry::Folder | Entry::File(..) => {}
            }
        }
        None
    }
}

impl Disk for Shared {
    fn node(&self, path: &Path) -> Node {
        match self.0.lock().unwrap().nodes.get(path) {
            Some(Entry::Link(target)) => Node::Link(target.clone()),
            Some(_) => Node::There,
            None => Node::Missing,
        }
    }

    fn read(&self, path: &Path) -> Found {
        let world = self.0.lock().unwrap();
        match world.real(path).and_then(|path| world.nodes.get(&path)) {
            Some(Entry::File(text, _)) => Found::Content(ContentHash::from_hex(text)),
            Some(_) => Found::Unreadable(Error::new(Code::ModuleUnreadable, "No file")),
            None => Found::Gone,
        }
    }

    fn stamp(&self, path: &Path) -> Option<Stamp> {
        let world = self.0.lock().unwrap();
        let Entry::File(text, write) = world.nodes.get(&world.real(path)?)? else { return None };
        Some(Stamp::scripted(text.len() as u64, *write))
    }

    fn age(&self, _: &Path) -> Option<Duration> {
        self.0.lock().unwrap().age
    }
}

impl Source for Shared {
    fn watch(&mut self, folder: &Path) -> Result<(), Refusal> {
        let mut world = self.0.lock().unwrap();
        if folder != Path::new("/") && !world.nodes.contains_key(folder) {
            return Err(Refusal::Missing);
        }
        if world.refused.contains(folder) {
            return Err(Refusal::Refused(crate::error::refused(folder, "no more")));
        }
        assert!(world.watched.insert(folder.to_owned()), "{} is watched twice", folder.display());
        Ok(())
    }

    fn unwatch(&mut self, folder: &Path) {
        self.0.lock().unwrap().watched.remove(folder);
    }
}

impl Script {
    fn new() -> Self {
        let world = Shared::default();
        let source: Option<Box<dyn Source>> = Some(Box::new(world.clone()));
        let engine = Engine::new(Settings::default(), Box::new(world.clone()), source);
        Self { world, engine, now: Duration::ZERO }
    }

    fn polling() -> Self {
        let world = Shared::default();
        let engine = Engine::new(Settings::default(), Box::new(world.clone()), None);
        Self { world, engine, now: Duration::ZERO }
    }

    /// Puts something into the world, unseen, with the folders above it.
    fn put(&self, path: &str, entry: Entry) {
        let mut world = self.world.0.lock().unwrap();
        for folder in Path::new(path).ancestors().skip(1).filter(|folder| *folder != Path::new("/")) {
            world.nodes.entry(folder.to_owned()).or_insert(Entry::Folder);
        }
        world.nodes.insert(path.into(), entry);
    }

    fn file(&self, path: &str, text: &str) {
        let write = {
            let mut world = self.world.0.lock().unwrap();
            world.writes += 1;
            world.writes
        };
        self.put(path, Entry::File(text.into(), write));
    }

    fn link(&self, path: &str, target: &str) {
        self.put(path, Entry::Link(target.into()));
    }

    /// Takes something away with what is below it.
    fn take(&self, path: &str) {
        let mut world = self.world.0.lock().unwrap();
        world.nodes.retain(|node, _| !node.starts_with(path));
        // The system forgets a watch with its folder.
        world.watched.retain(|folder| !folder.starts_with(path));
    }

    fn watched(&self) -> Vec<String> {
        let world = self.world.0.lock().unwrap();
        world.watched.iter().map(|folder| folder.display().to_string()).collect()
    }

    fn set(&mut self, key: &'static str, files: &[&str]) {
        self.engine.set(&key, files.iter().map(Watched::new), self.now);
    }

    /// What happened to a name, if somebody watches its folder.
    fn saw(&mut self, word: fn(PathBuf) -> Seen, path: &str) {
        let path = Path::new(path);
        let is_told = {
            let world = self.world.0.lock().unwrap();
            world.watched.contains(path.parent().unwrap()) || world.watched.contains(path)
        };
        if is_told {
            self.engine.saw(&word(path.to_owned()), self.now);
        }
    }

    /// A file written where it is: opened, written, closed.
    fn write(&mut self, path: &str, text: &str) {
        self.file(path, text);
        self.saw(Seen::Written, path);
        self.saw(Seen::Closed, path);
    }

    /// What is told in so many milliseconds, each with when.
    fn after(&mut self, ms: u32) -> Vec<String> {
        self.after_with(ms, Answer::Taken)
    }

    fn after_with(&mut self, ms: u32, answer: Answer) -> Vec<String> {
        let end = self.now + MS * ms;
        let mut told = Vec::new();
        while let Some(next) = self.engine.next().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            for changed in self.engine.turn(self.now) {
                let files: Vec<String> = changed
                    .files
                    .iter()
                    .map(|FileChange { path, found }| match found {
                        Found::Content(hash) => format!("{}={hash}", path.display()),
                        Found::Gone => format!("{} gone", path.display()),
                        Found::Unreadable(_) => format!("{} unreadable", path.display()),
                    })
                    .collect();
                let first = if changed.saved.is_empty() { ", for the first time" } else { "" };
                let last = if changed.is_last { " for the last time" } else { "" };
                let keys = changed.keys.join("+");
                told.push(format!("{}: {keys}: {}{first}{last}", self.now.as_millis(), files.join(", ")));
                self.engine.answered(changed, answer, self.now);
            }
        }
        self.now = end;
        told
    }
}

#[test]
fn a_file_is_told_a_moment_after_it_was_closed_and_not_before() {
    let mut script = Script::new();
    script.file("/r/a.py", "1");
    script.set("a", &["/r/a.py"]);
    assert_eq!(script.after(100), [""; 0]);
    script.file("/r/a.py", "");
    script.saw(Seen::Written, "/r/a.py");
    assert_eq!(script.after(200), [""; 0], "it is being written");
    script.file("/r/a.py", "2");
    script.saw(Seen::Written, "/r/a.py");
    assert_eq!(script.after(200), [""; 0], "it is being written");
    script.saw(Seen::Closed, "/r/a.py");
    assert_eq!(script.after(1000), ["515: a: /r/a.py=2"]);
    // One that keeps it open is not waited for for ever.
    script.file("/r/a.py", "3");
    script.saw(Seen::Written, "/r/a.py");
    assert_eq!(script.after(1000), ["2000: a: /r/a.py=3"]);
    assert_eq!(script.engine.next(), None, "there is nothing to wait for");
}

#[test]
fn a_write_that_was_not_heard_of_yet_is_waited_for() {
    let mut script = Script::new();
    script.file("/a/x", "1");
    script.set("one", &["/a/x"]);
    // Somebody begins to write when it is looked at for another reason.
    script.file("/a/x", "half");
    script.world.0.lock().unwrap().age = Some(MS);
    assert_eq!(script.after(16), Vec::<String>::new());
    script.saw(Seen::Written, "/a/x");
    assert_eq!(script.after(100), Vec::<String>::new());
    script.write("/a/x", "2");
    assert_eq!(script.after(100), ["146: one: /a/x=2"]);
    // What is never heard of is waited for once: a clock may be wrong.
    script.file("/a/x", "3");
    script.set("two", &["/a/x"]);
    assert_eq!(script.after(100), ["246: one: /a/x=3"]);
}

#[test]
fn content_decides() {
    let mut script = Script::new();
    script.file("/r/a.py", "1");
    script.set("a", &["/r/a.py"]);
    script.after(100);
    script.saw(Seen::Touched, "/r/a.py");
    script.write("/r/a.py", "1");
    assert_eq!(script.after(900), [""; 0], "touched, and written as it was");
    script.write("/r/a.py", "2");
    let mut told = script.after(30);
    script.write("/r/a.py", "3");
    told.extend(script.after(30));
    assert_eq!(told, ["1015: a: /r/a.py=2", "1045: a: /r/a.py=3"], "of one size, within a second");
    // And back before anybody looked.
    script.write("/r/a.py", "4");
    script.write("/r/a.py", "3");
    assert_eq!(script.after(900), [""; 0]);
}

#[test]
fn what_was_changed_before_it_was_watched_is_told() {
    let mut script = Script::new();
    script.file("/r/a.py", "2");
    let read = |text: &str| [Watched::as_read("/r/a.py", ContentHash::from_hex(text))];
    script.engine.set(&"a", read("1"), script.now);
    script.engine.set(&"b", read("2"), script.now);
    assert_eq!(script.after(100), ["15: a: /r/a.py=2"]);
}

#[test]
fn what_is_saved_together_is_told_together() {
    let mut script = Script::new();
    let files = ["/r/a.py", "/r/pkg/b.py", "/r/pkg/c.py"];
    files.iter().for_each(|file| script.file(file, "1"));
    script.set("a", &files[..2]);
    script.set("b", &files[1..]);
    script.set("c", &files[2..]);
    script.after(100);
    script.write(files[0], "2");
    script.after(10);
    script.write(files[1], "2");
    assert_eq!(script.after(100), ["125: a+b: /r/a.py=2, /r/pkg/b.py=2"]);
    // What never ends is told after a while.
    let mut told = Vec::new();
    for n in 0..100 {
        script.write(files[2], &format!("3{n}"));
        told.extend(script.after(10));
    }
    assert_eq!(told, ["710: b+c: /r/pkg/c.py=349", "1210: b+c: /r/pkg/c.py=399"]);
}

#[test]
fn what_is_gone_for_a_moment_is_not_gone() {
    let mut script = Script::new();
    script.file("/r/a.py", "1");
    script.set("a", &["/r/a.py"]);
    script.after(100);
    // As editors save with a backup: the old one gets another name, and a new one is written.
    script.take("/r/a.py");
    script.saw(Seen::Named, "/r/a.py");
    assert_eq!(script.after(100), [""; 0]);
    script.write("/r/a.py", "2");
    assert_eq!(script.after(800), ["215: a: /r/a.py=2"]);
    script.take("/r/a.py");
    script.saw(Seen::Named, "/r/a.py");
    assert_eq!(script.after(1000), ["1415: a: /r/a.py gone"]);
    assert_eq!(script.engine.next(), None);
    script.write("/r/a.py", "2");
    assert_eq!(script.after(100), ["2015: a: /r/a.py=2"]);
}

#[test]
fn a_rename_over_a_file_is_a_save() {
    let mut script = Script::new();
    script.file("/r/a.py", "1");
    script.set("a", &["/r/a.py"]);
    script.after(100);
    for name in [".a.py.swp", "a.py~", "4913", "#a.py#", ".#a.py", "a.py.tmp"] {
        script.write(&format!("/r/{name}"), "x");
    }
    assert_eq!(script.after(100), [""; 0], "what editors write beside it is nobody's");
    script.take("/r/a.py.tmp");
    script.file("/r/a.py", "2");
    script.saw(Seen::Named, "/r/a.py.tmp");
    script.saw(Seen::Named, "/r/a.py");
    assert_eq!(script.after(100), ["215: a: /r/a.py=2"]);
}

#[test]
fn a_link_that_is_turned_is_a_change() {
    let mut script = Script::new();
    script.file("/etc/rack/..1/rack.yaml", "1");
    script.link("/etc/rack/..data", "..1");
    script.link("/etc/rack/rack.yaml", "..data/rack.yaml");
    script.set("rack", &["/etc/rack/rack.yaml"]);
    assert_eq!(script.watched(), ["/etc", "/etc/rack", "/etc/rack/..1"]);
    script.after(100);
    // As Kubernetes does it: a new folder, a link to it that takes the old one's name, and the old folder goes.
    script.file("/etc/rack/..2/rack.yaml", "2");
    script.link("/etc/rack/..data", "..2");
    script.saw(Seen::Named, "/etc/rack/..data");
    script.take("/etc/rack/..1");
    script.saw(Seen::Named, "/etc/rack/..1");
    assert_eq!(script.after(1000), ["115: rack: /etc/rack/rack.yaml=2"]);
    assert_eq!(script.watched(), ["/etc", "/etc/rack", "/etc/rack/..2"]);
    // And what the new one holds is watched.
    script.write("/etc/rack/..2/rack.yaml", "3");
    assert_eq!(script.after(1000), ["1115: rack: /etc/rack/rack.yaml=3"]);
}

#[test]
fn a_folder_that_is_replaced_is_watched_anew() {
    let mut script = Script::new();
    script.file("/r/m/a.py", "1");
    script.file("/r/m/b.py", "1");
    script.set("a", &["/r/m/a.py", "/r/m/b.py"]);
    assert_eq!(script.watched(), ["/r", "/r/m"]);
    script.after(100);
    script.take("/r/m");
    script.saw(Seen::Named, "/r/m");
    assert_eq!(script.after(100), [""; 0]);
    assert_eq!(script.watched(), ["/r"]);
    script.file("/r/m/a.py", "2");
    script.file("/r/m/b.py", "1");
    script.saw(Seen::Named, "/r/m");
    assert_eq!(script.after(800), ["215: a: /r/m/a.py=2"]);
    assert_eq!(script.watched(), ["/r", "/r/m"]);
    script.write("/r/m/b.py", "3");
    assert_eq!(script.after(100), ["1015: a: /r/m/b.py=3"]);
}

#[test]
fn a_file_that_is_not_there_is_watched_for_its_coming() {
    let mut script = Script::new();
    script.file("/r/x", "");
    script.set("a", &["/r/new/deep/a.py"]);
    assert_eq!(script.watched(), ["/r"]);
    assert_eq!(script.after(1000), [""; 0]);
    script.put("/r/new", Entry::Folder);
    script.saw(Seen::Named, "/r/new");
    assert_eq!(script.after(100), [""; 0]);
    assert_eq!(script.watched(), ["/r/new"]);
    script.file("/r/new/deep/a.py", "1");
    script.saw(Seen::Named, "/r/new/deep");
    assert_eq!(script.after(100), ["1115: a: /r/new/deep/a.py=1"]);
}

#[test]
fn what_cannot_be_taken_is_told_once_more() {
    let mut script = Script::new();
    script.file("/r/a.py", "1");
    script.file("/r/b.py", "1");
    script.set("a", &["/r/a.py", "/r/b.py"]);
    script.set("c", &["/r/c.py"]);
    script.after(100);
    script.write("/r/a.py", "half");
    assert_eq!(
        script.after_with(900, Answer::NotYet),
        ["115: a: /r/a.py=half", "515: a: /r/a.py=half for the last time"]
    );
    script.write("/r/a.py", "half again");
    assert_eq!(script.after_with(100, Answer::NotYet), ["1015: a: /r/a.py=half again"]);
    // What happens meanwhile to files of the same key is told with it, of others alone.
    script.write("/r/c.py", "1");
    assert_eq!(script.after(100), ["1115: c: /r/c.py=1"]);
    script.write("/r/b.py", "2");
    assert_eq!(script.after(1000), ["1215: a: /r/a.py=half again, /r/b.py=2"]);
    // A key that is watched anew begins anew.
    script.write("/r/a.py", "half");
    assert_eq!(script.after_with(100, Answer::NotYet), ["2215: a: /r/a.py=half"]);
    script.set("a", &["/r/a.py"]);
    assert_eq!(script.after(1000), [""; 0]);
}

#[test]
fn nothing_is_watched_for_nobody() {
    let mut script = Script::new();
    script.file("/r/a.py", "1");
    script.file("/r/pkg/b.py", "1");
    script.set("a", &["/r/a.py", "/r/pkg/b.py"]);
    script.set("b", &["/r/pkg/b.py"]);
    script.after(100);
    script.set("a", &["/r/a.py"]);
    script.engine.unset(&"b");
    assert_eq!(script.watched(), ["/", "/r"]);
    script.write("/r/pkg/b.py", "2");
    assert_eq!(script.after(100), [""; 0]);
    script.engine.unset(&"a");
    assert_eq!(script.watched(), [""; 0]);
    assert!(script.engine.names.is_empty() && script.engine.files.is_empty());
}

#[test]
fn what_is_watched_as_well_is_watched_beside_what_was() {
    let mut script = Script::new();
    for file in ["/a/x", "/b/y"] {
        script.file(file, "1");
    }
    script.set("one", &["/a/x"]);
    script.engine.add(&"one", [Watched::new("/b/y"), Watched::new("/b/y")], script.now);
    assert_eq!(script.after(1000), Vec::<String>::new());
    script.write("/a/x", "2");
    assert_eq!(script.after(100), ["1015: one: /a/x=2"]);
    script.write("/b/y", "2");
    assert_eq!(script.after(100), ["1115: one: /b/y=2"]);
    // All of them are the key's own, and go with it.
    script.set("one", &["/b/y"]);
    script.write("/a/x", "3");
    assert_eq!(script.after(1000), Vec::<String>::new());
    script.engine.unset(&"one");
    assert!(script.watched().is_empty());
}

#[test]
fn each_save_is_told_to_who_asks_for_it_and_nothing_else_is() {
    for mut script in [Script::new(), Script::polling()] {
        script.file("/a/x", "1");
        script.set("plain", &["/a/x"]);
        let each = ["/a/x", "/a/gone"].map(|file| Watched::new(file).each_save());
        script.engine.set(&"each", each, script.now);
        assert_eq!(script.after(3000), Vec::<String>::new());
        // The same content once more, and once more.
        for _ in 0..2 {
            script.write("/a/x", "1");
            assert_eq!(files(&script.after(3000)), ["each: /a/x=1"]);
        }
        // What was heard of and is as it was is no save.
        script.saw(Seen::Touched, "/a/x");
        script.saw(Seen::Closed, "/a/x");
        assert_eq!(script.after(3000), Vec::<String>::new());
        script.write("/a/gone", "2");
        assert_eq!(files(&script.after(3000)), ["each: /a/gone=2"]);
        script.write("/a/x", "3");
        assert_eq!(files(&script.after(3000)), ["each+plain: /a/x=3"]);
        // What who was told wrote itself is settled, unless it is another content.
        script.file("/a/x", "3");
        script.engine.settle(&"each");
        script.saw(Seen::Closed, "/a/x");
        assert_eq!(script.after(3000), Vec::<String>::new());
        script.file("/a/x", "4");
        script.engine.settle(&"each");
        script.saw(Seen::Closed, "/a/x");
        assert_eq!(files(&script.after(3000)), ["each+plain: /a/x=4"]);
        // What was saved when it was watched for more is told, where it goes on.
        script.file("/a/x", "4");
        script.engine.go_on(&"each", [Watched::new("/a/x").each_save(), Watched::new("/a/y")], script.now);
        assert_eq!(files(&script.after(3000)), ["each: /a/x=4"]);
        script.file("/a/x", "4");
        script.engine.add(&"each", [Watched::new("/a/x").each_save()], script.now);
        assert_eq!(script.after(3000), Vec::<String>::new());
        // That it is looked at for the first time is no save.
        script.engine.set(&"each", [Watched::unread("/a/x").each_save()], script.now);
        assert_eq!(files(&script.after(3000)), ["each: /a/x=4, for the first time"]);
        // Unless it was saved meanwhile.
        script.engine.set(&"each", [Watched::unread("/a/x")], script.now);
        script.file("/a/x", "4");
        assert_eq!(files(&script.after(3000)), ["each: /a/x=4"]);
        assert_eq!(script.after(3000), Vec::<String>::new());
    }
}

/// What is told, without when.
fn files(told: &[String]) -> Vec<&str> {
    told.iter().filter_map(|told| Some(told.split_once(": ")?.1)).collect()
}

#[test]
fn what_was_missed_is_looked_for() {
    let mut script = Script::new();
    for file in ["/r/a.py", "/r/b.py", "/r/c.py"] {
        script.file(file, "1");
        script.set(file, &[file]);
    }
    script.after(100);
    script.file("/r/b.py", "2");
    script.engine.saw(&Seen::Everything, script.now);
    assert_eq!(script.after(100), ["115: /r/b.py: /r/b.py=2"]);
}

#[test]
fn where_the_system_refuses_files_are_polled_with_one_warning() {
    let mut script = Script::new();
    script.file("/r/a.py", "1");
    script.file("/s/b.py", "1");
    script.world.0.lock().unwrap().refused.extend(["/r".into(), "/s".into()]);
    script.set("a", &["/r/a.py", "/s/b.py"]);
    assert_eq!(script.engine.warning().map(|why| why.code()), Some(Code::WatchRefused));
    assert!(script.engine.warning().is_none());
    check_polled(&mut script);
}

#[test]
fn where_nothing_is_asked_of_the_system_all_is_polled() {
    let mut script = Script::polling();
    script.file("/r/a.py", "1");
    script.file("/s/b.py", "1");
    script.set("a", &["/r/a.py", "/s/b.py"]);
    assert!(script.engine.warning().is_none());
    check_polled(&mut script);
}

fn check_polled(script: &mut Script) {
    assert_eq!(script.after(1500), [""; 0]);
    script.file("/r/a.py", "2");
    let told = script.after(1500);
    assert!(matches!(told.as_slice(), [told] if told.ends_with("a: /r/a.py=2")), "{told:?}");
    // What changes from one look to the next is being written.
    let mut told = Vec::new();
    for n in 0..20 {
        script.file("/s/b.py", &format!("half {n}"));
        told.extend(script.after(100));
    }
    assert_eq!(told, [""; 0]);
    let told = script.after(1500);
    assert!(matches!(told.as_slice(), [told] if told.ends_with("a: /s/b.py=half 19")), "{told:?}");
    script.take("/s/b.py");
    let told = script.after(3000);
    assert!(matches!(told.as_slice(), [told] if told.ends_with("a: /s/b.py gone")), "{told:?}");
}

#[test]
fn of_a_fresh_file_that_is_polled_the_content_is_looked_at() {
    let mut script = Script::polling();
    script.file("/r/a.py", "1");
    script.set("a", &["/r/a.py"]);
    script.after(1500);
    // Another write within a tick of the file system's clock: nothing but the content differs.
    let same = {
        let world = script.world.0.lock().unwrap();
        let Entry::File(_, write) = world.nodes[Path::new("/r/a.py")] else { panic!("a file") };
        Entry::File("2".into(), write)
    };
    script.put("/r/a.py", same);
    let told = script.after(1500);
    assert!(matches!(told.as_slice(), [told] if told.ends_with("a: /r/a.py=2")), "{told:?}");
}
