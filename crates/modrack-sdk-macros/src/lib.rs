//! The attribute and the derives of `modrack-sdk`, which documents and re-exports them.
//!
//! Tokens in, tokens out: nothing here knows pointers or hosts. What is read of the author's code becomes a
//! [`module::Module`] first, with every mistake told at its place; code, WIT and manifest are made of that.

mod attributes;
mod component;
mod contracts;
mod derive;
mod function;
mod manifest;
mod module;
mod native;
mod params;
mod types;

use proc_macro::TokenStream;
use quote::quote;

/// Makes the functions of an `impl` block, or of an inline `mod`, those of a modrack module.
///
/// On an `impl` block the type is the module's state: `create` (or `new`) makes it from the parameters, and every other `pub fn` is a
/// function of the module. On a `mod` there is no state. Private functions stay private.
///
/// `#[modrack::module(...)]` takes, all of them optional: `name`, `version` (those of the package by default), `description`, `author`,
/// `contract = "transform@1"`, `function` (the main one), `instances` (`"shared"`, `"one"`, `"pool(4)"`, `"per-call"`), `takes`
/// (`"row"`, `"batch"`, ...), `formats`, `requires`, and `crate`, the path of this crate where it is not `::modrack`.
#[proc_macro_attribute]
pub fn module(args: TokenStream, item: TokenStream) -> TokenStream {
    let item: proc_macro2::TokenStream = item.into();
    match module::Module::read(args.into(), item.clone()) {
        Ok(module) => module.code().into(),
        Err((error, kept)) => {
            let errors = error.into_compile_error();
            let kept = kept.unwrap_or(item);
            quote!(#kept #errors).into()
        }
    }
}

/// Makes a struct one of parameters, which a module's `create` takes.
#[proc_macro_derive(Params, attributes(param, modrack))]
pub fn params(item: TokenStream) -> TokenStream {
    params::derive(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Lets a struct or an enum be an argument or a result: a struct is a map, a case without data is its name in `snake_case`, a
/// case with data a map of its name to the data.
#[proc_macro_derive(Value, attributes(value, modrack))]
pub fn value(item: TokenStream) -> TokenStream {
    derive::derive(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
