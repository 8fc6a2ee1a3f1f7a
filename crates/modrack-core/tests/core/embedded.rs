//! The manifest inside of a module: its functions, parameters and attributes, and what is wrong with them.

use std::path::Path;

use modrack_core::manifest::Embedded;
use modrack_core::{Instances, Value};

fn read(text: &str) -> modrack_core::Result<Embedded> {
    Embedded::read(Path::new("x.so"), text)
}

#[test]
fn a_module_says_its_functions_parameters_and_attributes() {
    let said = read(
        r#"
name = "late"
version = "1.2"
instances = "one"
wit = '''
/// What is late.
package acme:late@1.0.0;

world module {
    use modrack:types/values@1.0.0.{value, table};

    /// Adds two numbers.
    export add-up: func(a: s64, b: s64) -> result<s64, string>;
    export rows: func(rows: table) -> table;
    export modrack:transform/transform@1.0.0;
}
'''

[params.minutes]
type = "s64"
default = 15
doc = "How late is late"

[params.column]
type = "option<string>"

[params.any]
type = "value"

[attributes.unit]
type = "string"
"#,
    )
    .expect("it is sound");
    assert_eq!(said.manifest.name.as_deref(), Some("late"));
    assert_eq!(said.manifest.instances, Some(Instances::One));
    assert_eq!(said.doc.as_deref(), Some("What is late."));
    let shown: Vec<_> =
        said.functions.iter().flatten().map(|f| format!("{}{}", f.name, f.signature)).collect();
    assert_eq!(
        shown,
        ["add_up(a: int, b: int) -> result<int, text>", "rows(rows: table) -> table", "transform(input)"]
    );
    assert_eq!(
        said.constructor.map(|signature| signature.to_string()).as_deref(),
        Some("(minutes: int = 15, column: option<text> = null, any)")
    );
    assert_eq!(said.defaults.get("minutes"), Some(&Value::Int(15)));
    assert_eq!(said.attributes[0].annotation.as_deref(), Some("text"));
}

#[test]
fn what_is_wrong_in_it_is_told_with_its_key() {
    for (text, shown) in [
        ("wit = 3", "`wit` must be text in quotes, but is integer at x.so"),
        ("name = ", "The manifest in `x.so` is not valid TOML"),
        ("wit = 'package a:b; world w {}'", "The module's WIT is wrong: There is no `world module` in it"),
        (
            "wit = 'package a:b; world module { export f: fun(); }'",
            "The module's WIT is wrong (line 1 of it)",
        ),
        ("params = 1", "`params` must be a table"),
        ("[params.a]\ntype = 's65'", "`params.a.type`: `s65` is not a type of WIT"),
        ("[params.a]\ntype = 's64); export g: func('", "is not a type of WIT"),
        ("[params.a]\ndefalt = 1", "A parameter has no key `params.a.defalt`"),
        ("nmae = 'x'", "No manifest has a key `nmae`"),
    ] {
        let got = read(text).map_or_else(|error| format!("{error:?}"), |_| "nothing".to_owned());
        assert!(got.contains(shown), "{text}: {got}");
    }
}
