//! Types of the author's own as values: structs are maps, cases of an enum are words, or maps of a word to data.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Data, DataEnum, DeriveInput, Error, Expr, Fields, FieldsNamed, Ident, LitStr, Path, Result,
};

use crate::attributes::crate_of;
use crate::function::unraw;

pub(crate) fn derive(item: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(item)?;
    let krate = crate_of(&input.attrs)?;
    if !input.generics.params.is_empty() {
        return Err(Error::new(input.generics.span(), "A type that is a value cannot be generic"));
    }
    let (read, give) = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => (
                read_named(&quote!(Self), fields, &quote!(value), &krate)?,
                give_named(&quote!(Self), fields, &krate)?,
            ),
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => (
                quote!(#krate::FromValue::from_value(value).map(Self)),
                quote!({
                    let Self(inner) = self;
                    #krate::IntoValue::into_value(inner)
                }),
            ),
            other => {
                let message = "A struct that is a value has named fields, or wraps one value";
                let span = if matches!(other, Fields::Unit) { input.ident.span() } else { other.span() };
                return Err(Error::new(span, message));
            }
        },
        Data::Enum(data) => (read_enum(data, &krate)?, give_enum(data, &krate)?),
        Data::Union(data) => {
            return Err(Error::new(data.union_token.span(), "A union cannot be a value"));
        }
    };
    let name = &input.ident;
    Ok(quote! {
        impl #krate::FromValue<'_> for #name {
            fn from_value(value: #krate::ValueRef<'_>) -> ::core::result::Result<Self, #krate::Misfit> {
                #read
            }
        }

        impl #krate::IntoValue for #name {
            fn into_value(self) -> #krate::Result<#krate::Value> {
                #give
            }
        }
    })
}

/// A field: its name outside, and what it is where it is not given.
struct Said {
    name: String,
    default: Option<TokenStream>,
}

fn said(name: String, attributes: &[Attribute]) -> Result<Said> {
    let mut said = Said { name, default: None };
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("value")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("rename") {
                said.name = meta.value()?.parse::<LitStr>()?.value();
            } else if meta.path.is_ident("default") {
                said.default = Some(match meta.input.peek(syn::Token![=]) {
                    true => {
                        let expr: Expr = meta.value()?.parse()?;
                        quote!(#expr)
                    }
                    false => quote!(::core::default::Default::default()),
                });
            } else {
                return Err(meta.error("It is one of `rename` and `default`"));
            }
            Ok(())
        })?;
    }
    Ok(said)
}

/// Reads the fields of `from` into a value of `path`.
fn read_named(
    path: &TokenStream,
    fields: &FieldsNamed,
    from: &TokenStream,
    krate: &Path,
) -> Result<TokenStream> {
    let mut reads = Vec::new();
    for field in &fields.named {
        let Some(ident) = &field.ident else { continue };
        let Said { name, default } = said(unraw(ident), &field.attrs)?;
        let ty = &field.ty;
        reads.push(match default {
            None => quote_spanned!(ty.span()=> #ident: fields.read::<#ty>(#name)?),
            Some(default) => quote_spanned! {ty.span()=>
                #ident: match fields.get(#name) {
                    ::core::option::Option::Some(_) => fields.read::<#ty>(#name)?,
                    ::core::option::Option::None => #default,
                }
            },
        });
    }
    Ok(quote! {
        match #krate::ValueRef::shape(#from) {
            #krate::Shape::Map(fields) => ::core::result::Result::Ok(#path { #(#reads),* }),
            _ => ::core::result::Result::Err(#krate::ValueRef::misfit(#from, "a mapping")),
        }
    })
}

/// Makes a map of `self`, or of the fields of a case that are bound already.
fn give_fields(fields: &FieldsNamed, krate: &Path) -> Result<TokenStream> {
    let count = fields.named.len();
    let mut sets = Vec::new();
    for field in &fields.named {
        let Some(ident) = &field.ident else { continue };
        let name = said(unraw(ident), &field.attrs)?.name;
        sets.push(quote!(row.set(#name, #krate::IntoValue::into_value(#ident)?);));
    }
    Ok(quote! {{
        let mut row = #krate::Row::with_capacity(#count);
        #(#sets)*
        #krate::Value::Map(row)
    }})
}

fn give_named(path: &TokenStream, fields: &FieldsNamed, krate: &Path) -> Result<TokenStream> {
    let idents = fields.named.iter().filter_map(|field| field.ident.as_ref());
    let give = give_fields(fields, krate)?;
    Ok(quote! {{
        let #path { #(#idents),* } = self;
        ::core::result::Result::Ok(#give)
    }})
}

fn read_enum(data: &DataEnum, krate: &Path) -> Result<TokenStream> {
    let (mut words, mut cases, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for variant in &data.variants {
        let ident = &variant.ident;
        let name = case(ident, &variant.attrs)?;
        match &variant.fields {
            Fields::Unit => words.push(quote!(#name => ::core::result::Result::Ok(Self::#ident))),
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => cases.push(quote! {
                #name => #krate::FromValue::from_value(inner).map(Self::#ident).map_err(|why| why.in_field(#name))
            }),
            Fields::Named(fields) => {
                let read = read_named(&quote!(Self::#ident), fields, &quote!(inner), krate)?;
                cases.push(quote! {
                    #name => (|| #read)().map_err(|why: #krate::Misfit| why.in_field(#name))
                });
            }
            Fields::Unnamed(fields) => {
                return Err(Error::new(fields.span(), "A case holds one value, or named fields"));
            }
        }
        names.push(name);
    }
    let wanted = format!("one of `{}`", names.join("`, `"));
    Ok(quote! {
        match #krate::ValueRef::shape(value) {
            #krate::Shape::Text(word) => match word {
                #(#words,)*
                _ => ::core::result::Result::Err(#krate::Misfit::new(#wanted, ::core::format_args!("`{word}`"))),
            },
            #krate::Shape::Map(fields) if fields.len() == 1 => match fields.at(0) {
                ::core::option::Option::Some((word, inner)) => {
                    let _ = &inner;
                    match word {
                        #(#cases,)*
                        _ => ::core::result::Result::Err(#krate::Misfit::new(#wanted, ::core::format_args!("`{word}`"))),
                    }
                }
                ::core::option::Option::None => ::core::result::Result::Err(value.misfit(#wanted)),
            },
            _ => ::core::result::Result::Err(#krate::ValueRef::misfit(value, #wanted)),
        }
    })
}

fn give_enum(data: &DataEnum, krate: &Path) -> Result<TokenStream> {
    let mut cases = Vec::new();
    for variant in &data.variants {
        let ident = &variant.ident;
        let name = case(ident, &variant.attrs)?;
        let one = |inner: TokenStream| quote!(#krate::Value::Map(#krate::Row::from_iter([(#name, #inner)])));
        cases.push(match &variant.fields {
            Fields::Unit => quote!(Self::#ident => #krate::Value::from(#name)),
            Fields::Unnamed(_) => {
                let inner = one(quote!(#krate::IntoValue::into_value(inner)?));
                quote!(Self::#ident(inner) => #inner)
            }
            Fields::Named(fields) => {
                let idents = fields.named.iter().filter_map(|field| field.ident.as_ref());
                let inner = one(give_fields(fields, krate)?);
                quote!(Self::#ident { #(#idents),* } => #inner)
            }
        });
    }
    Ok(quote!(::core::result::Result::Ok(match self { #(#cases),* })))
}

/// The name of a case outside: `FlatRate` is `flat_rate`.
fn case(ident: &Ident, attributes: &[Attribute]) -> Result<String> {
    let mut snake = String::new();
    for (at, letter) in unraw(ident).chars().enumerate() {
        if letter.is_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    Ok(said(snake, attributes)?.name)
}
