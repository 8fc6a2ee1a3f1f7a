//! The types of functions, as far as a module says them without being run.
//!
//! WIT, Python annotations and Rust types are all mapped to these; what a language leaves open is [`Type::Any`].

use std::fmt;

/// The type of a parameter or of a result.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Type {
    /// Any value: nothing is known, or anything is taken.
    #[default]
    Any,
    /// Nothing.
    Null,
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// Values of one type in order.
    List(Box<Type>),
    /// Values of one type by name.
    Map(Box<Type>),
    /// A value or nothing.
    Option(Box<Type>),
    /// Named fields, each of its own type.
    Record(Vec<Field>),
    /// A fixed number of values, each of its own type.
    Tuple(Vec<Type>),
    /// One of these.
    Union(Vec<Type>),
    /// One of these words.
    Enum(Vec<String>),
    /// One of these cases, each with or without a value.
    Variant(Vec<(String, Option<Type>)>),
    /// A set of these words.
    Flags(Vec<String>),
    /// A value, or an error of the second type.
    Result(Box<Type>, Box<Type>),
    /// A table of rows and columns (an Arrow record batch).
    Table,
    /// Values that come one after the other.
    Stream(Box<Type>),
    /// A handle on an object that stays with its module.
    Resource(String),
    /// A class of the module's language that modrack knows by name only.
    Class(String),
}

/// A field of a [`Type::Record`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name.
    pub name: String,
    /// The field's type.
    pub ty: Type,
}

/// How a parameter may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ParamKind {
    /// By position only.
    Positional,
    /// By position or by name.
    #[default]
    Either,
    /// By name only.
    Named,
    /// All further positions (`*args`).
    Rest,
    /// All further names (`**kwargs`).
    NamedRest,
}

/// A parameter of a function.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Param {
    /// The parameter's name, as its own language spells it.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// How it may be given.
    pub kind: ParamKind,
    /// The text of its default, in its own language; none when it must be given.
    pub default: Option<String>,
    /// The text of its annotation, in its own language.
    pub annotation: Option<String>,
}

/// What a function takes and gives.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Signature {
    /// The parameters, in order.
    pub params: Vec<Param>,
    /// The type of the result.
    pub result: Type,
    /// The text of the result's annotation, in its own language.
    pub result_annotation: Option<String>,
    /// Whether the function is awaited (`async def`).
    pub is_async: bool,
    /// Whether the function yields its results one by one.
    pub is_generator: bool,
}

impl Param {
    /// A parameter that may be given by position or name, and has no default.
    pub fn new(name: impl Into<String>, ty: Type) -> Self {
        Self { name: name.into(), ty, ..Self::default() }
    }

    /// Whether a call must give it.
    pub fn is_required(&self) -> bool {
        self.default.is_none() && !matches!(self.kind, ParamKind::Rest | ParamKind::NamedRest)
    }
}

impl Signature {
    /// The fewest and, unless any number goes, the most values that a call may give by position.
    pub fn arity(&self) -> (usize, Option<usize>) {
        let by_position = |p: &&Param| matches!(p.kind, ParamKind::Positional | ParamKind::Either);
        let least = self.params.iter().filter(by_position).filter(|p| p.is_required()).count();
        let most = self.params.iter().filter(by_position).count();
        let open = self.params.iter().any(|p| p.kind == ParamKind::Rest);
        (least, (!open).then_some(most))
    }

    /// The parameter called `name`, if a call can name it.
    pub fn named(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|p| p.name == name && matches!(p.kind, ParamKind::Either | ParamKind::Named))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Float => f.write_str("float"),
            Self::Text => f.write_str("text"),
            Self::Bytes => f.write_str("bytes"),
            Self::List(item) => write!(f, "list<{item}>"),
            Self::Map(item) => write!(f, "map<{item}>"),
            Self::Option(item) => write!(f, "option<{item}>"),
            Self::Record(fields) => {
                f.write_str("{ ")?;
                for (i, field) in fields.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{}: {}", field.name, field.ty)?;
                }
                f.write_str(" }")
            }
            Self::Tuple(items) => {
                f.write_str("tuple<")?;
                join(f, items, ", ")?;
                f.write_str(">")
            }
            Self::Union(items) => join(f, items, " | "),
            Self::Enum(words) => write!(f, "enum {{ {} }}", words.join(", ")),
            Self::Flags(words) => write!(f, "flags {{ {} }}", words.join(", ")),
            Self::Variant(cases) => {
                let names: Vec<_> = cases.iter().map(|(name, _)| name.as_str()).collect();
                write!(f, "variant {{ {} }}", names.join(", "))
            }
            Self::Result(ok, err) => write!(f, "result<{ok}, {err}>"),
            Self::Table => f.write_str("table"),
            Self::Stream(item) => write!(f, "stream<{item}>"),
            Self::Resource(name) | Self::Class(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Signature {
    /// As people read it: `(row: map<any>, width: int = 3) -> text`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (i, param) in self.params.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            match param.kind {
                ParamKind::Rest => write!(f, "*{}", param.name)?,
                ParamKind::NamedRest => write!(f, "**{}", param.name)?,
                _ => f.write_str(&param.name)?,
            }
            if param.ty != Type::Any {
                write!(f, ": {}", param.ty)?;
            }
            if let Some(default) = &param.default {
                write!(f, " = {default}")?;
            }
        }
        f.write_str(")")?;
        if self.result != Type::Any {
            write!(f, " -> {}", self.result)?;
        }
        Ok(())
    }
}

fn join(f: &mut fmt::Formatter<'_>, items: &[Type], between: &str) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(between)?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}
