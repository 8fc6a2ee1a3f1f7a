//! A module, read from the block that the attribute stands on, and the code that is made of it.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote};
use syn::spanned::Spanned as _;
use syn::{
    AttrStyle, Attribute, Error, ImplItem, Item, ItemImpl, ItemMod, Meta, Result, ReturnType, Signature,
    Type, Visibility,
};

use crate::attributes::{Said, docs, parse_said};
use crate::function::{Access, Function, combine};
use crate::params::Taken;
use crate::types::Fault;

/// What is known of a module.
pub(crate) struct Module {
    pub(crate) said: Said,
    pub(crate) docs: Vec<String>,
    block: Block,
    /// Where the functions are: the type, or the `mod`.
    pub(crate) home: Home,
    pub(crate) create: Option<Create>,
    pub(crate) functions: Vec<Function>,
}

/// Where a module's functions are.
pub(crate) enum Home {
    State(Box<Type>),
    Free,
}

/// The block that the attribute stands on, as it goes back to the compiler.
enum Block {
    Impl(TokenStream),
    /// What is made of it goes inside, where the types of its functions have their names.
    Mod(Box<ItemMod>),
}

/// The function that makes the state.
pub(crate) struct Create {
    pub(crate) ident: syn::Ident,
    pub(crate) takes: Taken,
    pub(crate) fault: Fault,
}

/// An error, and the block without what the macro alone understands, where there is one.
pub(crate) type Failed = (Error, Option<TokenStream>);

impl Module {
    pub(crate) fn read(args: TokenStream, item: TokenStream) -> std::result::Result<Self, Failed> {
        let said = parse_said(args).map_err(|error| (error, None))?;
        match syn::parse2::<Item>(item) {
            Ok(Item::Impl(block)) => Self::of_impl(said, block),
            Ok(Item::Mod(block)) => Self::of_mod(said, block),
            Ok(other) => {
                let message =
                    "`#[modrack::module]` stands on an `impl` block, or on a `mod` with its functions in it";
                Err((Error::new(head(&other), message), None))
            }
            Err(error) => Err((error, None)),
        }
    }

    fn of_impl(said: Said, mut block: ItemImpl) -> std::result::Result<Self, Failed> {
        let mut wrong = None;
        if let Some((_, path, _)) = &block.trait_ {
            let message = "`#[modrack::module]` stands on an `impl` block of the type itself, not of a trait";
            combine(&mut wrong, Error::new(path.span(), message));
        }
        if !block.generics.params.is_empty() {
            let message = "The type of a module cannot be generic: a host cannot say for which types it is";
            combine(&mut wrong, Error::new(block.generics.span(), message));
        }
        twice(&block.attrs, &mut wrong);
        let (mut create, mut functions) = (None, Vec::new());
        for item in &mut block.items {
            let ImplItem::Fn(method) = item else { continue };
            if !matches!(method.vis, Visibility::Public(_)) {
                continue;
            }
            let is_create = method.sig.ident == "create" || method.sig.ident == "new";
            if is_create && method.sig.receiver().is_none() {
                match Create::read(&mut method.sig) {
                    Ok(_) if create.is_some() => combine(
                        &mut wrong,
                        Error::new(
                            method.sig.ident.span(),
                            "A module has one of `create` and `new`; let the other one be private",
                        ),
                    ),
                    Ok(made) => create = Some(made),
                    Err(error) => combine(&mut wrong, error),
                }
                continue;
            }
            match Function::read(&method.sig, docs(&method.attrs)) {
                Ok(function) => functions.push(function),
                Err(error) => combine(&mut wrong, error),
            }
            without_params(&mut method.sig);
        }
        let documented = docs(&block.attrs);
        let home = Home::State(block.self_ty.clone());
        let span = block.self_ty.span();
        Self::whole(
            said,
            documented,
            Block::Impl(block.into_token_stream()),
            home,
            create,
            functions,
            span,
            wrong,
        )
    }

    fn of_mod(said: Said, mut block: ItemMod) -> std::result::Result<Self, Failed> {
        let mut wrong = None;
        twice(&block.attrs, &mut wrong);
        let Some((_, items)) = &mut block.content else {
            let message = "`#[modrack::module]` must see the functions: write `mod name { ... }`, or put the attribute \
                           on an `impl` block";
            return Err((Error::new(block.ident.span(), message), None));
        };
        let mut functions = Vec::new();
        for item in items {
            let Item::Fn(function) = item else { continue };
            if !matches!(function.vis, Visibility::Public(_)) {
                continue;
            }
            match Function::read(&function.sig, docs(&function.attrs)) {
                Ok(function) => functions.push(function),
                Err(error) => combine(&mut wrong, error),
            }
            without_params(&mut function.sig);
        }
        let documented = docs(&block.attrs);
        let home = Home::Free;
        let span = block.ident.span();
        Self::whole(said, documented, Block::Mod(Box::new(block)), home, None, functions, span, wrong)
    }

    #[expect(clippy::too_many_arguments, reason = "it is the end of two ways that read the same things")]
    fn whole(
        said: Said,
        docs: Vec<String>,
        block: Block,
        home: Home,
        create: Option<Create>,
        functions: Vec<Function>,
        span: Span,
        mut wrong: Option<Error>,
    ) -> std::result::Result<Self, Failed> {
        if functions.is_empty() && wrong.is_none() {
            let message = "The module has no function: make those `pub` that others shall call";
            combine(&mut wrong, Error::new(span, message));
        }
        let module = Self { said, docs, block, home, create, functions };
        if module.is_only() && module.said.instances.as_ref().is_some_and(|text| text.value() == "shared") {
            let only = module.functions.iter().find(|function| function.receiver == Some(Access::Only));
            let span = only.map_or(span, |function| function.ident.span());
            let message =
                "A module that is shared runs several calls at once: take `&self`, and guard what changes";
            combine(&mut wrong, Error::new(span, message));
        }
        if wrong.is_none() {
            crate::contracts::unfulfilled(&module, &mut wrong);
        }
        match wrong {
            Some(error) => Err((error, Some(module.block.with(&TokenStream::new())))),
            None => Ok(module),
        }
    }

    /// Whether a function changes the state, so that calls come one at a time.
    pub(crate) fn is_only(&self) -> bool {
        self.functions.iter().any(|function| function.receiver == Some(Access::Only))
    }

    /// Whether there is anything that stays from call to call.
    pub(crate) fn has_state(&self) -> bool {
        let has = self.create.is_some() || self.functions.iter().any(|function| function.receiver.is_some());
        matches!(self.home, Home::State(_)) && has
    }

    /// Whether several calls may come at once.
    pub(crate) fn is_shared(&self) -> bool {
        let said = self.said.instances.as_ref().map(syn::LitStr::value);
        match said.as_deref() {
            Some("shared") => true,
            Some(_) => false,
            None => !self.is_only(),
        }
    }

    /// The block, and what makes a module of it.
    pub(crate) fn code(&self) -> TokenStream {
        let native = crate::native::code(self);
        let component = crate::component::code(self);
        // Macros that are exported share one name space in a crate: a second module is an error where it stands, and
        // not one of the linker.
        self.block.with(&quote! {
            #[doc(hidden)]
            #[macro_export]
            macro_rules! a_library_is_one_modrack_module {
                () => {};
            }

            #native
            #component
        })
    }
}

impl Block {
    /// The block, with code beside it or in it.
    fn with(&self, code: &TokenStream) -> TokenStream {
        match self {
            Self::Impl(item) => quote! {
                #item
                #code
            },
            Self::Mod(block) => {
                let ItemMod { attrs, vis, unsafety, mod_token, ident, content, .. } = &**block;
                let items = content.iter().flat_map(|(_, items)| items);
                let (outer, inner): (Vec<&Attribute>, Vec<&Attribute>) =
                    attrs.iter().partition(|attribute| matches!(attribute.style, AttrStyle::Outer));
                quote! {
                    #(#outer)*
                    #vis #unsafety #mod_token #ident {
                        #(#inner)*
                        #(#items)*
                        #code
                    }
                }
            }
        }
    }
}

impl Create {
    fn read(signature: &mut Signature) -> Result<Self> {
        let name = &signature.ident;
        match &signature.output {
            ReturnType::Type(_, ty) if !matches!(&**ty, Type::Tuple(unit) if unit.elems.is_empty()) => {}
            _ => {
                let message =
                    format!("`{name}` makes the module: it must give `Self`, or `modrack::Result<Self>`");
                return Err(Error::new(signature.ident.span(), message));
            }
        }
        if let Some(token) = &signature.asyncness {
            return Err(Error::new(token.span(), format!("`{name}` cannot be `async`")));
        }
        if !signature.generics.params.is_empty() {
            return Err(Error::new(signature.generics.span(), format!("`{name}` cannot be generic")));
        }
        let ident = signature.ident.clone();
        let fault = match &signature.output {
            ReturnType::Type(_, ty) => Fault::of(ty),
            ReturnType::Default => Fault::Error,
        };
        Ok(Self { ident, takes: Taken::read(signature)?, fault })
    }
}

/// Takes away what was told to be wrong, so that the compiler does not tell it again in other words.
fn without_params(signature: &mut Signature) {
    for input in &mut signature.inputs {
        if let syn::FnArg::Typed(typed) = input {
            typed.attrs.retain(|attribute| !attribute.path().is_ident("param"));
        }
    }
}

/// That the attribute does not stand there a second time.
fn twice(attributes: &[Attribute], wrong: &mut Option<Error>) {
    for attribute in attributes {
        let path = match &attribute.meta {
            Meta::Path(path) => path,
            Meta::List(list) => &list.path,
            Meta::NameValue(_) => continue,
        };
        let is_ours = path.segments.len() == 2
            && path.segments[0].ident == "modrack"
            && path.segments[1].ident == "module";
        if is_ours {
            combine(
                wrong,
                Error::new(path.span(), "`#[modrack::module]` stands there twice; once is enough"),
            );
        }
    }
}

/// Where to point at for an item that is not meant: its first word.
fn head(item: &Item) -> Span {
    item.to_token_stream().into_iter().next().map_or_else(Span::call_site, |token| token.span())
}
