//! The native form, loaded as a rack loads it: built as a library, read without running it, started and called.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use modrack_core::plan::{Allow, Limits};
use modrack_core::{
    Backend, Call, CopyMeter, Description, GenerationId, Instance, Log, Map, Origin, Result, SlotName, Start,
    Text, Value,
};
use modrack_native::{NativeBackend, NativeSettings};

/// A backend, and what modules wrote to its log.
struct Lab {
    folder: tempfile::TempDir,
    backend: NativeBackend,
    said: Arc<Mutex<Vec<String>>>,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        let backend = NativeBackend::new(NativeSettings {
            root: folder.path().to_owned(),
            store: Some(folder.path().join("store")),
            log: Log::new(move |line| {
                heard.lock().unwrap().push(format!("{}: {}", line.level.as_str(), line.message));
            }),
            kept: None,
        });
        Self { folder, backend, said }
    }

    fn origin() -> Origin {
        // Cargo builds the examples of a package before its tests, beside them, unless it is told what to build.
        let folder = std::env::current_exe().unwrap().parent().unwrap().with_file_name("examples");
        let path = folder.join(format!("{DLL_PREFIX}everything{DLL_SUFFIX}"));
        if !path.is_file() {
            let build = ["build", "--quiet", "--package", "modrack-sdk", "--example", "everything"];
            let status = Command::new(env!("CARGO")).args(build).status().unwrap();
            assert!(status.success() && path.is_file(), "{} is not built", path.display());
        }
        Origin::File { path, attr: None }
    }

    fn describe(&self) -> Description {
        self.backend.describe(&Self::origin()).unwrap()
    }

    fn start(&self, params: &[(&str, Value)]) -> Result<Arc<dyn Instance>> {
        let params: Map = params.iter().map(|(name, value)| (Text::from(*name), value.clone())).collect();
        let started = self.backend.start(Start {
            origin: &Self::origin(),
            description: &self.describe(),
            slot: &SlotName::parse("slot").unwrap(),
            generation: GenerationId(1),
            params: &params,
            services: Vec::new(),
            limits: &Limits::default(),
            allow: &Allow::default(),
            copies: &Arc::new(CopyMeter::default()),
            root: self.folder.path(),
        })?;
        Ok(started.instance)
    }
}

fn call(instance: &Arc<dyn Instance>, function: &str, args: &[Value]) -> Result<Value> {
    instance.function(function)?.call(Call::new(args))
}

#[test]
fn what_it_is_stands_in_the_file() {
    let lab = Lab::new();
    let said = lab.describe();
    assert_eq!(said.manifest.name.as_deref(), Some("everything"));
    assert_eq!(said.manifest.contract.as_deref(), Some("transform@1"));
    assert_eq!(said.manifest.formats, ["a", "b"]);
    assert_eq!(said.doc.as_deref(), Some("What all of it is for."));
    let functions = said.functions.clone();
    let shown = |name: &str| {
        let function = functions.iter().find(|function| function.name == name).unwrap();
        format!("{}: {}", function.signature, function.doc.as_deref().unwrap_or_default())
    };
    assert_eq!(shown("add"), "(a: int, b: int) -> int: Adds two numbers.");
    assert_eq!(shown("shout"), "(text: text, mark: option<text>) -> text: Writes it large.");
    assert!(shown("all").ends_with("However many there are."));
    assert!(functions.iter().all(|function| function.name != "private" && function.name != "create"));
    let params: Vec<_> =
        said.constructor.unwrap().params.into_iter().map(|param| (param.name, param.default)).collect();
    let param = |name: &str, default: &str| (name.to_owned(), Some(default.to_owned()));
    assert_eq!(params, [param("tax", "0.2"), param("name", "\"any\""), param("panics", "null")]);
}

#[test]
fn it_is_called_as_any_module() {
    let lab = Lab::new();
    let one = lab.start(&[("tax", Value::Float(0.5))]).unwrap();
    let ints = |numbers: &[i64]| numbers.iter().map(|number| Value::Int(*number)).collect::<Vec<_>>();
    assert_eq!(call(&one, "add", &ints(&[2, 3])).unwrap(), Value::Int(5));
    assert_eq!(call(&one, "shout", &[Value::from("a")]).unwrap(), Value::from("A"));
    let row: Map = [("price", 2.0), ("quantity", 3.0)]
        .map(|(key, value)| (Text::from(key), Value::Float(value)))
        .into_iter()
        .collect();
    let gave = call(&one, "transform", &[Value::from(row)]).unwrap();
    let Value::Map(gave) = gave else { panic!("{gave:?}") };
    assert_eq!(gave.get("total"), Some(&Value::Float(9.0)));
    assert_eq!(call(&one, "count", &[]).unwrap(), Value::Int(1));
    let error = call(&one, "panics", &[]).unwrap_err();
    assert_eq!((error.code().to_string().as_str(), error.message()), ("M0504", "`panics` panicked: at 3"));
    assert_eq!(error.class_names(), ["panic"]);
    let error = call(&one, "parse", &[Value::from("x")]).unwrap_err();
    assert_eq!(error.class_names(), ["ParseIntError"]);
    let state = one.export_state().unwrap().unwrap();
    assert_eq!(state.value, Value::Int(1));
    one.stop(Duration::from_secs(1)).unwrap();
    assert_eq!(lab.said.lock().unwrap().as_slice(), ["warn: shut down after 1"]);
}

#[test]
fn however_many_arguments_are_counted() {
    let lab = Lab::new();
    let one = lab.start(&[]).unwrap();
    let args = [Value::Null, Value::from("x"), Value::from([1, 2].map(Value::Int).to_vec())];
    for count in 0..=args.len() {
        assert_eq!(call(&one, "all", &args[..count]).unwrap(), Value::Int(count as i64));
    }
}

#[test]
fn texts_of_one_length_are_held_side_by_side() {
    let lab = Lab::new();
    let one = lab.start(&[]).unwrap();
    let shout = |letter: &str| call(&one, "shout", &[Value::from(letter.repeat(1000))]).unwrap();
    let held = [shout("a"), shout("b"), shout("c")];
    assert_eq!(held, ["A", "B", "C"].map(|letter| Value::from(letter.repeat(1000))));
}

#[test]
fn what_its_constructor_refuses_is_an_error_of_its_start() {
    let lab = Lab::new();
    let error = lab.start(&[("tax", Value::Float(2.0))]).err().unwrap();
    assert!(
        error.message().ends_with("could not be constructed: `tax` must be at most 1.0, but is 2.0"),
        "{error}"
    );
}
