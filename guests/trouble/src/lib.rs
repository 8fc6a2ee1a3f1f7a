//! Everything that a component can do wrong on purpose, and what it asks of the host.
//!
//! Panics are told to the host by a hook, as every component in Rust should: what is printed goes nowhere.

use std::cell::Cell;
use std::hint::black_box;
use std::panic::PanicHookInfo;

use modrack::host::host::{self, Level};
use modrack::types::values::Cause;

wit_bindgen::generate!({
    path: ["../../contracts/types.wit", "../../contracts/host.wit", "trouble.wit"],
    world: "guests:trouble/trouble",
    generate_all,
});

struct Trouble;

export!(Trouble);

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

impl Guest for Trouble {
    fn trap() -> i64 {
        std::process::abort()
    }

    fn panic(message: String) -> i64 {
        tell_panics();
        panic!("{message}")
    }

    fn fail(class: String, message: String) -> Result<String, Error> {
        let cause =
            Cause { class: "Deeper".to_owned(), message: "What led to it".to_owned(), traceback: None };
        let hint = Some("Ask for something else".to_owned());
        Err(Error { class, message, hint, causes: vec![cause], traceback: None })
    }

    fn fail_text(message: String) -> Result<String, String> {
        Err(message)
    }

    fn spin() -> i64 {
        let mut turns = 0_i64;
        loop {
            turns = black_box(turns.wrapping_add(1));
        }
    }

    fn spin_asking() -> i64 {
        loop {
            black_box(host::config("nothing"));
        }
    }

    fn hog(mebibytes: u32) -> u32 {
        let mut kept = Vec::new();
        for _ in 0..mebibytes {
            kept.push(black_box(vec![1_u8; 1 << 20]));
        }
        black_box(kept).len() as u32
    }

    fn flood(bytes: u32) -> Vec<u8> {
        vec![b'x'; bytes as usize]
    }

    fn flood_list(items: u32) -> Vec<i64> {
        vec![7; items as usize]
    }

    fn deep(times: u32) -> u32 {
        descend(times)
    }

    fn count() -> u64 {
        COUNT.set(COUNT.get() + 1);
        COUNT.get()
    }

    fn say(level: String, message: String) {
        let level = match level.as_str() {
            "trace" => Level::Trace,
            "debug" => Level::Debug,
            "warn" => Level::Warn,
            "error" => Level::Error,
            _ => Level::Info,
        };
        host::log(level, &message);
    }

    fn param(key: String) -> Option<Value> {
        host::config(&key)
    }

    fn ask(slot: String, function: Option<String>, args: Vec<Value>) -> Result<Value, Error> {
        host::call(&slot, function.as_deref(), &args)
    }

    fn insist(slot: String, function: Option<String>, args: Vec<Value>) -> Value {
        tell_panics();
        match host::call(&slot, function.as_deref(), &args) {
            Ok(value) => value,
            Err(error) => panic!("`{slot}` failed: {}", error.message),
        }
    }
}

/// A frame that no compiler turns into a loop.
#[inline(never)]
fn descend(times: u32) -> u32 {
    let here = black_box([times; 64]);
    if times == 0 { 0 } else { descend(times - 1) + (black_box(here)[0] > 0) as u32 }
}

/// Has the host told what a panic says before the component ends.
fn tell_panics() {
    std::panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let message = info.payload_as_str().unwrap_or("it panicked");
        host::panicked(message, info.location().map(ToString::to_string).as_deref());
    }));
}
