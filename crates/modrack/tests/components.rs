//! What of components is in memory while one after the other fills a slot: what serves, and nothing else. By counts, over the rack.
#![cfg(feature = "wasm")]

use std::path::Path;

use modrack::wasm::{InMemory, WasmBackend, WasmSettings};
use modrack::{Asked, Rack, SlotName, Swap};

const COMPONENT: &str = r#"(component
  (core module $m (memory (export "memory") 1) (func (export "version") (result i64) (i64.const VERSION)))
  (core instance $i (instantiate $m))
  (func (export "version") (result s64) (canon lift (core func $i "version"))))
"#;

fn write(folder: &Path, version: i64) {
    let text = COMPONENT.replace("VERSION", &version.to_string());
    std::fs::write(folder.join("a.wat"), text).expect("it can be written");
}

/// Swaps a slot whose instances serve so, with code kept on the disk or not, and holds what is in memory against `stores`: those
/// that such a slot has while nobody calls it.
fn check(instances: &str, is_kept: bool, stores: usize) {
    let folder = tempfile::tempdir().expect("there is room");
    let (cache, keys) = (folder.path().join("code"), folder.path().join("keys"));
    let settings = match is_kept {
        true => WasmSettings { cache: Some(cache), keys: Some(keys), ..WasmSettings::default() },
        false => WasmSettings::default(),
    };
    let backend = WasmBackend::new(settings);
    write(folder.path(), 0);
    let slot = format!("  a: {{ use: ./a.wat, instances: {instances}, swap: {{ trial: {{ for: 0s }} }} }}\n");
    std::fs::write(folder.path().join("rack.yaml"), format!("rack: 1\nslots:\n{slot}")).expect("written");
    let rack = Rack::builder().file(folder.path()).backend(backend.clone()).open().expect("it is right");
    let name = SlotName::parse("a").expect("a name");
    let version = rack.slot("a").expect("declared").function::<(), i64>("version").expect("it is there");
    for number in 1..=100 {
        write(folder.path(), number);
        rack.runtime().swap(&Swap::reload(name.clone())).expect("it swaps");
        for _ in 0..2 {
            assert_eq!(version.call(()).expect("it answers"), number);
        }
        let now = backend.in_memory();
        assert!(now.code == 1 && now.stores <= stores, "{instances} {is_kept} {number}: {now:?}");
    }
    // What failed leaves nothing behind either.
    std::fs::write(folder.path().join("a.wat"), COMPONENT.replace("(i64.const VERSION)", ""))
        .expect("written");
    rack.runtime().swap(&Swap::reload(name.clone())).expect_err("it is no component");
    assert_eq!(backend.in_memory().code, 1);
    // Nothing serves, and what served comes again.
    write(folder.path(), 7);
    rack.runtime().unload(&name, Asked::default()).expect("it serves");
    assert_eq!(backend.in_memory(), InMemory { stores: 0, code: 0 });
    assert_eq!(version.call(()).expect("it answers"), 7);
    rack.stop();
    assert_eq!(backend.in_memory(), InMemory { stores: 0, code: 0 });
}

#[test]
fn memory_goes_back_however_instances_serve_and_wherever_code_is_kept() {
    for (instances, stores) in [("one", 1), ("pool(3)", 3), ("per-call", 1)] {
        for is_kept in [true, false] {
            check(instances, is_kept, stores);
        }
    }
}
