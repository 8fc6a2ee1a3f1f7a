//! Opening a rack from a file or without one, and its slots with Rust types.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use modrack_core::contract::Contract;
use modrack_core::plan::RackPlan;
use modrack_core::{Backend, Description, Error, Instance, Result, SlotName, Value};
use modrack_runtime::SlotStats;

use crate::function::Function;
use crate::module::Module;
use crate::text;
use crate::values::{FromValue, IntoArgs};

/// A rack. It is a handle: cheap to clone; the last one that goes stops what was started.
#[derive(Clone)]
pub struct Rack(modrack_runtime::Rack);

/// A rack that is being put together.
#[derive(Default)]
pub struct RackBuilder {
    file: Option<PathBuf>,
    root: Option<PathBuf>,
    set: Vec<String>,
    backends: Vec<Arc<dyn Backend>>,
    modules: Vec<(String, Arc<dyn Instance>, Description)>,
}

/// A slot. It is a handle: cheap to clone, and good whatever comes to fill the slot.
#[derive(Clone)]
pub struct Slot(modrack_runtime::Slot);

impl Rack {
    /// Opens the rack of a file, or of a folder with a `rack.yaml`, `rack.toml` or `rack.json`; with the feature `state` also that of
    /// a row of a database, `sqlite:PATH#NAME`. Loads no module: slots load when they are first called.
    ///
    /// # Errors
    /// A file that is not there or cannot be read, and everything that is wrong with its text.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder().file(path).open()
    }

    /// A rack that is put together, with or without a file.
    pub fn builder() -> RackBuilder {
        RackBuilder::default()
    }

    /// The slot called `name`, or a slot filled by a `use` text: `./x.py:Name`.
    ///
    /// # Errors
    /// [`crate::Code::UnknownSlot`], or a `use` text that cannot be understood.
    pub fn slot(&self, name: &str) -> Result<Slot> {
        self.0.slot(name).map(Slot)
    }

    /// The slots there are, declared ones first.
    pub fn slots(&self) -> Vec<Slot> {
        self.0.slots().into_iter().map(Slot).collect()
    }

    /// Makes a module of this program a slot.
    ///
    /// # Errors
    /// A name that is taken or malformed.
    pub fn register(&self, name: &str, module: Module) -> Result<Slot> {
        let module = module.build(name);
        let description = module.description();
        self.register_instance(name, Arc::new(module), description)
    }

    /// Makes an object of this program a slot.
    ///
    /// # Errors
    /// A name that is taken or malformed.
    pub fn register_instance(
        &self,
        name: &str,
        instance: Arc<dyn Instance>,
        description: Description,
    ) -> Result<Slot> {
        self.0.register(SlotName::parse(name)?, instance, description).map(Slot)
    }

    /// Everything that can be known to be wrong without running a module.
    pub fn check(&self) -> Vec<Error> {
        self.0.check()
    }

    /// What happened to each slot until now, and how long it took.
    pub fn stats(&self) -> Vec<SlotStats> {
        self.0.stats()
    }

    /// Stops what was started, the last first. The rack starts nothing any more.
    pub fn stop(&self) -> Vec<Error> {
        self.0.stop()
    }

    /// The rack without the types of this crate.
    pub fn runtime(&self) -> &modrack_runtime::Rack {
        &self.0
    }
}

impl RackBuilder {
    /// Takes the rack of a file or folder.
    #[must_use]
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.file = Some(path.as_ref().to_owned());
        self
    }

    /// Takes this folder for relative paths, instead of the file's own or the current one.
    #[must_use]
    pub fn root(mut self, root: impl AsRef<Path>) -> Self {
        self.root = Some(root.as_ref().to_owned());
        self
    }

    /// Sets a key over the file's text: `slots.clean.params.width=3`.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.set.push(format!("{key}={value}"));
        self
    }

    /// Adds a backend, before those of this crate's features.
    #[must_use]
    pub fn backend(mut self, backend: Arc<dyn Backend>) -> Self {
        self.backends.push(backend);
        self
    }

    /// Adds a module of this program as a slot, which the slots of the file may need.
    #[must_use]
    pub fn module(mut self, name: &str, module: Module) -> Self {
        let module = module.build(name);
        let description = module.description();
        self.modules.push((name.to_owned(), Arc::new(module), description));
        self
    }

    /// Opens the rack. Loads no module.
    ///
    /// # Errors
    /// As [`Rack::open`], and names of modules that are taken or malformed.
    pub fn open(self) -> Result<Rack> {
        let given =
            self.modules.iter().map(|(name, ..)| SlotName::parse(name)).collect::<Result<Vec<_>>>()?;
        let mut plan = match &self.file {
            None => RackPlan::empty(PathBuf::from(".")),
            Some(path) => {
                let text = match text::Source::of(path) {
                    text::Source::File(file) => {
                        text::read(text::find(Some(&file), &file)?.as_ref().unwrap_or(&file))?
                    }
                    #[cfg(feature = "state")]
                    row @ text::Source::Row(_) => row.read()?,
                };
                text::parse_with(&text, &self.set, &given)?
            }
        };
        if let Some(root) = self.root {
            plan.root = root;
        }
        let mut backends = self.backends;
        backends.extend(crate::backends::of(&plan)?);
        let rack = Rack(modrack_runtime::Rack::open(plan, backends)?);
        for (name, instance, description) in self.modules {
            rack.register_instance(&name, instance, description)?;
        }
        Ok(rack)
    }
}

impl Slot {
    /// The slot's name; of a slot that no rack declares, its `use` text.
    pub fn name(&self) -> &SlotName {
        self.0.name()
    }

    /// Binds and checks a function; it is called without looking anything up again. Loads the slot if
    /// nothing fills it.
    ///
    /// # Errors
    /// What loading failed with, that there is no such function, or that its signature cannot fit.
    pub fn function<A: IntoArgs, R: FromValue>(&self, name: &str) -> Result<Function<A, R>> {
        Function::new(Some(name), self.0.function(Some(name))?)
    }

    /// Binds and checks the main function.
    ///
    /// # Errors
    /// As [`Slot::function`], and [`crate::Code::NoMainFunction`].
    pub fn main<A: IntoArgs, R: FromValue>(&self) -> Result<Function<A, R>> {
        Function::new(None, self.0.function(None)?)
    }

    /// Calls a function once.
    ///
    /// # Errors
    /// What loading or the call failed with.
    pub fn call<A: IntoArgs>(&self, name: &str, args: A) -> Result<Value> {
        self.function::<A, Value>(name)?.call(args)
    }

    /// Reads an attribute.
    ///
    /// # Errors
    /// What loading failed with, that there is no such attribute, or that it is no `T`.
    pub fn attribute<T: FromValue>(&self, name: &str) -> Result<T> {
        T::from_value(self.0.attribute(name)?).map_err(|error| error.slot(self.name()))
    }

    /// What is known of its module without running it.
    ///
    /// # Errors
    /// A failure of phase find or check.
    pub fn describe(&self) -> Result<Arc<Description>> {
        self.0.describe()
    }

    /// The contract that its module is used by.
    ///
    /// # Errors
    /// A failure of phase find or check; a contract that is not known.
    pub fn contract(&self) -> Result<Option<Arc<Contract>>> {
        self.0.contract()
    }

    /// The slot without the types of this crate.
    pub fn runtime(&self) -> &modrack_runtime::Slot {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    #[test]
    fn a_rack_is_opened_from_a_folder_with_keys_set_over_its_text() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rack.toml"), "rack = 1\n[slots.a]\nuse = './a.py'\n").unwrap();
        let rack = Rack::builder().file(folder.path()).set("slots.a.params.width", "3").open().unwrap();
        let slots: Vec<_> = rack.slots().iter().map(|slot| slot.name().to_string()).collect();
        assert_eq!(slots, ["a"]);
        assert_eq!(rack.slots()[0].runtime().plan().params["width"], Value::Int(3));
        assert_eq!(rack.runtime().root(), folder.path());
        // No feature is on: Python files are known, and nothing here loads them.
        std::fs::write(folder.path().join("a.py"), "x = 1\n").unwrap();
        assert_eq!(rack.slot("a").unwrap().describe().unwrap_err().code(), Code::UnknownBackend);
    }

    #[test]
    fn names_of_modules_are_checked() {
        let taken = |name: &str| {
            let rack = Rack::builder().module("a", Module::new()).module(name, Module::new()).open();
            rack.err().unwrap().code()
        };
        assert_eq!(taken("a"), Code::DuplicateName);
        assert_eq!(taken("a b"), Code::BadValue);
        assert_eq!(Rack::open("/nowhere/rack.yaml").err().unwrap().code(), Code::NoRack);
    }
}
