//! A plugin with a life and a state: adds up the whole numbers that it is given, and goes on where the version
//! before it ended.

use std::cell::RefCell;

use exports::modrack::plugin::plugin::Guest as Plugin;
use exports::modrack::types::lifecycle::Guest as Lifecycle;
use exports::modrack::types::state::Guest as State;
use modrack::host::host::{self, Level};
use modrack::types::values::{Error, Part, Value};

wit_bindgen::generate!({
    path: [
        "../../contracts/types.wit",
        "../../contracts/host.wit",
        "../../contracts/plugin.wit",
    ],
    inline: "
        package guests:tally@1.0.0;

        world tally {
            import modrack:host/host@1.0.0;
            export modrack:plugin/plugin@1.0.0;
            export modrack:types/lifecycle@1.0.0;
            export modrack:types/state@1.0.0;
        }
    ",
    world: "guests:tally/tally",
    generate_all,
});

/// What the component says of itself.
const SAID: &[u8] = include_bytes!("../modrack.toml");

#[used]
#[unsafe(link_section = "modrack")]
static MANIFEST: [u8; SAID.len()] = *include_bytes!("../modrack.toml");

struct Tally;

export!(Tally);

thread_local! {
    static TOTAL: RefCell<i64> = const { RefCell::new(0) };
}

impl Plugin for Tally {
    fn execute(args: Vec<Value>) -> Result<Value, Error> {
        let mut total = TOTAL.with_borrow(|total| *total);
        for arg in &args {
            total = total.checked_add(whole(arg)?).ok_or_else(|| error("OverflowError", "It is too much"))?;
        }
        TOTAL.set(total);
        Ok(Value { parts: vec![Part::Int(total)] })
    }
}

impl Lifecycle for Tally {
    fn initialize(_config: Value) -> Result<(), Error> {
        if let Some(start) = host::config("start") {
            TOTAL.set(whole(&start)?);
        }
        Ok(())
    }

    fn shutdown() -> Result<(), Error> {
        host::log(Level::Info, &format!("It came to {}", TOTAL.with_borrow(|total| *total)));
        Ok(())
    }
}

impl State for Tally {
    fn export_state() -> Result<Value, Error> {
        Ok(Value { parts: vec![Part::Int(TOTAL.with_borrow(|total| *total))] })
    }

    fn import_state(state: Value, _from_version: Option<String>) -> Result<(), Error> {
        TOTAL.set(whole(&state)?);
        Ok(())
    }
}

/// The whole number that a value is.
fn whole(value: &Value) -> Result<i64, Error> {
    match value.parts.first() {
        Some(Part::Int(number)) => Ok(*number),
        _ => Err(error("TypeError", "It adds up whole numbers")),
    }
}

fn error(class: &str, message: &str) -> Error {
    Error {
        class: class.to_owned(),
        message: message.to_owned(),
        hint: None,
        causes: Vec::new(),
        traceback: None,
    }
}
