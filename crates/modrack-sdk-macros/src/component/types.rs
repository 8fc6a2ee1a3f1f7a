//! The types and names of Rust that `wit-bindgen` has for those of WIT.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};

use crate::contracts::Record;
use crate::types::Wit;

/// The type of Rust that `wit-bindgen` has for one of WIT.
pub(super) fn rust(wit: &Wit, component: &TokenStream) -> TokenStream {
    match wit {
        Wit::Plain("string", _) => quote!(::std::string::String),
        Wit::Plain(wit, _) => {
            let name = match *wit {
                "s8" => "i8",
                "s16" => "i16",
                "s32" => "i32",
                "s64" => "i64",
                same => same,
            };
            let name = Ident::new(name, Span::call_site());
            quote!(#name)
        }
        Wit::Bytes => quote!(::std::vec::Vec<u8>),
        Wit::List(item) => {
            let item = rust(item, component);
            quote!(::std::vec::Vec<#item>)
        }
        Wit::Option(inner) => {
            let inner = rust(inner, component);
            quote!(::core::option::Option<#inner>)
        }
        Wit::Tuple(items) => {
            let items = items.iter().map(|item| rust(item, component));
            quote!((#(#items,)*))
        }
        Wit::Map(value) => {
            let value = rust(value, component);
            quote!(::std::vec::Vec<(::std::string::String, #value)>)
        }
        Wit::Value => quote!(#component::values::Value),
        Wit::Table => quote!(#component::values::Table),
        Wit::Record(record) => path(record),
        Wit::Rows => quote!(__bindings::exports::modrack::source::source::Rows),
        Wit::Nothing => quote!(()),
    }
}

/// Where `wit-bindgen` puts a record.
pub(super) fn path(record: &Record) -> TokenStream {
    let (package, interface) = (word(record.contract), word(record.interface));
    let name = Ident::new(record.name, Span::call_site());
    match record.exported {
        true => quote!(__bindings::exports::modrack::#package::#interface::#name),
        false => quote!(__bindings::modrack::#package::#interface::#name),
    }
}

/// A name as `wit-bindgen` writes it: `error_handler`, and `type_` for a word that Rust has for itself.
pub(super) fn word(name: &str) -> Ident {
    let name = name.replace('-', "_");
    match syn::parse_str::<Ident>(&name) {
        Ok(ident) => Ident::new(&ident.to_string(), Span::call_site()),
        Err(_) => format_ident!("{name}_"),
    }
}
