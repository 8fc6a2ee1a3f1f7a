//! 64 bytes into a plug-in of extism and out of it: what a component's `echo` is held against.
//!
//! The plug-in is as lean as one can be: `echo` reads its input into its own memory and writes its output from
//! there, eight bytes at a time, as extism's kits do; `same` copies nothing and hands its input's place on.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use extism::{Manifest, Plugin, Wasm};

const PLUGIN: &str = r#"(module
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "input_offset" (func $input_offset (result i64)))
  (import "extism:host/env" "input_load_u64" (func $input_load (param i64) (result i64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u64" (func $store (param i64 i64)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (memory (export "memory") 1)
  (func (export "same") (result i32)
    (call $output_set (call $input_offset) (call $input_length))
    (i32.const 0))
  (func (export "echo") (result i32)
    (local $at i64) (local $length i64) (local $out i64)
    (local.set $length (call $input_length))
    (loop $read
      (i64.store (i32.wrap_i64 (local.get $at)) (call $input_load (local.get $at)))
      (local.set $at (i64.add (local.get $at) (i64.const 8)))
      (br_if $read (i64.lt_u (local.get $at) (local.get $length))))
    (local.set $out (call $alloc (local.get $length)))
    (local.set $at (i64.const 0))
    (loop $write
      (call $store (i64.add (local.get $out) (local.get $at)) (i64.load (i32.wrap_i64 (local.get $at))))
      (local.set $at (i64.add (local.get $at) (i64.const 8)))
      (br_if $write (i64.lt_u (local.get $at) (local.get $length))))
    (call $output_set (local.get $out) (local.get $length))
    (i32.const 0)))"#;

fn main() {
    let code = wat::parse_str(PLUGIN).expect("a module");
    let mut plugin = Plugin::new(Manifest::new([Wasm::data(code)]), [], false).expect("a plug-in");
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("extism64");
    let sent: Vec<u8> = (0..64).collect();
    group.throughput(Throughput::Bytes(sent.len() as u64));
    for function in ["echo", "same"] {
        group.bench_function(function, |b| {
            b.iter(|| {
                let given = plugin.call::<&[u8], Vec<u8>>(function, black_box(&sent)).expect("bytes");
                assert_eq!(given, sent);
                given
            });
        });
    }
    group.finish();
    criterion.final_summary();
}
