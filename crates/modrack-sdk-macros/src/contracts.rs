//! The contracts' texts, and the functions of theirs that a component exports from an interface.

use crate::function::Function;
use crate::module::Module;
use crate::types::Wit;

const TYPES: &str = include_str!("../../../contracts/types.wit");
const HOST: &str = include_str!("../../../contracts/host.wit");

/// A contract whose interface is exported as it is written; the others are found by the names of their functions.
struct Contract {
    name: &'static str,
    text: &'static str,
    function: &'static str,
    takes: Takes,
    gives: Wit,
}

/// What a function of an interface takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Each(Vec<Wit>),
    /// One list of however many there are.
    Spread,
}

/// The place of a function among the exports of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    /// Package and interface: `transform`, `transform`.
    pub(crate) package: &'static str,
    pub(crate) interface: &'static str,
    pub(crate) takes: Takes,
    pub(crate) gives: Wit,
}

fn contracts() -> Vec<Contract> {
    let one = || Takes::Each(vec![Wit::Value]);
    macro_rules! contract {
        ($name:literal, $function:literal, $takes:expr, $gives:expr) => {
            Contract {
                name: $name,
                text: include_str!(concat!("../../../contracts/", $name, ".wit")),
                function: $function,
                takes: $takes,
                gives: $gives,
            }
        };
    }
    vec![
        contract!("transform", "transform", one(), Wit::Value),
        contract!("formatter", "format", one(), Wit::Value),
        contract!("sink", "write", one(), Wit::Nothing),
        contract!("plugin", "execute", Takes::Spread, Wit::Value),
        contract!("runnable", "run", Takes::Spread, Wit::Value),
    ]
}

/// Where in an interface a function stands; none when it stands in the world itself.
pub(crate) fn seat(module: &Module, function: &Function) -> Option<Seat> {
    let has = |name: &str| module.functions.iter().any(|function| function.name == name);
    let types = |interface, takes, gives| {
        Some(Seat { package: "types", interface, takes: Takes::Each(takes), gives })
    };
    let count = function.args.len();
    match function.name.as_str() {
        "shutdown" if count == 0 => types("lifecycle", Vec::new(), Wit::Nothing),
        "finish" if count == 0 => types("finish", Vec::new(), Wit::Value),
        "export_state" if count == 0 && has("import_state") => types("state", Vec::new(), Wit::Value),
        "import_state" if (1..=2).contains(&count) && has("export_state") => {
            let version = Wit::Option(Box::new(Wit::Plain("string", "String")));
            types("state", vec![Wit::Value, version], Wit::Nothing)
        }
        name => {
            let said = module.said.contract.as_ref()?.value();
            let wanted = said.split('@').next().unwrap_or_default();
            let found = contracts().into_iter().find(|c| c.name == wanted && c.function == name)?;
            Some(Seat { package: found.name, interface: found.name, takes: found.takes, gives: found.gives })
        }
    }
}

/// The packages that a component's world refers to, each in a block of its own.
pub(crate) fn packages(module: &Module) -> String {
    let mut text = nested(TYPES) + &nested(HOST);
    if let Some(said) = &module.said.contract {
        let said = said.value();
        let wanted = said.split('@').next().unwrap_or_default();
        for contract in contracts().iter().filter(|contract| contract.name == wanted) {
            text.push_str(&nested(contract.text));
        }
    }
    text
}

/// A file of WIT as a block inside of another.
fn nested(text: &str) -> String {
    let Some(start) = text.lines().position(|line| line.starts_with("package ")) else {
        return String::new();
    };
    let mut lines = text.lines().skip(start);
    let package = lines.next().unwrap_or_default().trim_end_matches(';');
    let mut block = format!("{package} {{\n");
    for line in lines {
        block.push_str(line);
        block.push('\n');
    }
    block.push_str("}\n\n");
    block
}
