//! Parameters: a struct of them, or the arguments of `create`; how they are read, and what the manifest says of them.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, ExprUnary, Fields, FnArg, Ident, Lit, LitFloat,
    LitStr, Pat, Path, Result, Signature, Type, UnOp,
};

use crate::attributes::{crate_of, docs};
use crate::function::{combine, unraw};
use crate::manifest::quoted;
use crate::types::{Passed, Wit, arguments, is_option};

/// What `create` takes.
pub(crate) enum Taken {
    Nothing,
    /// A struct of parameters, or whatever there is.
    Struct(Box<Type>),
    /// Parameters one by one.
    Each(Vec<Param>),
}

/// A parameter.
pub(crate) struct Param {
    name: String,
    ident: Ident,
    ty: Type,
    docs: Vec<String>,
    default: Option<Expr>,
    min: Option<Expr>,
    max: Option<Expr>,
    one_of: Vec<LitStr>,
    check: Option<Path>,
}

impl Taken {
    /// Reads the arguments of `create`, and takes their attributes away.
    pub(crate) fn read(signature: &mut Signature) -> Result<Self> {
        let count = signature.inputs.len();
        let mut params = Vec::new();
        for input in &mut signature.inputs {
            let FnArg::Typed(typed) = input else {
                return Err(Error::new(input.span(), "There is no `self` before it was made"));
            };
            let is_one = typed.attrs.is_empty() && count == 1;
            if is_one && Wit::of(&typed.ty) == Wit::Value && !is_option(&typed.ty) {
                return Ok(Self::Struct(typed.ty.clone()));
            }
            let Pat::Ident(named) = &*typed.pat else {
                return Err(Error::new(typed.pat.span(), "A parameter needs a name"));
            };
            params.push(Param::read(&named.ident, &typed.ty, &typed.attrs)?);
            typed.attrs.retain(|attribute| !is_ours(attribute));
        }
        Ok(if params.is_empty() { Self::Nothing } else { Self::Each(params) })
    }

    /// The manifest's part on parameters, as an expression of text.
    pub(crate) fn manifest(&self, krate: &Path) -> TokenStream {
        match self {
            Self::Nothing => quote!("[params]\n"),
            Self::Struct(ty) => quote_spanned!(ty.span()=> <#ty as #krate::Params>::MANIFEST),
            Self::Each(params) => {
                let text = manifest(params);
                quote!(#text)
            }
        }
    }

    /// The call of `create` at `path` with what was given, which stands in `__given`.
    pub(crate) fn call(&self, path: &TokenStream, krate: &Path) -> TokenStream {
        match self {
            Self::Nothing => quote! {{
                #krate::__private::known(__given, &[])?;
                #path()
            }},
            Self::Struct(ty) => {
                let read = quote_spanned!(ty.span()=> <#ty as #krate::Params>::from_params(__given)?);
                quote!(#path(#read))
            }
            Self::Each(params) => {
                let names = params.iter().map(|param| &param.name);
                let reads = params.iter().map(|param| param.code(krate));
                let pass = params.iter().map(|param| {
                    let (ident, by) = (&param.ident, Passed::of(&param.ty).by);
                    quote!(#by #ident)
                });
                quote! {{
                    #krate::__private::known(__given, &[#(#names),*])?;
                    #(#reads)*
                    #path(#(#pass),*)
                }}
            }
        }
    }
}

/// Makes a struct one of parameters.
pub(crate) fn derive(item: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(item)?;
    let krate = crate_of(&input.attrs)?;
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(input.ident.span(), "Parameters are a struct"));
    };
    let params = match &data.fields {
        Fields::Named(fields) => {
            let mut wrong = None;
            let mut params = Vec::new();
            for field in &fields.named {
                let Some(ident) = &field.ident else { continue };
                match Param::read(ident, &field.ty, &field.attrs) {
                    Ok(param) => params.push(param),
                    Err(error) => combine(&mut wrong, error),
                }
            }
            if let Some(error) = wrong {
                return Err(error);
            }
            params
        }
        Fields::Unit => Vec::new(),
        Fields::Unnamed(fields) => {
            return Err(Error::new(fields.span(), "Parameters are given by name: name the fields"));
        }
    };
    if !input.generics.params.is_empty() {
        return Err(Error::new(input.generics.span(), "A struct of parameters cannot be generic"));
    }
    let name = &input.ident;
    let text = manifest(&params);
    let names = params.iter().map(|param| &param.name);
    let reads = params.iter().map(|param| param.code(&krate));
    let idents = params.iter().map(|param| &param.ident);
    Ok(quote! {
        impl #krate::Params for #name {
            const MANIFEST: &'static str = #text;

            fn from_params(__given: #krate::Fields<'_>) -> #krate::Result<Self> {
                #krate::__private::known(__given, &[#(#names),*])?;
                #(#reads)*
                ::core::result::Result::Ok(Self { #(#idents),* })
            }
        }
    })
}

fn manifest(params: &[Param]) -> String {
    let mut text = "[params]\n".to_owned();
    for param in params {
        text.push_str(&format!("[params.{}]\n", param.name));
        let default = param.default.as_ref().map(literal);
        let wit = match Wit::of(&param.ty) {
            Wit::Nothing | Wit::Value if is_option(&param.ty) => Wit::Option(Box::new(Wit::Value)),
            Wit::Nothing => Wit::Value,
            // What the default is, only the module can say: to others the parameter may be left out.
            wit if default == Some(None) && !is_option(&param.ty) => Wit::Option(Box::new(wit)),
            wit => wit,
        };
        text.push_str(&format!("type = \"{}\"\n", wit.text()));
        if let Some(Some(literal)) = default {
            text.push_str(&format!("default = {literal}\n"));
        }
        if !param.docs.is_empty() {
            text.push_str(&format!("doc = {}\n", quoted(&param.docs.join("\n"))));
        }
    }
    text
}

/// A default that TOML can write.
fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Lit(ExprLit { lit, .. }) => match lit {
            Lit::Str(text) => Some(quoted(&text.value())),
            Lit::Bool(truth) => Some(truth.value.to_string()),
            Lit::Int(number) => Some(number.base10_digits().to_owned()),
            Lit::Float(number) => {
                let digits = number.base10_digits();
                Some(if digits.ends_with('.') { format!("{digits}0") } else { digits.to_owned() })
            }
            _ => None,
        },
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => match &**expr {
            Expr::Lit(ExprLit { lit: Lit::Int(_) | Lit::Float(_), .. }) => {
                literal(expr).map(|number| format!("-{number}"))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The type, or that within an `Option`.
fn within(ty: &Type) -> &Type {
    match ty {
        Type::Path(path) if is_option(ty) => {
            let last = path.path.segments.last();
            last.and_then(|last| arguments(&last.arguments).first().copied()).unwrap_or(ty)
        }
        _ => ty,
    }
}

/// A whole number that is written where a number is meant, as one.
fn fitted(expr: Expr, ty: &Type) -> Expr {
    let is_float = matches!(Wit::of(within(ty)), Wit::Plain("f32" | "f64", _));
    match expr {
        Expr::Lit(ExprLit { attrs, lit: Lit::Int(number) }) if is_float && number.suffix().is_empty() => {
            let lit = Lit::Float(LitFloat::new(&format!("{}.0", number.base10_digits()), number.span()));
            Expr::Lit(ExprLit { attrs, lit })
        }
        Expr::Unary(ExprUnary { attrs, op, expr }) => {
            Expr::Unary(ExprUnary { attrs, op, expr: Box::new(fitted(*expr, ty)) })
        }
        other => other,
    }
}

fn is_ours(attribute: &Attribute) -> bool {
    attribute.path().is_ident("param") || attribute.path().is_ident("doc")
}

impl Param {
    fn read(ident: &Ident, ty: &Type, attributes: &[Attribute]) -> Result<Self> {
        let mut param = Self {
            name: unraw(ident),
            ident: ident.clone(),
            ty: ty.clone(),
            docs: docs(attributes),
            default: None,
            min: None,
            max: None,
            one_of: Vec::new(),
            check: None,
        };
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("param")) {
            attribute.parse_nested_meta(|meta| {
                let key = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
                match key.as_str() {
                    "default" => param.default = Some(fitted(meta.value()?.parse()?, ty)),
                    "min" => param.min = Some(fitted(meta.value()?.parse()?, ty)),
                    "max" => param.max = Some(fitted(meta.value()?.parse()?, ty)),
                    "check" => param.check = Some(meta.value()?.parse()?),
                    "one_of" => {
                        let words: syn::ExprArray = meta.value()?.parse()?;
                        for word in words.elems {
                            match word {
                                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => param.one_of.push(text),
                                other => return Err(Error::new(other.span(), "`one_of` takes texts")),
                            }
                        }
                    }
                    _ => {
                        return Err(meta.error("It is one of `default`, `min`, `max`, `one_of` and `check`"));
                    }
                }
                Ok(())
            })?;
        }
        Ok(param)
    }

    /// The code that reads it into a variable of its name.
    fn code(&self, krate: &Path) -> TokenStream {
        let (name, ident) = (&self.name, &self.ident);
        let ty = Passed::of(&self.ty).read;
        let default = match &self.default {
            None => quote!(::core::option::Option::None),
            // Text becomes whatever the type makes of it, unless it is one that is surely no text.
            Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. }))
                if matches!(Wit::of(&self.ty), Wit::Plain("string", _) | Wit::Value)
                    || is_option(&self.ty) =>
            {
                quote!(::core::option::Option::Some(|| ::core::convert::Into::into(#text)))
            }
            Some(expr) => quote_spanned!(expr.span()=> ::core::option::Option::Some(|| #expr)),
        };
        let mut code = quote_spanned! {self.ty.span()=>
            let #ident: #ty = #krate::__private::param::<#ty>(__given, #name, #default)?;
        };
        let mut checks = TokenStream::new();
        if self.min.is_some() || self.max.is_some() {
            let of = within(&self.ty);
            let bound = |bound: &Option<Expr>| match bound {
                Some(expr) => quote_spanned! {expr.span()=> {
                    let bound: #of = #expr;
                    ::core::option::Option::Some(bound)
                }},
                None => quote!(::core::option::Option::None),
            };
            let (min, max) = (bound(&self.min), bound(&self.max));
            checks.extend(quote!(#krate::__private::bounds(#name, param, #min, #max)?;));
        }
        if !self.one_of.is_empty() {
            let words = &self.one_of;
            checks.extend(quote!(#krate::__private::one_of(#name, param, &[#(#words),*])?;));
        }
        if let Some(check) = &self.check {
            checks.extend(quote! {
                #check(param).map_err(|why| #krate::Error::from(why).context(::std::concat!("Parameter `", #name, "` is refused")))?;
            });
        }
        if !checks.is_empty() {
            let some = if is_option(&self.ty) {
                quote!(&#ident)
            } else {
                quote!(::core::option::Option::Some(&#ident))
            };
            code.extend(quote! {
                if let ::core::option::Option::Some(param) = #some {
                    #checks
                }
            });
        }
        code
    }
}
