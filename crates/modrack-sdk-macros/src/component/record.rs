//! What the interfaces of contracts have beside functions: records, and the rows of a source.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::Path;

use super::component;
use super::types::{path, word};
use crate::contracts::{Record, seat};
use crate::module::Module;
use crate::types::Wit;

/// What makes values of a contract's record, and the record of values.
pub(super) fn record(record: &Record, krate: &Path) -> TokenStream {
    let path = path(record);
    let fields: Vec<Ident> = record.fields.iter().map(|(name, _)| word(name)).collect();
    let names = record.fields.iter().map(|(name, _)| *name);
    let gives = record.fields.iter().zip(&fields).map(|((name, wit), field)| match wit {
        Wit::Map(_) => quote!(row.set(#name, #krate::__private::component::map(self.#field)?);),
        _ => quote!(row.set(#name, #krate::IntoValue::into_value(self.#field)?);),
    });
    let count = fields.len();
    // No function gives a record with a map in it.
    let reads = record.fields.iter().all(|(_, wit)| !matches!(wit, Wit::Map(_))).then(|| {
        quote! {
            impl #krate::FromValue<'_> for #path {
                fn from_value(value: #krate::ValueRef<'_>) -> ::core::result::Result<Self, #krate::Misfit> {
                    match #krate::ValueRef::shape(value) {
                        #krate::Shape::Map(fields) => {
                            ::core::result::Result::Ok(Self { #(#fields: fields.read(#names)?),* })
                        }
                        _ => ::core::result::Result::Err(#krate::ValueRef::misfit(value, "a mapping")),
                    }
                }
            }
        }
    });
    quote! {
        impl #krate::IntoValue for #path {
            fn into_value(self) -> #krate::Result<#krate::Value> {
                let mut row = #krate::Row::with_capacity(#count);
                #(#gives)*
                ::core::result::Result::Ok(#krate::Value::Map(row))
            }
        }

        #reads
    }
}

/// What makes the rows of a source a resource.
pub(super) fn rows(module: &Module) -> TokenStream {
    let component = component(module);
    let has = module.functions.iter().any(|f| seat(module, f).is_some_and(|seat| seat.gives == Wit::Rows));
    if !has {
        return TokenStream::new();
    }
    quote! {
        impl __bindings::exports::modrack::source::source::GuestRows for #component::Stream {
            fn next(
                &self,
            ) -> ::core::result::Result<::core::option::Option<#component::values::Value>, #component::values::Error>
            {
                #component::Stream::next(self).map_err(#component::failed)
            }
        }
    }
}
