//! The racks in the documentation are read without an error.

use std::path::Path;

use modrack_core::plan::TextFormat;

use crate::text::{parse_as, show};

#[test]
fn the_racks_of_the_pages_are_well_formed() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut seen = 0;
    for page in ["rack.md", "contracts.md"] {
        let text = std::fs::read_to_string(docs.join(page)).expect("the page");
        for (fence, format) in [("```yaml", TextFormat::Yaml), ("```toml", TextFormat::Toml)] {
            for block in text.split(fence).skip(1) {
                let (_, block) = block.split_once('\n').expect("a block has lines");
                let rack = block.split("```").next().expect("a block ends");
                if let Err(error) = parse_as(format, rack.as_bytes(), &[]) {
                    panic!("{page}: {}\n{rack}", show(&error));
                }
                seen += 1;
            }
        }
    }
    assert!(seen > 4, "{seen} racks");
}
