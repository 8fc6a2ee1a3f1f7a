//! Contracts: those that come with modrack, those of a rack, and whether a module fits one.

use std::path::PathBuf;

use expect_test::{Expect, expect};
use modrack_core::contract::{ContractRef, Contracts};
use modrack_core::{ClassInfo, Description, Entry, FunctionInfo, Param, ParamKind, Place, Signature, Type};

use crate::text::show;

#[test]
fn every_contract_is_read() {
    let mut shown = String::new();
    for contract in Contracts::built_in().iter() {
        shown += &format!("{contract}: {:?}\n", contract.alternatives);
        for function in &contract.functions {
            let optional = if function.optional { " (optional)" } else { "" };
            shown += &format!("  {}{}{optional}\n", function.info.name, function.info.signature);
        }
    }
    expect![[r#"
        plugin@1.0.0: []
          execute(*args: list<any>)
          initialize(config) -> null (optional)
          shutdown() -> null (optional)
          export_state() (optional)
          import_state(state, from_version: option<text>) -> null (optional)
        transform@1.0.0: []
          transform(input)
          finish() (optional)
          initialize(config) -> null (optional)
          shutdown() -> null (optional)
          export_state() (optional)
          import_state(state, from_version: option<text>) -> null (optional)
        runnable@1.0.0: []
          run(*args: list<any>)
          initialize(config) -> null (optional)
          shutdown() -> null (optional)
          export_state() (optional)
          import_state(state, from_version: option<text>) -> null (optional)
        formatter@1.0.0: []
          format(data)
          initialize(config) -> null (optional)
          shutdown() -> null (optional)
        analyzer@1.0.0: []
          analyze(file: { path: text, text: text }) -> list<{ message: text, line: option<int>, column: option<int>, severity: option<text>, code: option<text> }>
          finish() (optional)
          initialize(config) -> null (optional)
          shutdown() -> null (optional)
        error-handler@1.0.0: []
          handle(error: { kind: text, code: text, class: option<text>, message: text, slot: text, function: text, args: list<any>, attempt: int })
          initialize(config) -> null (optional)
          shutdown() -> null (optional)
          export_state() (optional)
          import_state(state, from_version: option<text>) -> null (optional)
        metric@1.0.0: []
          metric(call: { result: any, args: list<any>, error: option<text>, seconds: float }) -> option<float>
          initialize(config) -> null (optional)
          shutdown() -> null (optional)
        source@1.0.0: []
          read() -> stream<any>
          initialize(config) -> null (optional)
          shutdown() -> null (optional)
          export_state() (optional)
          import_state(state, from_version: option<text>) -> null (optional)
        sink@1.0.0: []
          write(rows) -> null
          finish() (optional)
          initialize(config) -> null (optional)
          shutdown() -> null (optional)
        layer@1.0.0: [["before"], ["after"]]
          around(call: { slot: text, function: text, args: list<any>, named: map<any> }, next: next)
          before(call: { slot: text, function: text, args: list<any>, named: map<any> }) -> option<list<any>> (optional)
          after(call: { slot: text, function: text, args: list<any>, named: map<any> }, result) (optional)
          initialize(config) -> null (optional)
          shutdown() -> null (optional)
          export_state() (optional)
          import_state(state, from_version: option<text>) -> null (optional)
        source-transform@1.0.0: []
          rewrite(file: { path: text, text: text }) -> text
          initialize(config) -> null (optional)
          shutdown() -> null (optional)
    "#]].assert_eq(&shown);
}

/// A module's function, as Python would declare it: `name(a: int, b=1, *args, key) -> str`.
fn function(text: &str) -> FunctionInfo {
    let (name, rest) = text.split_once('(').expect("a parameter list");
    let (params, result) = rest.split_once(')').expect("a closed parameter list");
    let mut by_name = false;
    let params = params.split(',').map(str::trim).filter(|param| !param.is_empty());
    let params = params.filter_map(|param| {
        if param == "*" {
            by_name = true;
            return None;
        }
        let (param, default) = match param.split_once('=') {
            Some((param, default)) => (param, Some(default.to_owned())),
            None => (param, None),
        };
        let (name, annotation) = match param.split_once(':') {
            Some((name, annotation)) => (name, Some(annotation.trim().to_owned())),
            None => (param, None),
        };
        let kind = match name {
            name if name.starts_with("**") => ParamKind::NamedRest,
            name if name.starts_with('*') => ParamKind::Rest,
            _ if by_name => ParamKind::Named,
            _ => ParamKind::Either,
        };
        let ty = annotation.as_deref().map_or(Type::Any, ty);
        Some(Param { name: name.trim_start_matches('*').into(), ty, kind, default, annotation })
    });
    let params = params.collect();
    let annotation = result.trim().strip_prefix("->").map(|result| result.trim().to_owned());
    FunctionInfo {
        name: name.into(),
        signature: Signature {
            params,
            result: annotation.as_deref().map_or(Type::Any, ty),
            result_annotation: annotation,
            is_async: false,
            is_generator: false,
        },
        doc: None,
        place: Some(Place::line("m.py", 3)),
    }
}

fn ty(annotation: &str) -> Type {
    match annotation {
        "None" => Type::Null,
        "bool" => Type::Bool,
        "int" => Type::Int,
        "float" => Type::Float,
        "str" => Type::Text,
        "bytes" => Type::Bytes,
        "list" => Type::List(Box::new(Type::Any)),
        "dict" => Type::Map(Box::new(Type::Any)),
        "int | None" => Type::Option(Box::new(Type::Int)),
        "list[int]" => Type::List(Box::new(Type::Int)),
        "list[str]" => Type::List(Box::new(Type::Text)),
        class => Type::Class(class.into()),
    }
}

/// The class `Module` with these methods, in `m.py`.
fn module(functions: &[&str]) -> Description {
    Description {
        name: "m".into(),
        entry: Entry::Class("Module".into()),
        functions: functions.iter().map(|text| function(text)).collect(),
        classes: vec![ClassInfo {
            name: "Module".into(),
            place: Some(Place::line("m.py", 1)),
            ..ClassInfo::default()
        }],
        files: vec!["m.py".into()],
        ..Description::default()
    }
}

fn contract_ref(text: &str) -> ContractRef {
    ContractRef::parse(text).expect("a contract's name")
}

/// Checks in what a module does not fit a contract.
fn check_fit(contracts: &Contracts, contract: &str, module: &Description, expected: Expect) {
    let contract = contracts.find(&contract_ref(contract)).unwrap_or_else(|error| panic!("{error:?}"));
    let shown: String = match contract.fit(module) {
        errors if errors.is_empty() => "fits\n".into(),
        errors => errors.iter().map(show).collect(),
    };
    expected.assert_eq(&shown);
}

/// Checks what a rack's own contracts are read as, or what is wrong with them.
fn check_wit(texts: &[&str], expected: Expect) {
    let shown = match with(texts) {
        Ok(contracts) => {
            let own = contracts.iter().filter(|contract| !contract.is_built_in());
            own.map(|contract| {
                let functions = contract.functions.iter().map(|function| {
                    let optional = if function.optional { " (optional)" } else { "" };
                    format!("  {}{}{optional}\n", function.info.name, function.info.signature)
                });
                format!(
                    "{contract} of {}: {:?}\n{}",
                    contract.package,
                    contract.doc,
                    functions.collect::<String>()
                )
            })
            .collect()
        }
        Err(error) => show(&error),
    };
    expected.assert_eq(&shown);
}

fn with(texts: &[&str]) -> modrack_core::Result<Contracts> {
    let texts: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| (PathBuf::from(format!("contracts/{index}.wit")), (*text).to_owned()))
        .collect();
    Contracts::built_in().with(&texts)
}

const PRICING: &str = "/// Prices.
package acme:pricing@1.2.0;

interface pricing {
    use modrack:types/values@1.0.0.{value, table};

    record line { item-id: string, count: u32, note: option<string> }
    enum region { eu, us }

    /// The price of a line.
    unit-price: func(line: line, region: region) -> result<f64, string>;
    all-of: func(lines: list<line>, rates: list<tuple<string, f64>>, raw: list<u8>) -> table;
}

interface extras {
    describe: func(code: s64) -> string;
}

world module { export pricing; }
world optional { export extras; }
";

#[test]
fn a_racks_own_contracts_are_read() {
    check_wit(
        &[PRICING],
        expect![[r#"
        pricing@1.2.0 of acme:pricing: Some("Prices.")
          unit_price(line: { item_id: text, count: int, note: option<text> }, region: enum { eu, us }) -> result<float, text>
          all_of(lines: list<{ item_id: text, count: int, note: option<text> }>, rates: map<float>, raw: bytes) -> table
          describe(code: int) -> text (optional)
    "#]],
    );
    // An interface alone is enough.
    check_wit(
        &["package a:b@0.1.0;\ninterface calls { go: func(); }\n"],
        expect![[r#"
        b@0.1.0 of a:b: None
          go() -> null
    "#]],
    );
    // One text may refer to another, whatever their order.
    check_wit(
        &[
            "package a:b@1.0.0;\ninterface b { use a:c/shapes@1.0.0.{shape}; area: func(of: shape) -> f64; }\n",
            "package a:c@1.0.0;\ninterface shapes { record shape { w: f32 } of: func(name: string) -> shape; }\n",
        ],
        expect![[r#"
            b@1.0.0 of a:b: None
              area(of: { w: float }) -> float
            c@1.0.0 of a:c: None
              of(name: text) -> { w: float }
        "#]],
    );
}

#[test]
fn wit_that_is_wrong_has_its_place() {
    check_wit(
        &["package a:b@1.0.0;\ninterface b {\n    go: func(x: strin);\n}\n"],
        expect![[r#"
            contracts/0.wit:3:17: This is not valid WIT: name `strin` does not exist [M0310]
                hint: https://component-model.bytecodealliance.org/design/wit.html says how WIT is written
        "#]],
    );
    check_wit(
        &["package a:b@1.0.0;\ninterface b {\n    go func();\n}\n"],
        expect![[r#"
            contracts/0.wit:3:8: This is not valid WIT: expected `:`, found keyword `func` [M0310]
                hint: https://component-model.bytecodealliance.org/design/wit.html says how WIT is written
        "#]],
    );
    check_wit(
        &["interface b { go: func(); }\n"],
        expect![[r#"
            contracts/0.wit: This is not valid WIT: no `package` header was found in any WIT file for this package [M0310]
                hint: https://component-model.bytecodealliance.org/design/wit.html says how WIT is written
        "#]],
    );
    check_wit(
        &["package a:b;\ninterface b { go: func(); }\n"],
        expect![[r#"
        contracts/0.wit: The package `a:b` has no version [M0310]
            hint: Write the version after the name: `package acme:pricing@1.0.0;`
    "#]],
    );
    check_wit(
        &["package a:b@1.0.0;\ninterface x { go: func(); }\ninterface y { go: func(); }\n"],
        expect![[r#"
            contracts/0.wit: It is not clear which interface of `a:b@1.0.0` is the contract [M0310]
                hint: Name the interface as the package, or export what must be there from `world module`
        "#]],
    );
    check_wit(
        &["package a:b@1.0.0;\ninterface b { }\n"],
        expect![[r#"
        contracts/0.wit: The contract `a:b@1.0.0` has no function [M0310]
            hint: Add a function: `run: func();`
    "#]],
    );
    check_wit(
        &["package a:b@1.0.0;\ninterface b { use c:d/e@1.0.0.{f}; go: func(); }\n"],
        expect![[r#"
            contracts/0.wit:2:19: There is no WIT package `c:d@1.0.0` [M0310]
                hint: Add the file that has it to `contracts:`, or correct the name and version
        "#]],
    );
    check_wit(
        &["package modrack:transform@1.0.0;\ninterface transform { go: func(); }\n"],
        expect![[r#"
        contracts/0.wit: There is a contract `transform@1.0.0` already [M0107]
            hint: Give the package another name or version
    "#]],
    );
    check_wit(
        &["", "package a:b@1.0.0;\ninterface b { \u{0} }"],
        expect![[r#"
            contracts/0.wit: This is not valid WIT: no `package` header was found in any WIT file for this package [M0310]
                hint: https://component-model.bytecodealliance.org/design/wit.html says how WIT is written
            contracts/1.wit:2:15: This is not valid WIT: control code `\u{0}` [M0310]
                hint: https://component-model.bytecodealliance.org/design/wit.html says how WIT is written
        "#]],
    );
    check_wit(
        &[PRICING, PRICING],
        expect![[r#"
            contracts/0.wit:2:9: The WIT package `acme:pricing@1.2.0` is there twice [M0107]
                hint: Give one of the two another name or version (it is in contracts/1.wit:2:9 too)
        "#]],
    );
}

#[test]
fn a_contract_is_found_by_name_and_version() {
    let contracts = with(&[PRICING]).unwrap_or_else(|error| panic!("{error:?}"));
    let find = |text: &str| match contracts.find(&contract_ref(text)) {
        Ok(contract) => contract.to_string(),
        Err(error) => format!("{error}; {}", error.hint_text().unwrap_or_default()),
    };
    let shown: Vec<_> = [
        "transform",
        "transform@1",
        "pricing@1",
        "pricing@^1.2",
        "transform@2",
        "pricing@1.3",
        "transfrom",
        "nothing",
    ]
    .map(find)
    .into();
    expect![[r#"
        transform@1.0.0
        transform@1.0.0
        pricing@1.2.0
        pricing@1.2.0
        The contract `transform` is expected in version ^2, found 1.0.0 [M0311]; Ask for a version that is there, or use a modrack that has it
        The contract `pricing` is expected in version ^1.3, found 1.2.0 [M0311]; Ask for a version that is there, or use a modrack that has it
        There is no contract `transfrom` [M0311]; Did you mean `transform`?
        There is no contract `nothing` [M0311]; There are `pricing`, `plugin`, `transform`, `runnable`, `formatter`, `analyzer`, `error-handler`, `metric`, `source`, `sink`, `layer`, `source-transform`; `contracts:` adds your own
    "#]].assert_eq(&(shown.join("\n") + "\n"));
}

#[test]
fn a_module_that_has_the_functions_fits() {
    let contracts = Contracts::built_in();
    for (contract, functions) in [
        ("transform", &["transform(row)"] as &[&str]),
        ("transform", &["transform(x: dict) -> dict", "finish() -> list"]),
        ("transform", &["transform(row: Row, strict=True) -> Row", "initialize()", "helper(a, b, c)"]),
        ("transform", &["transform(*args)"]),
        ("plugin", &["execute()"]),
        ("plugin", &["execute(a: int, b: int) -> int", "initialize(config: dict)", "shutdown()"]),
        ("runnable", &["run()"]),
        ("metric", &["metric(result, seconds) -> float"]),
        ("metric", &["metric(**call)"]),
        ("metric", &["metric(call)"]),
        ("analyzer", &["analyze(path: str) -> list"]),
        ("error-handler", &["handle(e)"]),
        ("layer", &["around(call, next)"]),
        ("layer", &["before(call)"]),
        ("source", &["read() -> Iterator"]),
        ("sink", &["write(batch) -> int"]),
    ] {
        check_fit(
            contracts,
            contract,
            &module(functions),
            expect![[r#"
            fits
        "#]],
        );
    }
}

#[test]
fn a_function_that_is_missing_is_named() {
    let contracts = Contracts::built_in();
    check_fit(
        contracts,
        "transform",
        &module(&["transfrom(row)"]),
        expect![[r#"
        m.py:1: The class `Module` has no `transform`, which the contract `transform@1.0.0` asks for [M0305]
            hint: Did you mean `transform` where the module has `transfrom`?
    "#]],
    );
    check_fit(
        contracts,
        "plugin",
        &module(&[]),
        expect![[r#"
        m.py:1: The class `Module` has no `execute`, which the contract `plugin@1.0.0` asks for [M0305]
            hint: Add `execute(*args: list<any>)`
    "#]],
    );
    check_fit(
        contracts,
        "layer",
        &module(&["around_(call)"]),
        expect![[r#"
        m.py:1: The class `Module` has no `around`, which the contract `layer@1.0.0` asks for [M0305]
            hint: Did you mean `around` where the module has `around_`?
    "#]],
    );
    // What is known only when it runs may be there.
    check_fit(
        contracts,
        "transform",
        &Description { open: true, ..module(&[]) },
        expect![[r#"
        fits
    "#]],
    );
    check_fit(
        contracts,
        "transform",
        &Description { entry: Entry::Factory("make".into()), ..module(&[]) },
        expect![[r#"
            fits
        "#]],
    );
    // A function that fills a slot by itself is the main one, whatever its name.
    let alone = Description { entry: Entry::Function("late".into()), ..module(&["late(row)"]) };
    check_fit(
        contracts,
        "transform",
        &alone,
        expect![[r#"
        fits
    "#]],
    );
}

#[test]
fn a_function_that_does_not_fit_says_why() {
    let contracts = Contracts::built_in();
    check_fit(
        contracts,
        "transform",
        &module(&["transform()"]),
        expect![[r#"
        m.py:3: `transform` does not fit the contract `transform@1.0.0`: it takes no parameters, and is given 1 [M0306]
            hint: The contract has `transform(input)`, the module `transform()`
    "#]],
    );
    check_fit(
        contracts,
        "transform",
        &module(&["transform(a, b)"]),
        expect![[r#"
        m.py:3: `transform` does not fit the contract `transform@1.0.0`: it takes 2 parameters, and is given 1 [M0306]
            hint: The contract has `transform(input)`, the module `transform(a, b)`
    "#]],
    );
    check_fit(
        contracts,
        "transform",
        &module(&["transform(row, *, strict)"]),
        expect![[r#"
        m.py:3: `transform` does not fit the contract `transform@1.0.0`: it must be given `strict` by name, which the contract does not [M0306]
            hint: The contract has `transform(input)`, the module `transform(row, strict)`
    "#]],
    );
    check_fit(
        contracts,
        "source-transform",
        &module(&["rewrite(text: bytes)"]),
        expect![[r#"
        m.py:3: `rewrite` does not fit the contract `source-transform@1.0.0`: `text` is `bytes`, and is given text [M0306]
            hint: The contract has `rewrite(file: { path: text, text: text }) -> text`, the module `rewrite(text: bytes)`
    "#]],
    );
    check_fit(
        contracts,
        "source-transform",
        &module(&["rewrite(text) -> int"]),
        expect![[r#"
        m.py:3: `rewrite` does not fit the contract `source-transform@1.0.0`: it gives `int`, expected text [M0306]
            hint: The contract has `rewrite(file: { path: text, text: text }) -> text`, the module `rewrite(text) -> int`
    "#]],
    );
    check_fit(
        contracts,
        "metric",
        &module(&["metric(result, bananas)"]),
        expect![[r#"
        m.py:3: `metric` does not fit the contract `metric@1.0.0`: nothing gives it `bananas`, there is `result`, `args`, `error`, `seconds` [M0306]
            hint: The contract has `metric(call: { result: any, args: list<any>, error: option<text>, seconds: float }) -> option<float>`, the module `metric(result, bananas)`
    "#]],
    );
    check_fit(
        contracts,
        "metric",
        &module(&["metric(result) -> str"]),
        expect![[r#"
        m.py:3: `metric` does not fit the contract `metric@1.0.0`: it gives `str`, expected option<float> [M0306]
            hint: The contract has `metric(call: { result: any, args: list<any>, error: option<text>, seconds: float }) -> option<float>`, the module `metric(result) -> text`
    "#]],
    );
}

#[test]
fn names_count_for_contracts_of_ones_own() {
    let contracts = with(&[PRICING]).unwrap_or_else(|error| panic!("{error:?}"));
    let all_of = "all_of(lines: list, rates: dict, raw: bytes) -> RecordBatch";
    for (unit_price, why) in [
        ("unit_price(line, region)", None),
        ("unit_price(line: dict, region: str) -> float", None),
        ("unit_price(line: Line, region: str) -> int", None),
        ("unit_price(row, region)", Some("the parameter `row` is called `line` in the contract")),
        ("unit_price(region, line)", Some("the parameter `region` is called `line` in the contract")),
        (
            "unit_price(line: list, region)",
            Some("`line` is `list`, and is given { item_id: text, count: int, note: option<text> }"),
        ),
        ("unit_price(line, region: int)", Some("`region` is `int`, and is given enum { eu, us }")),
        ("unit_price(line, region) -> str", Some("it gives `str`, expected float")),
        ("unit_price(line)", Some("it takes 1 parameter, and is given 2")),
    ] {
        let contract = contracts.find(&contract_ref("pricing")).unwrap_or_else(|error| panic!("{error:?}"));
        let found: Vec<_> =
            contract.fit(&module(&[unit_price, all_of])).iter().map(|e| e.message().to_owned()).collect();
        let prefix = "`unit_price` does not fit the contract `pricing@1.2.0`: ";
        let expected: Vec<_> = why.iter().map(|why| format!("{prefix}{why}")).collect();
        assert_eq!(found, expected, "{unit_price}");
    }
}

#[test]
fn a_contract_is_found_by_shape() {
    let own = with(&[PRICING]).unwrap_or_else(|error| panic!("{error:?}"));
    let named = |contracts: &Contracts, functions: &[&str]| {
        contracts.by_shape(&module(functions)).map_or("none".to_owned(), |contract| contract.name.clone())
    };
    let built_in = Contracts::built_in();
    assert_eq!(named(built_in, &["transform(row)", "helper()"]), "transform");
    assert_eq!(named(built_in, &["execute(a, b)"]), "plugin");
    assert_eq!(named(built_in, &["after(call, result)"]), "layer");
    assert_eq!(named(built_in, &["helper()"]), "none");
    // What has the name and not the shape is something else.
    assert_eq!(named(built_in, &["transform()"]), "none");
    // What fits two is neither's.
    assert_eq!(named(built_in, &["read()", "write(rows)"]), "none");
    assert_eq!(
        named(&own, &["unit_price(line, region)", "all_of(lines, rates, raw)", "execute()"]),
        "pricing"
    );
}

#[test]
fn a_type_that_is_too_large_once_written_out_is_refused() {
    let check = |types: &str, expected: Expect| {
        let text = format!("package a:b; interface types {{ {types} }} world module {{ import types; }}");
        let given = modrack_core::contract::signatures(&text).map(|given| given.functions.len().to_string());
        expected.assert_eq(&given.unwrap_or_else(|error| error.message().to_owned()));
    };
    let twice = |many: usize| -> String {
        let next = |n: usize| format!("type t{} = tuple<t{n}, t{n}>; ", n + 1);
        format!("type t0 = u8; {}", (0..many).map(next).collect::<String>())
    };
    check(&twice(10), expect!["0"]);
    check(&twice(40), expect!["The type `t12` is too large once its parts are written out"]);
    let nested = |many: usize| -> String {
        let next = |n: usize| format!("type t{} = option<t{n}>; ", n + 1);
        format!("type t0 = u8; {}", (0..many).map(next).collect::<String>())
    };
    check(&nested(50), expect!["0"]);
    check(&nested(5_000), expect!["The type `t99` is too large once its parts are written out"]);
}
