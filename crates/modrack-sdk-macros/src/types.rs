//! The types of Rust that are known by their name, and what WIT calls them. All else is `value`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::visit_mut::{VisitMut, visit_type_mut, visit_type_reference_mut};
use syn::{GenericArgument, Lifetime, PathArguments, Type, TypePath, TypeReference};

use crate::contracts::Record;

/// A type as WIT has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wit {
    /// A type that both languages have: WIT's name, Rust's name.
    Plain(&'static str, &'static str),
    /// `list<u8>`.
    Bytes,
    List(Box<Self>),
    Option(Box<Self>),
    Tuple(Vec<Self>),
    /// `list<tuple<string, T>>`.
    Map(Box<Self>),
    Value,
    Table,
    /// A record of a contract, which only interfaces of contracts have.
    Record(Box<Record>),
    /// Rows one after the other, as the contract `source` has them: a resource.
    Rows,
    /// No result at all.
    Nothing,
}

impl Wit {
    /// The type of an argument, a result or a field.
    pub(crate) fn of(ty: &Type) -> Self {
        match ty {
            Type::Reference(reference) => Self::of_reference(&reference.elem),
            Type::Paren(inner) => Self::of(&inner.elem),
            Type::Group(inner) => Self::of(&inner.elem),
            Type::Tuple(tuple) if tuple.elems.is_empty() => Self::Nothing,
            Type::Tuple(tuple) => {
                let items: Vec<Self> = tuple.elems.iter().map(Self::of).collect();
                if items.contains(&Self::Nothing) { Self::Value } else { Self::Tuple(items) }
            }
            Type::Path(path) => Self::of_path(path),
            _ => Self::Value,
        }
    }

    fn of_reference(inner: &Type) -> Self {
        match inner {
            Type::Path(path) if path.path.is_ident("str") => STRING,
            Type::Slice(slice) => Self::list(&slice.elem),
            other => Self::of(other),
        }
    }

    fn list(item: &Type) -> Self {
        match Self::of(item) {
            Self::Plain("u8", _) => Self::Bytes,
            Self::Nothing => Self::Value,
            item => Self::List(Box::new(item)),
        }
    }

    fn of_path(path: &TypePath) -> Self {
        let Some(last) = path.path.segments.last() else { return Self::Value };
        let word = last.ident.to_string();
        let inner = arguments(&last.arguments);
        match (word.as_str(), inner.as_slice()) {
            (word, []) => match PLAIN.iter().find(|(rust, _)| *rust == word) {
                Some((rust, wit)) => Self::Plain(wit, rust),
                None if word == "String" => STRING,
                None if matches!(word, "Table" | "RecordBatch") => Self::Table,
                None if word == "Rows" => Self::List(Box::new(Self::Value)),
                None => Self::Value,
            },
            ("Vec", [item]) => Self::list(item),
            ("Box", [inner]) => match Self::of(inner) {
                plain @ Self::Plain(..) => plain,
                _ => Self::Value,
            },
            ("Option", [inner]) => match Self::of(inner) {
                // What may be nothing anyway says no more as an option.
                Self::Nothing | Self::Value => Self::Value,
                inner => Self::Option(Box::new(inner)),
            },
            ("BTreeMap" | "HashMap" | "IndexMap", [key, value] | [key, value, _]) => {
                match (Self::of(key), Self::of(value)) {
                    (STRING, Self::Nothing) => Self::Value,
                    (STRING, value) => Self::Map(Box::new(value)),
                    _ => Self::Value,
                }
            }
            _ => Self::Value,
        }
    }

    /// As WIT writes it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Plain(wit, _) => (*wit).to_owned(),
            Self::Bytes => "list<u8>".to_owned(),
            Self::List(item) => format!("list<{}>", item.text()),
            Self::Option(inner) => format!("option<{}>", inner.text()),
            Self::Tuple(items) => {
                format!("tuple<{}>", items.iter().map(Self::text).collect::<Vec<_>>().join(", "))
            }
            Self::Map(value) => format!("list<tuple<string, {}>>", value.text()),
            Self::Value | Self::Nothing | Self::Record(_) => "value".to_owned(),
            Self::Table => "table".to_owned(),
            Self::Rows => "list<value>".to_owned(),
        }
    }

    /// As an author would write it in Rust.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Plain(_, rust) => (*rust).to_owned(),
            Self::Bytes => "Vec<u8>".to_owned(),
            Self::List(item) => format!("Vec<{}>", item.shown()),
            Self::Option(inner) => format!("Option<{}>", inner.shown()),
            Self::Tuple(items) => {
                format!("({})", items.iter().map(Self::shown).collect::<Vec<_>>().join(", "))
            }
            Self::Map(value) => format!("BTreeMap<String, {}>", value.shown()),
            Self::Value => "Value".to_owned(),
            Self::Table => "Table".to_owned(),
            Self::Record(record) => record.name.to_owned(),
            Self::Rows => "Rows".to_owned(),
            Self::Nothing => "()".to_owned(),
        }
    }

    /// Whether `name` of `modrack:types` is in it.
    pub(crate) fn uses(&self, name: &str) -> bool {
        match self {
            Self::Value | Self::Rows => name == "value",
            Self::Table => name == "table",
            Self::List(inner) | Self::Option(inner) | Self::Map(inner) => inner.uses(name),
            Self::Tuple(items) => items.iter().any(|item| item.uses(name)),
            Self::Plain(..) | Self::Bytes | Self::Record(_) | Self::Nothing => false,
        }
    }
}

/// `string`.
pub(crate) const STRING: Wit = Wit::Plain("string", "String");

const PLAIN: &[(&str, &str)] = &[
    ("bool", "bool"),
    ("i8", "s8"),
    ("i16", "s16"),
    ("i32", "s32"),
    ("i64", "s64"),
    ("isize", "s64"),
    ("u8", "u8"),
    ("u16", "u16"),
    ("u32", "u32"),
    ("u64", "u64"),
    ("usize", "u64"),
    ("f32", "f32"),
    ("f64", "f64"),
    ("char", "char"),
];

/// The types among the arguments of a generic type.
pub(crate) fn arguments(of: &PathArguments) -> Vec<&Type> {
    let PathArguments::AngleBracketed(list) = of else { return Vec::new() };
    let types = list.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    types.collect()
}

/// `T` of `Result<T, E>`, by its name.
pub(crate) fn result_of(ty: &Type) -> Option<Option<&Type>> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    (last.ident == "Result").then(|| arguments(&last.arguments).first().copied())
}

/// What the `E` of a `Result<T, E>` is made an error by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `Into<Error>`, as all errors are that are types of their own.
    Error,
    /// What says nothing but what it says: text, and errors in a box.
    Said,
    /// What others put into a box: `anyhow::Error` and its like.
    Boxed,
}

impl Fault {
    /// That of what a function returns.
    pub(crate) fn of(ty: &Type) -> Self {
        let Type::Path(path) = ty else { return Self::Error };
        let is_foreign = |path: &TypePath| {
            let first = path.path.segments.first().map(|first| first.ident.to_string());
            matches!(first.as_deref(), Some("anyhow" | "eyre" | "color_eyre"))
        };
        let Some(last) = path.path.segments.last().filter(|last| last.ident == "Result") else {
            return Self::Error;
        };
        match arguments(&last.arguments).get(1) {
            None if is_foreign(path) => Self::Boxed,
            Some(Type::Path(error)) if is_foreign(error) => Self::Boxed,
            Some(Type::Path(error)) => match error.path.segments.last() {
                Some(last) if last.ident == "String" || last.ident == "Cow" => Self::Said,
                Some(last) if last.ident == "Box" => match arguments(&last.arguments).first() {
                    Some(Type::TraitObject(_)) => Self::Said,
                    Some(Type::Path(text)) if text.path.is_ident("str") => Self::Said,
                    _ => Self::Error,
                },
                _ => Self::Error,
            },
            Some(Type::Reference(error)) => match &*error.elem {
                Type::Path(path) if path.path.is_ident("str") => Self::Said,
                _ => Self::Error,
            },
            _ => Self::Error,
        }
    }

    /// The result of `call`, whose error has become one of the kit's where it cannot by itself.
    pub(crate) fn told(self, call: TokenStream, krate: &syn::Path) -> TokenStream {
        match self {
            Self::Error => call,
            Self::Said => quote!(::core::result::Result::map_err(#call, #krate::__private::said)),
            Self::Boxed => quote!(::core::result::Result::map_err(#call, #krate::__private::boxed)),
        }
    }
}

/// Whether the type is an `Option`.
pub(crate) fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Option"))
}

/// How an argument is read, and how it is then passed.
pub(crate) struct Passed {
    /// The type that is read.
    pub(crate) read: Type,
    /// What stands before the variable in the call.
    pub(crate) by: TokenStream,
}

impl Passed {
    /// Text and bytes are read where they lie; what else is taken by reference is read first.
    pub(crate) fn of(ty: &Type) -> Self {
        let mut read = ty.clone();
        Elide.visit_type_mut(&mut read);
        let Type::Reference(reference) = &read else { return Self { read, by: quote!() } };
        match &*reference.elem {
            Type::Path(path) if path.path.is_ident("str") => Self { read, by: quote!() },
            Type::Slice(slice) if matches!(Wit::of(&slice.elem), Wit::Plain("u8", _)) => {
                Self { read, by: quote!() }
            }
            Type::Slice(slice) => {
                let item = &slice.elem;
                Self { read: syn::parse_quote!(::std::vec::Vec<#item>), by: quote!(&) }
            }
            other => Self { read: other.clone(), by: quote!(&) },
        }
    }
}

/// Takes the names of lifetimes away, which mean nothing outside of the function.
struct Elide;

impl VisitMut for Elide {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident != "static" {
            *lifetime = Lifetime::new("'_", lifetime.span());
        }
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        reference.lifetime = None;
        visit_type_reference_mut(self, reference);
    }

    fn visit_type_mut(&mut self, ty: &mut Type) {
        visit_type_mut(self, ty);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_function_fails_with_is_known_by_its_name() {
        for (rust, fault) in [
            ("Result<i64>", Fault::Error),
            ("Result<i64, ParseIntError>", Fault::Error),
            ("Result<i64, String>", Fault::Said),
            ("Result<i64, &'static str>", Fault::Said),
            ("std::result::Result<i64, Box<dyn Error>>", Fault::Said),
            ("Result<i64, Box<ParseIntError>>", Fault::Error),
            ("anyhow::Result<i64>", Fault::Boxed),
            ("Result<i64, anyhow::Error>", Fault::Boxed),
            ("i64", Fault::Error),
        ] {
            let ty: Type = syn::parse_str(rust).unwrap();
            assert_eq!(Fault::of(&ty), fault, "{rust}");
        }
    }

    #[test]
    fn types_have_their_name_in_wit() {
        for (rust, wit) in [
            ("i64", "s64"),
            ("&str", "string"),
            ("std::string::String", "string"),
            ("&[u8]", "list<u8>"),
            ("Vec<u8>", "list<u8>"),
            ("Vec<Option<f64>>", "list<option<f64>>"),
            ("&[String]", "list<string>"),
            ("(i32, bool)", "tuple<s32, bool>"),
            ("BTreeMap<String, Vec<i64>>", "list<tuple<string, list<s64>>>"),
            ("modrack::IndexMap<String, f64>", "list<tuple<string, f64>>"),
            ("HashMap<i64, i64>", "value"),
            ("Row", "value"),
            ("Option<Row>", "value"),
            ("Vec<Place>", "list<value>"),
            ("arrow_array::RecordBatch", "table"),
            ("Box<f32>", "f32"),
            ("Box<Vec<f32>>", "value"),
            ("modrack::Rows", "list<value>"),
        ] {
            let ty: Type = syn::parse_str(rust).unwrap();
            assert_eq!(Wit::of(&ty).text(), wit, "{rust}");
        }
    }
}
