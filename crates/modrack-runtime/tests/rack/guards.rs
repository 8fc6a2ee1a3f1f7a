//! What a slot asks to be guarded, held against what its backend can guard.

use expect_test::{Expect, expect};
use modrack_core::{Guard, Guards, Instances, Value};
use modrack_runtime::doubles::Script;

use crate::{rack, shown_all};

#[test]
fn a_guard_that_cannot_be_given_is_an_error_before_anything_runs() {
    let check = |yaml: &str, guards: Guards, expected: Expect| {
        let (rack, backend) = rack(yaml);
        backend.guard(guards);
        let script = Script::new().function("f", |_, _| Ok(Value::Null));
        backend.module("a", script.describe(|about| about.manifest.instances = Some(Instances::One)));
        expected.assert_eq(&shown_all(&rack.slot("a").unwrap().check()));
        assert_eq!(backend.count("start python:a"), 0);
        // What a check finds, loading finds.
        assert_eq!(rack.slot("a").unwrap().pin().is_ok(), rack.slot("a").unwrap().check().is_empty());
    };
    let all = "slots:
  a:
    use: python:a
    limits: { time: 1s, memory: 256MiB, output: 1MiB }
    allow: { read: data, write: [out], net: [], env: [TZ] }
";
    check(
        all,
        Guards::LATE,
        expect![[r#"
        M0110 slot=a module=a phase=check at=rack.yaml:5:25(slots.a.limits.memory)
          `limits.memory` cannot be enforced for a Python module that shares the process
          hint: A WebAssembly component can be held to it; `enforce: best-effort` in the slot does without
        M0110 slot=a module=a phase=check at=rack.yaml:6:14(slots.a.allow.read)
          `allow.read` cannot be enforced for a Python module that shares the process
          hint: A WebAssembly component can be held to it; `enforce: best-effort` in the slot does without
        M0110 slot=a module=a phase=check at=rack.yaml:6:26(slots.a.allow.write)
          `allow.write` cannot be enforced for a Python module that shares the process
          hint: A WebAssembly component can be held to it; `enforce: best-effort` in the slot does without
        M0110 slot=a module=a phase=check at=rack.yaml:6:40(slots.a.allow.net)
          `allow.net` cannot be enforced for a Python module that shares the process
          hint: A WebAssembly component can be held to it; `enforce: best-effort` in the slot does without
        M0110 slot=a module=a phase=check at=rack.yaml:6:49(slots.a.allow.env)
          `allow.env` cannot be enforced for a Python module that shares the process
          hint: A WebAssembly component can be held to it; `enforce: best-effort` in the slot does without
    "#]],
    );
    check(all, Guards::ALL, expect![""]);
    let files = Guards { files: Guard::Held, memory: Guard::Late, ..Guards::LATE };
    check(
        all,
        files,
        expect![[r#"
        M0110 slot=a module=a phase=check at=rack.yaml:6:40(slots.a.allow.net)
          `allow.net` cannot be enforced for a Python module that shares the process
          hint: A WebAssembly component can be held to it; `enforce: best-effort` in the slot does without
        M0110 slot=a module=a phase=check at=rack.yaml:6:49(slots.a.allow.env)
          `allow.env` cannot be enforced for a Python module that shares the process
          hint: A WebAssembly component can be held to it; `enforce: best-effort` in the slot does without
    "#]],
    );
    check(&format!("{all}    enforce: best-effort\n"), Guards::LATE, expect![""]);
    check(
        "defaults: { limits: { memory: 1GiB } }\nslots: { a: { use: 'python:a' } }\n",
        Guards::LATE,
        expect![[r#"
            M0110 slot=a module=a phase=check at=rack.yaml:3:10(slots.a)
              `limits.memory` of `defaults` cannot be enforced for a Python module that shares the process
              hint: A WebAssembly component can be held to it; `enforce: best-effort` in the slot does without
        "#]],
    );
    check(
        "slots: { a: { use: 'python:a', instances: shared } }\n",
        Guards::ALL,
        expect![[r#"
        M0110 slot=a module=a phase=check at=rack.yaml:2:43(slots.a.instances)
          `instances: shared` cannot be had: the module itself says `instances: one`
          hint: An instance of it takes one call at a time: write `one`, `pool(4)` or `per-call`, or leave the key out
    "#]],
    );
    check("slots: { a: { use: 'python:a', instances: pool(2) } }\n", Guards::ALL, expect![""]);
}
