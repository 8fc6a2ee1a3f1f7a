//! Components written out as text, started through the backend's own trait.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use modrack_core::plan::{Allow, Limits};
use modrack_core::{
    Args, Backend, Call, CopyMeter, Description, Error, GenerationId, Instance, Language, Map, Origin,
    Result, Service, SlotName, Start, Text, Value,
};
use modrack_wasm::{WasmBackend, WasmSettings};

/// A memory, an allocator that never frees, and functions that hand text, bytes and values back.
pub(crate) const ECHO: &str = r#"
  (core module $m
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
      (global.set $top (i32.add (local.get $at) (local.get 3)))
      (if (i32.gt_u (global.get $top) (i32.mul (memory.size) (i32.const 65536)))
        (then (drop (memory.grow (i32.add (i32.div_u (local.get 3) (i32.const 65536)) (i32.const 1))))))
      (local.get $at))
    (func (export "echo") (param i32 i32) (result i32)
      (i32.store (i32.const 16) (local.get 0))
      (i32.store (i32.const 20) (local.get 1))
      (i32.const 16))
    (func (export "ok") (param i32 i32) (result i32)
      (i32.store (i32.const 32) (i32.const 0))
      (i32.store (i32.const 36) (local.get 0))
      (i32.store (i32.const 40) (local.get 1))
      (i32.const 32)))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))
"#;

/// The types of `modrack:types`, imported as components import them.
pub(crate) const TYPES: &str = r#"
  (import "modrack:types/values@1.0.0" (instance $values
    (type $table' (record (field "ipc" (list u8))))
    (export "table" (type $table (eq $table')))
    (type $part' (variant (case "null") (case "bool" bool) (case "int" s64) (case "float" f64) (case "text" string)
      (case "bytes" (list u8)) (case "list" (list u32)) (case "map" (list (tuple string u32))) (case "table" $table)))
    (export "part" (type $part (eq $part')))
    (type $value' (record (field "parts" (list $part))))
    (export "value" (type (eq $value')))
    (type $cause' (record (field "class" string) (field "message" string) (field "traceback" (option string))))
    (export "cause" (type $cause (eq $cause')))
    (type $error' (record (field "class" string) (field "message" string) (field "hint" (option string))
      (field "causes" (list $cause)) (field "traceback" (option string))))
    (export "error" (type (eq $error')))))
  (alias export $values "value" (type $value))
  (alias export $values "table" (type $table))
  (alias export $values "error" (type $error))
"#;

/// The host's interface, imported.
pub(crate) const HOST: &str = r#"
  (import "modrack:host/host@1.0.0" (instance $host
    (alias outer 1 $value (type $v'))
    (export "value" (type $v (eq $v')))
    (alias outer 1 $error (type $e'))
    (export "error" (type $e (eq $e')))
    (type $level' (enum "trace" "debug" "info" "warn" "error"))
    (export "level" (type $level (eq $level')))
    (export "log" (func (param "level" $level) (param "message" string)))
    (export "config" (func (param "key" string) (result (option $v))))
    (export "call" (func (param "slot" string) (param "function" (option string)) (param "args" (list $v))
      (result (result $v (error $e)))))
    (export "panicked" (func (param "message" string) (param "place" (option string))))))
"#;

/// A component that adds two whole numbers.
pub(crate) const ADD: &str = r#"
  (core module $m (func (export "add") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" s64) (param "b" s64) (result s64) (canon lift (core func $i "add")))
"#;

/// What a component is started with.
#[derive(Default)]
pub(crate) struct With {
    pub(crate) params: Map,
    pub(crate) services: Vec<(Text, Arc<dyn Service>)>,
    pub(crate) limits: Limits,
    pub(crate) copies: Arc<CopyMeter>,
    pub(crate) allow: Allow,
    /// The rack's folder.
    pub(crate) root: Option<PathBuf>,
}

pub(crate) fn component(parts: &[&str]) -> Origin {
    let text = format!("(component\n{}\n)", parts.concat());
    Origin::Source { name: "guest".into(), language: Language::Wat, text: text.into() }
}

pub(crate) fn backend() -> Arc<WasmBackend> {
    WasmBackend::new(WasmSettings::default())
}

pub(crate) fn start(backend: &WasmBackend, origin: &Origin, with: &With) -> Result<Arc<dyn Instance>> {
    start_described(backend, origin, &backend.describe(origin)?, with)
}

pub(crate) fn start_described(
    backend: &WasmBackend,
    origin: &Origin,
    description: &Description,
    with: &With,
) -> Result<Arc<dyn Instance>> {
    let slot = SlotName::parse("guest").expect("a slot's name");
    let started = backend.start(Start {
        origin,
        description,
        slot: &slot,
        generation: GenerationId(1),
        params: &with.params,
        services: with.services.clone(),
        limits: &with.limits,
        allow: &with.allow,
        copies: &with.copies,
        root: with.root.as_deref().unwrap_or(Path::new("/")),
    })?;
    Ok(started.instance)
}

pub(crate) fn started(parts: &[&str]) -> Arc<dyn Instance> {
    start(&backend(), &component(parts), &With::default()).unwrap_or_else(|error| panic!("{error:?}"))
}

pub(crate) fn call(instance: &Arc<dyn Instance>, name: &str, args: &[Value]) -> Result<Value> {
    instance.function(name)?.call(Call { args: Args { positional: args, named: &[] }, ..Call::default() })
}

/// An error as a test compares it.
pub(crate) fn told<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => "no error".into(),
        Err(error) => shown(&error),
    }
}

pub(crate) fn shown(error: &Error) -> String {
    format!("{} {} {:?}", error.code(), error.message(), error.class_names())
}
