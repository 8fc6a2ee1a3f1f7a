//! How the configuration's parameters reach a module: one rule, for checking them and for starting it.
//!
//! Pure: nothing is read and nothing is run. The Python backend binds by what is decided here, with the
//! signature that was read or with one that it asked the interpreter for.

use std::collections::HashSet;

use modrack_core::{
    Description, Entry, Error, FunctionInfo, Map, Param, ParamKind, Place, Signature, Text, Type, Value,
    nearest,
};

use crate::error;

/// How one constructor, factory or function is given the parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// It is given none.
    Nothing,
    /// It is given these, each by its own name.
    Keywords(Vec<Text>),
    /// It is given one mapping, and by name what it names beside it.
    Mapping {
        /// The parameter that is given the mapping.
        parameter: String,
        /// What is in the mapping; it may be empty.
        keys: Vec<Text>,
        /// What is given by its own name.
        by_name: Vec<Text>,
    },
}

/// How a module is started: what its constructor or factory is given, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartPlan {
    /// What the class, factory or function is given. A function is not called: it is given these at each call.
    pub construct: Binding,
    /// The function that is called next, `initialize` or `start`, and what it is given.
    pub initialize: Option<(String, Binding)>,
    /// For a module of plain functions: each is given, at each call and by name, those of these that it names.
    pub for_functions: Vec<Text>,
    /// Injected names that the constructor, factory or function takes as parameters.
    pub injected: Vec<Text>,
    /// Injected names that are set as attributes, before `initialize`.
    pub attributes: Vec<Text>,
    /// Parameters that nothing takes.
    pub left: Vec<Text>,
}

/// Parameters by which a whole configuration is given.
const MAPPINGS: &[&str] = &["config", "options", "params", "settings", "state"];
/// How many items of a long value are held against their type.
const MAX_ITEMS: usize = 1_000;

/// Decides how something with this signature is given `params`, when `injected` are given to it by name.
///
/// By name, where it names them. What is left goes as one mapping to a parameter called `config`, `params`,
/// `state`, `options` or `settings`, or to one that is annotated as a mapping and is the only one, or must be
/// given. Without a signature everything goes by name.
pub fn bind(signature: Option<&Signature>, params: &Map, injected: &[Text]) -> Binding {
    let Some(signature) = signature else { return keywords(params.keys().cloned().collect()) };
    let (by_name, left): (Vec<Text>, Vec<Text>) =
        params.keys().cloned().partition(|name| signature.named(name).is_some());
    let takes_any = signature.params.iter().any(|param| param.kind == ParamKind::NamedRest);
    let is_given = |name: &str| by_name.iter().chain(injected).any(|given| given.as_str() == name);
    match mapping_of(signature, &is_given) {
        Some(param) if param.is_required() || !(left.is_empty() || takes_any) => {
            Binding::Mapping { parameter: param.name.clone(), keys: left, by_name }
        }
        _ if takes_any => keywords(params.keys().cloned().collect()),
        _ => keywords(by_name),
    }
}

/// Decides how a module that is described so is started with `params` when `needs` are injected.
pub fn plan_start(description: &Description, params: &Map, needs: &[Text]) -> StartPlan {
    let all = || params.keys().cloned().collect::<Vec<_>>();
    let (injected, attributes): (Vec<Text>, Vec<Text>) = match (&description.entry, &description.constructor)
    {
        (Entry::Module | Entry::Object(_), _) => (Vec::new(), needs.to_vec()),
        (_, Some(signature)) => needs.iter().cloned().partition(|need| {
            signature.named(need).is_some() || signature.params.iter().any(|p| p.kind == ParamKind::NamedRest)
        }),
        (_, None) => (needs.to_vec(), Vec::new()),
    };
    let mut plan = StartPlan {
        construct: Binding::Nothing,
        initialize: None,
        for_functions: Vec::new(),
        injected,
        attributes,
        left: Vec::new(),
    };
    let constructor = description.constructor.as_ref();
    match &description.entry {
        Entry::Unknown => plan.construct = bind(None, params, needs),
        Entry::Object(_) => plan.left = all(),
        Entry::Function(_) => {
            let taken = |name: &&Text| constructor.is_none_or(|signature| names(signature, name));
            plan.construct = keywords(params.keys().filter(taken).cloned().collect());
            plan.left = params.keys().filter(|name| !taken(name)).cloned().collect();
        }
        Entry::Module => match initializer(description, params) {
            Some(function) => {
                let binding = bind(Some(&function.signature), params, &[]);
                plan.left = all().into_iter().filter(|name| !binding.gives(name)).collect();
                plan.initialize = Some((function.name.clone(), binding));
            }
            None => {
                let takes = |name: &Text| {
                    description.functions.iter().any(|function| names(&function.signature, name))
                };
                (plan.for_functions, plan.left) =
                    if description.open { (all(), Vec::new()) } else { all().into_iter().partition(takes) };
            }
        },
        Entry::Class(_) | Entry::Factory(_) => {
            plan.construct = bind(constructor, params, &plan.injected);
            if let Some(function) = initializer(description, params) {
                let binding = bind(Some(&function.signature), params, &[]);
                plan.initialize = Some((function.name.clone(), binding));
            }
            let then = plan.initialize.as_ref().map(|(_, binding)| binding);
            plan.left = all()
                .into_iter()
                .filter(|name| {
                    !plan.construct.gives(name) && !then.is_some_and(|binding| binding.gives(name))
                })
                .collect();
        }
    }
    plan
}

/// What of `params` the module would not take: names that it does not know, what it must be given and is not,
/// and values that cannot be of the type that it says.
///
/// `needs` are the parameters or attributes that slots are injected into. Each failure has the code
/// [`modrack_core::Code::BadParams`]; its place is the module's, with the parameter as `params.NAME` for key.
pub fn check_params(description: &Description, params: &Map, needs: &[Text]) -> Vec<Error> {
    let plan = plan_start(description, params, needs);
    let module = description.name.as_str();
    let place = |name: &str| {
        let file = own_place(description)?;
        Some(Place { key: Some(format!("params.{name}")), ..file })
    };
    let mut errors = Vec::new();
    let known = known_names(description, &plan);
    let mut misspelled = HashSet::new();
    for name in &plan.left {
        let near = nearest(name, known.iter().copied());
        // What was misspelled is not missing as well.
        misspelled.extend(near);
        errors.push(error::unknown_param(module, name, place(name), near, &known));
    }
    let mut seen = HashSet::new();
    for (signature, binding, injected) in targets(description, &plan) {
        for param in &signature.params {
            let name = param.name.as_str();
            let is_injected = injected.iter().any(|need| need.as_str() == name);
            let given = params.get(name).filter(|_| binding.names(name));
            let is_mapping = matches!(binding, Binding::Mapping { parameter, .. } if parameter == name);
            match given {
                Some(value) => {
                    let wrong = !fits(value, &param.ty, MAX_ITEMS) && !is_default(param, value);
                    if wrong && seen.insert(name.to_owned()) {
                        let given = shown(value);
                        errors.push(error::wrong_param(
                            module,
                            name,
                            &annotation(param),
                            &given,
                            place(name),
                        ));
                    }
                }
                None if param.is_required()
                    && !(is_injected || is_mapping || misspelled.contains(name))
                    && seen.insert(name.to_owned()) =>
                {
                    errors.push(error::missing_param(module, name, param.annotation.as_deref(), place(name)));
                }
                None => {}
            }
        }
    }
    // A file's functions each take what they name: a value must fit one of those that name it.
    for name in &plan.for_functions {
        let Some(value) = params.get(name.as_str()) else { continue };
        let signatures = description.functions.iter().map(|function| &function.signature);
        let named: Vec<&Param> = signatures.filter_map(|signature| signature.named(name)).collect();
        let fit = |param: &&Param| fits(value, &param.ty, MAX_ITEMS) || is_default(param, value);
        if let Some(param) = named.first()
            && !named.iter().any(fit)
        {
            errors.push(error::wrong_param(module, name, &annotation(param), &shown(value), place(name)));
        }
    }
    errors
}

impl Binding {
    /// Whether a parameter of the configuration is given in some way.
    pub fn gives(&self, name: &str) -> bool {
        let has = |names: &[Text]| names.iter().any(|given| given.as_str() == name);
        match self {
            Self::Nothing => false,
            Self::Keywords(names) => has(names),
            Self::Mapping { keys, by_name, .. } => has(keys) || has(by_name),
        }
    }

    /// Whether it is given by its own name.
    fn names(&self, name: &str) -> bool {
        match self {
            Self::Keywords(names) | Self::Mapping { by_name: names, .. } => {
                names.iter().any(|given| given.as_str() == name)
            }
            Self::Nothing => false,
        }
    }
}

/// The function that is called after construction: `initialize`, or `start` where that can be called with
/// what there is.
fn initializer<'a>(description: &'a Description, params: &Map) -> Option<&'a FunctionInfo> {
    if let Some(function) = description.function("initialize") {
        return Some(function);
    }
    let function = description.function("start")?;
    let binding = bind(Some(&function.signature), params, &[]);
    let fits = function.signature.params.iter().all(|param| {
        !param.is_required()
            || binding.names(&param.name)
            || matches!(&binding, Binding::Mapping { parameter, .. } if *parameter == param.name)
    });
    fits.then_some(function)
}

/// What is called at the start, with how it is given its parameters. A plain function is not called then, so
/// what it must be given may come with each call.
fn targets<'a>(
    description: &'a Description,
    plan: &'a StartPlan,
) -> Vec<(std::borrow::Cow<'a, Signature>, &'a Binding, &'a [Text])> {
    use std::borrow::Cow;
    let mut targets = Vec::new();
    match (&description.entry, &description.constructor) {
        (Entry::Class(_) | Entry::Factory(_), Some(signature)) => {
            targets.push((Cow::Borrowed(signature), &plan.construct, plan.injected.as_slice()));
        }
        (Entry::Function(_), Some(signature)) => {
            let mut lenient = signature.clone();
            lenient.params.retain(|param| plan.construct.gives(&param.name));
            targets.push((Cow::Owned(lenient), &plan.construct, plan.injected.as_slice()));
        }
        _ => {}
    }
    if let Some((name, binding)) = &plan.initialize
        && let Some(function) = description.function(name)
    {
        targets.push((Cow::Borrowed(&function.signature), binding, &[]));
    }
    targets
}

/// The names that would be taken, for advice.
fn known_names<'a>(description: &'a Description, plan: &StartPlan) -> Vec<&'a str> {
    let mut known: Vec<&str> = Vec::new();
    let mut add = |signature: &'a Signature| {
        let named =
            signature.params.iter().filter(|p| matches!(p.kind, ParamKind::Either | ParamKind::Named));
        known.extend(named.map(|param| param.name.as_str()));
    };
    match &description.entry {
        Entry::Module if plan.initialize.is_none() => {
            description.functions.iter().for_each(|function| add(&function.signature));
        }
        Entry::Module | Entry::Object(_) | Entry::Unknown => {}
        _ => description.constructor.iter().for_each(&mut add),
    }
    if let Some(function) = plan.initialize.as_ref().and_then(|(name, _)| description.function(name)) {
        add(&function.signature);
    }
    let mut seen = HashSet::new();
    known.retain(|name| seen.insert(*name) && !plan.injected.iter().any(|need| need.as_str() == *name));
    known
}

/// Where what is started stands.
fn own_place(description: &Description) -> Option<Place> {
    let place = match &description.entry {
        Entry::Class(name) => description.class(name).and_then(|class| class.place.clone()),
        Entry::Function(_) => description.functions.first().and_then(|function| function.place.clone()),
        Entry::Module => description.function("initialize").and_then(|function| function.place.clone()),
        _ => None,
    };
    place.or_else(|| description.files.first().map(Place::file))
}

fn keywords(names: Vec<Text>) -> Binding {
    if names.is_empty() { Binding::Nothing } else { Binding::Keywords(names) }
}

fn names(signature: &Signature, name: &str) -> bool {
    signature.named(name).is_some() || signature.params.iter().any(|p| p.kind == ParamKind::NamedRest)
}

/// The parameter that a whole configuration goes to.
fn mapping_of<'a>(signature: &'a Signature, is_given: &dyn Fn(&str) -> bool) -> Option<&'a Param> {
    let free: Vec<&Param> = signature
        .params
        .iter()
        .filter(|param| matches!(param.kind, ParamKind::Either | ParamKind::Named) && !is_given(&param.name))
        .collect();
    let called = free.iter().find(|param| {
        MAPPINGS.contains(&param.name.as_str())
            && (may_be_map(&param.ty) || matches!(param.ty, Type::Any | Type::Class(_)))
    });
    called
        .or_else(|| {
            free.iter().find(|param| may_be_map(&param.ty) && (param.is_required() || free.len() == 1))
        })
        .copied()
}

fn may_be_map(ty: &Type) -> bool {
    match ty {
        Type::Map(_) | Type::Record(_) => true,
        Type::Option(inner) => may_be_map(inner),
        Type::Union(items) => items.iter().any(may_be_map),
        _ => false,
    }
}

/// Whether a value can be of a type, as far as both are known. Up to `items` parts are looked at.
fn fits(value: &Value, ty: &Type, items: usize) -> bool {
    match (ty, value) {
        (_, Value::Foreign(_)) => true,
        (Type::Null, given) => matches!(given, Value::Null),
        (Type::Bool, given) => matches!(given, Value::Bool(_)),
        (Type::Int, given) => matches!(given, Value::Int(_) | Value::Bool(_)),
        (Type::Float, given) => matches!(given, Value::Int(_) | Value::Float(_) | Value::Bool(_)),
        (Type::Text, given) => matches!(given, Value::Text(_)),
        (Type::Bytes, given) => matches!(given, Value::Bytes(_)),
        (Type::List(inner) | Type::Stream(inner), Value::List(values)) => {
            values.iter().take(items).all(|value| fits(value, inner, items / 4))
        }
        (Type::List(_) | Type::Stream(_), given) => matches!(given, Value::Table(_)),
        (Type::Map(inner), Value::Map(map)) => {
            map.values().take(items).all(|value| fits(value, inner, items / 4))
        }
        (Type::Map(_) | Type::Record(_), given) => matches!(given, Value::Map(_)),
        (Type::Option(inner), given) => matches!(given, Value::Null) || fits(given, inner, items),
        (Type::Tuple(inner), Value::List(values)) => {
            values.len() == inner.len()
                && values.iter().zip(inner).all(|(value, ty)| fits(value, ty, items / 4))
        }
        (Type::Tuple(_), _) => false,
        (Type::Union(inner), given) => inner.iter().any(|ty| fits(given, ty, items)),
        (Type::Enum(words), Value::Text(word)) => words.iter().any(|known| known == word.as_str()),
        (Type::Enum(_), _) => false,
        (Type::Table, given) => matches!(given, Value::Table(_)),
        _ => true,
    }
}

/// `width: int = None` is given nothing without complaint.
fn is_default(param: &Param, value: &Value) -> bool {
    matches!(value, Value::Null) && param.default.as_deref() == Some("None")
}

fn annotation(param: &Param) -> String {
    param.annotation.clone().unwrap_or_else(|| param.ty.to_string())
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) if text.chars().count() <= 40 => format!("the text `{}`", text.as_str()),
        Value::Int(number) => format!("the number `{number}`"),
        Value::Float(number) => format!("the number `{number}`"),
        Value::Bool(truth) => format!("`{truth}`"),
        Value::Null => "nothing".to_owned(),
        Value::Text(_) => "text".to_owned(),
        Value::Map(_) => "a mapping".to_owned(),
        Value::List(_) => "a list".to_owned(),
        other => other.type_name().to_owned(),
    }
}
