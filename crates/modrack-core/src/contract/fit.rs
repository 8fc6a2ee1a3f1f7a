//! Whether a module fits a contract: its functions are there, take what the contract gives, and give what it
//! takes.
//!
//! Only what is known for sure is held against a module: what it leaves open fits. How a module spells its
//! parameters matters for contracts of a rack's own; for those of modrack the position decides.

use super::{Contract, ContractFunction};
use crate::{Code, Description, Entry, Error, FunctionInfo, Param, ParamKind, Place, Signature, Type};

/// Everything in which `module` does not fit `contract`; `main` is what it calls the main function.
pub(super) fn fit(contract: &Contract, module: &Description, main: Option<&str>) -> Vec<Error> {
    let main = main.or(match &module.entry {
        Entry::Function(name) => Some(name.as_str()),
        _ => None,
    });
    let found = |function: &ContractFunction| -> Option<&FunctionInfo> {
        let is_main = contract.main().is_some_and(|main| main.info.name == function.info.name);
        let renamed = main.filter(|_| is_main).and_then(|name| module.function(name));
        renamed.or_else(|| module.function(&function.info.name))
    };
    let stands_in = contract
        .alternatives
        .iter()
        .any(|names| !names.is_empty() && names.iter().all(|name| module.function(name).is_some()));
    // What fills the slot is known only when it runs: what is not listed may well be there.
    let unknown =
        module.open || matches!(module.entry, Entry::Factory(_) | Entry::Object(_) | Entry::Unknown);
    let mut errors = Vec::new();
    for function in &contract.functions {
        match found(function) {
            Some(there) => errors.extend(mismatch(contract, function, there, module)),
            None if function.optional || stands_in || unknown => {}
            None => errors.push(missing(contract, function, module)),
        }
    }
    errors
}

/// In what a function `now` serves fewer calls than `before` did, as far as that can be known.
pub fn narrowed(before: &Signature, now: &Signature) -> Option<String> {
    let ((few, many), (least, most)) = (before.arity(), now.arity());
    if least > few {
        return Some(format!("it must be given {}, where {} was enough", count(least), count(few)));
    }
    if let Some(most) = most
        && many.is_none_or(|many| many > most)
    {
        return Some(format!("it takes {} at most, where more were taken", count(most)));
    }
    let open = now.params.iter().any(|param| param.kind == ParamKind::NamedRest);
    for param in before.params.iter().filter(|p| matches!(p.kind, ParamKind::Named | ParamKind::NamedRest)) {
        if !open && now.named(&param.name).is_none() {
            return Some(format!("it takes no `{}` by name any more", param.name));
        }
    }
    let was_there = |name: &str| before.named(name).is_some_and(Param::is_required);
    if let Some(param) =
        now.params.iter().find(|p| p.kind == ParamKind::Named && p.is_required() && !was_there(&p.name))
    {
        return Some(format!("it must be given `{}` by name now", param.name));
    }
    let taken = |p: &&Param| matches!(p.kind, ParamKind::Positional | ParamKind::Either);
    for (old, new) in before.params.iter().filter(taken).zip(now.params.iter().filter(taken)) {
        if !accepts(&new.ty, &old.ty) {
            return Some(format!(
                "`{}` is {} now, and was {}",
                new.name,
                spelled(&new.ty, new.annotation.as_deref()),
                spelled(&old.ty, old.annotation.as_deref())
            ));
        }
    }
    result(before, now)
}

fn missing(contract: &Contract, function: &ContractFunction, module: &Description) -> Error {
    let name = &function.info.name;
    let names: Vec<_> = module.functions.iter().map(|f| f.name.as_str()).collect();
    let hint = match crate::nearest(name, names.iter().copied()) {
        Some(near) => format!("Did you mean `{name}` where the module has `{near}`?"),
        None => format!("Add `{name}{}`", function.info.signature),
    };
    let error = Error::new(
        Code::ContractFunctionMissing,
        format!("{} has no `{name}`, which the contract `{contract}` asks for", shown(module)),
    )
    .hint(hint);
    match place(module) {
        Some(place) => error.place(place),
        None => error,
    }
}

/// The first thing in which a function does not fit.
fn mismatch(
    contract: &Contract,
    wanted: &ContractFunction,
    there: &FunctionInfo,
    module: &Description,
) -> Option<Error> {
    let built_in = contract.is_built_in();
    let why = match fields(&wanted.info.signature, &there.signature) {
        Some(fit) => fit,
        None => {
            // `initialize` and its like are given as much as they take.
            let fewer = built_in && wanted.optional;
            params(&wanted.info.signature, &there.signature, !built_in, fewer)
        }
    };
    let why = why.or_else(|| result(&wanted.info.signature, &there.signature))?;
    let error = Error::new(
        Code::ContractMismatch,
        format!("`{}` does not fit the contract `{contract}`: {why}", there.name),
    )
    .hint(format!(
        "The contract has `{}{}`, the module `{}{}`",
        wanted.info.name, wanted.info.signature, there.name, there.signature
    ));
    let place = there.place.clone().or_else(|| place(module));
    Some(match place {
        Some(place) => error.place(place),
        None => error,
    })
}

/// A contract's only parameter that is a record may be taken by its fields instead, by name and as many as
/// are wanted. `None` when that is not what the module does.
fn fields(wanted: &Signature, there: &Signature) -> Option<Option<String>> {
    let [Param { ty: Type::Record(fields), name, .. }] = wanted.params.as_slice() else { return None };
    let named = |param: &&Param| matches!(param.kind, ParamKind::Either | ParamKind::Named);
    let open = there.params.iter().any(|param| param.kind == ParamKind::NamedRest);
    let taken: Vec<_> = there.params.iter().filter(named).collect();
    let by_field = open || taken.iter().any(|param| fields.iter().any(|field| field.name == param.name));
    if !by_field || taken.len() == 1 && taken[0].name == *name {
        return None;
    }
    for param in taken {
        match fields.iter().find(|field| field.name == param.name) {
            Some(field) if !accepts(&param.ty, &field.ty) => {
                return Some(Some(type_mismatch(param, &field.ty)));
            }
            None if param.is_required() => {
                let names: Vec<_> = fields.iter().map(|field| format!("`{}`", field.name)).collect();
                return Some(Some(format!(
                    "nothing gives it `{}`, there is {}",
                    param.name,
                    names.join(", ")
                )));
            }
            _ => {}
        }
    }
    Some(None)
}

/// In what the parameters differ.
fn params(wanted: &Signature, there: &Signature, by_name: bool, fewer: bool) -> Option<String> {
    let (least, most) = there.arity();
    let open = wanted.params.last().is_some_and(|param| param.kind == ParamKind::Rest);
    let given = wanted.params.len() - usize::from(open);
    let too_few = !open && least > given;
    if too_few || !fewer && most.is_some_and(|most| most < given) {
        let takes = match most {
            Some(most) if most == least => count(most),
            Some(most) => format!("{least} to {}", count(most)),
            None => format!("{} or more", count(least)),
        };
        return Some(format!("it takes {takes}, and is given {given}"));
    }
    if let Some(param) = there.params.iter().find(|p| p.kind == ParamKind::Named && p.is_required()) {
        return Some(format!("it must be given `{}` by name, which the contract does not", param.name));
    }
    let by_position =
        there.params.iter().filter(|p| matches!(p.kind, ParamKind::Positional | ParamKind::Either));
    for (wanted, param) in wanted.params.iter().take(given).zip(by_position) {
        if by_name && param.name.trim_start_matches('_') != wanted.name {
            return Some(format!(
                "the parameter `{}` is called `{}` in the contract",
                param.name, wanted.name
            ));
        }
        if !accepts(&param.ty, &wanted.ty) {
            return Some(type_mismatch(param, &wanted.ty));
        }
    }
    None
}

/// In what the results differ.
fn result(wanted: &Signature, there: &Signature) -> Option<String> {
    let given = match &there.result {
        // Each value that is yielded is one of the stream's; an annotation speaks of the generator.
        _ if there.is_generator => return None,
        given => given,
    };
    let expected = match &wanted.result {
        Type::Result(ok, _) => ok,
        other => other,
    };
    // Nothing is done with what comes back where the contract wants nothing.
    if *expected == Type::Null || accepts(expected, given) {
        return None;
    }
    Some(format!("it gives {}, expected {expected}", spelled(given, there.result_annotation.as_deref())))
}

fn type_mismatch(param: &Param, given: &Type) -> String {
    format!("`{}` is {}, and is given {given}", param.name, spelled(&param.ty, param.annotation.as_deref()))
}

fn spelled(ty: &Type, annotation: Option<&str>) -> String {
    annotation.map_or_else(|| ty.to_string(), |annotation| format!("`{annotation}`"))
}

/// Whether a value of type `from` may go where one of type `to` is wanted, as far as that can be known.
fn accepts(to: &Type, from: &Type) -> bool {
    use Type::{
        Any, Bytes, Class, Enum, Flags, Float, Int, List, Map, Null, Option, Record, Resource, Stream, Table,
        Text, Tuple, Union, Variant,
    };
    match (to, from) {
        // A class may be anything: a data class for a record, a type variable, an alias.
        (Any | Class(_) | Resource(_) | Variant(_), _) | (_, Any | Class(_) | Resource(_) | Variant(_)) => {
            true
        }
        (Type::Result(ok, _), from) => accepts(ok, from),
        (to, Type::Result(ok, _)) => accepts(to, ok),
        (Union(to), Union(from)) => from.iter().any(|from| to.iter().any(|to| accepts(to, from))),
        (Union(to), from) => to.iter().any(|to| accepts(to, from)),
        (to, Union(from)) => from.iter().any(|from| accepts(to, from)),
        (Option(_), Null) => true,
        (Option(to), Option(from)) => accepts(to, from),
        (Option(to), from) => accepts(to, from),
        // A module that says `int` for what may be nothing is not wrong about the rest.
        (to, Option(from)) => accepts(to, from),
        (Float, Int) => true,
        (List(to), List(from) | Stream(from)) | (Stream(to), List(from) | Stream(from)) => accepts(to, from),
        (Map(to), Map(from)) => accepts(to, from),
        (List(to) | Stream(to), Tuple(items)) => items.iter().all(|from| accepts(to, from)),
        (Tuple(items), List(from)) => items.iter().all(|to| accepts(to, from)),
        (Tuple(to), Tuple(from)) => {
            to.len() == from.len() && to.iter().zip(from).all(|(to, from)| accepts(to, from))
        }
        (Record(to), Record(from)) => to.iter().all(|field| {
            from.iter()
                .find(|f| f.name == field.name)
                .map_or(matches!(field.ty, Option(_)), |f| accepts(&field.ty, &f.ty))
        }),
        (Record(_), Map(_)) | (Map(_), Record(_)) => true,
        (Enum(_), Text) | (Text, Enum(_)) => true,
        (Enum(to), Enum(from)) => from.iter().all(|word| to.contains(word)),
        (Flags(_), List(item)) | (List(item), Flags(_)) => accepts(item, &Text),
        (Table, Map(_)) | (Map(_), Table) => false,
        (Bytes, Bytes) => true,
        (to, from) => to == from,
    }
}

fn count(params: usize) -> String {
    match params {
        0 => "no parameters".into(),
        1 => "1 parameter".into(),
        many => format!("{many} parameters"),
    }
}

fn shown(module: &Description) -> String {
    match &module.entry {
        Entry::Class(name) => format!("The class `{name}`"),
        Entry::Function(name) => format!("The function `{name}`"),
        _ => format!("The module `{}`", module.name),
    }
}

/// Where what fills the slot stands.
fn place(module: &Description) -> Option<Place> {
    if let Entry::Class(name) = &module.entry
        && let Some(place) = module.class(name).and_then(|class| class.place.clone())
    {
        return Some(place);
    }
    module.files.first().map(Place::file)
}
