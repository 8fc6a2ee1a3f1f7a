//! What a component's world exports, told as the functions of a module.
//!
//! The world was decoded from a component or parsed from WIT by whoever asks; nothing here reads bytes.

use std::fmt;

use semver::Version;
use wit_parser::{Function, FunctionKind, InterfaceId, Resolve, TypeDefKind, TypeId, WorldId, WorldItem};

use super::wit::{function_info, snake};
use crate::FunctionInfo;

/// A function that a world exports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The interface it stands in; none for the world itself.
    pub interface: Option<InterfaceName>,
    /// Its name there, as components write it: `export-state`, `[method]rows.next`.
    pub item: String,
    /// The function as callers see it: `export_state`, `rows.next`; a constructor is called as its resource.
    pub info: FunctionInfo,
    /// Whether it belongs to a resource.
    pub of_resource: bool,
}

/// The name of an interface: `modrack:transform/transform@1.0.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceName {
    /// The package: `modrack:transform`; none for an interface that a world says in place.
    pub package: Option<String>,
    /// The interface.
    pub name: String,
    /// The package's version.
    pub version: Option<Version>,
}

/// Every function that `world` exports: those of the world itself first, then those of each interface, those of
/// resources included.
pub fn exports(resolve: &Resolve, world: WorldId) -> Vec<Exported> {
    let mut own = Vec::new();
    let mut rest = Vec::new();
    for (key, item) in &resolve.worlds[world].exports {
        match item {
            WorldItem::Function(function) => own.push(exported(resolve, None, function)),
            WorldItem::Interface { id, .. } => {
                let name = interface_name(resolve, *id, &resolve.name_world_key(key));
                let functions = resolve.interfaces[*id].functions.values();
                rest.extend(functions.map(|f| exported(resolve, Some(name.clone()), f)));
            }
            WorldItem::Type { .. } => {}
        }
    }
    own.extend(rest);
    own
}

/// The documentation of a world, else that of its package.
pub fn doc(resolve: &Resolve, world: WorldId) -> Option<String> {
    let world = &resolve.worlds[world];
    let package = world.package.and_then(|id| resolve.packages[id].docs.contents.as_deref());
    world.docs.contents.as_deref().or(package).map(|doc| doc.trim().to_owned())
}

fn exported(resolve: &Resolve, interface: Option<InterfaceName>, function: &Function) -> Exported {
    let mut info = function_info(resolve, function);
    let of_resource = match function.kind {
        FunctionKind::Freestanding | FunctionKind::AsyncFreestanding => false,
        FunctionKind::Constructor(of) => {
            info.name = resource_name(resolve, of);
            true
        }
        FunctionKind::Method(of)
        | FunctionKind::AsyncMethod(of)
        | FunctionKind::Static(of)
        | FunctionKind::AsyncStatic(of) => {
            info.name = format!("{}.{}", resource_name(resolve, of), snake(function.item_name()));
            true
        }
    };
    Exported { interface, item: function.name.clone(), info, of_resource }
}

fn resource_name(resolve: &Resolve, mut id: TypeId) -> String {
    loop {
        let def = &resolve.types[id];
        match (&def.name, &def.kind) {
            (Some(name), _) => return snake(name),
            (None, TypeDefKind::Type(wit_parser::Type::Id(next))) => id = *next,
            (None, _) => return String::new(),
        }
    }
}

fn interface_name(resolve: &Resolve, id: InterfaceId, key: &str) -> InterfaceName {
    let interface = &resolve.interfaces[id];
    match (interface.package, &interface.name) {
        (Some(package), Some(name)) if key.contains(':') => {
            let package = &resolve.packages[package].name;
            InterfaceName {
                package: Some(format!("{}:{}", package.namespace, package.name)),
                name: name.clone(),
                version: package.version.clone(),
            }
        }
        _ => InterfaceName { package: None, name: key.to_owned(), version: None },
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(package) = &self.package {
            write!(f, "{package}/")?;
        }
        f.write_str(&self.name)?;
        match &self.version {
            Some(version) => write!(f, "@{version}"),
            None => Ok(()),
        }
    }
}
