//! What a call costs: one of a few scalars takes no memory.
#![expect(unsafe_code, reason = "counting allocations takes an allocator of one's own")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use modrack_core::plan::{Allow, Limits};
use modrack_core::{Backend, Call, CopyMeter, GenerationId, Map, Origin, SlotName, Start, Value};
use modrack_native::{NativeBackend, NativeSettings};

struct Counting;

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        // SAFETY: the caller keeps the rules of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the rules of `dealloc`, and all memory is the system's.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SOURCE: &str = r#"
#include "modrack.h"
MODRACK_NOTE("wit = 'package a:b; world module { export add: func(a: s64, b: s64) -> s64; }'");
static int32_t add(void *s, const modrack_context *c, const modrack_value *a, size_t n, modrack_output *out) {
    (void)s; (void)c; (void)n;
    out->value = modrack_int(a[0].payload.integer + a[1].payload.integer);
    return MODRACK_OK;
}
static const modrack_function functions[] = { {MODRACK_STR("add"), add} };
MODRACK_EXPORT const modrack_module modrack_module_v1 = { .head = MODRACK_HEAD(modrack_module), \
    MODRACK_FUNCTIONS(functions) };
"#;

#[test]
fn a_call_of_scalars_takes_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (file, library) = (folder.path().join("x.c"), folder.path().join("x.so"));
    std::fs::write(&file, SOURCE).unwrap();
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-I"]).arg(include).arg("-o").arg(&library).arg(&file);
    assert!(compiler.status().unwrap().success());
    let root = folder.path().to_owned();
    let backend = NativeBackend::new(NativeSettings { root, ..NativeSettings::default() });
    let origin = Origin::File { path: library, attr: None };
    let started = backend
        .start(Start {
            origin: &origin,
            description: &backend.describe(&origin).unwrap(),
            slot: &SlotName::parse("slot").unwrap(),
            generation: GenerationId(1),
            params: &Map::new(),
            services: Vec::new(),
            limits: &Limits::default(),
            allow: &Allow::default(),
            copies: &Arc::new(CopyMeter::default()),
            root: folder.path(),
        })
        .unwrap();
    let add = started.instance.function("add").unwrap();
    let args = [Value::Int(1), Value::Int(2)];
    assert_eq!(add.call(Call::new(&args)).unwrap(), Value::Int(3));
    let before = TAKEN.get();
    for _ in 0..100 {
        add.call(Call::new(&args)).unwrap();
    }
    assert_eq!(TAKEN.get() - before, 0);
}
