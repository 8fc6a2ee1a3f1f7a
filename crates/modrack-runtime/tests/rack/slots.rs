//! Slots: where one may be named, what fills them, what can be known of them before anything runs.

use expect_test::{Expect, expect};
use modrack_core::plan::{Limits, SlotPlan, SlotRef};
use modrack_core::{BackendName, Call, Code, SlotName, Use, Value};
use modrack_runtime::doubles::Script;

use crate::{rack, shown, shown_all, text};

fn nothing() -> Script {
    Script::new().function("f", |_, _| Ok(Value::Null))
}

#[test]
fn a_slot_is_declared_or_any_use_text() {
    let (rack, backend) = rack("slots: { clean: { use: 'python:a' } }\n");
    let check = |text: &str, expected: Expect| {
        let slot = rack.slot(text);
        expected.assert_eq(&slot.map_or_else(|error| shown(&error), |slot| slot.name().to_string()));
    };
    check("clean", expect!["clean"]);
    check("python:other:f", expect!["python:other:f"]);
    check("./x.py:Name", expect!["./x.py:Name"]);
    check(
        "clen",
        expect![[r#"
        M0106
          There is no slot `clen`
          hint: Did you mean `clean`?
    "#]],
    );
    check(
        "something",
        expect![[r#"
        M0106
          There is no slot `something`
          hint: The rack has `clean`
    "#]],
    );
    check(
        "two words",
        expect![[r#"
        M0106
          There is no slot `two words`
          hint: The rack has `clean`
    "#]],
    );
    check(
        "python:",
        expect![[r#"
        M0205
          `python:` cannot be used: what follows `python:` is not a dotted module name
          hint: Write a path (`./x.py:Name`), `python:pkg.mod:attr`, or a name of the catalog
    "#]],
    );
    assert!(backend.record().is_empty(), "naming a slot touches nothing");
    // One text is one slot.
    backend.module("other", nothing());
    rack.slot("python:other").unwrap().pin().unwrap();
    rack.slot("python:other").unwrap().pin().unwrap();
    assert_eq!(backend.count("start python:other"), 1);
}

#[test]
fn the_main_function_is_the_slots_the_contracts_the_manifests_or_the_only_one() {
    let (rack, backend) = rack(
        "slots:
  named: { use: 'python:several', function: second }
  contract: { use: 'python:plugin' }
  manifest: { use: 'python:manifest' }
  only: { use: 'python:only' }
  several: { use: 'python:several' }
  none: { use: 'python:none' }
  alone: { use: 'python:only:f' }
  dynamic: { use: 'python:dynamic' }
",
    );
    let with = |names: &[&str]| {
        names.iter().fold(Script::new(), |script, name| {
            let given = text(name);
            script.function(name, move |_, _| Ok(given.clone()))
        })
    };
    backend.module("several", with(&["first", "second"]));
    backend.module("plugin", with(&["helper", "initialize", "execute", "shutdown"]));
    backend.module("manifest", with(&["a", "b"]).describe(|d| d.manifest.function = Some("b".into())));
    backend.module("only", with(&["initialize", "f"]));
    backend.module("none", Script::new().attribute("pi", 3.0));
    let check = |slot: &str, expected: Expect| {
        let slot = rack.slot(slot).unwrap();
        let known = slot.main_function();
        let called = slot.function(None).and_then(|f| f.call(Call::new(&[])));
        if let (Ok(known), Ok(called)) = (&known, &called) {
            assert_eq!(called.as_text(), Some(known.as_str()));
        }
        expected.assert_eq(&known.unwrap_or_else(|error| shown(&error)));
    };
    check("named", expect!["second"]);
    check("contract", expect!["execute"]);
    check("manifest", expect!["b"]);
    check("only", expect!["f"]);
    check("alone", expect!["f"]);
    check(
        "several",
        expect![[r#"
        M0312 slot=several module=several phase=check at=rack.yaml:7:19(slots.several.use)
          The module has several public functions and no main one
          hint: Name one of `first` and `second`, in the call or as `function:` of the slot
    "#]],
    );
    check(
        "none",
        expect![[r#"
        M0312 slot=none module=none phase=check at=rack.yaml:8:16(slots.none.use)
          The module has no public function
          hint: Add one, or name a class or function behind the path: `./x.py:Name`
    "#]],
    );
    // What is not known before it runs is asked of the module.
    backend.module("dynamic", with(&["only"]).unlisted().attribute("pi", 3.0));
    assert_eq!(rack.slot("dynamic").unwrap().function(None).unwrap().name().unwrap(), "only");
    check(
        "dynamic",
        expect![[r#"
            M0312 slot=dynamic module=dynamic phase=check at=rack.yaml:10:19(slots.dynamic.use)
              No public function is known of the module before it runs
              hint: Name one, in the call or as `function:` of the slot
        "#]],
    );
}

#[test]
fn a_check_finds_everything_and_runs_nothing() {
    let (rack, backend) = rack(
        "slots:
  good: { use: 'python:good' }
  params: { use: 'python:params', params: { width: 3, hight: 4 } }
  function: { use: 'python:good', function: g }
  contract: { use: 'python:good', contract: transform@7 }
  requires: { use: 'python:requires' }
  missing: { use: 'python:nowhere' }
  needs: { use: 'python:good', needs: { x: './no.py' } }
  broken: { use: './rack.wasm' }
",
    );
    backend.module("good", nothing());
    backend.module("params", nothing().params(&["width", "height"]));
    backend.module("requires", nothing().describe(|d| d.manifest.requires = vec!["numpy >= 2".into()]));
    expect![[r#"
        M0307 slot=params module=params phase=check at=rack.yaml:4:55(slots.params.params.hight)
          There is no parameter `hight`
          hint: Drop it
        M0501 slot=function module=good phase=check at=rack.yaml:5:45(slots.function.function)
          The module has no function `g`
          hint: It has `f`
        M0311 slot=contract module=good phase=check at=rack.yaml:6:45(slots.contract.contract)
          The contract `transform` is expected in version ^7, found 1.0.0
          hint: Ask for a version that is there, or use a modrack that has it
        M0309 slot=requires module=requires phase=check at=rack.yaml:7:20(slots.requires.use)
          `numpy >= 2` is not there
          hint: Install it
        M0201 slot=missing phase=check at=rack.yaml:8:19(slots.missing.use)
          There is no script `nowhere`
          hint: Add it
        M0201 slot=broken phase=find at=rack.yaml:10:18(slots.broken.use)
          `rack.wasm` does not exist
          hint: There is no folder `/nowhere` either
        M0201 slot=./no.py phase=find at=rack.yaml:9:41(slots.needs.needs.x)
          `no.py` does not exist
          hint: There is no folder `/nowhere` either
    "#]]
    .assert_eq(&shown_all(&rack.check()));
    assert!(backend.record().iter().all(|entry| entry.starts_with("describe ")));
    // What a check finds keeps a slot from being started.
    let error = rack.slot("params").unwrap().pin().err().unwrap();
    assert_eq!(error.code(), Code::BadParams);
    assert_eq!(backend.count("start python:params"), 0);
}

#[test]
fn what_is_injected_is_known_before_anything_runs() {
    let (rack, _) = rack(
        "slots:
  a: { use: 'python:a', needs: { b: b } }
  b: { use: 'python:b', needs: { c: 'native:./c' } }
  d: { use: 'python:d' }
",
    );
    let needed = |slot: &str| rack.backends_needed(&[rack.slot(slot).unwrap()]);
    assert_eq!(needed("d").unwrap().into_iter().collect::<Vec<_>>(), [BackendName::Python]);
    assert_eq!(needed("a").unwrap_err().code(), Code::ModuleNotFound);
}

#[test]
fn a_slot_in_place_is_declared_once() {
    let (rack, backend) = rack("slots: { a: { use: 'python:a' } }\n");
    backend.module("a", nothing());
    let plan = |name: &str, use_text: &str| SlotPlan {
        name: SlotName::parse(name).unwrap(),
        ..SlotPlan::undeclared(use_text, Use::parse(use_text).unwrap(), Limits::default())
    };
    let slot = rack.declare(plan("delays/late", "python:a")).unwrap();
    slot.pin().unwrap();
    let again = rack.declare(plan("delays/late", "python:a")).unwrap();
    assert!(again.is_loaded());
    let error = rack.declare(plan("delays/late", "python:b")).err().unwrap();
    expect![[r#"
        M0107 slot=delays/late
          There is a slot `delays/late` already
          hint: Give it another name
    "#]]
    .assert_eq(&shown(&error));
    let found = rack.slot_ref(&SlotRef::Declared(SlotName::parse("delays/late").unwrap())).unwrap();
    assert!(found.is_loaded());
    let names: Vec<_> = rack.slots().iter().map(|slot| slot.name().to_string()).collect();
    assert_eq!(names, ["a", "delays/late"]);
}
