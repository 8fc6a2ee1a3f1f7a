//! A transform: what an order comes to. The module of the README, written in Rust without a kit.

mod row;

use std::cell::Cell;

use exports::modrack::transform::transform::Guest as Transform;
use exports::modrack::types::lifecycle::Guest as Lifecycle;
use modrack::types::values::{Error, Part, Value};

wit_bindgen::generate!({
    path: ["../../contracts/types.wit", "../../contracts/transform.wit"],
    inline: "
        package guests:price@1.0.0;

        world price {
            export modrack:transform/transform@1.0.0;
            export modrack:types/lifecycle@1.0.0;
        }
    ",
    world: "guests:price/price",
    generate_all,
});

/// What the component says of itself.
const SAID: &[u8] = include_bytes!("../modrack.toml");

#[used]
#[unsafe(link_section = "modrack")]
static MANIFEST: [u8; SAID.len()] = *include_bytes!("../modrack.toml");

struct Price;

export!(Price);

thread_local! {
    static TAX: Cell<f64> = const { Cell::new(0.0) };
}

impl Lifecycle for Price {
    fn initialize(config: Value) -> Result<(), Error> {
        if row::get(&config, "tax").is_some() {
            TAX.set(row::number(&config, "tax")?);
        }
        Ok(())
    }

    fn shutdown() -> Result<(), Error> {
        Ok(())
    }
}

impl Transform for Price {
    fn transform(input: Value) -> Result<Value, Error> {
        let quantity = row::number(&input, "quantity")?;
        if quantity == 0.0 {
            return Ok(Value { parts: vec![Part::Null] });
        }
        let total = row::number(&input, "price")? * quantity * (1.0 + TAX.get());
        row::with(input, "total", Part::Float((total * 100.0).round() / 100.0))
    }
}
