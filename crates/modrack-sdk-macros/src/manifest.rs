//! What a module says of itself: TOML with its keys, its functions as WIT, and its parameters.

use crate::attributes::Toml;
use crate::contracts::{Seat, seat};
use crate::function::{Function, kebab};
use crate::module::{Home, Module};
use crate::types::Wit;

/// The manifest without the parameters, which come after it; `wit` is what [`wit`] gives.
pub(crate) fn text(module: &Module, wit: &str) -> String {
    let mut text = String::new();
    let said = &module.said;
    let has = |key: &str| said.keys.iter().any(|(name, _)| name == key);
    for (key, variable) in [
        ("name", "CARGO_PKG_NAME"),
        ("version", "CARGO_PKG_VERSION"),
        ("description", "CARGO_PKG_DESCRIPTION"),
        ("author", "CARGO_PKG_AUTHORS"),
    ] {
        let value = std::env::var(variable).unwrap_or_default();
        if !has(key) && !value.trim().is_empty() {
            text.push_str(&format!("{key} = {}\n", quoted(value.trim())));
        }
    }
    for (key, value) in &said.keys {
        let value = match value {
            Toml::Text(text) => quoted(&text.value()),
            Toml::Texts(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| quoted(&text.value())).collect();
                format!("[{}]", texts.join(", "))
            }
        };
        text.push_str(&format!("{key} = {value}\n"));
    }
    if let Some(contract) = &said.contract {
        text.push_str(&format!("contract = {}\n", quoted(&contract.value())));
    }
    if let Some(instances) = instances(module) {
        text.push_str(&format!("instances = \"{instances}\"\n"));
    }
    if let (false, Some(takes)) = (has("takes"), takes(module)) {
        text.push_str(&format!("takes = \"{takes}\"\n"));
    }
    text.push_str(&format!("wit = {}\n", long(wit)));
    text
}

fn instances(module: &Module) -> Option<String> {
    let said = module.said.instances.as_ref().map(syn::LitStr::value);
    said.or_else(|| module.is_only().then(|| "one".to_owned()))
}

/// What a transform takes, by the type of its first argument.
fn takes(module: &Module) -> Option<&'static str> {
    let transform = module.functions.iter().find(|function| function.name == "transform")?;
    let first = transform.args.first()?;
    let name = last_word(&first.ty);
    match (&first.wit, name.as_str()) {
        (Wit::Table, "RecordBatch") => Some("batch"),
        (Wit::Table, _) => Some("table"),
        (Wit::List(item), _) if **item == Wit::Value && name == "Row" => Some("rows"),
        (_, "Row") => Some("row"),
        _ => None,
    }
}

/// The name of a type, that of its items for a list.
fn last_word(ty: &syn::Type) -> String {
    match ty {
        syn::Type::Reference(reference) => last_word(&reference.elem),
        syn::Type::Slice(slice) => last_word(&slice.elem),
        syn::Type::Path(path) => match path.path.segments.last() {
            Some(last) => match crate::types::arguments(&last.arguments).as_slice() {
                [item] if last.ident == "Vec" => last_word(item),
                _ => last.ident.to_string(),
            },
            None => String::new(),
        },
        _ => String::new(),
    }
}

/// The functions as WIT, as whoever reads the file sees them.
pub(crate) fn wit(module: &Module) -> String {
    let mut text = String::new();
    document(&mut text, "", &module.docs);
    text.push_str("package author:module;\n\nworld module {\n");
    let used: Vec<&str> =
        ["value", "table"].into_iter().filter(|name| module.functions.iter().any(|f| f.uses(name))).collect();
    if !used.is_empty() {
        text.push_str(&format!("    use modrack:types/values@1.0.0.{{{}}};\n", used.join(", ")));
    }
    for function in &module.functions {
        text.push('\n');
        document(&mut text, "    ", &function.docs);
        let gives = match seat(module, function) {
            // What the function gives beyond its contract goes no further.
            Some(Seat { gives: Wit::Nothing, .. }) => &Wit::Nothing,
            _ => &function.gives,
        };
        text.push_str(&format!("    export {}: {};\n", kebab(&function.name), function.wit(gives, false)));
    }
    text.push_str("}\n");
    text
}

impl Function {
    fn uses(&self, name: &str) -> bool {
        self.gives.uses(name) || self.args.iter().any(|arg| arg.wit.uses(name))
    }

    /// As WIT writes it, with what it `gives`; one that may fail gives a `result`.
    pub(crate) fn wit(&self, gives: &Wit, may_fail: bool) -> String {
        let args: Vec<String> =
            self.args.iter().map(|arg| format!("{}: {}", kebab(&arg.name), arg.wit.text())).collect();
        let gives = match (gives, may_fail) {
            (Wit::Nothing, false) => String::new(),
            (Wit::Nothing, true) => " -> result<_, error>".to_owned(),
            (gives, false) => format!(" -> {}", gives.text()),
            (gives, true) => format!(" -> result<{}, error>", gives.text()),
        };
        format!("func({}){gives}", args.join(", "))
    }
}

pub(crate) fn document(text: &mut String, indent: &str, docs: &[String]) {
    for line in docs {
        let line: String = line.chars().filter(|c| !c.is_control()).collect();
        text.push_str(format!("{indent}/// {line}").trim_end());
        text.push('\n');
    }
}

/// Text in quotes, as TOML has it.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Text of several lines, which stays readable unless it holds its own quotes.
fn long(text: &str) -> String {
    if text.contains("'''") { quoted(text) } else { format!("'''\n{text}'''") }
}

impl Home {
    /// The path of a function of the module.
    pub(crate) fn path(&self, ident: &syn::Ident) -> proc_macro2::TokenStream {
        match self {
            Self::State(ty) => quote::quote!(<#ty>::#ident),
            Self::Free => quote::quote!(#ident),
        }
    }
}
