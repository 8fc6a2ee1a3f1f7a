//! A function as a component exports it: of the world itself, or of an interface whose types it has.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};

use super::argument::{absent, lift, read, spread};
use super::types::{rust, word};
use super::{component, end};
use crate::contracts::{Seat, Takes};
use crate::function::{Access, Function};
use crate::module::Module;
use crate::types::{Passed, Wit};

/// A function of the world itself.
pub(super) fn free(module: &Module, function: &Function) -> TokenStream {
    let (krate, component) = (&module.said.krate, component(module));
    let name = word(&function.name);
    let params = function.args.iter().enumerate().map(|(index, arg)| {
        let (variable, ty) = (format_ident!("arg{index}"), rust(&arg.wit, &component));
        quote!(#variable: #ty)
    });
    let gives = rust(&function.gives, &component);
    let reads = function.args.iter().enumerate().map(|(index, arg)| read(arg, index, &arg.wit, &component));
    let give = |called| match &function.gives {
        // Bytes of the author's own cross as they are.
        Wit::Bytes if function.gives_vec => quote!(::core::result::Result::Ok(#called)),
        _ => quote!(#component::IntoWit::<#gives>::into_wit(#called)),
    };
    let call = call(module, function, give, &TokenStream::new());
    let body = quote!((|| -> #krate::Result<#gives> { #(#reads)* #call })());
    if is_sure(function) {
        return quote! {
            fn #name(#(#params),*) -> #gives {
                match #body {
                    ::core::result::Result::Ok(given) => given,
                    ::core::result::Result::Err(error) => ::core::panic!("{error}"),
                }
            }
        };
    }
    quote! {
        fn #name(#(#params),*) -> ::core::result::Result<#gives, #component::values::Error> {
            #body.map_err(#component::failed)
        }
    }
}

/// A function of an interface, whose types are those of the interface.
pub(super) fn seated(module: &Module, function: &Function, seat: &Seat) -> TokenStream {
    let (krate, component) = (&module.said.krate, component(module));
    let name = word(&function.name);
    let gives = rust(&seat.gives, &component);
    let (params, reads) = match &seat.takes {
        Takes::Each(types) => {
            let params = types.iter().enumerate().map(|(index, wit)| {
                let (variable, ty) = (format_ident!("arg{index}"), rust(wit, &component));
                quote!(#variable: #ty)
            });
            let reads = function.args.iter().enumerate().map(|(index, arg)| match types.get(index) {
                Some(wit) => lift(arg, index, wit, module),
                None => absent(arg, index, &component),
            });
            let unread = (function.args.len()..types.len()).map(|index| format_ident!("arg{index}"));
            (quote!(#(#params),*), quote!(#(let _ = #unread;)* #(#reads)*))
        }
        Takes::Spread => {
            let reads = function.args.iter().enumerate().map(|(index, arg)| spread(arg, index, &component));
            let names = function.args.iter().map(|arg| &arg.name);
            let (least, rest) = (function.least(), function.args.last().is_some_and(|arg| arg.is_rest));
            let count = quote!(#krate::__private::count(args.len(), #least, &[#(#names),*], #rest)?;);
            (quote!(args: ::std::vec::Vec<#component::values::Value>), quote!(#count #(#reads)*))
        }
    };
    let last = if function.name == "shutdown" { end(module) } else { TokenStream::new() };
    let give = |called| match &seat.gives {
        Wit::Value => quote!(#component::IntoWit::<#gives>::into_wit(#called)),
        // Nothing is done with what comes back where the contract wants nothing.
        Wit::Nothing => quote!({ let _ = #called; ::core::result::Result::Ok(()) }),
        Wit::Rows => quote! {
            #krate::IntoValue::into_rows(#called).map(|rows| #gives::new(#component::Stream::new(rows)))
        },
        _ => quote!(#component::lower::<#gives, _>(#called)),
    };
    let call = call(module, function, give, &last);
    let rows = (seat.gives == Wit::Rows).then(|| quote!(type Rows = #component::Stream;));
    quote! {
        #rows

        fn #name(#params) -> ::core::result::Result<#gives, #component::values::Error> {
            (|| -> #krate::Result<#gives> { #reads #call })().map_err(#component::failed)
        }
    }
}

/// Whether nothing can fail: then the function gives its result as it is.
pub(super) fn is_sure(function: &Function) -> bool {
    !function.may_fail && is_same(&function.gives) && function.args.iter().all(|arg| is_same(&arg.wit))
}

/// Whether a type needs no reading or making that could fail.
fn is_same(wit: &Wit) -> bool {
    match wit {
        Wit::Plain(_, "usize" | "isize") | Wit::Value | Wit::Table | Wit::Record(_) | Wit::Rows => false,
        Wit::Plain(..) | Wit::Bytes | Wit::Nothing => true,
        Wit::List(inner) | Wit::Option(inner) | Wit::Map(inner) => is_same(inner),
        Wit::Tuple(items) => items.iter().all(is_same),
    }
}

/// Calls the function with the variables that were read, and makes its result what crosses.
fn call(
    module: &Module,
    function: &Function,
    give: impl FnOnce(TokenStream) -> TokenStream,
    last: &TokenStream,
) -> TokenStream {
    let krate = &module.said.krate;
    let path = module.home.path(&function.ident);
    let passed = function.args.iter().enumerate().map(|(index, arg)| {
        let (variable, by) = (format_ident!("arg{index}"), Passed::of(&arg.ty).by);
        quote!(#by #variable)
    });
    let state = function.receiver.map(|_| quote!(state,));
    // A function that returns a reference returns it into the state or its arguments, so it is made into what
    // crosses while these are there.
    let called = quote_spanned!(function.ident.span()=> #path(#state #(#passed),*));
    let called = function.fault.told(called, krate);
    let given = give(quote_spanned!(function.ident.span()=> #krate::Outcome::outcome(#called)?));
    let run = match function.receiver {
        None => given,
        Some(Access::Shared) => quote!(__STATE.with(|cell| cell.with(|state| #given))),
        Some(Access::Only) => quote!(__STATE.with(|cell| cell.with_mut(|state| #given))),
    };
    if last.is_empty() {
        return run;
    }
    quote! {
        let given = #run;
        let last: #krate::Result<()> = { #last };
        last.and(given)
    }
}
