//! A rack whose text is a row of a database: read, gone back to, saved into and watched like a file. Each test waits for what is
//! told, and for no time.

use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use modrack::live::{LiveRack, LiveSettings, SwapRequest, SwapSlot};
use modrack::text::{self, Source};
use modrack::{Code, Pattern, Rack, Subscription};

use crate::lab::{Fault, Kind, Lab, Live, asked, name};

/// Much longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The rack of a lab as the row `eu` of a database beside its modules.
fn row(lab: &Lab) -> Source {
    let source = Source::of(Path::new(&format!("sqlite:{}#eu", lab.path("racks.db").display())));
    source.put(&text::read(&lab.path("rack.yaml")).expect("it is there")).expect("it can be written");
    std::fs::remove_file(lab.path("rack.yaml")).expect("it is there");
    source
}

fn started(lab: &Lab, source: &Source) -> Live {
    let rack = Rack::open(source.file()).expect("it is right");
    let settings = LiveSettings {
        folder: Some(lab.path(".modrack")),
        source: Some(source.clone()),
        who: "tests".to_owned(),
        ..LiveSettings::default()
    };
    let (live, warnings) = LiveRack::attach(rack.runtime().clone(), settings).expect("it is nobody's");
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(live.start().iter().all(|started| started.why.is_none()));
    Live(live)
}

fn now(source: &Source) -> String {
    String::from_utf8(source.read().expect("it is there").bytes).expect("it is text")
}

/// Writes over the row as another program does.
fn edit(source: &Source, from: &str, to: &str) {
    let before = now(source);
    assert!(before.contains(from), "{before}");
    let written = source.write(before.replace(from, to).as_bytes(), before.as_bytes());
    written.and_then(text::Written::finish).expect("it can be written");
}

/// The names of the events of the configuration, as they are told.
fn hear(live: &Live) -> (Receiver<String>, Subscription) {
    let (tell, told) = channel();
    let tell: Mutex<Sender<String>> = Mutex::new(tell);
    let pattern = Pattern::parse("configuration.*").expect("a pattern");
    let subscription = live.0.rack().subscribe(&pattern, move |told| {
        drop(tell.lock().expect("nobody panicked").send(told.name.to_owned()));
    });
    (told, subscription)
}

fn next(told: &Receiver<String>) -> String {
    told.recv_timeout(PATIENCE).expect("something is told")
}

#[test]
fn a_row_is_read_again_and_gone_back_to() {
    let lab = Lab::new(Kind::Component, "");
    let source = row(&lab);
    let live = started(&lab, &source);
    assert_eq!((live.version("a"), live.version("b")), (Ok(1), Ok(1)));
    let first = now(&source);
    lab.write("other", 7, Fault::Nothing);
    edit(&source, "./a.wat", "./other.wat");
    let done = live.0.reload_configuration(asked()).expect("it is right");
    assert_eq!((done.changed, live.version("a")), (vec![name("a")], Ok(7)));
    // What is wrong is placed in the row.
    edit(&source, "./b.wat", "./b.wat, limits: { time: never }");
    let wrong = live.0.reload_configuration(asked()).expect_err("it is wrong");
    let place = wrong.error().place_of().cloned().expect("it is known");
    assert_eq!((place.file, place.line), (source.file(), Some(4)));
    // Going back writes the row.
    let kept = live.0.configurations().expect("it can be read").pop().expect("there are two");
    assert_eq!((&kept.name, &kept.text), (&source.name(), &first));
    live.0.restore_configuration(kept.hash.short(), asked()).expect("it is kept");
    assert_eq!((now(&source), live.version("a")), (first, Ok(1)));
    live.stop();
}

#[test]
fn what_is_saved_is_written_over_the_text_that_was_read_and_no_other() {
    let lab = Lab::new(Kind::Component, "");
    let source = row(&lab);
    let live = started(&lab, &source);
    lab.write("other", 7, Fault::Nothing);
    let save = || {
        let slots = vec![SwapSlot { slot: name("a"), to: Some("./other.wat".to_owned()), set: Vec::new() }];
        live.0.swap(&SwapRequest { slots, save: true, asked: asked(), ..SwapRequest::default() })
    };
    edit(&source, "rack: 1", "# by somebody else\nrack: 1");
    assert_eq!(save().expect_err("it was changed").error.code(), Code::Unsupported);
    assert_eq!(live.version("a"), Ok(1));
    edit(&source, "# by somebody else\n", "");
    save().expect("it swaps");
    assert!(now(&source).contains("a: { use: ./other.wat"), "{}", now(&source));
    assert_eq!(live.version("a"), Ok(7));
    // A text that came between is not lost.
    let read = now(&source);
    let written = source.write(b"rack: 1\n", read.as_bytes()).expect("it can be written");
    edit(&source, "rack: 1", "# by somebody else\nrack: 1");
    let between = now(&source);
    assert_eq!(written.finish().expect_err("it was changed").code(), Code::Unsupported);
    assert_eq!(now(&source), between);
    live.stop();
}

#[test]
fn what_is_written_to_the_row_is_put_in_force_and_what_is_beside_it_is_not() {
    let lab = Lab::new(Kind::Component, "");
    let source = row(&lab);
    let live = started(&lab, &source);
    let (told, _subscription) = hear(&live);
    live.0.watch().expect("there are threads");
    lab.write("other", 7, Fault::Nothing);
    edit(&source, "./a.wat", "./other.wat");
    assert_eq!(next(&told), "configuration.changed");
    assert_eq!(live.version("a"), Ok(7));
    edit(&source, "./b.wat", "./b.wat, nonsense: 1");
    assert_eq!(next(&told), "configuration.refused");
    // Another rack of the database is none of this one's: neither does it refuse the text again, nor is anything put in force.
    let us = Source::of(Path::new(&format!("sqlite:{}#us", lab.path("racks.db").display())));
    lab.rack_text("rack: 1\n");
    us.put(&text::read(&lab.path("rack.yaml")).expect("it is there")).expect("it can be written");
    edit(&source, "./b.wat, nonsense: 1", "./b.wat, limits: { time: 9s }");
    assert_eq!(next(&told), "configuration.changed");
    assert_eq!((live.version("a"), live.version("b")), (Ok(7), Ok(1)));
    live.stop();
    assert!(told.try_recv().is_err());
}

#[test]
fn only_what_is_a_rack_is_put() {
    let lab = Lab::new(Kind::Component, "");
    let source = row(&lab);
    let before = now(&source);
    lab.rack_text("rack: 1\nnonsense: 2\n");
    let wrong =
        source.put(&text::read(&lab.path("rack.yaml")).expect("it is there")).expect_err("it is wrong");
    assert_eq!(wrong.place_of().map(|place| place.file.clone()), Some(lab.path("rack.yaml")));
    assert_eq!(now(&source), before);
    // A file is put likewise, new or not, and in its own format.
    lab.rack_text("rack: 1\n");
    let good = text::read(&lab.path("rack.yaml")).expect("it is there");
    let file = Source::of(&lab.path("other.yaml"));
    for _ in 0..2 {
        file.put(&good).expect("it can be written");
        assert_eq!(now(&file), "rack: 1\n");
    }
    let other = Source::of(&lab.path("other.toml")).put(&good).expect_err("it is another format");
    assert_eq!(other.code(), Code::ConfigUnreadable);
    assert!(!lab.path("other.toml").exists());
}
