//! The code of the component form: the world as WIT, and what `wit-bindgen` makes of it joined to the functions.

mod argument;
mod export;
mod record;
mod types;

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use crate::contracts::{contract, packages, seat};
use crate::function::kebab;
use crate::manifest;
use crate::module::{Home, Module};
use crate::params::Taken;
use types::word;

pub(crate) fn code(module: &Module) -> TokenStream {
    let krate = &module.said.krate;
    let component = quote!(#krate::__private::component);
    let mut root = TokenStream::new();
    let mut interfaces: BTreeMap<(&str, &str), TokenStream> = BTreeMap::new();
    let records = contract(module).map(|contract| contract.records).unwrap_or_default();
    // What the module is given when it starts is always asked for.
    interfaces.insert(("types", "lifecycle"), initialize(module));
    for function in &module.functions {
        match seat(module, function) {
            None => root.extend(export::free(module, function)),
            Some(seat) => {
                let code = export::seated(module, function, &seat);
                interfaces.entry((seat.package, seat.interface)).or_default().extend(code);
            }
        }
    }
    if !module.functions.iter().any(|function| function.name == "shutdown") {
        let end = end(module);
        interfaces.entry(("types", "lifecycle")).or_default().extend(quote! {
            fn shutdown() -> ::core::result::Result<(), #component::values::Error> {
                (|| -> #krate::Result<()> { #end })().map_err(#component::failed)
            }
        });
    }
    let world = world(module, interfaces.keys().copied());
    let root = if root.is_empty() { root } else { quote!(impl __bindings::Guest for __Component { #root }) };
    let guests = interfaces.iter().map(|((package, interface), functions)| {
        let (package, interface) = (word(package), word(interface));
        quote! {
            impl __bindings::exports::modrack::#package::#interface::Guest for __Component { #functions }
        }
    });
    let rows = record::rows(module);
    let state = state(module);
    let text = manifest::wit(module);
    let head = manifest::text(module, &text);
    let params = match &module.create {
        Some(create) => create.takes.manifest(krate),
        None => Taken::Nothing.manifest(krate),
    };
    // What a contract's interface imports beside the types that all share: types of its own.
    let types = records.iter().find(|record| !record.exported).map(|record| {
        let name = format!("modrack:{}/{}@1.0.0", record.contract, record.interface);
        quote!(#name: generate,)
    });
    let records = records.iter().map(|record| record::record(record, krate));
    let runtime = quote!(#component::wit_bindgen::rt).to_string().replace(' ', "");
    quote! {
        #[cfg(target_family = "wasm")]
        #[expect(unsafe_code, reason = "what wit-bindgen writes exports functions by their names")]
        const _: () = {
            mod __bindings {
                #component::wit_bindgen::generate!({
                    inline: #world,
                    world: "author:module/module",
                    runtime_path: #runtime,
                    with: {
                        "modrack:types/values@1.0.0": #component::values,
                        "modrack:host/host@1.0.0": #component::host_interface,
                        #types
                    },
                });
            }

            struct __Component;

            #state

            #root

            #(#guests)*

            #rows

            #(#records)*

            __bindings::export!(__Component with_types_in __bindings);

            const __TEXTS: &[&str] = &[#head, #params];
            const __SIZE: usize = #krate::__private::length(__TEXTS);

            #[used]
            #[unsafe(link_section = "modrack")]
            static __SAID: [u8; __SIZE] = #krate::__private::joined(__TEXTS);
        };
    }
}

/// The world that the component is built for.
fn world<'i>(module: &Module, interfaces: impl Iterator<Item = (&'i str, &'i str)>) -> String {
    let mut text = "package author:module;\n\nworld module {\n".to_owned();
    text.push_str("    use modrack:types/values@1.0.0.{value, table, error};\n");
    text.push_str("    import modrack:host/host@1.0.0;\n");
    for (package, interface) in interfaces {
        text.push_str(&format!("    export modrack:{package}/{interface}@1.0.0;\n"));
    }
    for function in module.functions.iter().filter(|function| seat(module, function).is_none()) {
        manifest::document(&mut text, "    ", &function.docs);
        text.push_str(&format!(
            "    export {}: {};\n",
            kebab(&function.name),
            function.wit(&function.gives, !export::is_sure(function))
        ));
    }
    text.push_str("}\n\n");
    text.push_str(&packages(module));
    text
}

/// The static that holds the state, where there is one.
fn state(module: &Module) -> TokenStream {
    let component = component(module);
    match &module.home {
        Home::State(state) if module.has_state() => quote! {
            ::std::thread_local! {
                static __STATE: #component::Cell<#state> = const { #component::Cell::new() };
            }
        },
        _ => TokenStream::new(),
    }
}

fn component(module: &Module) -> TokenStream {
    let krate = &module.said.krate;
    quote!(#krate::__private::component)
}

fn initialize(module: &Module) -> TokenStream {
    let (krate, component) = (&module.said.krate, component(module));
    let body = match &module.home {
        Home::State(state) if module.has_state() => {
            let made = match &module.create {
                Some(create) => {
                    let call = create.takes.call(&module.home.path(&create.ident), krate);
                    let call = create.fault.told(call, krate);
                    quote!(#krate::__private::Made::made(#call))
                }
                None => {
                    let default =
                        quote_spanned!(state.span()=> <#state as #krate::__private::Begin>::begin());
                    quote! {{
                        #krate::__private::known(__given, &[])?;
                        ::core::result::Result::Ok(#default)
                    }}
                }
            };
            quote! {
                let state: #state = #component::made(&config, |__given| #made)?;
                __STATE.with(|cell| cell.set(::core::option::Option::Some(state)))
            }
        }
        _ => quote!(#component::made(&config, |__given| #krate::__private::known(__given, &[]))),
    };
    quote! {
        fn initialize(config: #component::values::Value) -> ::core::result::Result<(), #component::values::Error> {
            #component::listen();
            (|| -> #krate::Result<()> { #body })().map_err(#component::failed)
        }
    }
}

/// What is done last of all.
fn end(module: &Module) -> TokenStream {
    match module.has_state() {
        true => quote!(__STATE.with(|cell| cell.set(::core::option::Option::None))),
        false => quote!(::core::result::Result::Ok(())),
    }
}
