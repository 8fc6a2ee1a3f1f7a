//! One call of a Python function with one float: through a slot, and by PyO3's `call1` on the same function.
//!
//! Both attach to the interpreter for each call, give a Rust float and get one back.

use std::hint::black_box;
use std::path::PathBuf;

use criterion::Criterion;
use modrack_core::plan::RackPlan;
use modrack_core::{Call, Value};
use modrack_python::{PythonBackend, PythonSettings};
use pyo3::prelude::*;
use pyo3::types::PyModule;

const MODULE: &std::ffi::CStr = c"def half(x):\n    return x * 0.5\n";

fn main() {
    Python::initialize();
    let folder = std::env::temp_dir().join(format!("modrack-call-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("making a folder for the module");
    std::fs::write(folder.join("half.py"), MODULE.to_bytes()).expect("writing the module");

    let settings = PythonSettings { root: folder.clone(), path: Vec::<PathBuf>::new(), store: None };
    let backend = PythonBackend::new(settings).expect("the Python backend");
    let rack = modrack_runtime::Rack::open(RackPlan::empty(folder.clone()), vec![backend]).expect("a rack");
    let slot = rack.slot("./half.py").expect("the slot").function(Some("half")).expect("the function");
    let bare: Py<PyAny> = Python::attach(|py| {
        let module = PyModule::from_code(py, MODULE, c"half.py", c"half").expect("the same module");
        module.getattr("half").expect("the same function").unbind()
    });

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("call");
    group.bench_function("slot", |b| {
        b.iter(|| {
            let args = [Value::Float(black_box(1.5))];
            match slot.call(Call::new(&args)) {
                Ok(Value::Float(half)) => half,
                other => panic!("{other:?}"),
            }
        });
    });
    group.bench_function("call1", |b| {
        b.iter(|| {
            Python::attach(|py| {
                let result = bare.bind(py).call1((black_box(1.5_f64),)).expect("half");
                result.extract::<f64>().expect("a float")
            })
        });
    });
    group.finish();
    criterion.final_summary();
    rack.stop();
    std::fs::remove_dir_all(&folder).expect("removing the module");
}
