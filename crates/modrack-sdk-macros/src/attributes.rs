//! What stands in attributes: the arguments of the attribute itself, documentation, the path of the crate.

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Expr, ExprLit, Ident, Lit, LitStr, Meta, Path, Result, Token, parse_quote};

/// The arguments of `#[modrack::module(...)]`.
pub(crate) struct Said {
    pub(crate) krate: Path,
    pub(crate) contract: Option<LitStr>,
    pub(crate) instances: Option<LitStr>,
    /// The other keys, as lines of TOML.
    pub(crate) keys: Vec<(String, Toml)>,
}

/// A value of a key: text, or texts.
pub(crate) enum Toml {
    Text(LitStr),
    Texts(Vec<LitStr>),
}

const TEXTS: &[&str] = &["author", "description", "function", "name", "takes", "version"];
const LISTS: &[&str] = &["formats", "requires"];

impl Parse for Said {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut said = Self { krate: default_crate(), contract: None, instances: None, keys: Vec::new() };
        while !input.is_empty() {
            let key: Ident = if input.peek(Token![crate]) {
                let token: Token![crate] = input.parse()?;
                Ident::new("krate", token.span)
            } else {
                input.parse()?
            };
            input.parse::<Token![=]>()?;
            let word = key.to_string();
            match word.as_str() {
                "krate" => said.krate = input.parse::<LitStr>()?.parse()?,
                "contract" => said.contract = Some(input.parse()?),
                "instances" => said.instances = Some(instances(input.parse()?)?),
                text if TEXTS.contains(&text) => said.keys.push((word, Toml::Text(input.parse()?))),
                list if LISTS.contains(&list) => said.keys.push((word, Toml::Texts(texts(input)?))),
                _ => {
                    let message = format!(
                        "`{word}` is not known here; there are `author`, `contract`, `crate`, `description`, `formats`, \
                         `function`, `instances`, `name`, `requires`, `takes` and `version`"
                    );
                    return Err(Error::new(key.span(), message));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(said)
    }
}

fn instances(text: LitStr) -> Result<LitStr> {
    let word = text.value();
    let is_pool = || {
        let count = word.strip_prefix("pool(").and_then(|rest| rest.strip_suffix(')'));
        count.and_then(|count| count.trim().parse::<u32>().ok()).is_some_and(|count| count > 0)
    };
    if matches!(word.as_str(), "shared" | "one" | "per-call") || is_pool() {
        return Ok(text);
    }
    Err(Error::new(text.span(), "It is one of `shared`, `one`, `pool(4)` and `per-call`"))
}

fn texts(input: ParseStream<'_>) -> Result<Vec<LitStr>> {
    if input.peek(LitStr) {
        return Ok(vec![input.parse()?]);
    }
    let inside;
    syn::bracketed!(inside in input);
    Ok(Punctuated::<LitStr, Token![,]>::parse_terminated(&inside)?.into_iter().collect())
}

fn default_crate() -> Path {
    parse_quote!(::modrack)
}

/// The crate's path, where a derive is told it by `#[modrack(crate = "...")]`.
pub(crate) fn crate_of(attributes: &[Attribute]) -> Result<Path> {
    let mut krate = default_crate();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("modrack")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("crate") {
                krate = meta.value()?.parse::<LitStr>()?.parse()?;
                return Ok(());
            }
            Err(meta.error("It takes `crate = \"...\"` alone"))
        })?;
    }
    Ok(krate)
}

/// The documentation, line by line, without the space that `///` leaves.
pub(crate) fn docs(attributes: &[Attribute]) -> Vec<String> {
    let text = |attribute: &Attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    };
    let lines = attributes.iter().filter_map(text);
    let mut all: Vec<String> = Vec::new();
    for said in lines {
        all.extend(said.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned()));
        if said.is_empty() {
            all.push(String::new());
        }
    }
    while all.last().is_some_and(String::is_empty) {
        all.pop();
    }
    all
}

/// Reads what stands in brackets after an attribute's name.
pub(crate) fn parse_said(args: TokenStream) -> Result<Said> {
    Said::parse.parse2(args)
}
