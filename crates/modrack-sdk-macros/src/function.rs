//! A function of a module, read from its signature, and what a function cannot be.

use syn::spanned::Spanned as _;
use syn::{Error, FnArg, GenericParam, Ident, Pat, Receiver, Result, ReturnType, Signature, Type};

use crate::types::{Fault, Wit, is_option, result_of};

/// A function that callers see.
pub(crate) struct Function {
    pub(crate) ident: Ident,
    /// As callers write it.
    pub(crate) name: String,
    pub(crate) docs: Vec<String>,
    pub(crate) receiver: Option<Access>,
    pub(crate) args: Vec<Arg>,
    /// What it gives, the `T` of a `Result<T, E>`.
    pub(crate) gives: Wit,
    /// Whether that is a vector of the author's own.
    pub(crate) gives_vec: bool,
    /// Whether it gives a `Result`, or something that is not known and may be one.
    pub(crate) may_fail: bool,
    pub(crate) fault: Fault,
}

/// How a function has the state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Shared,
    Only,
}

/// An argument.
pub(crate) struct Arg {
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) wit: Wit,
    /// Whether it stands for all arguments that are left.
    pub(crate) is_rest: bool,
}

impl Function {
    pub(crate) fn read(signature: &Signature, docs: Vec<String>) -> Result<Self> {
        let mut wrong = None;
        refuse(signature, &mut wrong);
        let name = unraw(&signature.ident);
        if let Err(why) = in_wit(&name) {
            combine(&mut wrong, Error::new(signature.ident.span(), why));
        }
        let mut receiver = None;
        let mut args = Vec::new();
        for (index, input) in signature.inputs.iter().enumerate() {
            match input {
                FnArg::Receiver(this) => match access(this) {
                    Ok(access) => receiver = Some(access),
                    Err(error) => combine(&mut wrong, error),
                },
                FnArg::Typed(typed) => {
                    if let Some(param) = typed.attrs.iter().find(|attr| attr.path().is_ident("param")) {
                        let message = "`#[param]` is for what `create` takes; an argument that may be left out is an \
                                       `Option`";
                        combine(&mut wrong, Error::new(param.span(), message));
                    }
                    let is_last = index + 1 == signature.inputs.len();
                    match Arg::read(&typed.pat, &typed.ty, is_last) {
                        Ok(arg) => args.push(arg),
                        Err(error) => combine(&mut wrong, error),
                    }
                }
            }
        }
        let (good, may_fail, fault) = match &signature.output {
            ReturnType::Default => (None, false, Fault::Error),
            ReturnType::Type(_, ty) => match result_of(ty) {
                Some(good) => (good, true, Fault::of(ty)),
                None => (Some(&**ty), false, Fault::Error),
            },
        };
        if let Some(ty @ Type::ImplTrait(_)) = good {
            let message = "A function gives a type that has a name: rows one after the other are a `modrack::Rows`, \
                           which `Rows::new` makes of an iterator; else collect them into a `Vec`";
            combine(&mut wrong, Error::new(ty.span(), message));
        }
        let gives = match (good, may_fail) {
            (Some(good), _) => Wit::of(good),
            (None, true) => Wit::Value,
            (None, false) => Wit::Nothing,
        };
        let gives_vec = matches!(good, Some(Type::Path(_)));
        match wrong {
            Some(error) => Err(error),
            None => Ok(Self {
                ident: signature.ident.clone(),
                name,
                docs,
                receiver,
                args,
                gives,
                gives_vec,
                may_fail,
                fault,
            }),
        }
    }

    /// How many arguments must be given.
    pub(crate) fn least(&self) -> usize {
        self.args.iter().rposition(|arg| !arg.is_rest && !is_option(&arg.ty)).map_or(0, |last| last + 1)
    }
}

impl Arg {
    pub(crate) fn read(pat: &Pat, ty: &Type, is_last: bool) -> Result<Self> {
        let Pat::Ident(named) = pat else {
            return Err(Error::new(
                pat.span(),
                "An argument needs a name; take it apart inside of the function",
            ));
        };
        match ty {
            Type::ImplTrait(_) => {
                return Err(Error::new(ty.span(), "An argument needs a type of its own, not `impl Trait`"));
            }
            Type::Reference(reference) if reference.mutability.is_some() => {
                return Err(Error::new(
                    ty.span(),
                    "Arguments are the caller's and cannot be changed; take the value and give the changed one back",
                ));
            }
            Type::Infer(_) | Type::Never(_) | Type::Ptr(_) | Type::BareFn(_) | Type::TraitObject(_) => {
                return Err(Error::new(ty.span(), "A value of this type cannot be an argument"));
            }
            _ => {}
        }
        let name = unraw(&named.ident);
        let name = name.trim_start_matches('_').to_owned();
        in_wit(&name).map_err(|why| Error::new(named.ident.span(), why))?;
        let wit = Wit::of(ty);
        let is_rest = is_last && name == "args" && wit == Wit::List(Box::new(Wit::Value));
        Ok(Self { name, ty: ty.clone(), wit, is_rest })
    }
}

/// What no function of a module can be.
fn refuse(signature: &Signature, wrong: &mut Option<Error>) {
    if let Some(token) = &signature.asyncness {
        let message =
            "A function of a module cannot be `async`: calls run on threads of the host's, one by one";
        combine(wrong, Error::new(token.span(), message));
    }
    for param in &signature.generics.params {
        if !matches!(param, GenericParam::Lifetime(_)) {
            let message = "A function of a module cannot be generic: whoever calls it cannot say for which type; \
                           take `modrack::Value` where any value will do";
            combine(wrong, Error::new(param.span(), message));
        }
    }
    if let Some(token) = &signature.unsafety {
        combine(wrong, Error::new(token.span(), "A function of a module cannot be `unsafe`"));
    }
    if let Some(rest) = &signature.variadic {
        combine(
            wrong,
            Error::new(rest.span(), "Take `args: Vec<modrack::Value>` for however many there are"),
        );
    }
}

fn access(this: &Receiver) -> Result<Access> {
    let is_plain = this.colon_token.is_none();
    match (&this.reference, &this.mutability) {
        (Some(_), None) if is_plain => Ok(Access::Shared),
        (Some(_), Some(_)) if is_plain => Ok(Access::Only),
        _ => Err(Error::new(
            this.span(),
            "A function takes `&self` or `&mut self`: the module stays for the next call",
        )),
    }
}

pub(crate) fn combine(wrong: &mut Option<Error>, error: Error) {
    match wrong {
        Some(there) => there.combine(error),
        None => *wrong = Some(error),
    }
}

/// A name without the `r#` of a word that Rust has for itself.
pub(crate) fn unraw(ident: &Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").map_or(name.clone(), str::to_owned)
}

/// That WIT can write the name: words of letters and digits.
fn in_wit(name: &str) -> std::result::Result<(), String> {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    if name.split('_').all(is_word) {
        return Ok(());
    }
    Err(format!(
        "`{name}` cannot be the name of a function or an argument of a module: write it as words of small letters \
         and digits, each beginning with a letter, with `_` between them"
    ))
}

/// A name as WIT writes it.
pub(crate) fn kebab(name: &str) -> String {
    let name = name.replace('_', "-");
    if WORDS.contains(&name.as_str()) { format!("%{name}") } else { name }
}

/// The words that WIT has for itself.
const WORDS: &[&str] = &[
    "as",
    "async",
    "bool",
    "borrow",
    "char",
    "constructor",
    "enum",
    "error-context",
    "export",
    "f32",
    "f64",
    "flags",
    "from",
    "func",
    "future",
    "import",
    "include",
    "interface",
    "list",
    "map",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "s16",
    "s32",
    "s64",
    "s8",
    "static",
    "stream",
    "string",
    "tuple",
    "type",
    "u16",
    "u32",
    "u64",
    "u8",
    "use",
    "variant",
    "with",
    "world",
    "f",
    "value",
    "table",
    "error",
];
