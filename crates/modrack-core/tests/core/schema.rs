//! The JSON Schema of a rack.

use modrack_core::plan::schema_json;

#[test]
fn the_schema_says_what_a_rack_must_have_and_what_it_may_not() {
    let schema = schema_json();
    for part in [
        r#""$schema": "https://json-schema.org/draft/2020-12/schema""#,
        r#""required": ["rack"]"#,
        r#""additionalProperties": false"#,
        r#""row-group-bytes": {"#,
        r##""$ref": "#/$defs/slot""##,
    ] {
        assert!(schema.contains(part), "{part}\n{schema}");
    }
    // What a later version brings is not offered.
    assert!(!schema.contains("\"layers\""), "{schema}");
}
