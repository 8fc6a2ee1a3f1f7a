//! Scripted backends, for tests: modules described in Rust or in plain text, that fail where they are told
//! to, and a record of all that was asked of them.
//!
//! A module in Rust is a [`Script`] under a name, and is used as `python:NAME`. A module in text is a file that
//! begins with the line `scripted`, followed by any of `name NAME`, `version VERSION`, `function NAME`,
//! `broken MESSAGE` (it cannot be described) and `fails MESSAGE` (it cannot be started).

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use modrack_core::plan::Limits;
use modrack_core::{
    AttributeInfo, Backend, BackendName, Call, Code, CopyMeter, Description, Effort, Entry, Error, Footprint,
    Function, FunctionInfo, Guards, Instance, Left, Map, Origin, Place, Remains, Result, Service, Signature,
    SlotName, Start, Started, State, Text, Value,
};
use semver::Version;

/// A backend that does what its scripts say.
pub struct ScriptedBackend {
    name: BackendName,
    modules: Mutex<IndexMap<String, Arc<Script>>>,
    libraries: Mutex<Vec<PathBuf>>,
    letting_go: Mutex<Option<LettingGo>>,
    guards: Mutex<Guards>,
    record: Arc<Record>,
}

/// What a scripted module has and does.
#[derive(Clone, Default)]
pub struct Script {
    description: Description,
    functions: IndexMap<String, (Option<Signature>, Body)>,
    attributes: IndexMap<String, Value>,
    state: Option<Exporting>,
    import: Option<Importing>,
    describe: Option<Step>,
    start: Option<Starting>,
    stop: Option<Step>,
    end: Option<Ending>,
    left: Option<Leaving>,
    params: Option<Vec<String>>,
    unlisted: bool,
}

/// A started script, as its functions see it.
pub struct Running {
    /// The slot that it fills.
    pub slot: SlotName,
    /// What the configuration gave it.
    pub params: Map,
    /// What was injected into it, by parameter.
    pub services: Vec<(Text, Arc<dyn Service>)>,
    /// Which of its slot's instances it is, counted from 1 as they are started.
    pub number: usize,
    /// What it was allowed to hold and to give.
    pub limits: Limits,
    /// Where copied tables are counted.
    pub copies: Arc<CopyMeter>,
    broken: Arc<AtomicBool>,
    calls: AtomicU64,
    script: Arc<Script>,
    record: Arc<Record>,
}

/// A door that threads wait at until it is opened.
#[derive(Default)]
pub struct Gate {
    state: Mutex<Door>,
    changed: Condvar,
}

type Body = Arc<dyn Fn(&Running, Call<'_>) -> Result<Value> + Send + Sync>;
type Step = Arc<dyn Fn() -> Result<()> + Send + Sync>;
type Ending = Arc<dyn Fn() + Send + Sync>;
type Leaving = Arc<dyn Fn(Effort) -> Left + Send + Sync>;
type Starting = Arc<dyn Fn(&Running) -> Result<()> + Send + Sync>;
type Exporting = Arc<dyn Fn(&Running) -> Result<Value> + Send + Sync>;
type Importing = Arc<dyn Fn(&Running, &State) -> Result<()> + Send + Sync>;
type LettingGo = Arc<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

#[derive(Default)]
struct Door {
    open: bool,
    arrived: usize,
}

#[derive(Default)]
struct Record(Mutex<Vec<String>>);

struct ScriptedFunction {
    running: Arc<Running>,
    name: String,
}

struct ScriptedInstance(Arc<Running>);

struct ScriptedRemains(Leaving);

/// A call, until this goes.
struct UnderWay<'a>(&'a AtomicU64);

/// Has the system refuse this thread the call by which calls of what was replaced are known to have ended, or grant it again.
pub fn refuse_fences(is_refused: bool) {
    crate::fences::refuse(is_refused);
}

impl ScriptedBackend {
    /// A backend under the name of a real one.
    pub fn new(name: BackendName) -> Arc<Self> {
        Arc::new(Self {
            name,
            modules: Mutex::default(),
            libraries: Mutex::default(),
            letting_go: Mutex::default(),
            guards: Mutex::default(),
            record: Arc::default(),
        })
    }

    /// Adds a module, or replaces the one of that name: `python:NAME` uses it.
    pub fn module(&self, name: &str, script: Script) {
        let mut script = script;
        name.clone_into(&mut script.description.name);
        script.description.backend = Some(self.name);
        lock(&self.modules).insert(name.to_owned(), Arc::new(script));
    }

    /// Adds a folder in which packages are installed.
    pub fn library(&self, folder: impl Into<PathBuf>) {
        lock(&self.libraries).push(folder.into());
    }

    /// Does `letting_go` with each wait, which it must run.
    pub fn on_let_go(&self, letting_go: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static) {
        *lock(&self.letting_go) = Some(Arc::new(letting_go));
    }

    /// Claims to guard this, and nothing else.
    pub fn guard(&self, guards: Guards) {
        *lock(&self.guards) = guards;
    }

    /// What was asked of it until now: `describe a`, `start a`, `call a.f`, `stop a`.
    pub fn record(&self) -> Vec<String> {
        lock(&self.record.0).clone()
    }

    /// How often `what` was asked of it.
    pub fn count(&self, what: &str) -> usize {
        lock(&self.record.0).iter().filter(|entry| *entry == what).count()
    }

    fn script(&self, origin: &Origin) -> Result<Arc<Script>> {
        match origin {
            Origin::Import { module, .. } => lock(&self.modules).get(module).cloned().ok_or_else(|| {
                Error::new(Code::ModuleNotFound, format!("There is no script `{module}`")).hint("Add it")
            }),
            Origin::File { path, .. } => read(path, self.name).map(Arc::new),
            _ => Err(Error::new(Code::Unsupported, "Scripts are imports or files").hint("Use `python:NAME`")),
        }
    }
}

impl Backend for ScriptedBackend {
    fn name(&self) -> BackendName {
        self.name
    }

    fn recognises(&self, path: &Path, first: Option<&[u8]>) -> bool {
        first.map_or_else(|| path.join("scripted").is_file(), |first| first.starts_with(b"scripted"))
    }

    fn guards(&self) -> Guards {
        *lock(&self.guards)
    }

    fn libraries(&self) -> Vec<PathBuf> {
        lock(&self.libraries).clone()
    }

    fn describe(&self, origin: &Origin) -> Result<Description> {
        self.record.add("describe", origin);
        let script = self.script(origin)?;
        if let Some(describe) = &script.describe {
            describe()?;
        }
        let mut description = script.description.clone();
        if let (Entry::Module, Some(attr)) = (&description.entry, origin.attr()) {
            description.entry = Entry::Function(attr.path.clone());
        }
        let listed = script.functions.iter().filter(|_| !script.unlisted);
        description.functions.extend(listed.map(|(name, (signature, _))| FunctionInfo {
            name: name.clone(),
            signature: signature.clone().unwrap_or_default(),
            ..FunctionInfo::default()
        }));
        description.attributes.extend(
            script
                .attributes
                .keys()
                .map(|name| AttributeInfo { name: name.clone(), ..AttributeInfo::default() }),
        );
        Ok(description)
    }

    fn check_params(&self, description: &Description, params: &Map, injected: &[Text]) -> Vec<Error> {
        let script = lock(&self.modules).get(&description.name).cloned();
        let Some(known) = script.and_then(|script| script.params.clone()) else { return Vec::new() };
        let names = params.keys().chain(injected).filter(|name| !known.iter().any(|k| k == name.as_str()));
        names
            .map(|name| {
                let place = Place { key: Some(format!("params.{name}")), ..Place::default() };
                Error::new(Code::BadParams, format!("There is no parameter `{name}`"))
                    .hint("Drop it")
                    .place(place)
            })
            .collect()
    }

    fn check_requires(&self, description: &Description) -> Vec<Error> {
        let unmet = |what: &String| {
            Error::new(Code::RequirementUnmet, format!("`{what}` is not there")).hint("Install it")
        };
        description.manifest.requires.iter().map(unmet).collect()
    }

    fn start(&self, start: Start<'_>) -> Result<Started> {
        self.record.add("start", start.origin);
        let number = self.count(&format!("start {}", start.origin));
        let running = Arc::new(Running {
            slot: start.slot.clone(),
            params: start.params.clone(),
            services: start.services,
            number,
            limits: start.limits.clone(),
            copies: start.copies.clone(),
            broken: Arc::default(),
            calls: AtomicU64::new(0),
            script: self.script(start.origin)?,
            record: self.record.clone(),
        });
        if let Some(start) = &running.script.start {
            start(&running)?;
        }
        Ok(Started {
            instance: Arc::new(ScriptedInstance(running)),
            load: Duration::from_millis(2),
            start: Duration::from_millis(1),
        })
    }

    fn let_go(&self, wait: &mut dyn FnMut()) {
        let letting_go = lock(&self.letting_go).clone();
        match letting_go {
            Some(letting_go) => letting_go(wait),
            None => wait(),
        }
    }
}

impl Script {
    /// A module with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function of which no signature is known.
    #[must_use]
    pub fn function(
        self,
        name: &str,
        body: impl Fn(&Running, Call<'_>) -> Result<Value> + Send + Sync + 'static,
    ) -> Self {
        self.typed_function(name, None, body)
    }

    /// Adds a function.
    #[must_use]
    pub fn typed_function(
        mut self,
        name: &str,
        signature: Option<Signature>,
        body: impl Fn(&Running, Call<'_>) -> Result<Value> + Send + Sync + 'static,
    ) -> Self {
        self.functions.insert(name.to_owned(), (signature, Arc::new(body)));
        self
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.to_owned(), value.into());
        self
    }

    /// Carries this state.
    #[must_use]
    pub fn state(self, state: impl Into<Value>) -> Self {
        let state = state.into();
        self.exports(move |_| Ok(state.clone()))
    }

    /// Carries the state that `export` gives; may fail.
    #[must_use]
    pub fn exports(mut self, export: impl Fn(&Running) -> Result<Value> + Send + Sync + 'static) -> Self {
        self.state = Some(Arc::new(export));
        self
    }

    /// Takes state over; may fail.
    #[must_use]
    pub fn imports(
        mut self,
        import: impl Fn(&Running, &State) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.import = Some(Arc::new(import));
        self
    }

    /// Changes what is known of it before it runs. Its functions are added to what is there.
    #[must_use]
    pub fn describe(mut self, change: impl FnOnce(&mut Description)) -> Self {
        change(&mut self.description);
        self
    }

    /// Runs when it is described; may fail.
    #[must_use]
    pub fn on_describe(mut self, describe: impl Fn() -> Result<()> + Send + Sync + 'static) -> Self {
        self.describe = Some(Arc::new(describe));
        self
    }

    /// Runs when it is started; may fail.
    #[must_use]
    pub fn on_start(mut self, start: impl Fn(&Running) -> Result<()> + Send + Sync + 'static) -> Self {
        self.start = Some(Arc::new(start));
        self
    }

    /// Runs when it is stopped; may fail.
    #[must_use]
    pub fn on_stop(mut self, stop: impl Fn() -> Result<()> + Send + Sync + 'static) -> Self {
        self.stop = Some(Arc::new(stop));
        self
    }

    /// Runs when its calls are to end, which it then can.
    #[must_use]
    pub fn on_end_calls(mut self, end: impl Fn() + Send + Sync + 'static) -> Self {
        self.end = Some(Arc::new(end));
        self
    }

    /// Leaves something when it is stopped, and says so when it is looked for.
    #[must_use]
    pub fn leaves(mut self, left: impl Fn(Effort) -> Left + Send + Sync + 'static) -> Self {
        self.left = Some(Arc::new(left));
        self
    }

    /// Does not list its functions: they are known only once it runs.
    #[must_use]
    pub fn unlisted(mut self) -> Self {
        self.unlisted = true;
        self.describe(|description| description.open = true)
    }

    /// Takes these parameters and no others.
    #[must_use]
    pub fn params(mut self, names: &[&str]) -> Self {
        self.params = Some(names.iter().map(|name| (*name).to_owned()).collect());
        self
    }
}

impl Running {
    /// Breaks the instance, as a trap does: it answers no more calls.
    pub fn break_down(&self) {
        self.broken.store(true, Ordering::Release);
    }

    /// Breaks the instance later, as what it gave does.
    pub fn breaking(&self) -> impl Fn() + Send + Sync + 'static {
        let broken = self.broken.clone();
        move || broken.store(true, Ordering::Release)
    }

    /// What was injected as `name`.
    ///
    /// # Panics
    /// When nothing was: the test is wrong.
    pub fn service(&self, name: &str) -> &Arc<dyn Service> {
        let found = self.services.iter().find(|(known, _)| known.as_str() == name);
        &found.unwrap_or_else(|| panic!("nothing is injected as `{name}`")).1
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        lock(&self.state).open = true;
        self.changed.notify_all();
    }

    /// Counts as arrived, and goes on.
    pub fn arrive(&self) {
        lock(&self.state).arrived += 1;
        self.changed.notify_all();
    }

    /// Counts as arrived, and waits until the gate is open.
    pub fn pass(&self) {
        self.arrive();
        let state = lock(&self.state);
        drop(self.changed.wait_while(state, |door| !door.open).unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits until so many have arrived.
    pub fn arrived(&self, count: usize) {
        let state = lock(&self.state);
        drop(
            self.changed
                .wait_while(state, |door| door.arrived < count)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }
}

impl Instance for ScriptedInstance {
    fn function(&self, name: &str) -> Result<Arc<dyn Function>> {
        let script = &self.0.script;
        if script.functions.contains_key(name) {
            return Ok(Arc::new(ScriptedFunction { running: self.0.clone(), name: name.to_owned() }));
        }
        Err(if script.attributes.contains_key(name) {
            Error::new(Code::NotCallable, format!("`{name}` is not a function"))
        } else {
            Error::new(Code::UnknownFunction, format!("There is no function `{name}`"))
        })
    }

    fn attribute(&self, name: &str) -> Result<Value> {
        let value = self.0.script.attributes.get(name).cloned();
        value.ok_or_else(|| Error::new(Code::UnknownAttribute, format!("There is no attribute `{name}`")))
    }

    fn names(&self) -> Vec<String> {
        self.0.script.functions.keys().chain(self.0.script.attributes.keys()).cloned().collect()
    }

    fn export_state(&self) -> Result<Option<State>> {
        self.0.record.add("export", &self.0.slot);
        self.0
            .script
            .state
            .as_ref()
            .map(|state| Ok(State { version: None, value: state(&self.0)? }))
            .transpose()
    }

    fn import_state(&self, state: &State) -> Result<bool> {
        self.0.record.add("import", &self.0.slot);
        match &self.0.script.import {
            Some(import) => import(&self.0, state).map(|()| true),
            None => Ok(false),
        }
    }

    fn end_calls(&self) -> bool {
        self.0.script.end.as_ref().is_some_and(|end| {
            end();
            true
        })
    }

    fn broken(&self) -> bool {
        self.0.broken.load(Ordering::Acquire)
    }

    fn stop(&self, _within: Duration) -> Result<()> {
        self.0.record.add("stop", &self.0.slot);
        self.0.script.stop.as_ref().map_or(Ok(()), |stop| stop())
    }

    fn remains(&self) -> Vec<Arc<dyn Remains>> {
        let left = self.0.script.left.iter();
        left.map(|left| Arc::new(ScriptedRemains(left.clone())) as Arc<dyn Remains>).collect()
    }

    fn footprint(&self) -> Footprint {
        Footprint { calls: self.0.calls.load(Ordering::Acquire), ..Footprint::default() }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Function for ScriptedFunction {
    fn call(&self, call: Call<'_>) -> Result<Value> {
        self.running.record.add("call", &format_args!("{}.{}", self.running.slot, self.name));
        match self.running.script.functions.get(&self.name) {
            Some((_, body)) => {
                let _under_way = UnderWay::begin(&self.running.calls);
                body(&self.running, call)
            }
            None => Err(Error::new(Code::UnknownFunction, format!("There is no function `{}`", self.name))),
        }
    }

    fn signature(&self) -> Option<&Signature> {
        self.running.script.functions.get(&self.name).and_then(|(signature, _)| signature.as_ref())
    }
}

impl Remains for ScriptedRemains {
    fn look(&self, effort: Effort) -> Left {
        (self.0)(effort)
    }
}

impl<'a> UnderWay<'a> {
    fn begin(calls: &'a AtomicU64) -> Self {
        calls.fetch_add(1, Ordering::AcqRel);
        Self(calls)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Record {
    fn add(&self, what: &str, of: &dyn std::fmt::Display) {
        lock(&self.0).push(format!("{what} {of}"));
    }
}

/// Reads a script that is a file, or the file `scripted` of a folder.
fn read(path: &Path, backend: BackendName) -> Result<Script> {
    let file = if path.is_dir() { path.join("scripted") } else { path.to_owned() };
    let text = std::fs::read_to_string(&file)
        .map_err(|why| Error::new(Code::ModuleUnreadable, format!("`{}`: {why}", file.display())))?;
    let mut script = Script::new().describe(|description| {
        description.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        description.backend = Some(backend);
    });
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.to_owned();
        script =
            match word {
                "name" => script.describe(|description| description.manifest.name = Some(rest)),
                "version" => script.describe(|description| description.version = Version::parse(&rest).ok()),
                "function" => {
                    let given = rest.clone();
                    script.function(&rest, move |_, _| Ok(Value::from(given.as_str())))
                }
                "broken" => script
                    .on_describe(move || Err(Error::new(Code::PythonSyntax, rest.clone()).hint("Mend it"))),
                "fails" => script
                    .on_start(move |_| Err(Error::new(Code::ConstructFailed, rest.clone()).hint("Mend it"))),
                _ => script,
            };
    }
    Ok(script)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
