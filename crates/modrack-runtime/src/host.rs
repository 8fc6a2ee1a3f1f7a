//! Modules that are objects of the program that holds the rack: closures and values under names.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use modrack_core::{
    AttributeInfo, BackendName, Call, Code, Description, Error, Footprint, Function, FunctionInfo, Instance,
    Manifest, Phase, Result, Signature, Value, nearest,
};
use semver::Version;

use crate::error;

/// A module made of closures and values; [`crate::Rack::register`] makes it a slot.
#[derive(Default)]
pub struct HostModule {
    name: String,
    version: Option<Version>,
    doc: Option<String>,
    manifest: Manifest,
    functions: IndexMap<String, Arc<HostFunction>>,
    attributes: IndexMap<String, Value>,
    stop: Option<Box<dyn Fn() -> Result<()> + Send + Sync>>,
}

type Body = Box<dyn Fn(Call<'_>) -> Result<Value> + Send + Sync>;

struct HostFunction {
    name: String,
    signature: Option<Signature>,
    body: Body,
}

impl HostModule {
    /// A module with nothing in it.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Adds a function. Without a signature nothing is known of what it takes.
    #[must_use]
    pub fn function(
        mut self,
        name: impl Into<String>,
        signature: Option<Signature>,
        body: impl Fn(Call<'_>) -> Result<Value> + Send + Sync + 'static,
    ) -> Self {
        let name = name.into();
        let function = HostFunction { name: name.clone(), signature, body: Box::new(body) };
        self.functions.insert(name, Arc::new(function));
        self
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// Says which version it is.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        self.version = Some(version);
        self
    }

    /// Says what it is for.
    #[must_use]
    pub fn doc(mut self, doc: impl Into<String>) -> Self {
        self.doc = Some(doc.into());
        self
    }

    /// Says what else there is to say of it: its contract, its main function, what it takes.
    #[must_use]
    pub fn manifest(mut self, manifest: Manifest) -> Self {
        self.manifest = manifest;
        self
    }

    /// Runs `stop` when the rack is stopped.
    #[must_use]
    pub fn on_stop(mut self, stop: impl Fn() -> Result<()> + Send + Sync + 'static) -> Self {
        self.stop = Some(Box::new(stop));
        self
    }

    /// What can be known of it.
    pub fn description(&self) -> Description {
        let function = |f: &Arc<HostFunction>| FunctionInfo {
            name: f.name.clone(),
            signature: f.signature.clone().unwrap_or_default(),
            ..FunctionInfo::default()
        };
        let attribute = |name: &String| AttributeInfo { name: name.clone(), ..AttributeInfo::default() };
        Description {
            name: self.name.clone(),
            version: self.version.clone(),
            backend: Some(BackendName::Host),
            doc: self.doc.clone(),
            functions: self.functions.values().map(function).collect(),
            attributes: self.attributes.keys().map(attribute).collect(),
            manifest: self.manifest.clone(),
            ..Description::default()
        }
    }
}

impl Instance for HostModule {
    fn function(&self, name: &str) -> Result<Arc<dyn Function>> {
        match self.functions.get(name) {
            Some(function) => Ok(function.clone()),
            None if self.attributes.contains_key(name) => {
                Err(Error::new(Code::NotCallable, format!("`{name}` is a value, not a function"))
                    .hint(format!("Read it as an attribute: `get SLOT {name}`")))
            }
            None => Err(error::function_missing(name, self.functions.keys().map(String::as_str))),
        }
    }

    fn attribute(&self, name: &str) -> Result<Value> {
        self.attributes.get(name).cloned().ok_or_else(|| {
            let names = || self.attributes.keys().map(String::as_str);
            let error = Error::new(Code::UnknownAttribute, format!("The module has no attribute `{name}`"));
            match nearest(name, names()) {
                Some(near) => error.hint(format!("Did you mean `{near}`?")),
                None if self.attributes.is_empty() => error.hint("It has no attributes"),
                None => error.hint(format!("It has {}", error::listed(names()))),
            }
        })
    }

    fn names(&self) -> Vec<String> {
        self.functions.keys().chain(self.attributes.keys()).cloned().collect()
    }

    fn stop(&self, _within: Duration) -> Result<()> {
        self.stop.as_ref().map_or(Ok(()), |stop| stop())
    }

    fn footprint(&self) -> Footprint {
        Footprint::default()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Function for HostFunction {
    fn call(&self, call: Call<'_>) -> Result<Value> {
        catch_unwind(AssertUnwindSafe(|| (self.body)(call))).unwrap_or_else(|payload| {
            let why = error::panic_text(&*payload);
            Err(Error::new(Code::Raised, format!("`{}` panicked: {why}", self.name))
                .classes(vec!["panic".to_owned()])
                .phase(Phase::Call))
        })
    }

    fn signature(&self) -> Option<&Signature> {
        self.signature.as_ref()
    }
}
