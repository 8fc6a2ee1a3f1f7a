//! Native modules from Rust, as a program that depends on the facade has them: bound once with Rust types, with no
//! file and no state folder.
#![cfg(feature = "native")]

use std::path::Path;
use std::process::Command;

use modrack::{Code, Rack};

const SOURCE: &str = r#"
#include "modrack.h"
MODRACK_NOTE("wit = 'package a:b; world module { export add: func(a: s64, b: s64) -> s64; }'\n");
static int32_t add(void *s, const modrack_context *c, const modrack_value *a, size_t n, modrack_output *out) {
    (void)s; (void)c; (void)n;
    out->value = modrack_int(a[0].payload.integer + a[1].payload.integer);
    return MODRACK_OK;
}
static const modrack_function functions[] = { {MODRACK_STR("add"), add} };
MODRACK_EXPORT const modrack_module modrack_module_v1 = {
    .head = MODRACK_HEAD(modrack_module), .flags = MODRACK_THREAD_SAFE, MODRACK_FUNCTIONS(functions) };
"#;

#[test]
fn a_function_of_a_library_is_bound_with_rust_types() {
    let folder = tempfile::tempdir().expect("there is room");
    let (file, library) = (folder.path().join("x.c"), folder.path().join("libx.so"));
    std::fs::write(&file, SOURCE).expect("it can be written");
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-I"]).arg(include).arg("-o").arg(&library).arg(&file);
    assert!(compiler.status().expect("Rust links with it").success());
    let rack = Rack::builder().root(folder.path()).open().expect("it opens");
    for named in ["./libx.so", "native:./x"] {
        let slot = rack.slot(named).expect("any use text is a slot");
        let add = slot.function::<(i64, i64), i64>("add").expect("it is there, with these types");
        assert_eq!(add.call((1, 2)).expect("it adds"), 3);
        let wrong = slot.function::<(String,), i64>("add").err().map(|error| error.code());
        assert_eq!(wrong, Some(Code::BadArguments));
    }
    assert!(!folder.path().join(".modrack").exists());
}
