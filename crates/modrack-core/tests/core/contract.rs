//! Contracts: those that come with modrack, those of a rack, and whether a module fits one.

use modrack_core::contract::Contracts;

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
    expect_test::expect![[r#"
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
