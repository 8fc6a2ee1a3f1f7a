//! The code of the native form: a safe entry for each function, the table, the note.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;

use crate::contracts::seat;
use crate::function::{Access, Function};
use crate::manifest;
use crate::module::{Home, Module};
use crate::params::Taken;
use crate::types::{Passed, Wit};

pub(crate) fn code(module: &Module) -> TokenStream {
    let krate = &module.said.krate;
    let native = quote!(#krate::__private::native);
    let (kept, create) = create(module, &native);
    let entries =
        module.functions.iter().enumerate().map(|(at, function)| entry(module, at, function, &native));
    let rows = module.functions.iter().enumerate().map(|(at, function)| {
        let (entry, name) = (format_ident!("__Entry{at}"), &function.name);
        quote!(#native::function::<#entry>(#name))
    });
    let count = module.functions.len();
    let head = manifest::text(module, &manifest::wit(module));
    let params = match &module.create {
        Some(create) => create.takes.manifest(krate),
        None => Taken::Nothing.manifest(krate),
    };
    let abort = "A native module must unwind, or a panic of its code ends the program that runs it: take \
                 `panic = \"abort\"` out of the profile, or build this profile for a `wasm32` target";
    quote! {
        #[cfg(all(not(target_family = "wasm"), panic = "abort"))]
        ::core::compile_error!(#abort);

        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            type __Kept = #kept;

            struct __Creates;

            #create

            #(#entries)*

            static __FUNCTIONS: [#native::abi::Function; #count] = [#(#rows),*];

            #[unsafe(export_name = "modrack_module_v1")]
            static __MODULE: #native::abi::Module = #native::module::<__Creates>(&__FUNCTIONS);

            const __TEXTS: &[&str] = &[#head, #params];
            const __SIZE: usize = #krate::__private::length(__TEXTS);
            const __SAID: [u8; __SIZE] = #krate::__private::joined(__TEXTS);

            #[used]
            #[cfg_attr(target_os = "linux", unsafe(link_section = ".note.modrack"))]
            static __NOTE: #native::abi::Note<__SIZE> = #native::abi::Note::new(match ::core::str::from_utf8(&__SAID) {
                ::core::result::Result::Ok(said) => said,
                ::core::result::Result::Err(_) => ::core::panic!("texts make a text"),
            });
        };
    }
}

/// What an instance is kept in, and what makes one.
fn create(module: &Module, native: &TokenStream) -> (TokenStream, TokenStream) {
    let krate = &module.said.krate;
    let Home::State(state) = &module.home else {
        let create = quote! {
            impl #native::Create for __Creates {
                type Kept = ();

                fn create(__given: #krate::Fields<'_>) -> #krate::Result<()> {
                    #krate::__private::known(__given, &[])
                }
            }
        };
        return (quote!(()), create);
    };
    let (keeper, keep) = match module.is_shared() {
        true => (quote!(Shared), quote!(several_calls_at_once_unless_instances_are_one)),
        false => (quote!(Once), quote!(a_call_may_come_from_any_thread)),
    };
    let made = match &module.create {
        Some(create) => {
            let call = create.takes.call(&module.home.path(&create.ident), krate);
            let call = create.fault.told(call, krate);
            quote!(#krate::__private::Made::made(#call))
        }
        None if module.functions.iter().any(|function| function.receiver.is_some()) => {
            let default = quote_spanned!(state.span()=> <#state as #krate::__private::Begin>::begin());
            quote! {{
                #krate::__private::known(__given, &[])?;
                ::core::result::Result::Ok(#default)
            }}
        }
        // No function has the state, so there is none.
        None => {
            let create = quote! {
                impl #native::Create for __Creates {
                    type Kept = ();

                    fn create(__given: #krate::Fields<'_>) -> #krate::Result<()> {
                        #krate::__private::known(__given, &[])
                    }
                }
            };
            return (quote!(()), create);
        }
    };
    let kept = quote_spanned!(state.span()=> #native::#keeper<#state>);
    let keep = quote_spanned!(state.span()=> ::core::result::Result::Ok(#native::#keeper::#keep(made?)));
    let create = quote! {
        impl #native::Create for __Creates {
            type Kept = __Kept;

            fn create(__given: #krate::Fields<'_>) -> #krate::Result<__Kept> {
                let made: #krate::Result<#state> = #made;
                #keep
            }
        }
    };
    (kept, create)
}

fn entry(module: &Module, at: usize, function: &Function, native: &TokenStream) -> TokenStream {
    let krate = &module.said.krate;
    let entry = format_ident!("__Entry{at}");
    let path = module.home.path(&function.ident);
    let names: Vec<&str> = function.args.iter().map(|arg| arg.name.as_str()).collect();
    let least = function.least();
    let count = match function.args.last() {
        Some(last) if last.is_rest => quote!(args.count(#least, &[#(#names),*], true)?;),
        _ => quote!(args.count(#least, &[#(#names),*], false)?;),
    };
    let mut reads = TokenStream::new();
    let mut passed = Vec::new();
    let mut is_lent = false;
    let state = function.receiver.map(|access| match access {
        Access::Shared => {
            reads.extend(quote!(let state = kept.state()?;));
            quote!(&*state)
        }
        Access::Only => {
            reads.extend(quote!(let mut state = kept.state()?;));
            quote!(&mut *state)
        }
    });
    passed.extend(state);
    for (index, arg) in function.args.iter().enumerate() {
        let variable = format_ident!("arg{index}");
        let Passed { read, by } = Passed::of(&arg.ty);
        let name = &arg.name;
        reads.extend(match arg.is_rest {
            true => quote_spanned!(arg.ty.span()=> let #variable = #native::rest(args, #index, #name)?;),
            false => {
                quote_spanned!(arg.ty.span()=> let #variable = #native::arg::<#read>(args, #index, #name)?;)
            }
        });
        is_lent |= !by.is_empty();
        passed.push(quote!(#by #variable));
    }
    let span = function.ident.span();
    // What was read for the function goes when its entry returns, before the host has the result.
    let wants_nothing = seat(module, function).is_some_and(|seat| seat.gives == Wit::Nothing);
    let how = match (wants_nothing, is_lent) {
        (true, _) => quote_spanned!(span=> give_nothing),
        (false, true) => quote_spanned!(span=> give_copied),
        (false, false) => quote_spanned!(span=> give),
    };
    let called = function.fault.told(quote_spanned!(span=> #path(#(#passed),*)), krate);
    let give = quote_spanned!(span=> let done = reply.#how(#called););
    quote! {
        struct #entry;

        impl #native::Entry for #entry {
            type Kept = __Kept;

            #[inline]
            fn call(kept: &__Kept, args: #native::Args<'_>, reply: &mut #native::Reply<'_>) -> #krate::Result<()> {
                let _ = kept;
                #count
                #reads
                #give
                done
            }
        }
    }
}
