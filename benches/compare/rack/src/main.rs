//! A program that holds a rack and does as it is told, a line of JSON at a time: `rack FOLDER`.
//!
//! `["call", SLOT, FUNCTION, ARGS]`, `["hold", ...]` the same on a thread, whose answer `["held"]` gives; `["press", ...]` on
//! four threads without a pause, until `["eased"]` gives the last answer; `["read", ...]` the same on one thread, until `["seen"]`
//! gives all answers that differ; `["swap", SLOT...]` all of them at once, `["rollback", SLOT]`. Each is answered by a line: `{"given": ...}` or `{"failed": MESSAGE}`.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use modrack::{Asked, Map, Rack, SlotName, Swap, Text, Value};
use serde_json::{Value as Json, json};

type Given = Result<Json, String>;

/// Calls that go on while other lines are read.
#[derive(Default)]
struct Running {
    held: Vec<JoinHandle<Given>>,
    pressing: Vec<JoinHandle<Given>>,
    eased: Arc<AtomicBool>,
}

fn main() {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("Usage: rack FOLDER");
        std::process::exit(2);
    };
    pyo3::Python::initialize();
    // Modules run on threads of their own too: this one lets go of the interpreter.
    pyo3::Python::attach(|py| py.detach(|| serve(&folder)));
    // Threads of modules may go on for good.
    std::process::exit(0);
}

fn serve(folder: &str) {
    let rack = match Rack::open(folder) {
        Ok(rack) => rack,
        Err(why) => {
            eprintln!("{why}");
            std::process::exit(2);
        }
    };
    let mut running = Running::default();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let answer = match done(&rack, &line, &mut running) {
            Ok(given) => json!({ "given": given }),
            Err(why) => json!({ "failed": why }),
        };
        println!("{answer}");
        let _ = std::io::stdout().flush();
    }
}

/// Does what a line says.
fn done(rack: &Rack, line: &str, running: &mut Running) -> Given {
    let words: Vec<Json> = serde_json::from_str(line).map_err(|why| why.to_string())?;
    let word = |at: usize| words.get(at).and_then(Json::as_str).unwrap_or_default().to_owned();
    let slot = |at: usize| SlotName::parse(&word(at)).map_err(|why| why.to_string());
    let failed = |why: modrack::SwapFailed| format!("{}: {}", why.step.as_str(), why.error);
    match word(0).as_str() {
        "call" => called(rack, &words),
        "hold" => {
            let rack = rack.clone();
            running.held.push(std::thread::spawn(move || called(&rack, &words)));
            Ok(Json::Null)
        }
        "held" => running.held.pop().map_or(Ok(Json::Null), ended),
        "press" => {
            for _ in 0..4 {
                let (rack, words, eased) = (rack.clone(), words.clone(), running.eased.clone());
                running.pressing.push(std::thread::spawn(move || {
                    loop {
                        let given = called(&rack, &words);
                        if given.is_err() || eased.load(Ordering::Relaxed) {
                            return given;
                        }
                    }
                }));
            }
            Ok(Json::Null)
        }
        "read" => {
            let (rack, eased) = (rack.clone(), running.eased.clone());
            running.held.push(std::thread::spawn(move || {
                let mut seen = Vec::new();
                while !eased.load(Ordering::Relaxed) {
                    let given = called(&rack, &words)?;
                    if !seen.contains(&given) {
                        seen.push(given);
                    }
                }
                Ok(Json::Array(seen))
            }));
            Ok(Json::Null)
        }
        "seen" => {
            running.eased.store(true, Ordering::Relaxed);
            running.held.pop().map_or(Ok(Json::Null), ended)
        }
        "eased" => {
            running.eased.store(true, Ordering::Relaxed);
            running.pressing.drain(..).map(ended).next_back().unwrap_or(Ok(Json::Null))
        }
        "swap" => {
            let slots = (1..words.len()).map(slot).collect::<Result<Vec<_>, _>>()?;
            let swap = slots.into_iter().map(Swap::reload).reduce(Swap::and).ok_or("No slot is named")?;
            rack.swap(&swap).map(|_| Json::Null).map_err(failed)
        }
        "rollback" => rack.rollback(&slot(1)?, Asked::default()).map(|_| Json::Null).map_err(failed),
        other => Err(format!("Nobody knows `{other}`")),
    }
}

fn ended(thread: JoinHandle<Given>) -> Given {
    thread.join().unwrap_or_else(|_| Err("The thread panicked".to_owned()))
}

/// Calls a function once: `[_, SLOT, FUNCTION, ARGS]`.
fn called(rack: &Rack, words: &[Json]) -> Given {
    let [_, Json::String(slot), Json::String(function), Json::Array(args)] = words else {
        return Err("A call is a slot, a function and its arguments".to_owned());
    };
    let args: Vec<Value> = args.iter().map(value).collect();
    let call = || rack.slot(slot)?.function::<&[Value], Value>(function)?.call(&args);
    call().map(|value| json_of(&value)).map_err(|why: modrack::Error| why.message().to_owned())
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(entries) => {
            let entries = entries.iter().map(|(name, item)| (Text::from(name.as_str()), value(item)));
            Value::from(Map::from_iter(entries))
        }
    }
}

/// What is no JSON is shown as text.
fn json_of(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Float(value) => json!(value),
        Value::Text(text) => json!(text.as_str()),
        Value::List(items) => Json::Array(items.iter().map(json_of).collect()),
        Value::Map(entries) => entries.iter().map(|(name, item)| (name.to_string(), json_of(item))).collect(),
        other => json!(other.to_string()),
    }
}
