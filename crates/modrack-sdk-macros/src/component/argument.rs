//! An argument on its way from what `wit-bindgen` hands over to what the author's function takes.

use proc_macro2::TokenStream;
use quote::{format_ident, quote_spanned};
use syn::spanned::Spanned as _;

use super::component;
use crate::function::Arg;
use crate::module::Module;
use crate::types::{Passed, Wit};

/// Reads an argument that came as `wit` into a variable.
pub(super) fn read(arg: &Arg, index: usize, wit: &Wit, component: &TokenStream) -> TokenStream {
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

/// Reads an argument of a function of an interface, which has types of its own: by way of a value.
pub(super) fn lift(arg: &Arg, index: usize, wit: &Wit, module: &Module) -> TokenStream {
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
pub(super) fn absent(arg: &Arg, index: usize, component: &TokenStream) -> TokenStream {
    let variable = format_ident!("arg{index}");
    let (name, span) = (&arg.name, arg.ty.span());
    let Passed { read, .. } = Passed::of(&arg.ty);
    quote_spanned!(span=> let #variable = #component::spread::<#read>(&[], 0, #name)?;)
}

/// Reads one of however many arguments.
pub(super) fn spread(arg: &Arg, index: usize, component: &TokenStream) -> TokenStream {
    let variable = format_ident!("arg{index}");
    let (name, span) = (&arg.name, arg.ty.span());
    let Passed { read, .. } = Passed::of(&arg.ty);
    match arg.is_rest {
        true => quote_spanned!(span=> let #variable = #component::rest(&args, #index, #name)?;),
        false => quote_spanned!(span=> let #variable = #component::spread::<#read>(&args, #index, #name)?;),
    }
}

fn is_vec(ty: &syn::Type) -> bool {
    matches!(ty, syn::Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Vec"))
}
