//! From the syntax tree of a file to its [`Facts`].

use std::collections::HashSet;
use std::path::Path;

use modrack_core::{AttributeInfo, Type};
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{ExceptHandler, Expr, ModModule, Number, Operator, Stmt, StmtClassDef, UnaryOp};
use ruff_python_parser::Parsed;
use ruff_text_size::Ranged;

use crate::facts::{
    Base, ClassFact, DataOptions, Def, Facts, FieldFact, Imported, Link, Literal, Member, ValueFact, place,
};
use crate::stdlib;
use crate::text::SourceText;
use crate::types::{Scope, dotted};

/// What is at hand while one file is read.
pub(crate) struct Extract<'a> {
    pub(crate) source: &'a SourceText,
    pub(crate) file: &'a Path,
    pub(crate) scope: Scope<'a>,
    /// The offsets of every `yield`.
    pub(crate) yields: Vec<u32>,
}

/// The longest text of a value that is kept whole.
const MAX_SHOWN: usize = 160;

/// Reads what a module says.
pub(crate) fn facts(source: &SourceText, file: &Path, parsed: &Parsed<ModModule>) -> Facts {
    let body = &parsed.syntax().body;
    let yields = parsed.tokens().iter().filter(|token| token.kind() == TokenKind::Yield);
    let extract = Extract {
        source,
        file,
        scope: Scope::of(body),
        yields: yields.map(|token| token.start().to_u32()).collect(),
    };
    let mut facts = Facts { doc: doc(body), ..Facts::default() };
    extract.body(body, &mut facts, true);
    imports(body, true, &mut facts.imports);
    let text = source.text.as_str();
    let tricks = ["globals()", "exec(", "sys.modules"];
    facts.dynamic = facts.names.contains("__getattr__") || tricks.iter().any(|trick| text.contains(trick));
    facts
}

impl Extract<'_> {
    /// Reads statements of the top level. What stands in a branch that is not the first is taken only for
    /// names that nothing else defines.
    fn body(&self, body: &[Stmt], facts: &mut Facts, first: bool) {
        for stmt in body {
            match stmt {
                Stmt::FunctionDef(def) => {
                    let name = def.name.as_str();
                    if first || !facts.names.contains(name) {
                        let function = self.function(def);
                        // Overloads only say more about what follows them.
                        if !function.is_overload || !facts.names.contains(name) {
                            facts.names.set(name, Def::Function(function));
                        }
                    }
                }
                Stmt::ClassDef(def) if first || !facts.names.contains(def.name.as_str()) => {
                    facts.names.set(def.name.as_str(), Def::Class(self.class(def)));
                }
                Stmt::Assign(assign) => {
                    for target in &assign.targets {
                        self.assign(target, None, Some(&assign.value), facts, first);
                    }
                }
                Stmt::AnnAssign(assign) => {
                    let annotation = Some(&*assign.annotation);
                    self.assign(&assign.target, annotation, assign.value.as_deref(), facts, first);
                }
                Stmt::AugAssign(assign)
                    if is_name(&assign.target, "__all__") && assign.op == Operator::Add =>
                {
                    extend_all(facts, &assign.value);
                }
                Stmt::Expr(expr) => all_call(facts, &expr.value),
                Stmt::Import(import) => {
                    for alias in &import.names {
                        let full = alias.name.as_str();
                        let (local, module) = match &alias.asname {
                            Some(local) => (local.as_str(), full),
                            None => {
                                let top = full.split('.').next().unwrap_or(full);
                                (top, top)
                            }
                        };
                        let link = Link { level: 0, module: module.to_owned(), name: None };
                        self.import(local, link, facts, first);
                    }
                }
                Stmt::ImportFrom(import) => {
                    let module = import.module.as_ref().map_or("", |m| m.as_str()).to_owned();
                    for alias in &import.names {
                        let name = alias.name.as_str();
                        let link =
                            Link { level: import.level, module: module.clone(), name: Some(name.to_owned()) };
                        if name == "*" {
                            facts.stars.push(Link { name: None, ..link });
                        } else {
                            self.import(
                                alias.asname.as_ref().map_or(name, |n| n.as_str()),
                                link,
                                facts,
                                first,
                            );
                        }
                    }
                }
                Stmt::If(branch) => {
                    if is_main_guard(&branch.test) || is_type_checking(&branch.test) {
                        for clause in &branch.elif_else_clauses {
                            self.body(&clause.body, facts, first);
                        }
                        continue;
                    }
                    self.body(&branch.body, facts, first);
                    for clause in &branch.elif_else_clauses {
                        self.body(&clause.body, facts, false);
                    }
                }
                Stmt::Try(attempt) => {
                    self.body(&attempt.body, facts, first);
                    for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                        self.body(&handler.body, facts, false);
                    }
                    self.body(&attempt.orelse, facts, first);
                    self.body(&attempt.finalbody, facts, first);
                }
                Stmt::With(with) => self.body(&with.body, facts, first),
                Stmt::For(each) => self.body(&each.body, facts, first),
                Stmt::TypeAlias(alias) => {
                    if let Expr::Name(name) = &*alias.name
                        && first
                    {
                        let value = self.value(name.id.as_str(), None, None, alias.range().start().to_u32());
                        facts.names.set(&format!("_{}", name.id), Def::Value(value));
                    }
                }
                _ => {}
            }
        }
    }

    fn import(&self, local: &str, link: Link, facts: &mut Facts, first: bool) {
        if first || !facts.names.contains(local) {
            facts.names.set(local, Def::Import(link));
        }
    }

    fn assign(
        &self,
        target: &Expr,
        annotation: Option<&Expr>,
        value: Option<&Expr>,
        facts: &mut Facts,
        first: bool,
    ) {
        match target {
            Expr::Name(name) => {
                let name = name.id.as_str();
                if name == "__all__" {
                    facts.all = value.and_then(texts).map(HashSet::from_iter);
                    return;
                }
                if !first && facts.names.contains(name) {
                    return;
                }
                let offset = target.start().to_u32();
                if let Some(Expr::Lambda(lambda)) = value {
                    facts.names.set(name, Def::Function(self.lambda(name, lambda)));
                } else {
                    facts.names.set(name, Def::Value(self.value(name, annotation, value, offset)));
                }
            }
            Expr::Tuple(tuple) => {
                for target in &tuple.elts {
                    self.assign(target, None, None, facts, first);
                }
            }
            _ => {}
        }
    }

    fn class(&self, def: &StmtClassDef) -> ClassFact {
        let arguments = def.arguments.as_deref();
        let bases = arguments.iter().flat_map(|a| &a.args).map(|base| self.base(base)).collect();
        let metaclass = arguments
            .and_then(|a| a.find_keyword("metaclass"))
            .map(|keyword| self.scope.full_name(&keyword.value).unwrap_or_else(|| "?".to_owned()));
        let mut decorators = Vec::new();
        let mut data = None;
        for decorator in &def.decorator_list {
            let (head, arguments) = match &decorator.expression {
                Expr::Call(call) => (&*call.func, Some(&call.arguments)),
                other => (other, None),
            };
            let full = self.scope.full_name(head).unwrap_or_else(|| "?".to_owned());
            if is_data_decorator(&full) {
                let flag = |name: &str| -> Option<bool> {
                    let keyword = arguments.and_then(|a| a.find_keyword(name))?;
                    Some(matches!(&keyword.value, Expr::BooleanLiteral(b) if b.value))
                };
                data = Some(DataOptions {
                    init: flag("init").unwrap_or(true),
                    kw_only: flag("kw_only").unwrap_or(false),
                });
            }
            decorators.push(full);
        }
        let mut fact = ClassFact {
            name: def.name.as_str().to_owned(),
            bases,
            metaclass,
            decorators,
            doc: doc(&def.body),
            members: Default::default(),
            instance: Vec::new(),
            data,
            place: place(self.file, self.source.line(def.name.start().to_u32())),
        };
        self.members(&def.body, &mut fact, true);
        fact
    }

    fn members(&self, body: &[Stmt], class: &mut ClassFact, first: bool) {
        for stmt in body {
            match stmt {
                Stmt::FunctionDef(def) => {
                    let name = def.name.as_str();
                    if self.is_accessor(def) || (!first && class.members.contains(name)) {
                        continue;
                    }
                    let method = self.function(def);
                    if sets_attributes(name) {
                        self.instance(def, &mut class.instance);
                    }
                    if !method.is_overload || !class.members.contains(name) {
                        class.members.set(name, Member::Method(method));
                    }
                }
                Stmt::Assign(assign) => {
                    for target in &assign.targets {
                        if let Expr::Name(name) = target {
                            self.member(name.id.as_str(), None, Some(&assign.value), target, class);
                        }
                    }
                }
                Stmt::AnnAssign(assign) => {
                    if let Expr::Name(name) = &*assign.target {
                        let annotation = Some(&*assign.annotation);
                        let value = assign.value.as_deref();
                        self.member(name.id.as_str(), annotation, value, &assign.target, class);
                    }
                }
                Stmt::If(branch) => {
                    if !is_type_checking(&branch.test) {
                        self.members(&branch.body, class, first);
                    }
                    for clause in &branch.elif_else_clauses {
                        self.members(&clause.body, class, false);
                    }
                }
                Stmt::Try(attempt) => self.members(&attempt.body, class, first),
                // A class inside a class is a value like any other: one may call it.
                Stmt::ClassDef(def) => {
                    let mut value = self.value(def.name.as_str(), None, None, def.name.start().to_u32());
                    value.maybe_callable = true;
                    class.members.set(def.name.as_str(), Member::Value(value));
                }
                _ => {}
            }
        }
    }

    fn member(
        &self,
        name: &str,
        annotation: Option<&Expr>,
        value: Option<&Expr>,
        target: &Expr,
        class: &mut ClassFact,
    ) {
        let member = match value {
            Some(Expr::Lambda(lambda)) => Member::Method(self.lambda(name, lambda)),
            _ => Member::Value(self.value(name, annotation, value, target.start().to_u32())),
        };
        class.members.set(name, member);
    }

    fn base(&self, base: &Expr) -> Base {
        let head = match base {
            Expr::Subscript(sub) => &*sub.value,
            other => other,
        };
        Base {
            written: self.shown(base),
            name: dotted(head).unwrap_or_default(),
            full: self.scope.full_name(head).unwrap_or_default(),
        }
    }

    fn value(&self, name: &str, annotation: Option<&Expr>, value: Option<&Expr>, offset: u32) -> ValueFact {
        let literal = match value {
            Some(Expr::StringLiteral(text)) => Literal::Text(text.value.to_str().to_owned()),
            Some(other) => texts(other).map_or(Literal::Other, Literal::Texts),
            None => Literal::Other,
        };
        let field = annotation.map_or_else(FieldFact::default, |a| self.field(a, value));
        let is_type = self.scope.is_type(name, value);
        ValueFact {
            info: AttributeInfo {
                name: name.to_owned(),
                annotation: annotation.map(|annotation| self.annotation(annotation)),
                value: value.filter(|value| is_literal(value)).map(|value| self.shown(value)),
                place: Some(place(self.file, self.source.line(offset))),
            },
            ty: annotation.map_or(Type::Any, |annotation| self.scope.ty(annotation)),
            literal,
            alias: value.filter(|v| matches!(v, Expr::Name(_))).and_then(dotted),
            made: match value {
                Some(Expr::Call(call)) => dotted(&call.func),
                _ => None,
            },
            maybe_callable: !is_type
                && (!field.is_field || !matches!(value, Some(Expr::Call(_))))
                && value.is_some_and(|value| self.maybe_callable(name, value)),
            field,
            is_type,
        }
    }

    fn field(&self, annotation: &Expr, value: Option<&Expr>) -> FieldFact {
        let head = match annotation {
            Expr::Subscript(sub) => &*sub.value,
            other => other,
        };
        let kind = match head {
            Expr::StringLiteral(text) => text.value.to_str().split('[').next().unwrap_or("").to_owned(),
            other => self.scope.full_name(other).unwrap_or_default(),
        };
        let kind = kind.rsplit('.').next().unwrap_or("");
        if kind == "ClassVar" {
            return FieldFact::default();
        }
        let mut field = FieldFact { is_field: true, marker: kind == "KW_ONLY", ..FieldFact::default() };
        let Some(value) = value else { return field };
        let call = match value {
            Expr::Call(call) => dotted(&call.func).map(|name| (call, name)),
            _ => None,
        };
        match call {
            Some((call, name))
                if matches!(
                    name.rsplit('.').next(),
                    Some("field" | "Field" | "ib" | "attrib" | "PrivateAttr")
                ) =>
            {
                let keyword = |name: &str| call.arguments.find_keyword(name).map(|k| &k.value);
                let is = |name: &str, wanted: bool| matches!(keyword(name), Some(Expr::BooleanLiteral(b)) if b.value == wanted);
                let positional = call.arguments.args.first().filter(|_| name.ends_with("Field"));
                field.not_in_init = is("init", false) || name.ends_with("PrivateAttr");
                field.kw_only = keyword("kw_only").map(|_| is("kw_only", true));
                field.default =
                    match (keyword("default").or(positional), keyword("default_factory"), keyword("factory"))
                    {
                        (Some(Expr::EllipsisLiteral(_)), ..) => None,
                        (Some(default), ..) => Some(self.shown(default)),
                        (_, Some(factory), _) | (_, _, Some(factory)) => {
                            Some(format!("{}()", self.shown(factory)))
                        }
                        _ => None,
                    };
            }
            _ => field.default = Some(self.shown(value)),
        }
        field
    }

    /// Whether what is assigned may be a function, as far as one can see. Constants and loggers are none.
    fn maybe_callable(&self, name: &str, value: &Expr) -> bool {
        let is_constant = !name.chars().any(char::is_lowercase);
        match value {
            _ if is_constant => false,
            Expr::Call(call) => match self.scope.full_name(&call.func) {
                Some(full) => {
                    let top = full.split('.').next().unwrap_or(&full);
                    matches!(top, "functools" | "operator") || !stdlib::has(top) && !is_builtin_value(top)
                }
                None => true,
            },
            Expr::Name(_) | Expr::Attribute(_) | Expr::If(_) | Expr::Subscript(_) | Expr::BoolOp(_) => true,
            _ => false,
        }
    }

    /// The text of an annotation, without the quotes of one that is quoted.
    pub(crate) fn annotation(&self, expr: &Expr) -> String {
        match expr {
            Expr::StringLiteral(text) => text.value.to_str().trim().to_owned(),
            other => self.shown(other),
        }
    }

    /// The text of an expression in one line, cut where it is long.
    pub(crate) fn shown(&self, expr: &Expr) -> String {
        let text = self.source.text.get(expr.range().to_std_range()).unwrap_or("");
        let long = text.len() > MAX_SHOWN;
        let text = if long { &text[..text.floor_char_boundary(MAX_SHOWN)] } else { text };
        let mut shown = if text.contains('\n') {
            text.split('\n').map(str::trim).collect::<Vec<_>>().join(" ")
        } else {
            text.to_owned()
        };
        if long {
            shown.push_str("...");
        }
        shown
    }
}

/// The documentation that a body starts with, as `inspect.cleandoc` gives it.
pub(crate) fn doc(body: &[Stmt]) -> Option<String> {
    let Some(Stmt::Expr(first)) = body.first() else { return None };
    let Expr::StringLiteral(text) = &*first.value else { return None };
    let text = text.value.to_str();
    let mut lines = text.lines();
    let head = lines.next().unwrap_or("").trim();
    let indent = lines
        .clone()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    let mut clean = head.to_owned();
    for line in lines {
        clean.push('\n');
        clean.push_str(line.get(indent..).unwrap_or("").trim_end());
    }
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.to_owned())
}

/// Gathers every import of a file, wherever it stands.
fn imports(body: &[Stmt], hard: bool, into: &mut Vec<Imported>) {
    for stmt in body {
        match stmt {
            Stmt::Import(import) => {
                for alias in &import.names {
                    let module = alias.name.as_str().to_owned();
                    into.push(Imported { level: 0, module, names: Vec::new(), hard });
                }
            }
            Stmt::ImportFrom(import) => into.push(Imported {
                level: import.level,
                module: import.module.as_ref().map_or("", |m| m.as_str()).to_owned(),
                names: import.names.iter().map(|alias| alias.name.as_str().to_owned()).collect(),
                hard,
            }),
            Stmt::FunctionDef(def) => imports(&def.body, false, into),
            Stmt::ClassDef(def) => imports(&def.body, hard, into),
            Stmt::If(branch) => {
                if !is_type_checking(&branch.test) {
                    imports(&branch.body, false, into);
                }
                branch.elif_else_clauses.iter().for_each(|clause| imports(&clause.body, false, into));
            }
            Stmt::Try(attempt) => {
                for body in [&attempt.body, &attempt.orelse, &attempt.finalbody] {
                    imports(body, false, into);
                }
                for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                    imports(&handler.body, false, into);
                }
            }
            Stmt::With(with) => imports(&with.body, false, into),
            Stmt::For(each) => {
                imports(&each.body, false, into);
                imports(&each.orelse, false, into);
            }
            Stmt::While(each) => {
                imports(&each.body, false, into);
                imports(&each.orelse, false, into);
            }
            Stmt::Match(choice) => choice.cases.iter().for_each(|case| imports(&case.body, false, into)),
            _ => {}
        }
    }
}

fn is_name(expr: &Expr, wanted: &str) -> bool {
    matches!(expr, Expr::Name(name) if name.id.as_str() == wanted)
}

/// `if __name__ == "__main__":` does not run in a module.
fn is_main_guard(test: &Expr) -> bool {
    matches!(test, Expr::Compare(compare) if is_name(&compare.left, "__name__"))
}

/// `if TYPE_CHECKING:` does not run at all.
fn is_type_checking(test: &Expr) -> bool {
    dotted(test).is_some_and(|name| name.rsplit('.').next() == Some("TYPE_CHECKING"))
}

/// Methods that set up an instance; what they set on it are its attributes.
fn sets_attributes(name: &str) -> bool {
    matches!(name, "__init__" | "__post_init__" | "initialize" | "start" | "setup")
}

fn is_data_decorator(full: &str) -> bool {
    let last = full.rsplit('.').next().unwrap_or("");
    let is_attrs = full.starts_with("attr.") || full.starts_with("attrs.");
    last == "dataclass" || is_attrs && matches!(last, "s" | "attrs" | "define" | "frozen" | "mutable")
}

fn extend_all(facts: &mut Facts, value: &Expr) {
    facts.all = match (facts.all.take(), texts(value)) {
        (Some(mut all), Some(more)) => {
            all.extend(more);
            Some(all)
        }
        _ => None,
    };
}

/// `__all__.extend([...])` and `__all__.append("x")`.
fn all_call(facts: &mut Facts, expr: &Expr) {
    let Expr::Call(call) = expr else { return };
    let Expr::Attribute(method) = &*call.func else { return };
    if !is_name(&method.value, "__all__") {
        return;
    }
    match (method.attr.as_str(), call.arguments.args.first()) {
        ("extend", Some(more)) => extend_all(facts, more),
        ("append", Some(Expr::StringLiteral(text))) => {
            if let Some(all) = &mut facts.all {
                all.insert(text.value.to_str().to_owned());
            }
        }
        _ => facts.all = None,
    }
}

/// A list or tuple of texts.
fn texts(expr: &Expr) -> Option<Vec<String>> {
    let items = match expr {
        Expr::List(list) => &list.elts,
        Expr::Tuple(tuple) => &tuple.elts,
        _ => return None,
    };
    let text = |item: &Expr| match item {
        Expr::StringLiteral(text) => Some(text.value.to_str().to_owned()),
        _ => None,
    };
    items.iter().map(text).collect()
}

fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::StringLiteral(_)
        | Expr::BytesLiteral(_)
        | Expr::NumberLiteral(_)
        | Expr::BooleanLiteral(_)
        | Expr::NoneLiteral(_) => true,
        Expr::UnaryOp(unary) => {
            unary.op == UnaryOp::USub
                && matches!(&*unary.operand, Expr::NumberLiteral(n) if !matches!(n.value, Number::Complex { .. }))
        }
        Expr::List(list) => list.elts.iter().all(is_literal),
        Expr::Tuple(tuple) => tuple.elts.iter().all(is_literal),
        Expr::Set(set) => set.elts.iter().all(is_literal),
        Expr::Dict(dict) => {
            dict.items.iter().all(|item| item.key.as_ref().is_some_and(is_literal) && is_literal(&item.value))
        }
        _ => false,
    }
}

/// Builtins whose results are not called.
fn is_builtin_value(name: &str) -> bool {
    matches!(
        name,
        "dict"
            | "list"
            | "set"
            | "tuple"
            | "frozenset"
            | "int"
            | "float"
            | "str"
            | "bytes"
            | "bytearray"
            | "bool"
            | "object"
            | "range"
            | "len"
            | "sum"
            | "min"
            | "max"
            | "sorted"
            | "open"
            | "map"
            | "filter"
            | "zip"
            | "enumerate"
            | "round"
            | "abs"
            | "print"
            | "super"
            | "property"
    )
}
