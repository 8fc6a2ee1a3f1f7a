//! Modules in Rust, native and as components, against what the same takes without a rack: calls, bytes in and out,
//! starts. Last, what 1,000 loaded slots hold, each kind in a process of its own (`held.rs`).

mod held;
mod loaded;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use loaded::{Scratch, component, library, load, rack_of};
use modrack_core::plan::{Allow, Limits};
use modrack_core::{
    Backend, Call, CopyMeter, Description, GenerationId, Map, Origin, SlotName, Start, Started, Value,
};
use modrack_runtime::Bound;
use modrack_wasm::{WasmBackend, WasmSettings};
use wasmtime::component::{Component, Instance, Linker};
use wasmtime::{Engine, Store};

/// What is called directly, through a table of functions.
trait Adds {
    fn add(&self, a: i64, b: i64) -> i64;
}

struct Direct;

impl Adds for Direct {
    fn add(&self, a: i64, b: i64) -> i64 {
        a.wrapping_add(b)
    }
}

fn main() {
    if held::is_asked() {
        return held::hold();
    }
    let scratch = Scratch::new("modules");
    let rack = rack_of(&scratch.0, "");
    let native = load(&rack, &library("little"), "native");
    let wasm = load(&rack, &component("little"), "wasm");
    let mut criterion = Criterion::default().configure_from_args();
    let (mut store, instance) = bare(&Engine::default(), &component("little"));

    let mut group = criterion.benchmark_group("add");
    let direct: Box<dyn Adds> = black_box(Box::new(Direct));
    group.bench_function("dyn", |b| b.iter(|| direct.add(black_box(1), black_box(2))));
    add(&mut group, "native", &native("add"));
    let typed = instance.get_typed_func::<(i64, i64), (i64,)>(&mut store, "add").expect("its type");
    group.bench_function("wasmtime", |b| {
        b.iter(|| typed.call(&mut store, (black_box(1), black_box(2))).expect("a sum"));
    });
    add(&mut group, "wasm", &wasm("add"));
    group.finish();

    let mut group = criterion.benchmark_group("bytes64");
    echo(&mut group, "native", &native("same"), 64);
    echo(&mut group, "wasm", &wasm("echo"), 64);
    group.finish();

    let mut group = criterion.benchmark_group("bytes1m");
    copies(&mut group, 1 << 20);
    echo(&mut group, "native", &native("same"), 1 << 20);
    echo(&mut group, "wasm", &wasm("echo"), 1 << 20);
    let typed = instance.get_typed_func::<(&[u8],), (Vec<u8>,)>(&mut store, "echo").expect("its type");
    let bytes = vec![7; 1 << 20];
    group.bench_function("wasmtime", |b| {
        b.iter(|| typed.call(&mut store, (black_box(&bytes[..]),)).expect("bytes"));
    });
    group.finish();

    let mut group = criterion.benchmark_group("start");
    start(&mut group, &scratch.0);
    group.finish();
    criterion.final_summary();
    held::measure();
}

/// A component without a rack, as wasmtime's own examples have it. What it imports traps.
fn bare(engine: &Engine, path: &Path) -> (Store<()>, Instance) {
    let component = Component::from_file(engine, path).expect("a component");
    let mut linker = Linker::new(engine);
    linker.define_unknown_imports_as_traps(&component).expect("its imports");
    let mut store = Store::new(engine, ());
    let instance = linker.instantiate(&mut store, &component).expect("an instance");
    (store, instance)
}

fn add(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, slot: &Bound) {
    group.bench_function(name, |b| {
        b.iter(|| {
            let args = [Value::Int(black_box(1)), Value::Int(black_box(2))];
            match slot.call(Call::new(&args)) {
                Ok(Value::Int(sum)) => sum,
                other => panic!("{other:?}"),
            }
        });
    });
}

fn echo(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, slot: &Bound, size: usize) {
    group.throughput(Throughput::Bytes(size as u64));
    let args = [Value::Bytes(vec![7; size].into())];
    group.bench_function(name, |b| {
        b.iter(|| match slot.call(Call::new(black_box(&args))) {
            Ok(Value::Bytes(bytes)) => {
                assert_eq!(bytes.len(), size);
                bytes
            }
            other => panic!("{other:?}"),
        });
    });
    let Ok(Value::Bytes(given)) = slot.call(Call::new(&args)) else { panic!("bytes") };
    let Value::Bytes(sent) = &args[0] else { panic!("bytes") };
    let is_same = given.as_ptr() == sent.as_ptr();
    assert!(is_same || name != "native" || size < 1 << 20, "a library's large result is not copied");
}

/// In and out by `memcpy`, into memory that is there.
fn copies(group: &mut BenchmarkGroup<'_, WallTime>, size: usize) {
    let (sent, mut inside, mut out) = (vec![7_u8; size], vec![0_u8; size], vec![0_u8; size]);
    group.bench_function("memcpys", |b| {
        b.iter(|| {
            inside.copy_from_slice(black_box(&sent));
            out.copy_from_slice(black_box(&inside));
            black_box(&mut out);
        });
    });
}

/// Another instance of a component that is loaded, and the first call of one whose code was kept.
fn start(group: &mut BenchmarkGroup<'_, WallTime>, folder: &Path) {
    let cache = folder.join("kept");
    let backend = || WasmBackend::new(WasmSettings { cache: Some(cache.clone()), ..WasmSettings::default() });
    let origin = Origin::File { path: component("little"), attr: None };
    let warm = backend();
    let description = warm.describe(&origin).expect("a description");
    // The code is there while any instance is.
    let _loaded = started(&*warm, &origin, &description, folder);
    group.bench_function("warm", |b| {
        b.iter_custom(|times| {
            let mut took = Duration::ZERO;
            for _ in 0..times {
                let begun = Instant::now();
                let started = started(&*warm, &origin, &description, folder);
                took += begun.elapsed();
                drop(started);
            }
            took
        });
    });
    let args = [Value::Int(1), Value::Int(2)];
    group.bench_function("precompiled", |b| {
        b.iter_custom(|times| {
            let mut took = Duration::ZERO;
            for _ in 0..times {
                let begun = Instant::now();
                let backend = backend();
                let description = backend.describe(&origin).expect("a description");
                let started = started(&*backend, &origin, &description, folder);
                let add = started.instance.function("add").expect("a function");
                let sum = add.call(Call::new(&args)).expect("a sum");
                took += begun.elapsed();
                assert_eq!(sum, Value::Int(3));
            }
            took
        });
    });
}

fn started(backend: &WasmBackend, origin: &Origin, description: &Description, folder: &Path) -> Started {
    let name = SlotName::parse("little").expect("a name");
    let start = Start {
        origin,
        description,
        slot: &name,
        generation: GenerationId(1),
        params: &Map::default(),
        services: Vec::new(),
        limits: &Limits::default(),
        allow: &Allow::default(),
        copies: &Arc::new(CopyMeter::default()),
        root: folder,
    };
    backend.start(start).expect("an instance")
}
