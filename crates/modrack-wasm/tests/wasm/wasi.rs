//! WASI for components: nothing by default, what the slot allows, never longer than a call may take.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use modrack_core::plan::Allow;
use modrack_core::{Args, Call, Cancel, Instance, Log, LogLevel, Map, Result, Text, Value};
use modrack_wasm::{WasmBackend, WasmSettings};

use crate::guests::{With, call, component, start, told};

/// The interfaces that the guest imports, as an older WASI of the same line has them.
const IMPORTS: &str = r#"
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $p (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $p')) (export "pollable" (type $p (eq $p')))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $wrong))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $out (sub resource)))
    (alias outer 1 $wrong (type $e')) (export "error" (type $e (eq $e')))
    (type $se' (variant (case "last-operation-failed" (own $e)) (case "closed")))
    (export "stream-error" (type $se (eq $se')))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $out)) (param "contents" (list u8)) (result (result (error $se)))))))
  (alias export $streams "output-stream" (type $output))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output (type $o')) (export "output-stream" (type $o (eq $o')))
    (export "get-stdout" (func (result (own $o))))))
  (import "wasi:cli/exit@0.2.0" (instance $exit (export "exit" (func (param "status" (result))))))
  (import "wasi:cli/environment@0.2.0" (instance $env
    (export "get-environment" (func (result (list (tuple string string)))))))
  (import "wasi:filesystem/types@0.2.0" (instance $files
    (export "descriptor" (type $d (sub resource)))
    (type $ec' (enum "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota" "exist"
      "file-too-large" "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io" "is-directory" "loop"
      "too-many-links" "message-size" "name-too-long" "no-device" "no-entry" "no-lock" "insufficient-memory"
      "insufficient-space" "not-directory" "not-empty" "not-recoverable" "unsupported" "no-tty" "no-such-device"
      "overflow" "not-permitted" "pipe" "read-only" "invalid-seek" "text-file-busy" "cross-device"))
    (export "error-code" (type $ec (eq $ec')))
    (type $pf' (flags "symlink-follow")) (export "path-flags" (type $pf (eq $pf')))
    (type $of' (flags "create" "directory" "exclusive" "truncate")) (export "open-flags" (type $of (eq $of')))
    (type $df' (flags "read" "write" "file-integrity-sync" "data-integrity-sync" "requested-write-sync"
      "mutate-directory"))
    (export "descriptor-flags" (type $df (eq $df')))
    (export "[method]descriptor.open-at" (func (param "self" (borrow $d)) (param "path-flags" $pf)
      (param "path" string) (param "open-flags" $of) (param "flags" $df) (result (result (own $d) (error $ec)))))
    (export "[method]descriptor.read" (func (param "self" (borrow $d)) (param "length" u64) (param "offset" u64)
      (result (result (tuple (list u8) bool) (error $ec)))))))
  (alias export $files "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $folders
    (alias outer 1 $descriptor (type $d')) (export "descriptor" (type $d (eq $d')))
    (export "get-directories" (func (result (list (tuple (own $d) string)))))))
"#;

/// Waits, prints, exits, reads the environment and the file `a.txt` in the first folder that it has.
const GUEST: &str = r#"
  (core module $libc (memory (export "memory") 1)
    (data (i32.const 64) "hello\nthere") (data (i32.const 96) "a.txtpipe")
    (global $top (mut i32) (i32.const 2048))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
      (global.set $top (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory $memory) (realloc $realloc)))
  (core func $stdout (canon lower (func $stdout "get-stdout")))
  (core func $exit (canon lower (func $exit "exit")))
  (core func $env (canon lower (func $env "get-environment") (memory $memory) (realloc $realloc)))
  (core func $folders (canon lower (func $folders "get-directories") (memory $memory) (realloc $realloc)))
  (core func $open (canon lower (func $files "[method]descriptor.open-at") (memory $memory) (realloc $realloc)))
  (core func $read (canon lower (func $files "[method]descriptor.read") (memory $memory) (realloc $realloc)))
  (core module $m
    (import "libc" "memory" (memory 1))
    (import "w" "block" (func $block (param i32)))
    (import "w" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "w" "write" (func $write (param i32 i32 i32 i32)))
    (import "w" "stdout" (func $stdout (result i32)))
    (import "w" "exit" (func $exit (param i32)))
    (import "w" "env" (func $env (param i32)))
    (import "w" "folders" (func $folders (param i32)))
    (import "w" "open" (func $open (param i32 i32 i32 i32 i32 i32 i32)))
    (import "w" "read" (func $read (param i32 i64 i64 i32)))
    (func (export "wait") (param i64) (call $block (call $subscribe (local.get 0))))
    (func (export "print") (call $write (call $stdout) (i32.const 64) (i32.const 11) (i32.const 512)))
    (func (export "leave") (param i32) (call $exit (local.get 0)))
    (func (export "variables") (result i32) (call $env (i32.const 512)) (i32.const 512))
    (func (export "folders") (result i32) (call $folders (i32.const 512)) (i32.load (i32.const 516)))
    (func $opened (param $path i32) (param $length i32) (param $how i32) (param $flags i32) (result i32)
      (call $folders (i32.const 512))
      (if (i32.eqz (i32.load (i32.const 516))) (then (return (i32.const 999))))
      (call $open (i32.load (i32.load (i32.const 512))) (i32.const 0) (local.get $path) (local.get $length)
        (local.get $how) (local.get $flags) (i32.const 528))
      (if (result i32) (i32.load8_u (i32.const 528))
        (then (i32.add (i32.const 1) (i32.load8_u (i32.const 532)))) (else (i32.const 0))))
    (func (export "open") (param i32) (result i32)
      (call $opened (i32.const 96) (i32.const 5) (local.get 0)
        (if (result i32) (local.get 0) (then (i32.const 2)) (else (i32.const 1)))))
    (func (export "pipe") (result i32) (call $opened (i32.const 101) (i32.const 4) (i32.const 0) (i32.const 1)))
    (func (export "read") (result i32)
      (drop (call $opened (i32.const 96) (i32.const 5) (i32.const 0) (i32.const 1)))
      (call $read (i32.load (i32.const 532)) (i64.const 100) (i64.const 0) (i32.const 544))
      (i32.const 548)))
  (core instance $i (instantiate $m (with "libc" (instance $libc)) (with "w" (instance
    (export "block" (func $block)) (export "subscribe" (func $subscribe)) (export "write" (func $write))
    (export "stdout" (func $stdout)) (export "exit" (func $exit)) (export "env" (func $env))
    (export "folders" (func $folders)) (export "open" (func $open)) (export "read" (func $read))))))
  (func (export "wait") (param "nanoseconds" u64) (canon lift (core func $i "wait")))
  (func (export "print") (canon lift (core func $i "print")))
  (func (export "leave") (param "status" u32) (canon lift (core func $i "leave")))
  (func (export "variables") (result (list (tuple string string)))
    (canon lift (core func $i "variables") (memory $memory)))
  (func (export "folders") (result u32) (canon lift (core func $i "folders")))
  (func (export "open") (param "how" u32) (result u32) (canon lift (core func $i "open")))
  (func (export "pipe") (result u32) (canon lift (core func $i "pipe")))
  (func (export "read") (result (list u8)) (canon lift (core func $i "read") (memory $memory)))
"#;

fn guest(with: &With) -> Result<Arc<dyn Instance>> {
    logging(with, Log::default())
}

fn logging(with: &With, log: Log) -> Result<Arc<dyn Instance>> {
    let backend = WasmBackend::new(WasmSettings { log, ..WasmSettings::default() });
    start(&backend, &component(&[IMPORTS, GUEST]), with)
}

/// A folder with `a.txt` and a named pipe, and what a guest is started with there.
fn folder(allow: Allow) -> (tempfile::TempDir, With) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("data")).expect("a folder");
    std::fs::write(folder.path().join("data/a.txt"), "text").expect("a file");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.path().join("data/pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .expect("a pipe");
    let root = PathBuf::from(folder.path());
    (folder, With { allow, root: Some(root), ..With::default() })
}

fn list(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

fn within(instance: &Arc<dyn Instance>, name: &str, args: &[Value], time: Duration) -> Result<Value> {
    let deadline = Some(Instant::now() + time);
    let call = Call { args: Args { positional: args, named: &[] }, deadline, ..Call::default() };
    instance.function(name)?.call(call)
}

#[test]
fn nothing_of_the_system_is_there_by_default() {
    let guest = guest(&With::default()).expect("a guest");
    assert_eq!(call(&guest, "variables", &[]).expect("a mapping"), Value::from(Map::new()));
    assert_eq!(call(&guest, "folders", &[]).expect("a number"), Value::Int(0));
    call(&guest, "wait", &[Value::Int(1000)]).expect("clocks are given");
}

#[test]
fn variables_are_seen_as_the_slot_allows() {
    let allow = Allow { env: list(&["PATH", "MODRACK_TEST_NOT_SET"]), ..Allow::default() };
    let guest = guest(&With { allow, ..With::default() }).expect("a guest");
    let path = std::env::var("PATH").expect("a path");
    let wanted = Map::from_iter([(Text::from("PATH"), Value::from(path))]);
    assert_eq!(call(&guest, "variables", &[]).expect("a mapping"), Value::from(wanted));
}

#[test]
fn folders_are_read_and_written_as_the_slot_allows() {
    const NOT_PERMITTED: i64 = 32;
    let (_folder, with) = folder(Allow { read: list(&["data"]), ..Allow::default() });
    let reads = guest(&with).expect("a guest");
    assert_eq!(call(&reads, "read", &[]).expect("bytes"), Value::Bytes(b"text".to_vec().into()));
    assert_eq!(call(&reads, "open", &[Value::Int(8)]).expect("a code"), Value::Int(NOT_PERMITTED));
    let (folder, with) = folder(Allow { write: list(&["data"]), ..Allow::default() });
    let writes = guest(&with).expect("a guest");
    assert_eq!(call(&writes, "open", &[Value::Int(8)]).expect("a code"), Value::Int(0));
    let cut = std::fs::read(folder.path().join("data/a.txt")).expect("a file");
    assert_eq!(cut, b"", "it was opened to be written anew");
}

#[test]
fn what_is_no_folder_cannot_be_allowed() {
    let (_folder, with) = folder(Allow { read: list(&["data/a.txt"]), ..Allow::default() });
    let said =
        "M0112 `allow.read` of `guest` names the file `data/a.txt`, and components are given folders []";
    assert_eq!(told(guest(&with)), said);
    let (_folder, with) = folder(Allow { write: list(&["none"]), ..Allow::default() });
    assert!(told(guest(&with)).starts_with("M0112 `allow.write` of `guest`: `none` cannot be opened"));
}

#[test]
fn waits_end_with_the_time_of_the_call() {
    let hour = [Value::Int(3_600_000_000_000)];
    let one = guest(&With::default()).expect("a guest");
    let got = within(&one, "wait", &hour, Duration::from_millis(20));
    assert_eq!(told(got), "M0508 `wait` took longer than it may []");
    assert!(one.broken());
    let (_folder, with) = folder(Allow { read: list(&["data"]), ..Allow::default() });
    let other = guest(&with).expect("a guest");
    let got = within(&other, "pipe", &[], Duration::from_millis(20));
    assert_eq!(told(got), "M0508 `pipe` took longer than it may []");
}

#[test]
fn waits_end_when_the_call_is_given_up() {
    let cancel = Cancel::default();
    cancel.cancel();
    let hour = [Value::Int(3_600_000_000_000)];
    let call =
        Call { args: Args { positional: &hour, named: &[] }, cancel: Some(&cancel), ..Call::default() };
    let got = guest(&With::default()).expect("a guest").function("wait").expect("a function").call(call);
    assert_eq!(told(got), "M0509 The call was given up []");
}

#[test]
fn a_request_to_exit_ends_the_call() {
    for status in [0, 1] {
        let guest = guest(&With::default()).expect("a guest");
        let got = call(&guest, "leave", &[Value::Int(status)]);
        assert_eq!(told(got), format!("M0507 The module asked to exit (status {status}) []"));
        assert!(guest.broken());
    }
}

#[test]
fn what_is_printed_goes_to_the_log_line_by_line() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let log = {
        let said = said.clone();
        Log::new(move |line| {
            // The backend itself says what it compiled.
            if line.level != LogLevel::Debug {
                said.lock().expect("a lock").push(format!("{} {}", line.level.as_str(), line.message));
            }
        })
    };
    let guest = logging(&With::default(), log).expect("a guest");
    call(&guest, "print", &[]).expect("nothing");
    assert_eq!(*said.lock().expect("a lock"), ["print hello", "print there"]);
}
