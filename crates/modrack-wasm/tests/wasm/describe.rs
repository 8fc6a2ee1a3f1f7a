//! What is read of a component, and what is refused before anything of it runs.

use modrack_core::{Backend, Instances, Language, Origin, Result};
use modrack_wasm::WasmBackend;

use crate::guests::{ADD, ECHO, TYPES, backend, component, shown};

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
