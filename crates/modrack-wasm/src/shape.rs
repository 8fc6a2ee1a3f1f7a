//! The types of a component's functions, as the conversions need them: each knows its names in WIT and ours.

use modrack_core::contract::{pair, shared_name, target};
use wit_parser::{Handle, Resolve, Type as Wit, TypeDefKind, TypeId};

/// A type of the component model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    Bool,
    Int(IntKind),
    F32,
    F64,
    Char,
    Text,
    Bytes,
    List(Box<Shape>),
    /// `list<tuple<string, T>>`.
    Pairs(Box<Shape>),
    Record(Vec<(String, String, Shape)>),
    Tuple(Vec<Shape>),
    Variant(Vec<(String, String, Option<Shape>)>),
    Enum(Vec<String>),
    Flags(Vec<String>),
    Option(Box<Shape>),
    Result(Option<Box<Shape>>, Option<Box<Shape>>),
    /// `value` of `modrack:types`.
    Any,
    /// `table` of `modrack:types`.
    Table,
    /// `error` of `modrack:types`.
    Error,
    /// A resource, by its name and the interface that has it.
    Own(String),
    Borrow(String),
    /// What cannot cross: streams, futures, fixed lists.
    Unsupported(&'static str),
}

/// A width of whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IntKind {
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
}

impl IntKind {
    /// The name in WIT.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::S8 => "s8",
            Self::S16 => "s16",
            Self::S32 => "s32",
            Self::S64 => "s64",
        }
    }
}

impl Shape {
    /// The shape of a type.
    pub(crate) fn of(resolve: &Resolve, ty: &Wit) -> Self {
        let id = match ty {
            Wit::Bool => return Self::Bool,
            Wit::U8 => return Self::Int(IntKind::U8),
            Wit::U16 => return Self::Int(IntKind::U16),
            Wit::U32 => return Self::Int(IntKind::U32),
            Wit::U64 => return Self::Int(IntKind::U64),
            Wit::S8 => return Self::Int(IntKind::S8),
            Wit::S16 => return Self::Int(IntKind::S16),
            Wit::S32 => return Self::Int(IntKind::S32),
            Wit::S64 => return Self::Int(IntKind::S64),
            Wit::F32 => return Self::F32,
            Wit::F64 => return Self::F64,
            Wit::Char => return Self::Char,
            Wit::String => return Self::Text,
            Wit::ErrorContext => return Self::Unsupported("error-context"),
            Wit::Id(id) => target(resolve, *id),
        };
        match shared_name(resolve, id) {
            Some("value") => return Self::Any,
            Some("table") => return Self::Table,
            Some("error") => return Self::Error,
            _ => {}
        }
        let boxed = |ty: &Wit| Box::new(Self::of(resolve, ty));
        match &resolve.types[id].kind {
            TypeDefKind::Type(ty) => Self::of(resolve, ty),
            TypeDefKind::List(Wit::U8) => Self::Bytes,
            TypeDefKind::List(item) => match pair(resolve, item) {
                Some(value) => Self::Pairs(boxed(&value)),
                None => Self::List(boxed(item)),
            },
            TypeDefKind::Option(some) => Self::Option(boxed(some)),
            TypeDefKind::Result(result) => {
                Self::Result(result.ok.as_ref().map(boxed), result.err.as_ref().map(boxed))
            }
            TypeDefKind::Tuple(tuple) => {
                Self::Tuple(tuple.types.iter().map(|ty| Self::of(resolve, ty)).collect())
            }
            TypeDefKind::Record(record) => Self::Record(
                record
                    .fields
                    .iter()
                    .map(|field| (field.name.clone(), snake(&field.name), Self::of(resolve, &field.ty)))
                    .collect(),
            ),
            TypeDefKind::Variant(variant) => Self::Variant(
                variant
                    .cases
                    .iter()
                    .map(|case| {
                        let shape = case.ty.as_ref().map(|ty| Self::of(resolve, ty));
                        (case.name.clone(), snake(&case.name), shape)
                    })
                    .collect(),
            ),
            TypeDefKind::Enum(words) => {
                Self::Enum(words.cases.iter().map(|case| case.name.clone()).collect())
            }
            TypeDefKind::Flags(words) => {
                Self::Flags(words.flags.iter().map(|flag| flag.name.clone()).collect())
            }
            TypeDefKind::Handle(Handle::Own(of)) => Self::Own(resource(resolve, *of)),
            TypeDefKind::Handle(Handle::Borrow(of)) => Self::Borrow(resource(resolve, *of)),
            TypeDefKind::Map(..) => Self::Unsupported("map"),
            TypeDefKind::FixedLengthList(..) => Self::Unsupported("list of a fixed length"),
            TypeDefKind::Stream(_) => Self::Unsupported("stream"),
            TypeDefKind::Future(_) => Self::Unsupported("future"),
            TypeDefKind::Resource => Self::Own(resource(resolve, id)),
            TypeDefKind::Unknown => Self::Unsupported("unknown type"),
        }
    }

    /// The name of the shape in messages.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Bool => "bool".into(),
            Self::Int(kind) => kind.name().into(),
            Self::F32 | Self::F64 => "float".into(),
            Self::Char => "char".into(),
            Self::Text => "text".into(),
            Self::Bytes => "bytes".into(),
            Self::List(item) => format!("list<{}>", item.shown()),
            Self::Pairs(item) => format!("map<{}>", item.shown()),
            Self::Record(fields) => {
                let fields: Vec<_> =
                    fields.iter().map(|(_, name, ty)| format!("{name}: {}", ty.shown())).collect();
                format!("{{ {} }}", fields.join(", "))
            }
            Self::Tuple(items) => {
                format!("tuple<{}>", items.iter().map(Self::shown).collect::<Vec<_>>().join(", "))
            }
            Self::Variant(cases) => {
                let names: Vec<_> = cases.iter().map(|(_, name, _)| name.as_str()).collect();
                format!("variant {{ {} }}", names.join(", "))
            }
            Self::Enum(words) => format!("enum {{ {} }}", words.join(", ")),
            Self::Flags(words) => format!("flags {{ {} }}", words.join(", ")),
            Self::Option(some) => format!("option<{}>", some.shown()),
            Self::Result(..) => "result".into(),
            Self::Any => "any".into(),
            Self::Table => "table".into(),
            Self::Error => "error".into(),
            Self::Own(name) | Self::Borrow(name) => name.clone(),
            Self::Unsupported(what) => (*what).into(),
        }
    }
}

fn resource(resolve: &Resolve, id: TypeId) -> String {
    snake(resolve.types[target(resolve, id)].name.as_deref().unwrap_or_default())
}

/// A name as Python and Rust write it.
pub(crate) fn snake(name: &str) -> String {
    name.replace('-', "_")
}
