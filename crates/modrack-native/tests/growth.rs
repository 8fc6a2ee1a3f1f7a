//! What stays when it should go: nothing, however often a module is loaded, refused, started and called.
//!
//! One test, so that nobody else in the process opens files or takes memory meanwhile.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use modrack_core::plan::{Allow, Limits};
use modrack_core::{
    Backend, Call, CopyMeter, Description, GenerationId, Instance, Map, Origin, Result, SlotName, Start,
    Value,
};
use modrack_native::{NativeBackend, NativeSettings};

/// It counts what it has made and what was released, each by itself.
const SOURCE: &str = r#"
#include "modrack.h"
#include <stdlib.h>
#define F(name) static int32_t name(void *self, const modrack_context *c, const modrack_value *a, size_t n, \
    modrack_output *out)
#define UNUSED (void)self; (void)c; (void)a; (void)n
static int64_t made, released, twice, created, destroyed;
typedef struct { int64_t alive; char bytes[65536]; modrack_value values[2]; modrack_entry entry; } held;
static void let_go(modrack_output *out) {
    held *own = out->owner;
    if (own->alive != 1) twice++;
    own->alive = 0;
    released++;
    free(own);
    out->release = NULL;
}
static held *hold(modrack_output *out) {
    held *own = calloc(1, sizeof *own);
    own->alive = 1;
    made++;
    for (size_t i = 0; i < sizeof own->bytes; i++) own->bytes[i] = 'x';
    out->owner = own;
    out->release = let_go;
    return own;
}
F(text) { UNUSED; held *own = hold(out); out->value = modrack_text(own->bytes, sizeof own->bytes); return 0; }
F(bytes) { UNUSED; held *own = hold(out); out->value = modrack_bytes(own->bytes, sizeof own->bytes); return 0; }
F(brief) { UNUSED; held *own = hold(out); out->value = modrack_text(own->bytes, 3); return 0; }
F(number) { UNUSED; hold(out); out->value = modrack_int(1); return 0; }
F(list) {
    UNUSED;
    held *own = hold(out);
    own->values[0] = modrack_text(own->bytes, 1000);
    own->values[1] = modrack_bytes(own->bytes + 1000, 1000);
    out->value = modrack_list(own->values, 2);
    return 0;
}
F(map) {
    UNUSED;
    held *own = hold(out);
    modrack_str key = { (const uint8_t *)own->bytes, 500 };
    own->entry.key = key;
    own->entry.value = modrack_text(own->bytes, 500);
    out->value = modrack_map(&own->entry, 1);
    return 0;
}
F(fails) { UNUSED; held *own = hold(out); out->value = modrack_text(own->bytes, 30); return MODRACK_FAILED; }
F(not_text) { UNUSED; held *own = hold(out); own->bytes[400] = (char)0xff; out->value = modrack_text(own->bytes, 500); return 0; }
F(asks) {
    UNUSED;
    modrack_str key = MODRACK_STR("key");
    modrack_output got;
    c->host->config(c, key, &got);
    got.release(&got);
    return 0;
}
static modrack_value counts[5];
F(counted) {
    UNUSED;
    int64_t all[] = { made, released, twice, created, destroyed };
    for (int i = 0; i < 5; i++) counts[i] = modrack_int(all[i]);
    out->value = modrack_list(counts, 5);
    return 0;
}
static int32_t make(const modrack_context *c, const modrack_value *params, void **self, modrack_output *out) {
    (void)c; (void)params; (void)out;
    created++;
    *self = malloc(65536);
    return 0;
}
static void end(void *self) { destroyed++; free(self); }
static const modrack_function functions[] = {
    {MODRACK_STR("text"), text}, {MODRACK_STR("bytes"), bytes}, {MODRACK_STR("brief"), brief},
    {MODRACK_STR("number"), number}, {MODRACK_STR("list"), list}, {MODRACK_STR("map"), map},
    {MODRACK_STR("fails"), fails}, {MODRACK_STR("not_text"), not_text}, {MODRACK_STR("asks"), asks},
    {MODRACK_STR("counted"), counted},
};
MODRACK_EXPORT const modrack_module modrack_module_v1 = {
    .head = MODRACK_HEAD(modrack_module), MODRACK_FUNCTIONS(functions), .create = make, .destroy = end };
"#;

/// A table that is found to be wrong once it is in memory, where the file does not tell its functions.
const WRONG: &str = r#"
#include "modrack.h"
MODRACK_EXPORT const modrack_module modrack_module_v1 = {
    .head = MODRACK_HEAD(modrack_module), .functions = (void *)16, .function_count = 2, .function_size = 24 };
"#;

struct Lab {
    folder: tempfile::TempDir,
    backend: NativeBackend,
}

impl Lab {
    fn build(&self, name: &str, source: &str, more: &[&str]) -> PathBuf {
        let (file, library) = (self.folder.path().join("x.c"), self.folder.path().join(name));
        fs::write(&file, source).unwrap();
        let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include");
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-shared", "-fPIC", "-I"]).arg(include).arg("-o").arg(&library).arg(&file);
        assert!(compiler.args(more).status().unwrap().success());
        library
    }

    fn start(&self, library: &Path) -> Result<Arc<dyn Instance>> {
        let origin = Origin::File { path: library.to_owned(), attr: None };
        self.start_described(&origin, &self.backend.describe(&origin)?)
    }

    fn start_described(&self, origin: &Origin, about: &Description) -> Result<Arc<dyn Instance>> {
        let started = self.backend.start(Start {
            origin,
            description: about,
            slot: &SlotName::parse("slot").unwrap(),
            generation: GenerationId(1),
            params: &Map::from_iter([("key".into(), Value::from("k".repeat(1000)))]),
            services: Vec::new(),
            limits: &Limits::default(),
            allow: &Allow::default(),
            copies: &Arc::new(CopyMeter::default()),
            root: self.folder.path(),
        })?;
        Ok(started.instance)
    }
}

/// How many bytes of memory the process has.
fn memory() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn mappings(of: &str) -> usize {
    fs::read_to_string("/proc/self/maps").unwrap().lines().filter(|line| line.contains(of)).count()
}

/// Runs `run` so many times, and a hundred before. Ten thousand times 64 KiB would be ten times what may be left.
fn often(what: &str, times: usize, mut run: impl FnMut()) {
    (0..100).for_each(|_| run());
    let (memory_before, files_before) = (memory(), files());
    (0..times).for_each(|_| run());
    let grown = memory().saturating_sub(memory_before);
    assert!(grown < 64 << 20, "{what}: {grown} bytes more");
    assert_eq!(files(), files_before, "{what}");
}

#[test]
fn nothing_grows() {
    let folder = tempfile::tempdir().unwrap();
    let store = Some(folder.path().join("store"));
    let settings = NativeSettings { root: folder.path().to_owned(), store, ..NativeSettings::default() };
    let lab = Lab { folder, backend: NativeBackend::new(settings) };
    let library = lab.build("x.so", SOURCE, &[]);
    let instance = lab.start(&library).unwrap();
    assert_eq!(instance.footprint().kept, fs::metadata(&library).unwrap().len());
    let call = |function: &str| instance.function(function).unwrap().call(Call::default());
    let counts = || match call("counted").unwrap() {
        Value::List(counts) => counts
            .iter()
            .map(|count| match count {
                Value::Int(count) => *count,
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let functions = ["text", "bytes", "brief", "number", "list", "map", "fails", "not_text", "asks"];
    for function in functions {
        often(function, 10_000, || drop(call(function)));
    }
    let [made, released, twice, ..] = counts()[..] else { panic!("there are five") };
    assert_eq!((made, released, twice), (8 * 10_100, 8 * 10_100, 0));
    // Parts of a result that go on living keep all of it, and it is released once, with the last.
    let Value::List(parts) = call("list").unwrap() else { panic!("it is a list") };
    let mut parts = parts.into_iter();
    drop(parts.next());
    assert_eq!(counts()[..2], [made + 1, released]);
    drop(parts.next());
    assert_eq!(counts()[..3], [made + 1, released + 1, 0]);
    let origin = Origin::File { path: library.clone(), attr: None };
    let about = lab.backend.describe(&origin).unwrap();
    often("starts", 10_000, || drop(lab.start_described(&origin, &about).unwrap()));
    let [.., created, destroyed] = counts()[..] else { panic!("there are five") };
    assert_eq!((created, destroyed), (10_101, 10_100));
    // All of them count the same bytes, which are there once.
    let (one, mapped) = (lab.start(&library).unwrap(), mappings("x.so"));
    let more: Vec<_> = (0..100).map(|_| lab.start(&library).unwrap()).collect();
    assert_eq!((one.footprint().kept, mappings("x.so")), (instance.footprint().kept, mapped));
    drop(more);
    let wrong = lab.build("wrong.so", WRONG, &["-Wno-int-conversion"]);
    assert!(lab.start(&wrong).is_err());
    let mapped = mappings("wrong.so");
    assert!(mapped > 0, "it was loaded");
    often("refusals", 300, || assert!(lab.start(&wrong).is_err()));
    assert_eq!(mappings("wrong.so"), mapped);
    // Nor is a copy of it left.
    assert_eq!(fs::read_dir(lab.folder.path().join("store")).unwrap().count(), 1);
    assert!(instance.stop(Duration::ZERO).is_ok());
}
