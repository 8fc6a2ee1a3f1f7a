//! The code of the component form: the world as WIT, and what `wit-bindgen` makes of it joined to the functions.

use std::collections::BTreeMap;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Path;
use syn::spanned::Spanned as _;

use crate::contracts::{Record, Seat, Takes, contract, packages, seat};
use crate::function::{Access, Arg, Function, kebab};
use crate::manifest;
use crate::module::{Home, Module};
use crate::params::Taken;
use crate::types::{Passed, Wit};

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
            None => root.extend(free(module, function)),
            Some(seat) => {
                let code = seated(module, function, &seat);
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
    let rows = rows(module);
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
    let records = records.iter().map(|record| self::record(record, krate));
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
            function.wit(&function.gives, !is_sure(function))
        ));
    }
    text.push_str("}\n\n");
    text.push_str(&packages(module));
    text
}

/// Whether nothing can fail: then the function gives its result as it is.
fn is_sure(function: &Function) -> bool {
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

/// A function of the world itself.
fn free(module: &Module, function: &Function) -> TokenStream {
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
fn seated(module: &Module, function: &Function, seat: &Seat) -> TokenStream {
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

/// Reads an argument of a function of an interface, which has types of its own: by way of a value.
fn lift(arg: &Arg, index: usize, wit: &Wit, module: &Module) -> TokenStream {
    let (krate, component) = (&module.said.krate, component(module));
    if *wit == Wit::Value {
        return read(arg, index, wit, &component);
    }
    let (variable, value) = (format_ident!("arg{index}"), format_ident!("value{index}"));
    let (name, span) = (&arg.name, arg.ty.span());
    let Passed { read, .. } = Passed::of(&arg.ty);
    quote_spanned! {span=>
        let #value = #krate::IntoValue::into_value(#variable)?;
        let #variable = #component::lift::<#read>(&#value, #name)?;
    }
}

/// An argument that the interface does not give.
fn absent(arg: &Arg, index: usize, component: &TokenStream) -> TokenStream {
    let variable = format_ident!("arg{index}");
    let (name, span) = (&arg.name, arg.ty.span());
    let Passed { read, .. } = Passed::of(&arg.ty);
    quote_spanned!(span=> let #variable = #component::spread::<#read>(&[], 0, #name)?;)
}

/// What makes the rows of a source a resource.
fn rows(module: &Module) -> TokenStream {
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

/// What makes values of a contract's record, and the record of values.
fn record(record: &Record, krate: &Path) -> TokenStream {
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

/// Where `wit-bindgen` puts a record.
fn path(record: &Record) -> TokenStream {
    let (package, interface) = (word(record.contract), word(record.interface));
    let name = Ident::new(record.name, Span::call_site());
    match record.exported {
        true => quote!(__bindings::exports::modrack::#package::#interface::#name),
        false => quote!(__bindings::modrack::#package::#interface::#name),
    }
}

/// Reads an argument that came as `wit` into a variable.
fn read(arg: &Arg, index: usize, wit: &Wit, component: &TokenStream) -> TokenStream {
    let variable = format_ident!("arg{index}");
    let (name, span) = (&arg.name, arg.ty.span());
    let Passed { read, .. } = Passed::of(&arg.ty);
    match wit {
        Wit::Value => quote_spanned!(span=> let #variable = #component::read::<#read>(&#variable, #name)?;),
        // Text and bytes that are lent are lent from what came.
        Wit::Plain("string", _) | Wit::Bytes if matches!(read, syn::Type::Reference(_)) => {
            quote_spanned!(span=> let #variable: #read = &#variable;)
        }
        // Bytes that are the author's own stay as they came.
        Wit::Bytes if is_vec(&read) => TokenStream::new(),
        _ => quote_spanned!(span=> let #variable: #read = #component::argument(#variable, #name)?;),
    }
}

fn is_vec(ty: &syn::Type) -> bool {
    matches!(ty, syn::Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Vec"))
}

/// Reads one of however many arguments.
fn spread(arg: &Arg, index: usize, component: &TokenStream) -> TokenStream {
    let variable = format_ident!("arg{index}");
    let (name, span) = (&arg.name, arg.ty.span());
    let Passed { read, .. } = Passed::of(&arg.ty);
    match arg.is_rest {
        true => quote_spanned!(span=> let #variable = #component::rest(&args, #index, #name)?;),
        false => quote_spanned!(span=> let #variable = #component::spread::<#read>(&args, #index, #name)?;),
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

/// The type of Rust that `wit-bindgen` has for one of WIT.
fn rust(wit: &Wit, component: &TokenStream) -> TokenStream {
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

/// A name as `wit-bindgen` writes it: `error_handler`, and `type_` for a word that Rust has for itself.
fn word(name: &str) -> Ident {
    let name = name.replace('-', "_");
    match syn::parse_str::<Ident>(&name) {
        Ok(ident) => Ident::new(&ident.to_string(), Span::call_site()),
        Err(_) => format_ident!("{name}_"),
    }
}
