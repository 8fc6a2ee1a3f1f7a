//! A program that holds a rack: modules of its own, and one of each kind that its features load.
//!
//! `embed [LIBRARY]`: `LIBRARY` is the module of `examples/native-c`. What it prints is checked by the project's tests.

use modrack::{Module, Rack, Result};

fn main() -> Result<()> {
    #[cfg(feature = "python")]
    {
        let early = Rack::builder().open().err().expect("Python is not initialised yet");
        println!("python: {}", early.message());
        pyo3::Python::initialize();
    }
    let rack = Rack::builder()
        .module("text", Module::new().function("upper", |(text,): (String,)| text.to_uppercase()))
        .open()?;
    let upper = rack.slot("text")?.function::<(&str,), String>("upper")?;
    println!("closure: {}", upper.call(("hello",))?);

    #[cfg(feature = "async")]
    {
        let upper = rack.slot("text")?.function::<(String,), String>("upper")?;
        println!("async: {}", wait(upper.call_async(("awaited".to_owned(),)))?);
    }
    #[cfg(feature = "native")]
    match std::env::args().nth(1) {
        Some(library) => {
            let valid = rack.slot(&library)?.function::<(&str,), bool>("is_valid")?;
            println!("native: {}", valid.call(("4539 1488 0343 6467",))?);
        }
        None => println!("native: no library was named"),
    }
    #[cfg(feature = "wasm")]
    in_folder("add.wat", ADD_WAT, |path| add("wasm", path))?;
    #[cfg(feature = "python")]
    in_folder("add.py", "def add(a: int, b: int) -> int:\n    return a + b\n", |path| add("python", path))?;
    #[cfg(feature = "flow")]
    in_folder("rack.yaml", COPY, |path| {
        let folder = std::path::Path::new(path).parent().expect("a file has a folder");
        std::fs::write(folder.join("in.csv"), "item,price\npear,2\nplum,3\n").expect("the source");
        let summary = Rack::open(path)?.run("copy", modrack::flow::RunOptions::default())?;
        let written = std::fs::read_to_string(folder.join("out.json")).expect("the sink");
        println!("flow: {} rows, {}", summary.rows_out, written.lines().collect::<Vec<_>>().join(" "));
        Ok(())
    })?;
    Ok(())
}

/// Two numbers added by whatever `module` is written in.
#[cfg(any(feature = "python", feature = "wasm"))]
fn add(language: &str, module: &str) -> Result<()> {
    let rack = Rack::builder().open()?;
    let add = rack.slot(module)?.function::<(i64, i64), i64>("add")?;
    println!("{language}: {}", add.call((1, 2))?);
    Ok(())
}

#[cfg(feature = "wasm")]
const ADD_WAT: &str = r#"(component
  (core module $m
    (func (export "add") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" s64) (param "b" s64) (result s64) (canon lift (core func $i "add"))))"#;

#[cfg(feature = "flow")]
const COPY: &str = "rack: 1\npipelines: { copy: { source: { csv: in.csv }, sink: { json: out.json } } }\n";

/// Runs `with` with the path of a file of this text, in a folder that is gone afterwards.
#[cfg(any(feature = "flow", feature = "python", feature = "wasm"))]
fn in_folder(name: &str, text: &str, with: impl FnOnce(&str) -> Result<()>) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("modrack-embed-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the module");
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the module's file");
    let done = with(&path.display().to_string());
    std::fs::remove_dir_all(&folder).expect("the folder goes");
    done
}

/// The smallest executor there is.
#[cfg(feature = "async")]
fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}
