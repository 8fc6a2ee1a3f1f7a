//! A program that calls a library through hot-lib-reloader while the library is edited: `reloader CASE FOLDER`.
//!
//! It says `ready` when it has made its first calls, and answers each line of its input with the words of the table. A
//! library that ends it ends it: whoever runs it sees how.

use std::io::BufRead;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// What the case of two numbers is given, as the program was built with it.
#[repr(C)]
pub struct Item {
    /// What one costs.
    pub price: i64,
    /// How many there are.
    pub count: i64,
}

/// The library, under the name of its crate. The program's own form of its functions is what it was built with.
#[hot_lib_reloader::hot_module(dylib = "edited", lib_dir = crate::libraries(), file_watch_debounce = 50)]
mod hot {
    use super::Item;

    #[hot_functions]
    extern "Rust" {
        pub fn number() -> i64;
        pub fn extra() -> i64;
        pub fn half(x: f64) -> f64;
        pub fn total(item: &Item) -> i64;
        pub fn add() -> i64;
        pub fn name() -> &'static str;
        pub fn work(folder: &str) -> (i64, i64);
        pub fn start(folder: &str);
        pub fn pause() -> i64;
    }

    #[lib_change_subscription]
    pub fn subscribe() -> hot_lib_reloader::LibReloadObserver {}
}

/// How long an edit is waited for. The library is looked at 50 ms after it was written.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the library gave the program before the edit.
static HELD: OnceLock<&'static str> = OnceLock::new();

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(case), Some(folder)) = (args.next(), args.next()) else {
        eprintln!("Usage: reloader CASE FOLDER");
        std::process::exit(2);
    };
    let changes = hot::subscribe();
    begin(&case, &folder);
    println!("ready");
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let reloaded = line != "wait" || changes.wait_for_reload_timeout(PATIENCE);
        if case == "call under way" {
            let _ = std::fs::write(Path::new(&folder).join("go"), "");
        }
        let answer = catch_unwind(|| answer(&case, &folder));
        let answer = answer.unwrap_or_else(|_| "the call panics".to_owned());
        let unseen = !reloaded && case != "call under way";
        println!("{answer}{}", if unseen { ", no edit seen" } else { "" });
    }
    std::process::exit(0);
}

/// The folder of the library.
fn libraries() -> String {
    std::env::var("LIBRARIES").unwrap_or_default()
}

/// Calls that come before the edit.
fn begin(case: &str, folder: &str) {
    match case {
        "signature" => assert_eq!(hot::half(8.0), 4.0),
        "layout" => assert_eq!(hot::total(&Item { price: 2, count: 3 }), 23),
        "state" | "state unsaid" => {
            for _ in 0..3 {
                hot::add();
            }
        }
        "text" => drop(HELD.set(hot::name())),
        "removed" => drop(hot::extra()),
        "call under way" | "beside a call" => {
            let inside = folder.to_owned();
            std::thread::spawn(move || WORKED.set(hot::work(&inside)));
            wait_for(&Path::new(folder).join("inside"));
        }
        "thread" => {
            hot::start(folder);
            wait_for(&Path::new(folder).join("inside"));
        }
        "no pause" => {
            for _ in 0..4 {
                std::thread::spawn(|| {
                    while !DONE.load(Ordering::Relaxed) {
                        LAST.store(hot::pause(), Ordering::Relaxed);
                    }
                });
            }
        }
        _ => drop(hot::number()),
    }
}

/// What the call gave that was under way.
static WORKED: OnceLock<(i64, i64)> = OnceLock::new();
/// What the callers that never pause were given last.
static LAST: AtomicI64 = AtomicI64::new(0);
static DONE: AtomicBool = AtomicBool::new(false);

/// The words of the table.
fn answer(case: &str, folder: &str) -> String {
    match case {
        "signature" => match hot::half(8.0) {
            4.0 => "old".to_owned(),
            other => format!("{other} for 8 / 2"),
        },
        "layout" => match hot::total(&Item { price: 2, count: 3 }) {
            23 => "old".to_owned(),
            1023 => "new".to_owned(),
            _ => "a wrong number".to_owned(),
        },
        "state" | "state unsaid" => match hot::add() {
            4 => "old code".to_owned(),
            10 => "lost".to_owned(),
            13 => "kept".to_owned(),
            other => other.to_string(),
        },
        "text" => match HELD.get() {
            Some(&"the old text") => "as it was".to_owned(),
            _ => "other bytes".to_owned(),
        },
        "removed" => of_number(hot::extra()).to_owned(),
        "call under way" => {
            let until = Instant::now() + PATIENCE;
            while WORKED.get().is_none() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
            match WORKED.get() {
                Some((1, 1)) => "old throughout".to_owned(),
                other => format!("{other:?}"),
            }
        }
        "thread" => {
            let beat = Path::new(folder).join("beat");
            let _ = std::fs::remove_file(&beat);
            let until = Instant::now() + PATIENCE;
            while !beat.exists() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
            if beat.exists() { "goes on".to_owned() } else { "stands still".to_owned() }
        }
        "no pause" => {
            DONE.store(true, Ordering::Relaxed);
            of_number(LAST.load(Ordering::Relaxed)).to_owned()
        }
        "memory" => {
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
            let mut files: Vec<&str> = maps
                .lines()
                .filter(|line| line.contains("edited"))
                .filter_map(|line| line.split_whitespace().nth(5))
                .collect();
            files.dedup();
            match files.len().saturating_sub(1) {
                0 => "freed".to_owned(),
                kept => format!("{kept} of 5 kept"),
            }
        }
        _ => of_number(hot::number()).to_owned(),
    }
}

fn of_number(number: i64) -> &'static str {
    match number {
        1 => "old",
        2 => "new",
        _ => "a wrong number",
    }
}

fn wait_for(path: &Path) {
    while !path.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
}
