//! What is read of a component, and what is refused before anything of it runs.

use modrack_core::{Backend, Instances, Language, Map, Origin, Result, Text, Value};
use modrack_wasm::WasmBackend;

use crate::guests::{ADD, ECHO, TYPES, With, backend, call, component, shown, start, start_described, told};

fn source(text: &str) -> Origin {
    Origin::Source { name: "guest".into(), language: Language::Wat, text: text.into() }
}

fn refused(backend: &WasmBackend, origin: &Origin) -> String {
    match backend.describe(origin) {
        Ok(_) => "no error".into(),
        Err(error) => shown(&error),
    }
}

#[test]
fn functions_have_the_names_and_types_of_callers() -> Result<()> {
    let guest = r#"(func (export "unit-price") (param "item-id" string) (result (result $value (error $error)))
      (canon lift (core func $i "ok") (memory $memory) (realloc $realloc)))"#;
    let described = backend().describe(&component(&[
        TYPES,
        ECHO,
        ADD.replace("$m", "$n").replace("$i", "$j").as_str(),
        guest,
    ]))?;
    let functions: Vec<_> =
        described.functions.iter().map(|f| format!("{}{}", f.name, f.signature)).collect();
    assert_eq!(functions, ["add(a: int, b: int) -> int", "unit_price(item_id: text)"]);
    assert_eq!(described.manifest.instances, Some(Instances::One));
    Ok(())
}

#[test]
fn a_manifest_is_read_from_its_section() -> Result<()> {
    let section = r#"(@custom "modrack" "name = \"sums\"\nversion = \"1.2.0\"\ninstances = \"pool(4)\"\n")"#;
    let described = backend().describe(&component(&[ADD, section]))?;
    assert_eq!((described.name.as_str(), described.manifest.instances), ("sums", Some(Instances::Pool(4))));
    let bad = backend().describe(&component(&[ADD, r#"(@custom "modrack" "instances = \"many\"")"#]));
    assert!(bad.is_err_and(|error| error.code().as_str() == "M0308"));
    Ok(())
}

#[test]
fn a_contract_is_told_by_the_interface() -> Result<()> {
    let export = |name: &str| {
        format!(r#"{ADD} (instance $x (export "add" (func 0))) (export "{name}" (instance $x))"#)
    };
    let described = backend().describe(&component(&[&export("modrack:plugin/plugin@1.0.0")]))?;
    assert_eq!(described.manifest.contract.as_deref(), Some("plugin@1"));
    assert_eq!(
        refused(&backend(), &component(&[&export("modrack:plugin/plugin@2.0.0")])),
        "M0306 `<guest>` exports `modrack:plugin/plugin@2.0.0`, which is not spoken here []"
    );
    Ok(())
}

#[test]
fn what_a_contracts_function_does_the_contract_says() -> Result<()> {
    let guest = r#"(func $f (param "input" $value) (result (result $value (error $error)))
        (canon lift (core func $i "ok") (memory $memory) (realloc $realloc)))
      (instance $x (export "transform" (func $f)))
      (export "modrack:transform/transform@1.0.0" (instance $x))"#;
    let doc = |section: &str| -> Result<Option<String>> {
        let described = backend().describe(&component(&[TYPES, ECHO, guest, section]))?;
        Ok(described.function("transform").and_then(|function| function.doc.clone()))
    };
    let promised = doc("")?.expect("the contract says something");
    assert!(promised.starts_with("Takes a row, a batch"), "{promised}");
    let own = r#"(@custom "modrack" "wit = 'package a:b; world module { /** Back. */ export transform: func(); }'")"#;
    assert_eq!(doc(own)?.as_deref(), Some("Back."), "its own section comes first");
    Ok(())
}

/// What a layer imports: the call, and the resource that it goes on with.
const LAYER: &str = r#"
  (import "modrack:layer/types@1.0.0" (instance $layer
    (alias outer 1 $value (type $v')) (export "value" (type $v (eq $v')))
    (alias outer 1 $error (type $e')) (export "error" (type $e (eq $e')))
    (type $call' (record (field "slot" string) (field "function" string) (field "args" (list $v))
      (field "named" (list (tuple string $v)))))
    (export "call" (type $call (eq $call')))
    (export "next" (type $next (sub resource)))
    (export "[method]next.call" (func (param "self" (borrow $next)) (param "args" (list $v))
      (result (result $v (error $e)))))))
  (alias export $layer "call" (type $call))
  (alias export $layer "next" (type $next))
"#;

#[test]
fn a_layer_may_import_what_its_contract_has() -> Result<()> {
    let around = r#"
      (core func $go-on (canon lower (func $layer "[method]next.call") (memory $memory) (realloc $realloc)))
      (core module $around (import "h" "go-on" (func $go-on (param i32 i32 i32 i32)))
        (func (export "around") (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
          (call $go-on (local.get 8) (i32.const 0) (i32.const 0) (i32.const 512)) (i32.const 512)))
      (core instance $a (instantiate $around (with "h" (instance (export "go-on" (func $go-on))))))
      (func $f (param "call" $call) (param "next" (borrow $next)) (result (result $value (error $error)))
        (canon lift (core func $a "around") (memory $memory) (realloc $realloc)))
      (instance $x (export "around" (func $f)))
      (export "modrack:layer/around@1.0.0" (instance $x))"#;
    let backend = backend();
    let origin = component(&[TYPES, LAYER, ECHO, around]);
    let described = backend.describe(&origin)?;
    assert_eq!(described.manifest.contract.as_deref(), Some("layer@1"));
    let instance = start(&backend, &origin, &With::default())?;
    // Nothing but a layer in use has a call to go on with.
    let call = [
        ("slot", Value::from("a")),
        ("function", Value::from("b")),
        ("args", Value::List(Vec::new())),
        ("named", Value::from(Map::new())),
    ];
    let of_call = call.into_iter().map(|(key, value)| (Text::from(key), value)).collect::<Map>();
    let got = crate::guests::call(&instance, "around", &[Value::from(of_call), Value::Null]);
    assert_eq!(told(got), "M0503 `next` takes `next`, not `null` []");
    Ok(())
}

#[test]
fn a_component_may_import_types_of_whatever_interface() -> Result<()> {
    let guest = r#"(import "acme:shapes/types@1.0.0" (instance $types
        (type $point' (record (field "x" s32))) (export "point" (type (eq $point')))))
      (import "modrack:layer/types@1.0.0" (instance (type $s (list string)) (export "slots" (type (eq $s)))))"#;
    let backend = backend();
    let origin = component(&[ADD, guest]);
    assert_eq!(backend.describe(&origin)?.functions.len(), 1);
    start(&backend, &origin, &With::default())?;
    Ok(())
}

#[test]
fn a_core_module_is_no_component() {
    assert_eq!(
        refused(&backend(), &source("(module)")),
        "M0313 `<guest>` is a core WebAssembly module, not a component []"
    );
}

#[test]
fn imports_that_are_not_given_are_named() {
    let guest = r#"(import "wasi:http/handler@0.2.6" (instance (export "print" (func))))
      (import "acme:a/b@1.0.0" (instance (export "go" (func))))"#;
    assert_eq!(
        refused(&backend(), &component(&[guest])),
        "M0315 `<guest>` imports what it is not given: `wasi:http/handler@0.2.6`, `acme:a/b@1.0.0` []"
    );
}

#[cfg(not(feature = "wasi"))]
#[test]
fn wasi_is_not_given_without_its_feature() {
    let guest = r#"(import "wasi:cli/exit@0.2.6" (instance (export "exit" (func))))"#;
    let error = backend().describe(&component(&[guest])).expect_err("not given");
    assert_eq!(shown(&error), "M0315 `<guest>` imports what it is not given: `wasi:cli/exit@0.2.6` []");
    assert!(error.hint_text().is_some_and(|hint| hint.contains("the feature `wasi`")), "{error:?}");
}

#[test]
fn text_that_is_wrong_has_its_line() {
    let error = backend().describe(&source("(component\n  (func banana))")).expect_err("wrong");
    assert_eq!(error.code().as_str(), "M0314");
    assert_eq!(error.place_of().and_then(|place| place.line), Some(2), "{error:?}");
}

#[test]
fn a_component_cut_short_or_changed_is_an_error_and_never_more() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("x.wasm");
    let text = format!(
        "(component {TYPES} {ECHO} (func (export \"f\") (param \"it\" string) (result string)
      (canon lift (core func $i \"echo\") (memory $memory) (realloc $realloc))))"
    );
    let whole = wat::parse_str(text).expect("a component");
    let origin = Origin::File { path: path.clone(), attr: None };
    let backend = backend();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length])?;
        let error = backend.describe(&origin);
        // What was cut at the end of a section may be a component with less in it.
        if let Err(error) = error {
            let code = error.code().as_str();
            assert!(matches!(code, "M0314" | "M0315"), "{length}: {error:?}");
            assert!(error.place_of().is_some() && error.hint_text().is_some());
        }
    }
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        std::fs::write(&path, &changed)?;
        if let Err(error) = backend.describe(&origin) {
            let code = error.code().as_str();
            assert!(matches!(code, "M0306" | "M0313" | "M0314" | "M0315"), "{at}: {error:?}");
        }
    }
    Ok(())
}

#[test]
fn what_is_started_is_what_was_described() {
    // More than are remembered while nothing uses them.
    const OTHERS: usize = 65;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("it.wat");
    let write = |code: &str| std::fs::write(&path, format!("(component\n{code}\n)")).expect("it is written");
    let origin = Origin::File { path: path.clone(), attr: None };
    for was_started in [true, false] {
        write(ADD);
        let backend = backend();
        let description = backend.describe(&origin).expect("it is described");
        // As calls that have an instance each: between them there is what instances share, and none of them.
        let mut shared = None;
        let mut sum = || {
            let instance = start_described(&backend, &origin, &description, &With::default())?;
            shared = shared.take().or_else(|| instance.shared());
            call(&instance, "add", &[Value::Int(2), Value::Int(3)])
        };
        if was_started {
            assert_eq!(sum().expect("a sum"), Value::Int(5));
        }
        for number in 0..OTHERS {
            let version = format!(r#"(@custom "modrack" "version = \"1.0.{number}\"")"#);
            backend.describe(&component(&[ADD, &version])).expect("it is described");
        }
        write(&ADD.replace("i64.add", "i64.mul"));
        if was_started {
            assert_eq!(sum().expect("a sum"), Value::Int(5), "the code that it began with");
        } else {
            assert_eq!(told(sum()), "M0418 `it.wat` changed while it was loaded []");
        }
    }
}
