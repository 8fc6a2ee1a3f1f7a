//! Classes with what they inherit: members, constructor, and what kind of class it is.

use std::collections::HashSet;
use std::path::PathBuf;

use modrack_core::{AttributeInfo, ClassInfo, FunctionInfo, Param, ParamKind, Signature, Takes, Type};

use crate::facts::{ClassFact, Def, FunctionFact, Member, MethodKind, ValueFact};
use crate::world::{Found, World};

/// A class and the classes that it inherits from, the nearest first.
pub(crate) struct ClassView {
    line: Vec<Step>,
    pub(crate) kind: Kind,
}

/// One class of a line of inheritance.
enum Step {
    Seen(Found),
    /// A base that cannot be read, by its full name.
    Unseen,
}

/// What a class is for, as far as that decides whether it can fill a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub(crate) enum Kind {
    Plain,
    /// Made for its fields: dataclasses and the like.
    Data,
    /// Made for its fields, and cannot be given state of its own.
    Tuple,
    Exception,
    Enum,
    Protocol,
    TypedDict,
    Metaclass,
}

/// A function of a slot, with what a transform of that name would take.
pub(crate) struct Listed {
    pub(crate) info: FunctionInfo,
    pub(crate) takes: Option<Takes>,
}

/// How many classes a line of inheritance may have.
const MAX_LINE: usize = 64;

impl Found {
    /// The definition, as one can compare it with others.
    pub(crate) fn key(&self) -> (PathBuf, String) {
        (self.unit.path.clone(), self.name.clone())
    }

    /// The class, if that is what was found.
    pub(crate) fn class(&self) -> Option<&ClassFact> {
        match self.unit.facts.names.get(&self.name) {
            Some(Def::Class(class)) => Some(class),
            _ => None,
        }
    }

    /// The function, if that is what was found.
    pub(crate) fn function(&self) -> Option<&FunctionFact> {
        match self.unit.facts.names.get(&self.name) {
            Some(Def::Function(function)) => Some(function),
            _ => None,
        }
    }
}

impl ClassView {
    /// Looks at a class and everything that it inherits; none when it is no class.
    pub(crate) fn of(world: &World<'_>, found: &Found) -> Option<Self> {
        let class = found.class()?;
        let mut view = Self { line: Vec::new(), kind: Kind::Plain };
        let mut seen = HashSet::new();
        view.follow(world, found, &mut seen);
        if class.data.is_some() {
            view.kind = view.kind.max(Kind::Data);
        }
        let ends = |word: &str| class.bases.iter().any(|base| base.full.rsplit('.').next() == Some(word));
        if ends("Protocol") {
            view.kind = Kind::Protocol;
        }
        if ends("type") {
            view.kind = Kind::Metaclass;
        }
        Some(view)
    }

    fn follow(&mut self, world: &World<'_>, found: &Found, seen: &mut HashSet<(PathBuf, String)>) {
        if self.line.len() >= MAX_LINE || !seen.insert(found.key()) {
            return;
        }
        let Some(class) = found.class() else { return };
        self.line.push(Step::Seen(found.clone()));
        if class.data.is_some() && self.line.len() > 1 {
            self.kind = self.kind.max(Kind::Data);
        }
        for base in &class.bases {
            let inner = match base.name.as_str() {
                "" => None,
                name => world.find(&found.unit, name).filter(|inner| inner.class().is_some()),
            };
            match inner {
                Some(inner) => self.follow(world, &inner, seen),
                None => self.outside(&base.full),
            }
        }
    }

    /// Takes in a base that is not in any file at hand.
    fn outside(&mut self, full: &str) {
        let short = full.rsplit('.').next().unwrap_or(full);
        let kind = match short {
            "object" | "ABC" | "Generic" | "Protocol" | "type" => return,
            "TypedDict" => Kind::TypedDict,
            "NamedTuple" => Kind::Tuple,
            "Enum" | "IntEnum" | "StrEnum" | "Flag" | "IntFlag" => Kind::Enum,
            "BaseModel" | "BaseSettings" | "Struct" | "SQLModel" => {
                self.line.push(Step::Unseen);
                Kind::Data
            }
            _ if is_exception(short) => {
                self.line.push(Step::Unseen);
                Kind::Exception
            }
            _ => {
                self.line.push(Step::Unseen);
                if short.ends_with("Enum") { Kind::Enum } else { Kind::Plain }
            }
        };
        self.kind = self.kind.max(kind);
    }

    fn seen(&self) -> impl Iterator<Item = (&Found, &ClassFact)> {
        self.line.iter().filter_map(|step| match step {
            Step::Seen(found) => found.class().map(|class| (found, class)),
            Step::Unseen => None,
        })
    }

    /// Every member by name, the nearest definition of each.
    fn members(&self) -> Vec<(&str, &Member)> {
        let mut names = HashSet::new();
        let mut members = Vec::new();
        for (_, class) in self.seen() {
            members.extend(class.members.iter().filter(|(name, _)| names.insert(*name)));
        }
        members
    }

    /// The member called `name`, wherever in the line it is.
    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        self.seen().find_map(|(_, class)| class.members.get(name))
    }

    /// Whether instances may have members that cannot be read.
    pub(crate) fn is_open(&self) -> bool {
        let known = |name: &str| {
            matches!(name.rsplit('.').next(), Some("ABCMeta" | "EnumMeta" | "EnumType" | "type"))
        };
        self.line.iter().any(|step| matches!(step, Step::Unseen))
            || self.seen().any(|(_, class)| {
                class.metaclass.as_deref().is_some_and(|meta| !known(meta))
                    || ["__getattr__", "__getattribute__"].iter().any(|name| class.members.contains(name))
                    || class.members.iter().any(|(name, member)| {
                        matches!(member, Member::Value(v) if v.maybe_callable && v.alias.is_none() && !name.starts_with('_'))
                    })
            })
    }

    /// Whether instances can be made: no protocol, and nothing abstract is left.
    pub(crate) fn is_concrete(&self) -> bool {
        self.kind != Kind::Protocol
            && !self.members().iter().any(|(_, member)| matches!(member, Member::Method(m) if m.is_abstract))
    }

    /// Every class that it derives from and that was read, as one can compare them.
    pub(crate) fn bases(&self) -> Vec<(PathBuf, String)> {
        self.seen().skip(1).map(|(found, _)| found.key()).collect()
    }

    /// The public methods of an instance, own ones first. `__call__` counts where nothing else does.
    pub(crate) fn functions(&self) -> Vec<Listed> {
        let mut listed = Vec::new();
        let members = self.members();
        for (name, member) in &members {
            if name.starts_with('_') {
                continue;
            }
            match member {
                Member::Method(method) if method.kind != MethodKind::Property => {
                    listed.push(bound(name, method))
                }
                Member::Value(value) => {
                    let target = value.alias.as_deref().and_then(|other| self.member(other));
                    if let Some(Member::Method(method)) = target {
                        listed.push(bound(name, method));
                    }
                }
                Member::Method(_) => {}
            }
        }
        let main = listed.iter().any(|one| !modrack_core::is_lifecycle(&one.info.name));
        if !main && let Some(Member::Method(method)) = self.member("__call__") {
            listed.push(bound("__call__", method));
        }
        listed
    }

    /// The public attributes of an instance: class attributes, properties, and what its methods set.
    pub(crate) fn attributes(&self) -> Vec<AttributeInfo> {
        let mut names = HashSet::new();
        let mut attributes = Vec::new();
        for (name, member) in self.members() {
            if name.starts_with('_') {
                continue;
            }
            let info = match member {
                Member::Method(method) if method.kind == MethodKind::Property => AttributeInfo {
                    name: name.to_owned(),
                    annotation: method.info.signature.result_annotation.clone(),
                    value: None,
                    place: method.info.place.clone(),
                },
                Member::Value(value) => {
                    let target = value.alias.as_deref().and_then(|other| self.member(other));
                    if matches!(target, Some(Member::Method(_))) {
                        continue;
                    }
                    value.info.clone()
                }
                Member::Method(_) => continue,
            };
            names.insert(name.to_owned());
            attributes.push(info);
        }
        for (_, class) in self.seen() {
            for info in &class.instance {
                let is_method = matches!(self.member(&info.name), Some(Member::Method(_)));
                if !is_method && names.insert(info.name.clone()) {
                    attributes.push(info.clone());
                }
            }
        }
        attributes
    }

    /// What the constructor takes, without `self`; none when a base that cannot be read decides.
    pub(crate) fn constructor(&self) -> Option<Signature> {
        for step in &self.line {
            let Step::Seen(found) = step else { return None };
            let class = found.class()?;
            if let Some(init) = class.method("__init__") {
                let mut signature = bound("__init__", init).info.signature;
                signature.result = Type::Any;
                signature.result_annotation = None;
                return Some(signature);
            }
            if class.data.is_some_and(|data| data.init) {
                return Some(self.fields(false));
            }
            if let Some(new) = class.method("__new__") {
                let mut signature = new.info.signature.clone();
                drop_first(&mut signature);
                signature.result = Type::Any;
                return Some(signature);
            }
            if class.bases.iter().any(|base| base.full.ends_with("NamedTuple")) {
                return Some(self.fields(true));
            }
            if class.bases.iter().any(|base| base.full.ends_with("TypedDict")) {
                return None;
            }
        }
        (self.kind != Kind::Enum && self.kind != Kind::Metaclass).then(Signature::default)
    }

    /// The constructor that a dataclass or named tuple makes of its fields.
    fn fields(&self, is_tuple: bool) -> Signature {
        let mut params: Vec<Param> = Vec::new();
        let line: Vec<_> = self.seen().filter(|(_, class)| is_tuple || class.data.is_some()).collect();
        for (_, class) in line.into_iter().rev() {
            let is_attrs = class.decorators.iter().any(|d| d.starts_with("attr"));
            let mut by_name = class.data.is_some_and(|data| data.kw_only);
            for (name, member) in class.members.iter() {
                let Member::Value(value) = member else { continue };
                let field = &value.field;
                by_name |= field.marker;
                let before = params.iter().position(|param| param.name == name);
                if !field.is_field || field.marker || field.not_in_init {
                    if let Some(at) = before.filter(|_| field.not_in_init) {
                        params.remove(at);
                    }
                    continue;
                }
                let param = Param {
                    name: if is_attrs { name.trim_start_matches('_') } else { name }.to_owned(),
                    ty: value.ty.clone(),
                    kind: match field.kw_only.unwrap_or(by_name) {
                        true => ParamKind::Named,
                        false => ParamKind::Either,
                    },
                    default: field.default.clone(),
                    annotation: value.info.annotation.clone(),
                };
                match before {
                    Some(at) => params[at] = param,
                    None => params.push(param),
                }
            }
        }
        // What is by name only comes last, as in the signature that Python shows.
        params.sort_by_key(|param| param.kind == ParamKind::Named);
        Signature { params, ..Signature::default() }
    }

    /// The class as descriptions list it.
    pub(crate) fn info(&self, class: &ClassFact) -> ClassInfo {
        ClassInfo {
            name: class.name.clone(),
            bases: class.bases.iter().map(|base| base.written.clone()).collect(),
            doc: class.doc.clone(),
            methods: self.functions().into_iter().map(|listed| listed.info).collect(),
            attributes: self.attributes(),
            constructor: self.constructor(),
            concrete: self.is_concrete(),
            place: Some(class.place.clone()),
        }
    }

    /// What the class sets for all of its instances; the fields of dataclasses are each instance's own.
    pub(crate) fn values(&self) -> Vec<(&str, &ValueFact)> {
        let is_own = self.kind != Kind::Data && self.kind != Kind::Tuple;
        let members = self.members().into_iter();
        members
            .filter_map(|(name, member)| match member {
                Member::Value(value) if is_own || !value.field.is_field => Some((name, value)),
                _ => None,
            })
            .collect()
    }
}

/// A method as one calls it on an instance.
fn bound(name: &str, method: &FunctionFact) -> Listed {
    let mut info = method.info.clone();
    info.name = name.to_owned();
    let is_static = method.kind == MethodKind::Static;
    if !is_static {
        drop_first(&mut info.signature);
    }
    Listed { info, takes: method.takes[usize::from(!is_static)] }
}

/// Takes `self` or `cls` away.
fn drop_first(signature: &mut Signature) {
    let first = signature.params.first();
    if first.is_some_and(|param| matches!(param.kind, ParamKind::Positional | ParamKind::Either)) {
        signature.params.remove(0);
    }
}

fn is_exception(name: &str) -> bool {
    ["Error", "Exception", "Warning", "ExceptionGroup", "Interrupt", "Exit", "Iteration"]
        .iter()
        .any(|end| name.ends_with(end))
}
