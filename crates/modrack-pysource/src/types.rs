//! Annotations to types: by the text that stands in the source and the names that the file imports.
//!
//! What is not understood is `any` or a class by its name, never an error: annotations are advice.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use modrack_core::{Signature, Takes, Type};
use ruff_python_ast::{Expr, Operator, Stmt};
use ruff_python_parser::parse_expression;

/// What a file's names mean where annotations use them.
#[derive(Default)]
pub(crate) struct Scope<'a> {
    /// Local names of imported things, and their full names.
    imports: HashMap<&'a str, String>,
    /// Names that stand for another annotation (`Row = dict[str, Any]`).
    aliases: HashMap<&'a str, &'a Expr>,
    /// Classes whose instances are plain mappings.
    typed_dicts: HashSet<&'a str>,
    /// Type variables.
    variables: HashSet<&'a str>,
    /// How many more parts of the annotation at hand are looked at: aliases can multiply.
    fuel: Cell<u32>,
}

/// How deep an annotation is followed; below, everything is `any`.
const MAX_DEPTH: usize = 24;
/// How many parts of one annotation are looked at.
const MAX_PARTS: u32 = 1_000;
/// The longest annotation in quotes that is parsed.
const MAX_QUOTED: usize = 2_000;

impl<'a> Scope<'a> {
    /// Reads the names that the top level of a module gives.
    pub(crate) fn of(body: &'a [Stmt]) -> Self {
        let mut scope = Self::default();
        scope.gather(body);
        scope
    }

    fn gather(&mut self, body: &'a [Stmt]) {
        for stmt in body {
            match stmt {
                Stmt::Import(import) => {
                    for alias in &import.names {
                        let full = alias.name.as_str();
                        match &alias.asname {
                            Some(local) => self.imports.insert(local.as_str(), full.to_owned()),
                            None => {
                                let top = full.split('.').next().unwrap_or(full);
                                self.imports.insert(top, top.to_owned())
                            }
                        };
                    }
                }
                Stmt::ImportFrom(import) => {
                    let module = import.module.as_ref().map_or("", |m| m.as_str());
                    for alias in &import.names {
                        let local = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
                        let dots = ".".repeat(import.level as usize);
                        let joint = if module.is_empty() { "" } else { "." };
                        self.imports.insert(local, format!("{dots}{module}{joint}{}", alias.name.as_str()));
                    }
                }
                Stmt::Assign(assign) => {
                    if let [Expr::Name(name)] = assign.targets.as_slice() {
                        self.alias(name.id.as_str(), &assign.value);
                    }
                }
                Stmt::AnnAssign(assign) => {
                    if let (Expr::Name(name), Some(value)) = (&*assign.target, &assign.value) {
                        let full = self.full_name(&assign.annotation);
                        if full.is_some_and(|full| full.ends_with("TypeAlias")) {
                            self.aliases.insert(name.id.as_str(), value);
                        }
                    }
                }
                Stmt::TypeAlias(alias) => {
                    if let Expr::Name(name) = &*alias.name {
                        self.aliases.insert(name.id.as_str(), &alias.value);
                    }
                }
                Stmt::ClassDef(class) => {
                    let bases = class.arguments.iter().flat_map(|a| &a.args);
                    let is_typed_dict = bases
                        .filter_map(|base| self.full_name(base))
                        .any(|base| base.ends_with("TypedDict") || self.typed_dicts.contains(base.as_str()));
                    if is_typed_dict {
                        self.typed_dicts.insert(class.name.as_str());
                    }
                }
                Stmt::If(branch) => {
                    self.gather(&branch.body);
                    for clause in &branch.elif_else_clauses {
                        self.gather(&clause.body);
                    }
                }
                Stmt::Try(attempt) => {
                    self.gather(&attempt.body);
                    self.gather(&attempt.orelse);
                }
                _ => {}
            }
        }
    }

    fn alias(&mut self, name: &'a str, value: &'a Expr) {
        match value {
            Expr::Subscript(_) | Expr::BinOp(_) | Expr::Name(_) | Expr::Attribute(_) => {
                self.aliases.insert(name, value);
            }
            Expr::Call(call) => {
                let made = self.full_name(&call.func).unwrap_or_default();
                match made.rsplit('.').next() {
                    Some("TypeVar" | "ParamSpec" | "TypeVarTuple") => {
                        self.variables.insert(name);
                    }
                    Some("TypedDict") => {
                        self.typed_dicts.insert(name);
                    }
                    Some("NewType") => {
                        if let Some(under) = call.arguments.args.get(1) {
                            self.aliases.insert(name, under);
                        }
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Whether an assignment only gives annotations a name.
    pub(crate) fn is_type(&self, name: &str, value: Option<&Expr>) -> bool {
        match value {
            Some(Expr::Call(_)) => {
                self.variables.contains(name)
                    || self.typed_dicts.contains(name)
                    || self.aliases.contains_key(name)
            }
            Some(Expr::Subscript(sub)) => match self.full_name(&sub.value) {
                Some(full) => {
                    let ty = self.generic(&full, &[], 0);
                    !matches!(ty, Type::Class(_))
                        || full.starts_with("typing.")
                        || full.starts_with("collections.abc.")
                }
                None => false,
            },
            Some(Expr::BinOp(both)) => {
                both.op == Operator::BitOr && !matches!(self.ty(&both.left), Type::Any)
            }
            _ => false,
        }
    }

    /// The dotted name of an expression, with what was imported written out.
    pub(crate) fn full_name(&self, expr: &Expr) -> Option<String> {
        let name = dotted(expr)?;
        let (first, rest) = name.split_once('.').map_or((name.as_str(), None), |(f, r)| (f, Some(r)));
        match (self.imports.get(first), rest) {
            (Some(full), Some(rest)) => Some(format!("{full}.{rest}")),
            (Some(full), None) => Some(full.clone()),
            (None, _) => Some(name),
        }
    }

    /// The type that an annotation means.
    pub(crate) fn ty(&self, expr: &Expr) -> Type {
        self.fuel.set(MAX_PARTS);
        self.at(expr, 0)
    }

    fn at(&self, expr: &Expr, depth: usize) -> Type {
        let fuel = self.fuel.get();
        if depth > MAX_DEPTH || fuel == 0 {
            return Type::Any;
        }
        self.fuel.set(fuel - 1);
        match expr {
            Expr::NoneLiteral(_) => Type::Null,
            Expr::StringLiteral(text) => self.quoted(text.value.to_str(), depth),
            Expr::BinOp(both) if both.op == Operator::BitOr => {
                union(vec![self.at(&both.left, depth + 1), self.at(&both.right, depth + 1)])
            }
            Expr::Name(_) | Expr::Attribute(_) => self.named(expr, depth),
            Expr::Subscript(sub) => {
                let Some(full) = self.full_name(&sub.value) else { return Type::Any };
                let items: &[Expr] = match &*sub.slice {
                    Expr::Tuple(tuple) => &tuple.elts,
                    one => std::slice::from_ref(one),
                };
                self.generic(&full, items, depth + 1)
            }
            _ => Type::Any,
        }
    }

    fn quoted(&self, text: &str, depth: usize) -> Type {
        if text.len() > MAX_QUOTED {
            return Type::Any;
        }
        match parse_expression(text.trim()) {
            Ok(inner) => self.at(inner.expr(), depth + 1),
            Err(_) => Type::Any,
        }
    }

    fn named(&self, expr: &Expr, depth: usize) -> Type {
        if let Expr::Name(name) = expr {
            let name = name.id.as_str();
            if self.variables.contains(name) {
                return Type::Any;
            }
            if self.typed_dicts.contains(name) {
                return Type::Map(Box::new(Type::Any));
            }
            if let Some(meant) = self.aliases.get(name) {
                return self.at(meant, depth + 1);
            }
        }
        let Some(full) = self.full_name(expr) else { return Type::Any };
        self.generic(&full, &[], depth + 1)
    }

    fn generic(&self, full: &str, items: &[Expr], depth: usize) -> Type {
        let item = |at: usize| Box::new(items.get(at).map_or(Type::Any, |item| self.at(item, depth)));
        let short = full.rsplit('.').next().unwrap_or(full);
        if let Some(ty) = library(full) {
            return ty;
        }
        match short {
            "int" => Type::Int,
            "float" => Type::Float,
            "str" | "LiteralString" => Type::Text,
            "bool" => Type::Bool,
            "bytes" | "bytearray" | "memoryview" | "ByteString" => Type::Bytes,
            "None" | "NoneType" => Type::Null,
            "Any" | "object" | "Self" => Type::Any,
            "list" | "List" | "Sequence" | "MutableSequence" | "Collection" | "set" | "Set" | "frozenset"
            | "FrozenSet" | "AbstractSet" | "deque" | "Deque" => Type::List(item(0)),
            "dict" | "Dict" | "Mapping" | "MutableMapping" | "OrderedDict" | "defaultdict"
            | "DefaultDict" | "ChainMap" => Type::Map(item(1)),
            "Iterator" | "Iterable" | "Generator" | "AsyncIterator" | "AsyncIterable" | "AsyncGenerator" => {
                Type::Stream(item(0))
            }
            "Optional" => union(vec![*item(0), Type::Null]),
            "Union" => union(items.iter().map(|item| self.at(item, depth)).collect()),
            "Annotated" | "Final" | "ClassVar" | "Required" | "NotRequired" | "ReadOnly" | "Awaitable"
            | "InitVar" => *item(0),
            "Coroutine" => *item(2),
            "tuple" | "Tuple" => match items {
                [] => Type::List(Box::new(Type::Any)),
                [_, Expr::EllipsisLiteral(_)] => Type::List(item(0)),
                _ => Type::Tuple(items.iter().map(|item| self.at(item, depth)).collect()),
            },
            "Literal" => literal(items),
            _ => Type::Class(full.to_owned()),
        }
    }
}

/// What a transform takes, by the annotation of its first parameter; none when that says nothing.
///
/// The annotation's text is read by itself, with the names under which everybody imports these libraries:
/// `pa`, `pd`, `pl`. A parameter without an annotation says nothing: it is given a row, or a column's values
/// where the pipeline names a column.
pub fn takes_of(signature: &Signature) -> Option<Takes> {
    let first = signature.params.iter().find(|param| param.name != "self")?;
    let text = first.annotation.as_deref()?;
    if text.len() > MAX_QUOTED {
        return None;
    }
    let parsed = parse_expression(text.trim()).ok()?;
    let mut scope = Scope::default();
    for (short, full) in [("pa", "pyarrow"), ("pd", "pandas"), ("pl", "polars")] {
        scope.imports.insert(short, full.into());
    }
    // The type was found with the file's own names: it is known better than what the text looks like.
    takes_of_type(&first.ty).or_else(|| takes_of_annotation(&scope, parsed.expr(), 0))
}

fn takes_of_type(ty: &Type) -> Option<Takes> {
    match ty {
        Type::Map(_) | Type::Record(_) => Some(Takes::Row),
        Type::List(item) | Type::Stream(item) => match **item {
            // A bare list is all rows; where the pipeline names a column, it is that column's values.
            Type::Map(_) | Type::Record(_) | Type::Any => Some(Takes::Rows),
            _ => Some(Takes::Column),
        },
        _ => None,
    }
}

/// What an annotation says that a transform takes.
pub(crate) fn takes_of_annotation(scope: &Scope<'_>, expr: &Expr, depth: usize) -> Option<Takes> {
    if depth > MAX_DEPTH {
        return None;
    }
    if let Expr::StringLiteral(text) = expr {
        let text = text.value.to_str();
        let inner = parse_expression(text.trim()).ok().filter(|_| text.len() <= MAX_QUOTED)?;
        return takes_of_annotation(scope, inner.expr(), depth + 1);
    }
    if let Expr::BinOp(both) = expr {
        return takes_of_annotation(scope, &both.left, depth + 1)
            .or_else(|| takes_of_annotation(scope, &both.right, depth + 1));
    }
    if let Expr::Name(name) = expr
        && let Some(meant) = scope.aliases.get(name.id.as_str())
    {
        return takes_of_annotation(scope, meant, depth + 1);
    }
    let head = match expr {
        Expr::Subscript(sub) => &sub.value,
        other => other,
    };
    let full = scope.full_name(head)?;
    if let Some(takes) = library_takes(&full) {
        return Some(takes);
    }
    match full.rsplit('.').next()? {
        "RecordBatch" => return Some(Takes::Batch),
        "Optional" | "Annotated" => {
            let Expr::Subscript(sub) = expr else { return None };
            let inner = match &*sub.slice {
                Expr::Tuple(tuple) => tuple.elts.first()?,
                one => one,
            };
            return takes_of_annotation(scope, inner, depth + 1);
        }
        _ => {}
    }
    takes_of_type(&scope.ty(expr))
}

fn library_takes(full: &str) -> Option<Takes> {
    let top = full.split('.').next()?;
    match (top, full.rsplit('.').next()?) {
        ("pyarrow", "RecordBatch") => Some(Takes::Batch),
        ("pyarrow", "Table") => Some(Takes::Table),
        ("pandas", "DataFrame") => Some(Takes::Pandas),
        ("polars", "DataFrame") => Some(Takes::Polars),
        _ => None,
    }
}

/// The types of libraries that modrack knows by name.
fn library(full: &str) -> Option<Type> {
    match full {
        "pyarrow.RecordBatch"
        | "pyarrow.Table"
        | "pyarrow.lib.RecordBatch"
        | "pyarrow.lib.Table"
        | "pandas.DataFrame"
        | "polars.DataFrame" => Some(Type::Table),
        _ => None,
    }
}

/// The dotted name that an expression is, if it is nothing else.
pub(crate) fn dotted(expr: &Expr) -> Option<String> {
    let mut parts = Vec::new();
    let mut at = expr;
    loop {
        match at {
            Expr::Name(name) => {
                parts.push(name.id.as_str());
                break;
            }
            Expr::Attribute(attribute) => {
                parts.push(attribute.attr.as_str());
                at = &attribute.value;
            }
            _ => return None,
        }
    }
    parts.reverse();
    Some(parts.join("."))
}

fn union(items: Vec<Type>) -> Type {
    let mut flat = Vec::with_capacity(items.len());
    let mut has_null = false;
    let mut rest = items;
    rest.reverse();
    while let Some(item) = rest.pop() {
        match item {
            Type::Null => has_null = true,
            Type::Option(inner) => {
                has_null = true;
                rest.push(*inner);
            }
            Type::Union(inner) => rest.extend(inner.into_iter().rev()),
            other if flat.contains(&other) => {}
            other => flat.push(other),
        }
    }
    let one = match flat.len() {
        0 => return Type::Null,
        1 => flat.remove(0),
        _ if flat.contains(&Type::Any) => Type::Any,
        _ => Type::Union(flat),
    };
    match (has_null, one) {
        (true, Type::Any) => Type::Any,
        (true, one) => Type::Option(Box::new(one)),
        (false, one) => one,
    }
}

fn literal(items: &[Expr]) -> Type {
    let words: Vec<_> = items
        .iter()
        .filter_map(|item| match item {
            Expr::StringLiteral(text) => Some(text.value.to_str().to_owned()),
            _ => None,
        })
        .collect();
    if words.len() == items.len() && !words.is_empty() {
        return Type::Enum(words);
    }
    union(
        items
            .iter()
            .map(|item| match item {
                Expr::StringLiteral(_) => Type::Text,
                Expr::BytesLiteral(_) => Type::Bytes,
                Expr::BooleanLiteral(_) => Type::Bool,
                Expr::NoneLiteral(_) => Type::Null,
                Expr::NumberLiteral(_) | Expr::UnaryOp(_) => Type::Int,
                _ => Type::Any,
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use modrack_core::{Param, Signature, Takes};

    use super::takes_of;

    fn check(annotation: &str, takes: Option<Takes>) {
        let param = Param { name: "x".into(), annotation: Some(annotation.into()), ..Param::default() };
        assert_eq!(
            takes_of(&Signature { params: vec![param], ..Signature::default() }),
            takes,
            "{annotation}"
        );
    }

    #[test]
    fn what_a_transform_takes_is_told_from_the_text_of_an_annotation() {
        check("dict", Some(Takes::Row));
        check("Mapping[str, int] | None", Some(Takes::Row));
        check("pa.RecordBatch", Some(Takes::Batch));
        check("RecordBatch", Some(Takes::Batch));
        check("'pyarrow.Table'", Some(Takes::Table));
        check("Optional[pd.DataFrame]", Some(Takes::Pandas));
        check("polars.DataFrame", Some(Takes::Polars));
        check("list", Some(Takes::Rows));
        check("list[dict[str, Any]]", Some(Takes::Rows));
        check("Sequence[float]", Some(Takes::Column));
        check("Frame", None);
        check("not an annotation", None);
        assert_eq!(takes_of(&Signature::default()), None);
    }
}
