//! WIT to contracts, and WIT's types to ours.
//!
//! The table that maps the types stands in `docs/contracts.md`; `type_of` is that table. Names become those
//! of Python and Rust: `export-state` is `export_state`.

use std::path::Path;

use semver::Version;
use wit_parser::{
    Function, InterfaceId, Package, PackageId, PackageName, Resolve, ResolveErrorKind, SourceMap, Span,
    Type as Wit, TypeDefKind, TypeId, TypeOwner, UnresolvedPackageGroup, WorldId, WorldItem,
};

use super::{Contract, ContractFunction};
use crate::plan::{Lines, lower_first};
use crate::{Code, Error, Field, FunctionInfo, Param, ParamKind, Place, Result, Signature, Type};

/// Reads the contracts of `wanted`, each a path among `texts`; the others are there to be referred to.
///
/// # Errors
/// [`Code::BadContract`] with the line, for each text that is wrong.
pub(super) fn read(texts: &[(&str, &str)], wanted: &[&Path]) -> Result<Vec<Contract>> {
    let (resolve, names) = resolve_all(texts)?;
    let (mut contracts, mut wrong) = (Vec::new(), Vec::new());
    for (path, name) in names {
        if !wanted.contains(&path) {
            continue;
        }
        if let Some(id) = resolve.package_names.get(&name) {
            match contract(&resolve, *id, path) {
                Ok(contract) => contracts.push(contract),
                Err(error) => wrong.push(error),
            }
        }
    }
    Error::all(wrong).map_or(Ok(contracts), Err)
}

/// The functions of a module, as its own WIT says them.
#[derive(Clone, Debug, Default)]
pub struct Signatures {
    /// The documentation of the module's world, else of its package.
    pub doc: Option<String>,
    /// What `world module` exports.
    pub functions: Vec<FunctionInfo>,
}

/// Reads the WIT of a module: a package with a `world module`, whose exports are the module's functions. It
/// may use `modrack:types` and export the interfaces of modrack's contracts.
///
/// # Errors
/// [`Code::BadContract`] with the line.
pub fn signatures(text: &str) -> Result<Signatures> {
    const OWN: &str = "module.wit";
    let named = super::built_in::texts().filter(|(name, _)| text.contains(&format!("modrack:{name}/")));
    let contracts: Vec<(String, &str)> =
        named.map(|(name, text)| (format!("modrack/{name}.wit"), text)).collect();
    let mut texts = vec![super::built_in::TYPES];
    texts.extend(contracts.iter().map(|(path, text)| (path.as_str(), *text)));
    texts.push((OWN, text));
    let (resolve, names) = resolve_all(&texts)?;
    let world = names.iter().find(|(path, _)| *path == Path::new(OWN)).and_then(|(_, name)| {
        let package = &resolve.packages[*resolve.package_names.get(name)?];
        let world = *package.worlds.get("module")?;
        Some((world, package))
    });
    let Some((world, package)) = world else {
        return Err(Error::new(Code::BadContract, "There is no `world module` in it")
            .hint("Export the functions from it: `world module { export run: func(); }`"));
    };
    let mut functions = Vec::new();
    world_functions(&resolve, world, &mut functions);
    let doc = resolve.worlds[world].docs.contents.as_deref().or(package.docs.contents.as_deref());
    Ok(Signatures {
        doc: doc.map(|doc| doc.trim().to_owned()),
        functions: functions.into_iter().map(|function| function_info(&resolve, function)).collect(),
    })
}

/// A resolved set of texts, and the package of each.
type Resolved<'t> = (Resolve, Vec<(&'t Path, PackageName)>);

fn resolve_all<'t>(texts: &[(&'t str, &str)]) -> Result<Resolved<'t>> {
    let mut groups = Vec::new();
    let mut wrong = Vec::new();
    for (path, text) in texts {
        let mut map = SourceMap::new();
        map.push_str(path, *text);
        match map.parse() {
            Ok(group) => groups.push((Path::new(*path), group)),
            Err((map, error)) => {
                wrong.push(malformed(&error.kind().to_string(), error.kind().span(), &map, texts));
            }
        }
    }
    if let Some(error) = Error::all(wrong) {
        return Err(error);
    }
    let names: Vec<_> = groups.iter().map(|(path, group)| (*path, group.main.name.clone())).collect();
    let resolve = resolve(groups.into_iter().map(|(_, group)| group).collect(), texts)?;
    Ok((resolve, names))
}

fn resolve(mut groups: Vec<UnresolvedPackageGroup>, texts: &[(&str, &str)]) -> Result<Resolve> {
    let mut resolve = Resolve::new();
    // The features that a WIT file gates are for component tools; a contract is all that is written.
    resolve.all_features = true;
    if let Some(main) = groups.pop() {
        resolve
            .push_groups(main, groups)
            .map_err(|error| unresolved(error.kind(), &resolve.source_map, texts))?;
    }
    super::bounds::check(&resolve)?;
    Ok(resolve)
}

/// One contract: what the package's world `module` exports must be there, what `optional` exports may be.
fn contract(resolve: &Resolve, id: PackageId, path: &Path) -> Result<Contract> {
    let package = &resolve.packages[id];
    let wrong = |message: String, hint: &str| {
        Error::new(Code::BadContract, message).hint(hint).place(Place::file(path))
    };
    let version = package.name.version.clone().ok_or_else(|| {
        wrong(
            format!("The package `{}` has no version", package.name),
            "Write the version after the name: `package acme:pricing@1.0.0;`",
        )
    })?;
    let mut required = Vec::new();
    match package.worlds.get("module") {
        Some(world) => world_functions(resolve, *world, &mut required),
        None => interface_functions(
            resolve,
            main_interface(package).ok_or_else(|| {
                wrong(
                    format!("It is not clear which interface of `{}` is the contract", package.name),
                    "Name the interface as the package, or export what must be there from `world module`",
                )
            })?,
            &mut required,
        ),
    }
    if required.is_empty() {
        return Err(wrong(
            format!("The contract `{}` has no function", package.name),
            "Add a function: `run: func();`",
        ));
    }
    let mut optional = Vec::new();
    if let Some(world) = package.worlds.get("optional") {
        world_functions(resolve, *world, &mut optional);
    }
    let alternatives =
        package.worlds.iter().filter(|(name, _)| name.starts_with("module-")).map(|(_, world)| {
            let mut functions = Vec::new();
            world_functions(resolve, *world, &mut functions);
            functions
        });
    let alternatives: Vec<Vec<&Function>> = alternatives.collect();
    let mut functions: Vec<ContractFunction> = Vec::new();
    let rest = optional.iter().chain(alternatives.iter().flatten());
    for (function, optional) in required.iter().map(|f| (f, false)).chain(rest.map(|f| (f, true))) {
        let info = function_info(resolve, function);
        if !functions.iter().any(|there| there.info.name == info.name) {
            functions.push(ContractFunction { info, optional });
        }
    }
    Ok(Contract {
        name: package.name.name.clone(),
        package: format!("{}:{}", package.name.namespace, package.name.name),
        version: plain(&version),
        doc: package.docs.contents.as_deref().map(|doc| doc.trim().to_owned()),
        functions,
        alternatives: alternatives
            .iter()
            .map(|part| part.iter().map(|f| snake(f.item_name())).collect())
            .collect(),
    })
}

/// The interface that is the contract, where no world says so: the one named as the package, else the only one.
fn main_interface(package: &Package) -> Option<InterfaceId> {
    let named = package.interfaces.get(&package.name.name);
    named
        .or_else(|| if package.interfaces.len() == 1 { package.interfaces.values().next() } else { None })
        .copied()
}

fn world_functions<'r>(resolve: &'r Resolve, world: WorldId, into: &mut Vec<&'r Function>) {
    for item in resolve.worlds[world].exports.values() {
        match item {
            WorldItem::Function(function) => into.push(function),
            WorldItem::Interface { id, .. } => interface_functions(resolve, *id, into),
            WorldItem::Type { .. } => {}
        }
    }
}

/// The free functions of an interface; those of its resources belong to objects, not to the module.
fn interface_functions<'r>(resolve: &'r Resolve, interface: InterfaceId, into: &mut Vec<&'r Function>) {
    into.extend(resolve.interfaces[interface].functions.values().filter(|f| f.kind.resource().is_none()));
}

/// What a function gives: one that may fail with the `error` of `modrack:types` gives its value, as one does that
/// raises or panics.
fn result_of(resolve: &Resolve, ty: &Wit) -> Type {
    if let Wit::Id(id) = ty
        && let TypeDefKind::Result(result) = &resolve.types[target(resolve, *id)].kind
        && let Some(Wit::Id(error)) = &result.err
        && shared_name(resolve, target(resolve, *error)) == Some("error")
    {
        return result.ok.as_ref().map_or(Type::Null, |ty| type_of(resolve, ty));
    }
    type_of(resolve, ty)
}

pub(super) fn function_info(resolve: &Resolve, function: &Function) -> FunctionInfo {
    let count = function.params.len();
    let params = function.params.iter().enumerate().map(|(index, param)| {
        let ty = type_of(resolve, &param.ty);
        // A last `args: list<value>` is however many arguments there are.
        let rest = index + 1 == count && param.name == "args" && ty == Type::List(Box::new(Type::Any));
        let kind = if rest { ParamKind::Rest } else { ParamKind::Either };
        Param { kind, ..Param::new(snake(&param.name), ty) }
    });
    FunctionInfo {
        name: snake(function.item_name()),
        signature: Signature {
            params: params.collect(),
            result: function.result.map_or(Type::Null, |ty| result_of(resolve, &ty)),
            result_annotation: None,
            is_async: false,
            is_generator: false,
        },
        doc: function.docs.contents.as_deref().map(|doc| doc.trim().to_owned()),
        place: None,
    }
}

/// The table of `docs/contracts.md`.
fn type_of(resolve: &Resolve, ty: &Wit) -> Type {
    let boxed = |ty: &Wit| Box::new(type_of(resolve, ty));
    let or_null = |ty: &Option<Wit>| Box::new(ty.as_ref().map_or(Type::Null, |ty| type_of(resolve, ty)));
    let id = match ty {
        Wit::Bool => return Type::Bool,
        Wit::U8 | Wit::U16 | Wit::U32 | Wit::U64 | Wit::S8 | Wit::S16 | Wit::S32 | Wit::S64 => {
            return Type::Int;
        }
        Wit::F32 | Wit::F64 => return Type::Float,
        Wit::Char | Wit::String => return Type::Text,
        Wit::ErrorContext => return Type::Any,
        Wit::Id(id) => *id,
    };
    let def = &resolve.types[id];
    if let Some(known) = shared_type(resolve, id) {
        return known;
    }
    match &def.kind {
        TypeDefKind::Type(ty) => type_of(resolve, ty),
        TypeDefKind::List(Wit::U8) => Type::Bytes,
        TypeDefKind::List(item) | TypeDefKind::FixedLengthList(item, _) => match pair(resolve, item) {
            Some(value) => Type::Map(boxed(&value)),
            None => Type::List(boxed(item)),
        },
        TypeDefKind::Map(_, value) => Type::Map(boxed(value)),
        TypeDefKind::Option(some) => Type::Option(boxed(some)),
        TypeDefKind::Result(result) => Type::Result(or_null(&result.ok), or_null(&result.err)),
        TypeDefKind::Tuple(tuple) => Type::Tuple(tuple.types.iter().map(|ty| type_of(resolve, ty)).collect()),
        TypeDefKind::Record(record) => Type::Record(
            record
                .fields
                .iter()
                .map(|f| Field { name: snake(&f.name), ty: type_of(resolve, &f.ty) })
                .collect(),
        ),
        TypeDefKind::Variant(variant) => Type::Variant(
            variant
                .cases
                .iter()
                .map(|c| (snake(&c.name), c.ty.as_ref().map(|ty| type_of(resolve, ty))))
                .collect(),
        ),
        TypeDefKind::Enum(words) => Type::Enum(words.cases.iter().map(|case| case.name.clone()).collect()),
        TypeDefKind::Flags(words) => Type::Flags(words.flags.iter().map(|flag| flag.name.clone()).collect()),
        TypeDefKind::Stream(item) => Type::Stream(or_null(item)),
        TypeDefKind::Future(item) => *or_null(item),
        TypeDefKind::Handle(wit_parser::Handle::Own(of) | wit_parser::Handle::Borrow(of)) => {
            let of = target(resolve, *of);
            match items(resolve, of) {
                Some(item) => Type::Stream(Box::new(item)),
                None => Type::Resource(resolve.types[of].name.clone().unwrap_or_default()),
            }
        }
        TypeDefKind::Resource => Type::Resource(def.name.clone().unwrap_or_default()),
        TypeDefKind::Unknown => Type::Any,
    }
}

/// `value` and `table` of `modrack:types`, which stand for what WIT cannot say.
fn shared_type(resolve: &Resolve, id: TypeId) -> Option<Type> {
    match shared_name(resolve, id)? {
        "value" => Some(Type::Any),
        "table" => Some(Type::Table),
        _ => None,
    }
}

/// The name of a type that `modrack:types` defines: `value`, `table`, `error`.
pub fn shared_name(resolve: &Resolve, id: TypeId) -> Option<&str> {
    let def = &resolve.types[id];
    let TypeOwner::Interface(interface) = def.owner else { return None };
    let package = &resolve.packages[resolve.interfaces[interface].package?];
    let shared = (package.name.namespace.as_str(), package.name.name.as_str()) == ("modrack", "types");
    if shared { def.name.as_deref() } else { None }
}

/// The type behind its other names.
pub fn target(resolve: &Resolve, mut id: TypeId) -> TypeId {
    while let TypeDefKind::Type(Wit::Id(next)) = resolve.types[id].kind {
        id = next;
    }
    id
}

/// What a resource gives one after the other: it has a method `next` that takes nothing and gives an option.
fn items(resolve: &Resolve, resource: TypeId) -> Option<Type> {
    let def = &resolve.types[resource];
    let TypeOwner::Interface(interface) = def.owner else { return None };
    let next = format!("[method]{}.next", def.name.as_deref()?);
    let next = resolve.interfaces[interface].functions.get(&next)?;
    match result_of(resolve, next.result.as_ref()?) {
        Type::Option(item) if next.params.len() == 1 => Some(*item),
        _ => None,
    }
}

/// The value's type of a `tuple<string, T>`: a list of those is a mapping.
pub fn pair(resolve: &Resolve, item: &Wit) -> Option<Wit> {
    let Wit::Id(id) = item else { return None };
    match &resolve.types[*id].kind {
        TypeDefKind::Tuple(tuple) => match tuple.types.as_slice() {
            [Wit::String, value] => Some(*value),
            _ => None,
        },
        TypeDefKind::Type(inner) => pair(resolve, inner),
        _ => None,
    }
}

/// What is wrong with how WIT packages refer to each other.
fn unresolved(kind: &ResolveErrorKind, map: &SourceMap, texts: &[(&str, &str)]) -> Error {
    let error = match kind {
        ResolveErrorKind::PackageNotFound { requested, .. } => {
            Error::new(Code::BadContract, format!("There is no WIT package `{requested}`"))
                .hint("Add the file that has it to `contracts:`, or correct the name and version")
        }
        ResolveErrorKind::DuplicatePackage { name, span2, .. } => {
            let other =
                place(*span2, map, texts).map_or(String::new(), |place| format!(" (it is in {place} too)"));
            Error::new(Code::DuplicateName, format!("The WIT package `{name}` is there twice"))
                .hint(format!("Give one of the two another name or version{other}"))
        }
        other => return malformed(&other.to_string(), other.span(), map, texts),
    };
    match place(kind.span(), map, texts) {
        Some(place) => error.place(place),
        None => error,
    }
}

/// What is wrong with WIT by itself.
fn malformed(message: &str, span: Span, map: &SourceMap, texts: &[(&str, &str)]) -> Error {
    let message = message.lines().next().unwrap_or_default().replace('\'', "`");
    let error = Error::new(Code::BadContract, format!("This is not valid WIT: {}", lower_first(&message)))
        .hint("https://component-model.bytecodealliance.org/design/wit.html says how WIT is written");
    let place = place(span, map, texts).or_else(|| map.source_names().last().map(Place::file));
    match place {
        Some(place) => error.place(place),
        None => error,
    }
}

fn place(span: Span, map: &SourceMap, texts: &[(&str, &str)]) -> Option<Place> {
    let at = map.resolve_span(span)?;
    let mut place = Place::file(at.path);
    if let Some((_, text)) = texts.iter().find(|(path, _)| *path == at.path) {
        let (line, column) = Lines::new(text).line_column(at.range.start);
        place.line = Some(line);
        place.column = Some(column);
    }
    Some(place)
}

/// A version without what does not count when versions are compared.
fn plain(version: &Version) -> Version {
    Version { build: semver::BuildMetadata::EMPTY, ..version.clone() }
}

pub(super) fn snake(name: &str) -> String {
    name.replace('-', "_")
}
