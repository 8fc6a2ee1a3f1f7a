//! What a component says of itself, read from its bytes; nothing of it runs.

use std::path::Path;

use modrack_core::contract::{Contract, Contracts, Exported, exports, world_doc};
use modrack_core::manifest::Embedded;
use modrack_core::{
    BackendName, Content, Description, Entry, Error, Instances, Param, ParamKind, Place, Result, Signature,
    Type, caught, is_lifecycle,
};
use wasmparser::{Parser, Payload, Validator};
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Resolve, WorldId, WorldItem, WorldKey};

use crate::error::{damaged, imports, other_contract};
use crate::host::{HOST, LAYER};
use crate::least::least_memory;
use crate::module::Plan;
use crate::shape::Shape;
use crate::source::Source;
use crate::wasi;

/// The custom section with the manifest.
const SECTION: &str = "modrack";

/// What is read of a component.
pub(crate) struct Described {
    /// What it says of itself.
    pub(crate) description: Description,
    /// Its functions, in the order of the description.
    pub(crate) plans: Vec<Plan>,
    /// Whether it imports what WASI gives.
    pub(crate) wasi: bool,
    /// The bytes of memory that it begins with, at least.
    pub(crate) least: u64,
}

/// Reads a component. `whole` has every instruction of it validated, too.
///
/// # Errors
/// What is wrong with it, see `docs/wasm-modules.md`.
pub(crate) fn describe(source: &Source, whole: bool) -> Result<Described> {
    let place = || Place::file(&source.path);
    let bad = |why: &str| damaged(&source.name, why, place());
    if whole {
        Validator::new().validate_all(&source.bytes).map_err(|why| bad(&why.to_string()))?;
    }
    // The decoder holds some components that are valid and that no tool makes for impossible, and panics.
    let (resolve, world) = match caught(|| decode(&source.bytes)) {
        Some(Ok(DecodedWasm::Component(resolve, world))) => (resolve, world),
        Some(Ok(DecodedWasm::WitPackage(..))) => {
            return Err(bad("it is an interface in binary form, with no code"));
        }
        Some(Err(why)) => return Err(bad(&format!("{why:#}"))),
        None => return Err(bad("its types refer to each other as no WIT can say")),
    };
    let wasi = given(&resolve, world, source)?;
    let said = match section(&source.bytes).map_err(|why| bad(&why.to_string()))? {
        Some(text) => {
            let text =
                std::str::from_utf8(text).map_err(|_| bad("its section `modrack` is not UTF-8 text"))?;
            Embedded::read(&source.path, text)?
        }
        None => Embedded::default(),
    };
    let exported = exports(&resolve, world);
    let contracts = contracts(&resolve, world, source)?;
    let plans = plans(&resolve, world, exported, &said, &contracts);
    let mut manifest = said.manifest;
    if let Some(contract) = contracts.first()
        && manifest.contract.is_none()
    {
        manifest.contract = Some(format!("{}@{}", contract.name, contract.version.major));
    }
    // An instance has one memory that its functions share: it takes one call at a time.
    manifest.instances = match manifest.instances {
        None | Some(Instances::Shared) => Some(Instances::One),
        other => other,
    };
    let stem = Path::new(&source.name).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let description = Description {
        name: manifest.name.clone().or(stem).unwrap_or_else(|| source.name.clone()),
        version: manifest.version.clone(),
        backend: Some(BackendName::Wasm),
        doc: said.doc.or_else(|| world_doc(&resolve, world)).or_else(|| manifest.description.clone()),
        entry: Entry::Module,
        functions: plans.iter().map(|plan| plan.info.clone()).collect(),
        attributes: Vec::new(),
        classes: Vec::new(),
        constructor: said.constructor.or_else(|| constructor(&plans)),
        manifest,
        open: false,
        hash: Some(source.hash.clone()),
        files: if source.is_file { vec![source.path.clone()] } else { Vec::new() },
        data: Vec::new(),
        content: Content::default(),
    };
    let least = least_memory(&source.bytes).map_err(|why| bad(&why.to_string()))?;
    Ok(Described { description, plans, wasi, least })
}

/// Each function with what a call of it needs to know.
fn plans(
    resolve: &Resolve,
    world: WorldId,
    exported: Vec<Exported>,
    said: &Embedded,
    contracts: &[&Contract],
) -> Vec<Plan> {
    let mut plans: Vec<Plan> = Vec::with_capacity(exported.len());
    for Exported { interface, item, mut info, .. } in exported {
        let Some(function) =
            find(resolve, world, interface.as_ref().map(ToString::to_string).as_deref(), &item)
        else {
            continue;
        };
        let own_name = info.name.clone();
        // Functions of two interfaces may be called alike: the second is called with its interface's name.
        if plans.iter().any(|plan| plan.info.name == info.name)
            && let Some(interface) = &interface
        {
            info.name = format!("{}.{}", crate::shape::snake(&interface.name), info.name);
        }
        // Tools leave out of a component what its WIT says of its functions: its own section may say it, and what
        // a contract's functions do, the contract says.
        if info.doc.is_none() {
            let own = said.functions.iter().flatten().find(|f| f.name == info.name);
            let promised = contracts.iter().filter(|contract| {
                interface.as_ref().is_some_and(|at| at.package.as_deref() == Some(&contract.package))
            });
            let promised = promised.flat_map(|c| &c.functions).map(|f| &f.info).find(|f| f.name == own_name);
            info.doc = own.and_then(|f| f.doc.clone()).or_else(|| promised.and_then(|f| f.doc.clone()));
        }
        let params = function.params.iter().map(|param| Shape::of(resolve, &param.ty));
        plans.push(Plan::new(
            info,
            own_name,
            interface.map(|name| name.to_string()),
            item,
            params.collect(),
            function.result.as_ref().map(|ty| Shape::of(resolve, ty)),
        ));
    }
    plans
}

fn find<'r>(
    resolve: &'r Resolve,
    world: WorldId,
    interface: Option<&str>,
    item: &str,
) -> Option<&'r wit_parser::Function> {
    resolve.worlds[world].exports.iter().find_map(|(key, export)| match (export, interface) {
        (WorldItem::Function(function), None) if function.name == item => Some(function),
        (WorldItem::Interface { id, .. }, Some(wanted)) if resolve.name_world_key(key) == wanted => {
            resolve.interfaces[*id].functions.get(item)
        }
        _ => None,
    })
}

/// What the params of the slot are, by the component's `initialize`: its one mapping, the fields of its one record,
/// or its own parameters.
fn constructor(plans: &[Plan]) -> Option<Signature> {
    let named = |param: Param| Param { kind: ParamKind::Named, ..param };
    let initialize = plans.iter().find(|plan| plan.info.name == "initialize")?;
    let params = match initialize.info.signature.params.as_slice() {
        [Param { ty: Type::Any | Type::Map(_), .. }] => return None,
        [Param { ty: Type::Record(fields), .. }] => {
            fields.iter().map(|field| named(Param::new(&field.name, field.ty.clone()))).collect()
        }
        params => params.iter().cloned().map(named).collect::<Vec<_>>(),
    };
    let params = params.into_iter().map(|param| match param.ty {
        Type::Option(_) => Param { default: Some("null".into()), ..param },
        _ => param,
    });
    Some(Signature { params: params.collect(), ..Signature::default() })
}

/// Refuses imports that nobody gives: functions and resources of anything but the host's interface, the rest of a call
/// that layers go on with, and WASI. Says whether WASI is imported.
fn given(resolve: &Resolve, world: WorldId, source: &Source) -> Result<bool> {
    let mut wasi = false;
    let mut missing = Vec::new();
    for (key, item) in &resolve.worlds[world].imports {
        let name = resolve.name_world_key(key);
        match item {
            WorldItem::Function(_) => missing.push(name),
            WorldItem::Interface { id, .. } => {
                let interface = &resolve.interfaces[*id];
                let only_types = interface.functions.is_empty()
                    && !interface
                        .types
                        .values()
                        .any(|id| matches!(resolve.types[*id].kind, wit_parser::TypeDefKind::Resource));
                if wasi::is_given(&name) {
                    wasi = true;
                } else if !only_types && !is_given(&name, HOST) && !is_given(&name, LAYER) {
                    missing.push(name);
                }
            }
            WorldItem::Type { .. } => {}
        }
    }
    if missing.is_empty() {
        Ok(wasi)
    } else {
        Err(imports(&source.name, &missing, Place::file(&source.path)))
    }
}

/// Whether an import is the `given` interface, in a version that fits it.
fn is_given(import: &str, given: &str) -> bool {
    let Some((name, version)) = given.rsplit_once('@') else { return false };
    let import = import.strip_prefix(name).and_then(|rest| rest.strip_prefix('@'));
    let wanted = import.and_then(|version| semver::Version::parse(version).ok());
    let given = semver::Version::parse(version).ok();
    wanted.zip(given).is_some_and(|(wanted, given)| wanted.major == given.major && wanted <= given)
}

/// The contracts that the component exports, told by the name and version of their interfaces.
fn contracts(resolve: &Resolve, world: WorldId, source: &Source) -> Result<Vec<&'static Contract>> {
    let mut told = Vec::new();
    for key in resolve.worlds[world].exports.keys() {
        let WorldKey::Interface(id) = key else { continue };
        let Some(package) = resolve.interfaces[*id].package else { continue };
        let name = &resolve.packages[package].name;
        if name.namespace != "modrack" {
            continue;
        }
        let found = resolve.name_world_key(key);
        let other = |spoken: &str| -> Error {
            other_contract(&source.name, &found, spoken, Place::file(&source.path))
        };
        let version = name.version.as_ref();
        if name.name == "types" {
            if version.is_none_or(|version| version.major != 1) {
                return Err(other("`modrack:types@1.0.0`"));
            }
            continue;
        }
        let spoken: Vec<_> = Contracts::built_in().named(&name.name).collect();
        if spoken.is_empty() {
            return Err(other("a contract of modrack that `docs/contracts.md` lists"));
        }
        let fits = |version: &semver::Version| {
            spoken.iter().find(|c| c.version.major == version.major && c.version >= *version)
        };
        let Some(contract) = version.and_then(fits) else {
            let spoken: Vec<_> =
                spoken.iter().map(|c| format!("`modrack:{}@{}`", c.name, c.version)).collect();
            return Err(other(&spoken.join(" or ")));
        };
        told.push(*contract);
    }
    Ok(told)
}

/// The manifest's section: of the component itself, else of a module within it, where compilers of guests put it.
fn section(bytes: &[u8]) -> wasmparser::Result<Option<&[u8]>> {
    let mut inner = None;
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if section.name() == SECTION => {
                if depth <= 1 {
                    return Ok(Some(section.data()));
                }
                inner = inner.or(Some(section.data()));
            }
            _ => {}
        }
    }
    Ok(inner)
}

/// The names of the functions that callers are shown.
pub(crate) fn public_names(plans: &[std::sync::Arc<Plan>]) -> Vec<String> {
    let names = plans.iter().map(|plan| plan.info.name.clone());
    names.filter(|name| !is_lifecycle(name)).collect()
}
