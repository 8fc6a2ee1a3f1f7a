//! Modules that are closures and values of this program.

use modrack_core::{
    Call, Cause, Code, Error, Instance, Manifest, Param, ParamKind, Result, Signature, Type, Value,
};
use modrack_runtime::HostModule;
use semver::Version;

use crate::values::{FromArgs, IntoValue};

/// A module of this program: closures and values under names.
///
/// ```
/// let rack = modrack::Rack::builder()
///     .module("calc", modrack::Module::new().function("add", |(a, b): (i64, i64)| a + b).attribute("base", 10))
///     .open()?;
/// let add = rack.slot("calc")?.function::<(i64, i64), i64>("add")?;
/// assert_eq!(add.call((1, 2))?, 3);
/// assert_eq!(rack.slot("calc")?.attribute::<i64>("base")?, 10);
/// # Ok::<(), modrack::Error>(())
/// ```
#[derive(Default)]
pub struct Module {
    change: Vec<Box<dyn FnOnce(HostModule) -> HostModule + Send>>,
}

impl Module {
    /// A module with nothing in it. It is named as the slot that it fills.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function. A panic in it is a failure of the call.
    #[must_use]
    pub fn function<A: FromArgs, R: IntoValue>(
        self,
        name: &str,
        body: impl Fn(A) -> R + Send + Sync + 'static,
    ) -> Self {
        let signature = signature::<A, R>();
        self.raw(name, Some(signature), move |call| Ok(body(A::from_args(&call.args)?).into_value()))
    }

    /// Adds a function that can fail.
    #[must_use]
    pub fn try_function<A: FromArgs, R: IntoValue, E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        self,
        name: &str,
        body: impl Fn(A) -> std::result::Result<R, E> + Send + Sync + 'static,
    ) -> Self {
        let signature = signature::<A, R>();
        self.raw(name, Some(signature), move |call| match body(A::from_args(&call.args)?) {
            Ok(value) => Ok(value.into_value()),
            Err(error) => Err(raised(error.into(), std::any::type_name::<E>())),
        })
    }

    /// Adds a function that is given the call as it is: any arguments, the deadline, the caller's word.
    #[must_use]
    pub fn raw(
        self,
        name: &str,
        signature: Option<Signature>,
        body: impl Fn(Call<'_>) -> Result<Value> + Send + Sync + 'static,
    ) -> Self {
        let name = name.to_owned();
        self.change(move |module| module.function(name, signature, body))
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(self, name: &str, value: impl IntoValue) -> Self {
        let (name, value) = (name.to_owned(), value.into_value());
        self.change(move |module| module.attribute(name, value))
    }

    /// Says which version it is.
    #[must_use]
    pub fn version(self, version: Version) -> Self {
        self.change(move |module| module.version(version))
    }

    /// Says what it is for.
    #[must_use]
    pub fn doc(self, doc: &str) -> Self {
        let doc = doc.to_owned();
        self.change(move |module| module.doc(doc))
    }

    /// Says what else there is to say of it: its contract, its main function, what it takes.
    #[must_use]
    pub fn manifest(self, manifest: Manifest) -> Self {
        self.change(move |module| module.manifest(manifest))
    }

    /// Runs `stop` when the rack is stopped.
    #[must_use]
    pub fn on_stop(self, stop: impl Fn() + Send + Sync + 'static) -> Self {
        self.change(move |module| {
            module.on_stop(move || {
                stop();
                Ok(())
            })
        })
    }

    /// The module, for a slot called `name`.
    pub(crate) fn build(self, name: &str) -> HostModule {
        self.change.into_iter().fold(HostModule::new(name), |module, change| change(module))
    }

    fn change(mut self, change: impl FnOnce(HostModule) -> HostModule + Send + 'static) -> Self {
        self.change.push(Box::new(change));
        self
    }
}

/// What a closure takes and gives.
fn signature<A: FromArgs, R: IntoValue>() -> Signature {
    let param =
        |(at, ty): (usize, Type)| Param { kind: ParamKind::Positional, ..Param::new(format!("arg{at}"), ty) };
    Signature {
        params: A::types().into_iter().enumerate().map(param).collect(),
        result: R::value_type(),
        ..Signature::default()
    }
}

/// A closure's error as modrack's own, with the chain of what caused it. One of modrack's stays what it is.
fn raised(error: Box<dyn std::error::Error + Send + Sync>, class: &str) -> Error {
    let error = match error.downcast::<Error>() {
        Ok(own) => return *own,
        Err(error) => error,
    };
    let mut raised = Error::new(Code::Raised, error.to_string()).classes(vec![class.replace("::", ".")]);
    let mut source = error.source();
    while let Some(cause) = source {
        raised = raised.cause(Cause { message: cause.to_string(), ..Cause::default() });
        source = cause.source();
    }
    raised
}

// An instance is shared between threads; a module that could not be would fail here and not where it is used.
const _: fn() = || {
    fn is_instance<T: Instance>() {}
    is_instance::<HostModule>();
};
