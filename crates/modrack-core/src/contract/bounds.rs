//! How large a type may be once the names in it are written out.
//!
//! WIT names types, and a name costs nothing to repeat: thirty lines can name a type of a billion parts. Types here are
//! written out, so that what would not end is refused before it begins.

use std::collections::HashMap;

use wit_parser::{Resolve, Type as Wit, TypeDefKind, TypeId};

use crate::{Code, Error, Result};

/// Parts of one type, written out.
const PARTS: u64 = 10_000;
/// How deep they may be nested.
const DEPTH: u32 = 100;

/// How large a type is.
#[derive(Clone, Copy)]
struct Size {
    parts: u64,
    depth: u32,
}

const ONE: Size = Size { parts: 1, depth: 1 };

/// Holds every named type against the bounds.
///
/// # Errors
/// [`Code::BadContract`] with the first type that is too large.
pub(super) fn check(resolve: &Resolve) -> Result<()> {
    let mut sizes: HashMap<TypeId, Size> = HashMap::new();
    // A type stands behind those that it is made of, so that nothing here goes deep.
    for (id, def) in resolve.types.iter() {
        let size = inner(&def.kind).into_iter().fold(ONE, |sum, ty| {
            let part = match ty {
                Wit::Id(id) => sizes.get(&id).copied().unwrap_or(ONE),
                _ => ONE,
            };
            Size {
                parts: sum.parts.saturating_add(part.parts),
                depth: sum.depth.max(part.depth.saturating_add(1)),
            }
        });
        if size.parts > PARTS || size.depth > DEPTH {
            let named =
                def.name.as_deref().map_or_else(|| "A type".to_owned(), |name| format!("The type `{name}`"));
            let error =
                Error::new(Code::BadContract, format!("{named} is too large once its parts are written out"))
                    .hint(format!("Up to {PARTS} parts, nested {DEPTH} deep, can be had: make it of fewer"));
            return Err(error);
        }
        sizes.insert(id, size);
    }
    Ok(())
}

/// The types that one is made of.
fn inner(kind: &TypeDefKind) -> Vec<Wit> {
    match kind {
        TypeDefKind::Type(ty)
        | TypeDefKind::List(ty)
        | TypeDefKind::FixedLengthList(ty, _)
        | TypeDefKind::Option(ty) => vec![*ty],
        TypeDefKind::Map(key, value) => vec![*key, *value],
        TypeDefKind::Result(result) => result.ok.into_iter().chain(result.err).collect(),
        TypeDefKind::Tuple(tuple) => tuple.types.clone(),
        TypeDefKind::Record(record) => record.fields.iter().map(|field| field.ty).collect(),
        TypeDefKind::Variant(variant) => variant.cases.iter().filter_map(|case| case.ty).collect(),
        TypeDefKind::Stream(ty) | TypeDefKind::Future(ty) => ty.iter().copied().collect(),
        TypeDefKind::Enum(_)
        | TypeDefKind::Flags(_)
        | TypeDefKind::Handle(_)
        | TypeDefKind::Resource
        | TypeDefKind::Unknown => Vec::new(),
    }
}
