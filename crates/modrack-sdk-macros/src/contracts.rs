//! The contracts of modrack, as far as a component must export them: texts, interfaces, and what their functions
//! take and give. A test holds the table against the WIT, which lies in this package so that it can be published.

use syn::Error;

use crate::function::{Function, combine};
use crate::module::Module;
use crate::types::{STRING, Wit};

const TYPES: &str = include_str!("../contracts/types.wit");
const HOST: &str = include_str!("../contracts/host.wit");

/// A contract of modrack.
pub(crate) struct Contract {
    pub(crate) name: &'static str,
    text: &'static str,
    /// The main function first.
    functions: Vec<Given>,
    /// Functions that stand in for the main one.
    stand_in: &'static [&'static str],
    pub(crate) records: Vec<Record>,
}

/// A function of a contract.
struct Given {
    name: &'static str,
    interface: &'static str,
    params: Vec<(&'static str, Wit)>,
    gives: Wit,
}

/// A record of a contract. Its name is that of the kit's type for it as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) contract: &'static str,
    /// The interface that it stands in, and whether a component exports that.
    pub(crate) interface: &'static str,
    pub(crate) exported: bool,
    /// As Rust writes it: `SourceFile`.
    pub(crate) name: &'static str,
    pub(crate) fields: Vec<(&'static str, Wit)>,
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

fn list(of: Wit) -> Wit {
    Wit::List(Box::new(of))
}

fn option(of: Wit) -> Wit {
    Wit::Option(Box::new(of))
}

/// All of them.
fn contracts() -> Vec<Contract> {
    const INT: Wit = Wit::Plain("u32", "u32");
    const FLOAT: Wit = Wit::Plain("f64", "f64");
    let args = || vec![("args", list(Wit::Value))];
    let value = |name| vec![(name, Wit::Value)];
    let record = |contract, interface, name, fields: &[(&'static str, Wit)]| Record {
        contract,
        interface,
        exported: interface == contract,
        name,
        fields: fields.to_vec(),
    };
    let file = |contract| record(contract, contract, "SourceFile", &[("path", STRING), ("text", STRING)]);
    let finding = record(
        "analyzer",
        "analyzer",
        "Finding",
        &[
            ("message", STRING),
            ("line", option(INT)),
            ("column", option(INT)),
            ("severity", option(STRING)),
            ("code", option(STRING)),
        ],
    );
    let failure = record(
        "error-handler",
        "error-handler",
        "Failure",
        &[
            ("kind", STRING),
            ("code", STRING),
            ("class", option(STRING)),
            ("message", STRING),
            ("slot", STRING),
            ("function", STRING),
            ("args", list(Wit::Value)),
            ("attempt", INT),
        ],
    );
    let measured = record(
        "metric",
        "metric",
        "Measured",
        &[("result", Wit::Value), ("args", list(Wit::Value)), ("error", option(STRING)), ("seconds", FLOAT)],
    );
    let call = record(
        "layer",
        "types",
        "Call",
        &[
            ("slot", STRING),
            ("function", STRING),
            ("args", list(Wit::Value)),
            ("named", Wit::Map(Box::new(Wit::Value))),
        ],
    );
    let of = |record: &Record| Wit::Record(Box::new(record.clone()));
    let given = |name, interface, params, gives| Given { name, interface, params, gives };
    macro_rules! contract {
        ($name:literal, $functions:expr, $records:expr) => {
            contract!($name, $functions, $records, &[])
        };
        ($name:literal, $functions:expr, $records:expr, $stand_in:expr) => {
            Contract {
                name: $name,
                text: include_str!(concat!("../contracts/", $name, ".wit")),
                functions: Vec::from($functions),
                stand_in: $stand_in,
                records: Vec::from($records),
            }
        };
    }
    vec![
        contract!("plugin", [given("execute", "plugin", args(), Wit::Value)], []),
        contract!("transform", [given("transform", "transform", value("input"), Wit::Value)], []),
        contract!("runnable", [given("run", "runnable", args(), Wit::Value)], []),
        contract!("formatter", [given("format", "formatter", value("data"), Wit::Value)], []),
        contract!(
            "analyzer",
            [given("analyze", "analyzer", vec![("file", of(&file("analyzer")))], list(of(&finding)))],
            [file("analyzer"), finding]
        ),
        contract!(
            "error-handler",
            [given("handle", "error-handler", vec![("error", of(&failure))], Wit::Value)],
            [failure]
        ),
        contract!(
            "metric",
            [given("metric", "metric", vec![("call", of(&measured))], option(FLOAT))],
            [measured]
        ),
        contract!("source", [given("read", "source", Vec::new(), Wit::Rows)], []),
        contract!("sink", [given("write", "sink", value("rows"), Wit::Nothing)], []),
        contract!(
            "layer",
            [
                given("around", "around", vec![("call", of(&call)), ("next", Wit::Value)], Wit::Value),
                given("before", "before", vec![("call", of(&call))], option(list(Wit::Value))),
                given("after", "after", vec![("call", of(&call)), ("result", Wit::Value)], Wit::Value),
            ],
            [call],
            &["before", "after"]
        ),
        contract!(
            "source-transform",
            [given("rewrite", "source-transform", vec![("file", of(&file("source-transform")))], STRING)],
            [file("source-transform")]
        ),
    ]
}

/// The contract of modrack that the module says it fulfils.
pub(crate) fn contract(module: &Module) -> Option<Contract> {
    let said = module.said.contract.as_ref()?.value();
    let (name, version) = said.split_once('@').unwrap_or((&said, "1"));
    let version = version.trim_start_matches(['=', '^', '~']);
    let is_first = version == "1" || version.starts_with("1.");
    contracts().into_iter().find(|contract| contract.name == name && is_first)
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
            types("state", vec![Wit::Value, option(STRING)], Wit::Nothing)
        }
        name => {
            let contract = contract(module)?;
            let Given { interface, params, gives, .. } =
                contract.functions.into_iter().find(|given| given.name == name)?;
            let takes = match params.as_slice() {
                [("args", _)] => Takes::Spread,
                _ => Takes::Each(params.into_iter().map(|(_, wit)| wit).collect()),
            };
            Some(Seat { package: contract.name, interface, takes, gives })
        }
    }
}

/// In what a module does not fulfil the contract that it names, as far as its signatures say.
pub(crate) fn unfulfilled(module: &Module, wrong: &mut Option<Error>) {
    let (Some(said), Some(contract)) = (&module.said.contract, contract(module)) else { return };
    let is_renamed = module.said.keys.iter().any(|(key, _)| key == "function");
    let has = |name: &str| module.functions.iter().any(|function| function.name == name);
    let main = &contract.functions[0];
    let stands_in = !contract.stand_in.is_empty() && contract.stand_in.iter().all(|name| has(name));
    if !has(main.name) && !is_renamed && !stands_in {
        let wanted = match contract.stand_in {
            [] => format!("`pub fn {}`", main.signature()),
            names => {
                let functions = contract.functions.iter().filter(|given| names.contains(&given.name));
                let texts: Vec<String> =
                    functions.map(|given| format!("`pub fn {}`", given.signature())).collect();
                texts.join(" and ")
            }
        };
        let message = format!("The contract `{}` asks for {wanted}, which is not there", said.value());
        combine(wrong, Error::new(said.span(), message));
    }
    for function in &module.functions {
        let Some(given) = contract.functions.iter().find(|given| given.name == function.name) else {
            continue;
        };
        if contract.name == "layer" && given.name == "around" {
            let message = "A layer in Rust has no `around`, neither as a library nor as a component, because no host \
                           hands it the `next` that goes on with the call: write `pub fn before(&self, call: Call) -> \
                           Option<Vec<Value>>` and `pub fn after(&self, call: Call, result: Value) -> Value` in its \
                           place";
            combine(wrong, Error::new(function.ident.span(), message));
            continue;
        }
        let (given_count, takes) = (given.params.len(), function.args.len());
        let is_open = matches!(given.params.as_slice(), [("args", _)]);
        if !is_open && (takes < given_count || function.least() > given_count) {
            let message = format!(
                "The contract `{}` has `{}`, but this takes {takes} {}",
                said.value(),
                given.signature(),
                if takes == 1 { "argument" } else { "arguments" }
            );
            combine(wrong, Error::new(function.ident.span(), message));
        }
    }
}

impl Given {
    /// As an author would write it.
    fn signature(&self) -> String {
        let mut params = vec!["&self".to_owned()];
        params.extend(self.params.iter().map(|(name, wit)| format!("{name}: {}", wit.shown())));
        let gives = match &self.gives {
            Wit::Nothing => String::new(),
            gives => format!(" -> {}", gives.shown()),
        };
        format!("{}({}){gives}", self.name, params.join(", "))
    }
}

/// The packages that a component's world refers to, each in a block of its own.
pub(crate) fn packages(module: &Module) -> String {
    let mut text = nested(TYPES) + &nested(HOST);
    if let Some(contract) = contract(module) {
        text.push_str(&nested(contract.text));
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

#[cfg(test)]
mod tests {
    use modrack_core::contract::Contracts;
    use modrack_core::{Field, Type};

    use super::*;

    /// As modrack has it.
    fn read(wit: &Wit) -> Type {
        match wit {
            Wit::Value => Type::Any,
            Wit::Nothing => Type::Null,
            Wit::Rows => Type::Stream(Box::new(Type::Any)),
            Wit::Plain("string", _) => Type::Text,
            Wit::Plain("u32", _) => Type::Int,
            Wit::Plain("f64", _) => Type::Float,
            Wit::List(item) => Type::List(Box::new(read(item))),
            Wit::Option(inner) => Type::Option(Box::new(read(inner))),
            Wit::Map(value) => Type::Map(Box::new(read(value))),
            Wit::Record(record) => {
                let field = |(name, wit): &(&str, Wit)| Field { name: (*name).to_owned(), ty: read(wit) };
                Type::Record(record.fields.iter().map(field).collect())
            }
            other => panic!("no contract has {other:?}"),
        }
    }

    #[test]
    fn the_table_is_what_the_wit_says() {
        let table = contracts();
        let names: Vec<&str> = table.iter().map(|contract| contract.name).collect();
        let wanted: Vec<&str> = Contracts::built_in().iter().map(|contract| contract.name.as_str()).collect();
        assert_eq!(names, wanted);
        for (ours, contract) in table.iter().zip(Contracts::built_in().iter()) {
            assert_eq!(contract.version.to_string(), "1.0.0", "{}", ours.name);
            assert_eq!(contract.main().map(|main| main.info.name.as_str()), Some(ours.functions[0].name));
            assert_eq!(contract.alternatives.concat(), ours.stand_in, "{}", ours.name);
            for function in &contract.functions {
                let info = &function.info;
                let Some(given) = ours.functions.iter().find(|given| given.name == info.name) else {
                    let shared = ["initialize", "shutdown", "finish", "export_state", "import_state"];
                    assert!(shared.contains(&info.name.as_str()), "{}: {}", ours.name, info.name);
                    continue;
                };
                let is_next = |name: &str| (ours.name, name) == ("layer", "next");
                let params: Vec<_> = given.params.iter().map(|(name, wit)| (*name, read(wit))).collect();
                let wanted: Vec<_> = info
                    .signature
                    .params
                    .iter()
                    .map(|param| {
                        // What goes on with a call is a resource that no module in Rust is given.
                        let ty = if is_next(&param.name) { Type::Any } else { param.ty.clone() };
                        (param.name.as_str(), ty)
                    })
                    .collect();
                assert_eq!(params, wanted, "{}.{}", ours.name, info.name);
                assert_eq!(read(&given.gives), info.signature.result, "{}.{}", ours.name, info.name);
            }
            for given in &ours.functions {
                assert!(contract.functions.iter().any(|function| function.info.name == given.name));
                assert!(
                    ours.text.contains(&format!("interface {} {{", given.interface)),
                    "{}",
                    given.interface
                );
            }
            for record in &ours.records {
                assert!(ours.text.contains(&format!("interface {} {{", record.interface)));
                assert!(ours.text.contains(&format!("record {} {{", kebab_case(record.name))));
            }
        }
    }

    fn kebab_case(name: &str) -> String {
        let words = name.char_indices().map(|(at, letter)| match letter.is_uppercase() && at > 0 {
            true => format!("-{}", letter.to_lowercase()),
            false => letter.to_lowercase().to_string(),
        });
        words.collect()
    }
}
