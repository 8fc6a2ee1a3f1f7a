//! How a module is started, and what of it fills the slot.
//!
//! A Python file is started by what is named; else by `create`; else by the one concrete public class that it
//! defines; else it is the slot's module itself.

use std::collections::HashSet;
use std::rc::Rc;

use modrack_core::{Attr, AttributeInfo, ClassInfo, Entry, Place, Result, Signature, nearest};

use crate::class::{ClassView, Kind, Listed};
use crate::error;
use crate::facts::{Def, FunctionFact, Link, Member, MethodKind, Returns};
use crate::stdlib;
use crate::world::{Found, Unit, World};

/// What fills a slot.
pub(crate) struct Filling {
    pub(crate) entry: Entry,
    pub(crate) functions: Vec<Listed>,
    pub(crate) attributes: Vec<AttributeInfo>,
    pub(crate) constructor: Option<Signature>,
    pub(crate) open: bool,
    pub(crate) doc: Option<String>,
    /// The class of the instance, where that is known.
    pub(crate) class: Option<ClassView>,
}

/// Decides how the module is started.
///
/// # Errors
/// What is named is not there, or several classes could be meant.
pub(crate) fn filling(
    world: &World<'_>,
    unit: &Rc<Unit>,
    attr: Option<&Attr>,
    as_it_is: bool,
    shown_root: &std::path::Path,
) -> Result<Filling> {
    if let Some(attr) = attr {
        return named(world, unit, attr, shown_root);
    }
    if as_it_is {
        return Ok(module(world, unit));
    }
    if unit.facts.is_public("create")
        && let Some(found) = world.find(unit, "create")
        && is_own(world, unit, "create", &found)
        && found.function().is_some()
    {
        return Ok(factory(world, unit, &found, "create"));
    }
    let candidates = candidates(world, unit);
    match candidates.as_slice() {
        [] => Ok(module(world, unit)),
        [(name, _)] => {
            let found = candidates.first().map(|(_, found)| found.clone());
            match found {
                Some(found) => Ok(class(world, &found, name)),
                None => Ok(module(world, unit)),
            }
        }
        several => {
            let listed: Vec<(String, Place)> = several
                .iter()
                .filter_map(|(name, found)| Some((name.clone(), found.class()?.place.clone())))
                .collect();
            Err(error::ambiguous(&unit.path, shown_root, &listed))
        }
    }
}

/// The public classes that a file defines.
pub(crate) fn classes(world: &World<'_>, unit: &Rc<Unit>) -> Vec<ClassInfo> {
    unit.facts
        .names
        .iter()
        .filter(|(name, _)| unit.facts.is_public(name))
        .filter_map(|(name, def)| match def {
            Def::Class(class) => {
                let found = Found { unit: unit.clone(), name: name.to_owned() };
                ClassView::of(world, &found).map(|view| view.info(class))
            }
            _ => None,
        })
        .collect()
}

/// The classes that could be the one that is meant.
///
/// They are public, defined in the file (or brought into a package's `__init__.py` from inside the package),
/// and concrete; exceptions, enums, protocols and typed dicts are not meant, nor are classes with nothing to
/// call, nor those that another of them derives from. Where dataclasses stand beside ordinary classes, the
/// ordinary ones are meant.
fn candidates(world: &World<'_>, unit: &Rc<Unit>) -> Vec<(String, Found)> {
    let mut all: Vec<(String, Found, ClassView)> = Vec::new();
    for (name, def) in unit.facts.names.iter() {
        if !unit.facts.is_public(name) || !matches!(def, Def::Class(_) | Def::Import(_)) {
            continue;
        }
        let Some(found) = world.find(unit, name) else { continue };
        if !is_own(world, unit, name, &found) {
            continue;
        }
        let Some(view) = ClassView::of(world, &found) else { continue };
        let is_meant = matches!(view.kind, Kind::Plain | Kind::Data | Kind::Tuple)
            && view.is_concrete()
            && (!view.functions().is_empty() || (view.is_open() && view.kind == Kind::Plain));
        if is_meant {
            all.push((name.to_owned(), found, view));
        }
    }
    let bases: HashSet<_> = all.iter().flat_map(|(_, _, view)| view.bases()).collect();
    let kept: Vec<bool> = all.iter().map(|(_, found, _)| !bases.contains(&found.key())).collect();
    drop(bases);
    let mut kept = kept.into_iter();
    all.retain(|_| kept.next().unwrap_or(true));
    if all.iter().any(|(_, _, view)| view.kind == Kind::Plain) {
        all.retain(|(_, _, view)| view.kind == Kind::Plain);
    }
    all.into_iter().map(|(name, found, _)| (name, found)).collect()
}

/// Whether a name counts as the unit's own: defined there, or brought in by a package from inside itself.
fn is_own(world: &World<'_>, unit: &Rc<Unit>, name: &str, found: &Found) -> bool {
    match unit.facts.names.get(name) {
        Some(Def::Import(_)) => unit.is_package && world.is_private(&found.unit.path),
        Some(_) => true,
        None => false,
    }
}

fn class(world: &World<'_>, found: &Found, name: &str) -> Filling {
    let Some(view) = ClassView::of(world, found) else {
        return unknown();
    };
    Filling {
        entry: Entry::Class(name.to_owned()),
        functions: view.functions(),
        attributes: view.attributes(),
        constructor: view.constructor(),
        open: view.is_open() || found.unit.facts.dynamic,
        doc: found.class().and_then(|class| class.doc.clone()),
        class: Some(view),
    }
}

fn factory(world: &World<'_>, unit: &Rc<Unit>, found: &Found, name: &str) -> Filling {
    let Some(function) = found.function() else { return unknown() };
    let mut filling = made_by(world, unit, found, function);
    filling.entry = Entry::Factory(name.to_owned());
    filling.constructor = Some(function.info.signature.clone());
    if filling.doc.is_none() {
        filling.doc.clone_from(&function.info.doc);
    }
    filling
}

/// What a factory gives: an instance of the class that it says or shows, else the module when it gives
/// nothing.
fn made_by(world: &World<'_>, unit: &Rc<Unit>, found: &Found, function: &FunctionFact) -> Filling {
    let annotated = function.info.signature.result_annotation.as_deref();
    let shown = match &function.returns {
        Returns::Made(name) => Some(name.as_str()),
        _ => None,
    };
    for name in shown.into_iter().chain(annotated) {
        let Some(made) = world.find(&found.unit, name).filter(|made| made.class().is_some()) else {
            continue;
        };
        let mut filling = class(world, &made, name);
        // A subclass may be given where a base is promised.
        filling.open |= shown.is_none();
        return filling;
    }
    if function.returns == Returns::Nothing && !function.info.signature.is_generator {
        let mut filling = module(world, unit);
        filling.functions.retain(|listed| listed.info.name != found.name);
        return filling;
    }
    unknown()
}

fn function(found: &Found, name: &str) -> Filling {
    let Some(function) = found.function() else { return unknown() };
    alone(function, name, 0)
}

/// One function that fills a slot by itself.
fn alone(function: &FunctionFact, name: &str, takes: usize) -> Filling {
    let mut info = function.info.clone();
    name.rsplit('.').next().unwrap_or(name).clone_into(&mut info.name);
    Filling {
        entry: Entry::Function(name.to_owned()),
        constructor: Some(info.signature.clone()),
        doc: info.doc.clone(),
        functions: vec![Listed { takes: function.takes[takes], info }],
        attributes: Vec::new(),
        open: false,
        class: None,
    }
}

/// The module itself: its public functions and values.
pub(crate) fn module(world: &World<'_>, unit: &Rc<Unit>) -> Filling {
    let facts = &unit.facts;
    let mut filling = Filling { entry: Entry::Module, doc: facts.doc.clone(), ..unknown() };
    filling.open = facts.dynamic || !world.stars_are_seen(unit);
    let mut add = |name: &str, found: &Found| match found.unit.facts.names.get(&found.name) {
        Some(Def::Function(function)) => {
            let mut info = function.info.clone();
            name.clone_into(&mut info.name);
            filling.functions.push(Listed { takes: function.takes[0], info });
        }
        Some(Def::Value(value)) if !value.is_type => {
            let mut info = value.info.clone();
            name.clone_into(&mut info.name);
            filling.attributes.push(info);
            filling.open |= value.maybe_callable;
        }
        _ => {}
    };
    for (name, def) in facts.names.iter() {
        if !facts.is_public(name) {
            continue;
        }
        let found = world.find(unit, name);
        match (def, found) {
            (Def::Import(_), Some(found)) => {
                let is_listed = facts.all.is_some() || is_own(world, unit, name, &found);
                if is_listed {
                    add(name, &found);
                }
            }
            (Def::Import(_), None) => {}
            (_, Some(found)) => add(name, &found),
            (_, None) => {}
        }
    }
    for star in world.stars(unit) {
        for (name, _) in star.facts.names.iter() {
            let is_new = !facts.names.contains(name) && star.facts.is_public(name) && facts.is_public(name);
            if is_new && let Some(found) = world.find(&star, name) {
                add(name, &found);
            }
        }
    }
    filling.open |= facts.names.iter().any(|(name, def)| match def {
        Def::Import(link) => facts.is_public(name) && may_be_function(name, link),
        _ => false,
    });
    let has = |name: &str| filling.functions.iter().find(|listed| listed.info.name == name);
    filling.constructor =
        has("initialize").or_else(|| has("start")).map(|listed| listed.info.signature.clone());
    filling
}

/// Whether an imported name may be a function that others are to call. Names of the standard library and
/// names written as classes are not.
fn may_be_function(name: &str, link: &Link) -> bool {
    let top = link.module.split('.').next().unwrap_or("");
    let is_library = link.level == 0 && stdlib::has(top);
    link.name.is_some() && !is_library && name.starts_with(|c: char| c.is_lowercase())
}

/// What is named: `Name`, `make()`, `Name.method`, `object.part`.
fn named(world: &World<'_>, unit: &Rc<Unit>, attr: &Attr, shown_root: &std::path::Path) -> Result<Filling> {
    let (first, rest) = match attr.path.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (attr.path.as_str(), None),
    };
    let facts = &unit.facts;
    let Some(found) = world.find(unit, first) else {
        let may_be = facts.dynamic || !world.stars_are_seen(unit) || facts.names.contains(first);
        if may_be {
            return Ok(unseen(attr));
        }
        let public: Vec<&str> = facts
            .names
            .iter()
            .filter(|(name, def)| facts.is_public(name) && matches!(def, Def::Class(_) | Def::Function(_)))
            .map(|(name, _)| name)
            .collect();
        let near = nearest(first, facts.names.keys().filter(|name| !name.starts_with("__")));
        return Err(error::no_such_name(&unit.path, shown_root, &attr.path, near, &public));
    };
    if let Some(rest) = rest {
        return inside(world, unit, &found, attr, rest, shown_root);
    }
    Ok(match found.unit.facts.names.get(&found.name) {
        // A class is made by calling it, marked or not.
        Some(Def::Class(_)) => class(world, &found, first),
        Some(Def::Function(_)) if attr.factory => factory(world, unit, &found, first),
        Some(Def::Function(_)) => function(&found, first),
        Some(Def::Value(value)) if !attr.factory => {
            let made = value.made.as_deref().and_then(|made| world.find(&found.unit, made));
            let mut filling = match made.filter(|made| made.class().is_some()) {
                Some(made) => class(world, &made, first),
                None => unknown(),
            };
            filling.entry = Entry::Object(first.to_owned());
            filling.constructor = Some(Signature::default());
            filling
        }
        _ => unseen(attr),
    })
}

/// What is named inside of a class or an object.
fn inside(
    world: &World<'_>,
    unit: &Rc<Unit>,
    found: &Found,
    attr: &Attr,
    rest: &str,
    shown_root: &std::path::Path,
) -> Result<Filling> {
    let Some(view) = ClassView::of(world, found) else { return Ok(unseen(attr)) };
    let (name, deeper) = rest.split_once('.').map_or((rest, None), |(name, deeper)| (name, Some(deeper)));
    match view.member(name) {
        Some(_) if deeper.is_some() => Ok(unseen(attr)),
        Some(Member::Method(method)) if method.kind != MethodKind::Property && !attr.factory => {
            let is_bound = method.kind == MethodKind::Class;
            let mut filling = alone(method, &attr.path, usize::from(is_bound));
            if is_bound {
                for signature in filling
                    .functions
                    .iter_mut()
                    .map(|l| &mut l.info.signature)
                    .chain(&mut filling.constructor)
                {
                    signature.params.drain(..signature.params.len().min(1));
                }
            }
            Ok(filling)
        }
        Some(_) => Ok(unseen(attr)),
        None if view.is_open() || found.unit.facts.dynamic || name.starts_with("__") => Ok(unseen(attr)),
        None => {
            let functions = view.functions();
            let has: Vec<&str> = functions.iter().map(|listed| listed.info.name.as_str()).collect();
            let near = nearest(name, has.iter().copied());
            let near = near.map(|near| format!("{}.{near}", found.name));
            Err(error::no_such_name(&unit.path, shown_root, &attr.path, near.as_deref(), &has))
        }
    }
}

/// Something that only running the module shows.
fn unseen(attr: &Attr) -> Filling {
    let entry = if attr.factory { Entry::Factory(attr.path.clone()) } else { Entry::Unknown };
    Filling { entry, ..unknown() }
}

pub(crate) fn unknown() -> Filling {
    Filling {
        entry: Entry::Unknown,
        functions: Vec::new(),
        attributes: Vec::new(),
        constructor: None,
        open: true,
        doc: None,
        class: None,
    }
}
