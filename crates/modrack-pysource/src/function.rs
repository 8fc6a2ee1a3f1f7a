//! Functions and methods: signatures, decorators, what they yield and return.

use modrack_core::{AttributeInfo, FunctionInfo, Param, ParamKind, Signature, Type};
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprLambda, Parameters, Stmt, StmtFunctionDef};
use ruff_text_size::Ranged;

use crate::extract::{Extract, doc};
use crate::facts::{FunctionFact, MethodKind, Returns, place};
use crate::types::takes_of_annotation;

impl Extract<'_> {
    /// Reads a function or method.
    pub(crate) fn function(&self, def: &StmtFunctionDef) -> FunctionFact {
        let mut fact = FunctionFact {
            info: FunctionInfo {
                name: def.name.as_str().to_owned(),
                signature: self.signature(def),
                doc: doc(&def.body),
                place: Some(place(self.file, self.source.line(def.name.start().to_u32()))),
            },
            kind: MethodKind::Plain,
            is_abstract: false,
            is_overload: false,
            returns: returns(&def.body),
            takes: self.takes(&def.parameters),
        };
        for decorator in &def.decorator_list {
            let head = match &decorator.expression {
                Expr::Call(call) => &*call.func,
                other => other,
            };
            let full = self.scope.full_name(head).unwrap_or_default();
            match full.rsplit('.').next().unwrap_or("") {
                "staticmethod" => fact.kind = MethodKind::Static,
                "classmethod" => fact.kind = MethodKind::Class,
                "property" | "cached_property" => fact.kind = MethodKind::Property,
                "abstractproperty" => {
                    fact.kind = MethodKind::Property;
                    fact.is_abstract = true;
                }
                "abstractmethod" => fact.is_abstract = true,
                "overload" => fact.is_overload = true,
                name if keeps_signature(name) => {}
                _ => soften(&mut fact.info.signature),
            }
        }
        // Special methods that Python itself treats as static or class methods.
        match def.name.as_str() {
            "__init_subclass__" | "__class_getitem__" => fact.kind = MethodKind::Class,
            _ => {}
        }
        fact
    }

    /// Reads a lambda that was given a name.
    pub(crate) fn lambda(&self, name: &str, lambda: &ExprLambda) -> FunctionFact {
        let params = lambda.parameters.as_deref().map(|p| self.params(p)).unwrap_or_default();
        FunctionFact {
            info: FunctionInfo {
                name: name.to_owned(),
                signature: Signature { params, ..Signature::default() },
                doc: None,
                place: Some(place(self.file, self.source.line(lambda.start().to_u32()))),
            },
            kind: MethodKind::Plain,
            is_abstract: false,
            is_overload: false,
            returns: Returns::Other,
            takes: [None, None],
        }
    }

    /// Whether a method only adds a setter or the like to a property that stands already.
    pub(crate) fn is_accessor(&self, def: &StmtFunctionDef) -> bool {
        def.decorator_list.iter().any(|decorator| match &decorator.expression {
            Expr::Attribute(attribute) => matches!(attribute.attr.as_str(), "setter" | "deleter"),
            _ => false,
        })
    }

    /// What a method sets on its first parameter.
    pub(crate) fn instance(&self, def: &StmtFunctionDef, into: &mut Vec<AttributeInfo>) {
        let first = def.parameters.posonlyargs.first().or_else(|| def.parameters.args.first());
        let Some(me) = first.map(|p| p.parameter.name.as_str()) else { return };
        self.self_targets(&def.body, me, into);
    }

    fn self_targets(&self, body: &[Stmt], me: &str, into: &mut Vec<AttributeInfo>) {
        for stmt in body {
            match stmt {
                Stmt::Assign(assign) => {
                    for target in &assign.targets {
                        let targets = match target {
                            Expr::Tuple(tuple) => tuple.elts.as_slice(),
                            one => std::slice::from_ref(one),
                        };
                        targets.iter().for_each(|target| self.self_target(target, None, me, into));
                    }
                }
                Stmt::AnnAssign(assign) => {
                    self.self_target(&assign.target, Some(&assign.annotation), me, into)
                }
                Stmt::If(branch) => {
                    self.self_targets(&branch.body, me, into);
                    for clause in &branch.elif_else_clauses {
                        self.self_targets(&clause.body, me, into);
                    }
                }
                Stmt::With(with) => self.self_targets(&with.body, me, into),
                Stmt::For(each) => self.self_targets(&each.body, me, into),
                Stmt::Try(attempt) => {
                    for body in [&attempt.body, &attempt.orelse, &attempt.finalbody] {
                        self.self_targets(body, me, into);
                    }
                }
                _ => {}
            }
        }
    }

    fn self_target(&self, target: &Expr, annotation: Option<&Expr>, me: &str, into: &mut Vec<AttributeInfo>) {
        let Expr::Attribute(attribute) = target else { return };
        let name = attribute.attr.as_str();
        let is_mine = matches!(&*attribute.value, Expr::Name(owner) if owner.id.as_str() == me);
        if is_mine && !name.starts_with('_') {
            into.push(AttributeInfo {
                name: name.to_owned(),
                annotation: annotation.map(|annotation| self.annotation(annotation)),
                value: None,
                place: Some(place(self.file, self.source.line(target.start().to_u32()))),
            });
        }
    }

    fn signature(&self, def: &StmtFunctionDef) -> Signature {
        let mut signature = Signature {
            params: self.params(&def.parameters),
            is_async: def.is_async,
            is_generator: self.is_generator(def),
            ..Signature::default()
        };
        if let Some(returns) = &def.returns {
            signature.result = self.scope.ty(returns);
            signature.result_annotation = Some(self.annotation(returns));
        }
        if signature.is_generator && !matches!(signature.result, Type::Stream(_)) {
            signature.result = Type::Stream(Box::new(Type::Any));
        }
        signature
    }

    fn params(&self, parameters: &Parameters) -> Vec<Param> {
        let param = |parameter: &ruff_python_ast::Parameter, default: Option<&Expr>, kind: ParamKind| Param {
            name: parameter.name.as_str().to_owned(),
            ty: parameter.annotation.as_deref().map_or(Type::Any, |a| self.scope.ty(a)),
            kind,
            default: default.map(|default| self.shown(default)),
            annotation: parameter.annotation.as_deref().map(|a| self.annotation(a)),
        };
        let mut params = Vec::new();
        for one in &parameters.posonlyargs {
            params.push(param(&one.parameter, one.default.as_deref(), ParamKind::Positional));
        }
        for one in &parameters.args {
            params.push(param(&one.parameter, one.default.as_deref(), ParamKind::Either));
        }
        params.extend(parameters.vararg.as_deref().map(|one| param(one, None, ParamKind::Rest)));
        for one in &parameters.kwonlyargs {
            params.push(param(&one.parameter, one.default.as_deref(), ParamKind::Named));
        }
        params.extend(parameters.kwarg.as_deref().map(|one| param(one, None, ParamKind::NamedRest)));
        params
    }

    fn takes(&self, parameters: &Parameters) -> [Option<modrack_core::Takes>; 2] {
        let mut both = parameters.posonlyargs.iter().chain(&parameters.args).map(|one| {
            let annotation = one.parameter.annotation.as_deref()?;
            takes_of_annotation(&self.scope, annotation, 0)
        });
        [both.next().flatten(), both.next().flatten()]
    }

    fn is_generator(&self, def: &StmtFunctionDef) -> bool {
        let (start, end) = (def.start().to_u32(), def.end().to_u32());
        let first = self.yields.partition_point(|at| *at < start);
        if self.yields.get(first).is_none_or(|at| *at >= end) {
            return false;
        }
        let mut search = YieldSearch(false);
        search.visit_body(&def.body);
        search.0
    }
}

/// Whether a body yields, functions inside it not counted.
struct YieldSearch(bool);

impl<'a> Visitor<'a> for YieldSearch {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        if !self.0 && !matches!(stmt, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            walk_stmt(self, stmt);
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Yield(_) | Expr::YieldFrom(_) => self.0 = true,
            Expr::Lambda(_) => {}
            other if !self.0 => walk_expr(self, other),
            _ => {}
        }
    }
}

/// Decorators that leave the signature as it is written.
fn keeps_signature(name: &str) -> bool {
    matches!(
        name,
        "cache"
            | "lru_cache"
            | "override"
            | "final"
            | "deprecated"
            | "no_type_check"
            | "singledispatch"
            | "singledispatchmethod"
            | "setter"
            | "getter"
            | "deleter"
            | "abstractclassmethod"
            | "abstractstaticmethod"
            | "hookimpl"
            | "hookspec"
            | "total_ordering"
            | "wraps"
            | "njit"
            | "jit"
    )
}

/// Makes a signature advice: a decorator that is not known may have changed it, so nothing is demanded and
/// everything is taken.
fn soften(signature: &mut Signature) {
    for param in &mut signature.params {
        if param.is_required() {
            param.default = Some("...".into());
        }
    }
    let has = |signature: &Signature, kind| signature.params.iter().any(|p| p.kind == kind);
    if !has(signature, ParamKind::Rest) {
        let at = signature
            .params
            .iter()
            .position(|p| matches!(p.kind, ParamKind::Named | ParamKind::NamedRest))
            .unwrap_or(signature.params.len());
        signature.params.insert(at, Param { name: "args".into(), kind: ParamKind::Rest, ..Param::default() });
    }
    if !has(signature, ParamKind::NamedRest) {
        signature.params.push(Param {
            name: "kwargs".into(),
            kind: ParamKind::NamedRest,
            ..Param::default()
        });
    }
    signature.result = Type::Any;
}

/// What the `return`s of a body give.
fn returns(body: &[Stmt]) -> Returns {
    let mut found = Vec::new();
    gather_returns(body, &mut found);
    let mut all = found.into_iter();
    match all.next() {
        None => Returns::Nothing,
        Some(first) => {
            if all.all(|other| other == first) {
                first
            } else {
                Returns::Other
            }
        }
    }
}

fn gather_returns(body: &[Stmt], found: &mut Vec<Returns>) {
    for stmt in body {
        match stmt {
            Stmt::Return(given) => found.push(match given.value.as_deref() {
                None | Some(Expr::NoneLiteral(_)) => Returns::Nothing,
                Some(Expr::Call(call)) => match &*call.func {
                    Expr::Name(name) => Returns::Made(name.id.as_str().to_owned()),
                    _ => Returns::Other,
                },
                Some(_) => Returns::Other,
            }),
            Stmt::If(branch) => {
                gather_returns(&branch.body, found);
                branch.elif_else_clauses.iter().for_each(|clause| gather_returns(&clause.body, found));
            }
            Stmt::Try(attempt) => {
                for body in [&attempt.body, &attempt.orelse, &attempt.finalbody] {
                    gather_returns(body, found);
                }
                for ruff_python_ast::ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                    gather_returns(&handler.body, found);
                }
            }
            Stmt::With(with) => gather_returns(&with.body, found),
            Stmt::For(each) => {
                gather_returns(&each.body, found);
                gather_returns(&each.orelse, found);
            }
            Stmt::While(each) => gather_returns(&each.body, found),
            Stmt::Match(choice) => choice.cases.iter().for_each(|case| gather_returns(&case.body, found)),
            _ => {}
        }
    }
}
