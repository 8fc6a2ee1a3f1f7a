//! What a verb works with: the rack that was found, its backends, and the streams.
//!
//! A session in a process without an interpreter becomes that interpreter when a verb must start a Python
//! module ([`Session::needs_python`]); a session inside one has the Python backend at hand.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use modrack::live::LiveSettings;
use modrack::text::{self, Source};
use modrack_core::plan::{RackPlan, StatePlace};
use modrack_core::{Backend, BackendName, Code, Error, Result};
use modrack_native::{NativeBackend, NativeSettings};
use modrack_pysource::{Reader, SourceOnly};
use modrack_runtime::{CatalogEntry, Rack, Slot};
use modrack_wasm::WasmSettings;
use serde_json::{Value as Json, json};

use crate::args::Global;
use crate::host::{Host, PythonSettings};
use crate::interrupt::{Interrupt, Words};
use crate::no_python::NoPython;
use crate::output::{Failure, Level, Outcome, Output};
use crate::python_host::{self, Extension};
use crate::report::near;
use crate::verb::list::backend_by_text;

/// The rack that a command line means: its plan, none where there is no rack, or what is wrong with it.
pub(crate) type Found = Result<Option<RackPlan>>;

/// One run of the command.
pub(crate) struct Session {
    host: Host,
    global: Global,
    /// The words behind the command's own name, to be given on to an interpreter.
    words: Vec<OsString>,
    /// The streams.
    pub(crate) output: Output,
    /// Whether something is in force that was swapped in before.
    remembers: Cell<bool>,
    /// Whether racks are opened to be served: what comes to them later may be of any backend.
    serves: Cell<bool>,
}

impl Session {
    /// A session for these options.
    pub(crate) fn new(host: Host, global: Global, words: Vec<OsString>, output: Output) -> Self {
        Self { host, global, words, output, remembers: Cell::new(false), serves: Cell::new(false) }
    }

    /// Whether this process has an interpreter.
    pub(crate) fn has_python(&self) -> bool {
        self.host.python.is_some()
    }

    /// What the process brings along.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// The rack that was named, else the nearest one upwards, else none.
    ///
    /// # Errors
    /// A rack that was named and is not there, cannot be read, or is wrong: all that is wrong with it.
    pub(crate) fn plan(&self) -> Result<Option<RackPlan>> {
        let Some(source) = self.source()? else { return Ok(None) };
        let text = match &source {
            Source::File(file) => text::read(file)?,
            Source::Row(_) => {
                let live = self.host.live.as_ref().ok_or_else(|| no_databases(&source))?;
                let text = (live.read)(&source)?;
                // What is said of it shows the line, which stands in no file.
                let _ = self.output.row.set(text.clone());
                text
            }
        };
        text::parse(&text, &self.global.set).map(Some)
    }

    /// Where the text of the rack is that was named, else of the nearest one upwards; none where there is none.
    ///
    /// # Errors
    /// A rack that was named and is not there, as far as files are concerned.
    pub(crate) fn source(&self) -> Result<Option<Source>> {
        let named = self.global.rack.clone().or_else(|| env_path("MODRACK_RACK"));
        match named.as_deref().map(Source::of) {
            Some(Source::Row(row)) => Ok(Some(Source::Row(row))),
            _ => Ok(text::find(named.as_deref(), Path::new("."))?.map(Source::File)),
        }
    }

    /// The state folder of the rack, and the rack itself as its server names it; none where there is no rack, or it keeps no
    /// state.
    ///
    /// A rack that is wrong is served as it was before somebody broke it, mostly: then its state is where it is unless the rack says
    /// otherwise.
    pub(crate) fn state_of(&self, found: &Found) -> Option<(PathBuf, Option<PathBuf>)> {
        match found {
            Ok(plan) => plan.as_ref().and_then(|plan| Some((own_state(plan)?, plan.file.clone()))),
            Err(_) => {
                let source = self.source().ok()??.absolute();
                let folder = env_path("MODRACK_STATE").or_else(|| Some(source.root().ok()?.join(".modrack")));
                Some((below(folder?, &source.file()), Some(source.file())))
            }
        }
    }

    /// The folder that the rack's paths are relative to; without a rack the current one.
    pub(crate) fn root_of(&self, found: &Found) -> PathBuf {
        match found {
            Ok(Some(plan)) => plan.root.clone(),
            Ok(None) => self.no_rack().root,
            Err(_) => {
                let root = self.source().ok().flatten().and_then(|source| source.root().ok());
                root.unwrap_or_else(|| self.no_rack().root)
            }
        }
    }

    /// How a rack is joined to its state, by who runs the command.
    pub(crate) fn live_settings(&self, plan: &RackPlan) -> LiveSettings {
        LiveSettings {
            folder: own_state(plan),
            source: plan.file.as_deref().map(Source::of),
            set: self.global.set.clone(),
            from_config: false,
            who: user(),
        }
    }

    /// Whether the verb is to act in this process, whoever serves.
    pub(crate) fn is_local(&self) -> bool {
        self.global.local
    }

    /// Whether values of the rack are set for this once.
    pub(crate) fn sets_values(&self) -> bool {
        !self.global.set.is_empty()
    }

    /// A rack for commands that need none: empty, in the current folder.
    pub(crate) fn no_rack(&self) -> RackPlan {
        RackPlan::empty(env::current_dir().unwrap_or_else(|_| PathBuf::from(".")))
    }

    /// The plan of the rack that must be there.
    ///
    /// # Errors
    /// As [`Session::plan`], and [`Code::NoRack`].
    pub(crate) fn plan_there(&self) -> Result<RackPlan> {
        self.there(self.plan())
    }

    /// The plan that was found, which must be there.
    ///
    /// # Errors
    /// What is wrong with it, and [`Code::NoRack`].
    pub(crate) fn there(&self, found: Found) -> Result<RackPlan> {
        found?.ok_or_else(|| {
            Error::new(Code::NoRack, "There is no `rack.yaml` here or in a folder above")
                .hint("Make a rack with `modrack new rack NAME`, or name one with `-r RACK`")
        })
    }

    /// The rack that must be there, open.
    ///
    /// # Errors
    /// As [`Session::plan_there`], and what opening it fails with.
    pub(crate) fn rack(&self) -> Result<Rack> {
        self.open(self.plan_there()?)
    }

    /// The rack, where there is one, else an empty one: for verbs that take a `use` text.
    ///
    /// # Errors
    /// As [`Session::plan`], and what opening it fails with.
    pub(crate) fn rack_or_none(&self) -> Result<Rack> {
        self.open_found(self.plan())
    }

    /// The rack that was found, open, else an empty one.
    ///
    /// # Errors
    /// What is wrong with it, and what opening it fails with.
    pub(crate) fn open_found(&self, found: Found) -> Result<Rack> {
        self.open(found?.unwrap_or_else(|| self.no_rack()))
    }

    /// What a word of the command line means as the `use` text of a rack: a path that begins with a dot is relative to
    /// the current folder there, as in every command, and to the rack's folder here.
    pub(crate) fn meant(&self, root: &Path, word: &str) -> String {
        let (prefix, path) = match word.strip_prefix("native:") {
            Some(path) => ("native:", path),
            None => ("", word),
        };
        let Ok(current) = env::current_dir() else { return word.to_owned() };
        if !(path.starts_with("./") || path.starts_with("../")) || current == root {
            return word.to_owned();
        }
        let path = path.strip_prefix("./").unwrap_or(path);
        match current.strip_prefix(root) {
            Ok(below) => format!("{prefix}./{}", below.join(path).display()),
            Err(_) => format!("{prefix}{}", current.join(path).display()),
        }
    }

    /// Opens a rack with the backends that this process has, and puts in force what was swapped into it before.
    ///
    /// # Errors
    /// What the Python backend or the rack cannot be made of.
    pub(crate) fn open(&self, plan: RackPlan) -> Result<Rack> {
        let rack = self.open_as_written(plan)?;
        if let Some(live) = self.host.live {
            let in_force = (live.in_force)(&rack, &self.live_settings(&rack.plan()))?;
            self.remembers.set(in_force.any);
            in_force.warnings.iter().for_each(|warning| self.output.warn(warning));
        }
        Ok(rack)
    }

    /// Opens a rack likewise, as its text has it.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub(crate) fn open_as_written(&self, plan: RackPlan) -> Result<Rack> {
        let begun = Instant::now();
        let native = NativeBackend::new(NativeSettings {
            root: plan.root.clone(),
            store: state(&plan).map(|folder| folder.join("native")),
            log: crate::log::of(&self.output),
            kept: Some(plan.native.kept),
        });
        let mut backends: Vec<Arc<dyn Backend>> = match &self.host.python {
            Some(python) => vec![python(settings(&plan))?],
            None => {
                let source = SourceOnly(Reader {
                    root: plan.root.clone(),
                    path: settings(&plan).path.into_iter().chain(python_host::libraries(&plan)).collect(),
                });
                let python: Arc<dyn Backend> =
                    if self.serves.get() { Arc::new(NoPython(source)) } else { Arc::new(source) };
                vec![python]
            }
        };
        backends.push(Arc::new(native));
        backends.extend(self.host.wasm.map(|wasm| {
            wasm(WasmSettings {
                cache: state(&plan).map(|folder| folder.join("wasm")),
                keys: WasmSettings::keys_of_user(),
                log: crate::log::of(&self.output),
            })
        }));
        let file = plan.file.clone();
        let rack = Rack::open(plan, backends)?;
        if let Some(file) = file {
            let fields = [
                ("rack", Json::from(near(&file).display().to_string())),
                ("slots", rack.plan().slots.len().into()),
                ("seconds", begun.elapsed().as_secs_f64().into()),
            ];
            self.output.event(Level::Info, "opened", &fields);
        }
        Ok(rack)
    }

    /// Makes sure that these slots, and those they need, can be started here: in a process without an
    /// interpreter, the rack's interpreter takes its place and this function does not come back.
    ///
    /// A verb that `looks_at_all` slots, more than those it starts, gets every backend there; another one only gets
    /// components where a slot that it starts is one, or a catalog may list some.
    ///
    /// # Errors
    /// What resolving the slots fails with, and what keeps the interpreter from running.
    pub(crate) fn needs_python(&self, rack: &Rack, slots: &[Slot], looks_at_all: bool) -> Result<()> {
        if self.has_python() {
            return Ok(());
        }
        let needed = rack.backends_needed(slots)?;
        self.needs(rack, &needed, looks_at_all)
    }

    /// Makes sure that modules of these backends can be started here, likewise.
    ///
    /// # Errors
    /// What keeps the interpreter from running.
    pub(crate) fn needs(
        &self,
        rack: &Rack,
        needed: &BTreeSet<BackendName>,
        looks_at_all: bool,
    ) -> Result<()> {
        if self.has_python() || !needed.contains(&BackendName::Python) {
            return Ok(());
        }
        // What a catalog calls a component is known only to who reads components, and what was swapped in, or is in a database, only to
        // who reads the state.
        let plan = rack.plan();
        let is_in_database = plan.file.as_deref().is_some_and(|file| !Source::of(file).is_file());
        let lean = !looks_at_all
            && plan.catalog.is_empty()
            && !is_in_database
            && !self.remembers.get()
            && !needed.contains(&BackendName::Wasm);
        self.becomes_python(rack, if lean { Extension::Lean } else { Extension::Whole })
    }

    /// As [`Session::needs_python`] of all slots that can be found, for who works with those that can whatever is wrong with
    /// the others. Every backend is had there.
    ///
    /// # Errors
    /// What keeps the interpreter from running.
    pub(crate) fn needs_python_for_any(&self, rack: &Rack) -> Result<()> {
        let is_python = |slot: &Slot| match rack.backends_needed(std::slice::from_ref(slot)) {
            Ok(needed) => needed.contains(&BackendName::Python),
            // What is not there now may come back, or be kept from before.
            Err(_) => backend_by_text(&slot.plan().fills) == Some(BackendName::Python),
        };
        if self.has_python() || !rack.slots().iter().any(is_python) {
            return Ok(());
        }
        self.becomes_python(rack, Extension::Whole)
    }

    /// As [`Session::needs_python_for_any`], for a rack that is served: also where the rack says how Python runs, or its catalog lists
    /// Python modules, which may come to a slot later.
    ///
    /// # Errors
    /// What keeps the interpreter from running.
    pub(crate) fn needs_python_to_serve(&self, rack: &Rack) -> Result<()> {
        self.needs_python_for_any(rack)?;
        if self.has_python() {
            return Ok(());
        }
        let plan = rack.plan();
        let is_said = plan.python.venv.is_some() || plan.python.path.is_some();
        let is_python = |entry: &CatalogEntry| entry.backend == Some(BackendName::Python);
        let is_listed = || rack.catalog().is_ok_and(|catalog| catalog.entries().iter().any(is_python));
        // What is only listed does not keep a rack from being served where there is no interpreter.
        if is_said || (is_listed() && python_host::choose(&plan).is_ok()) {
            return self.becomes_python(rack, Extension::Whole);
        }
        Ok(())
    }

    /// Has racks opened from now on be served: what cannot be started in this process is refused when it is to come to a slot.
    pub(crate) fn is_to_serve(&self) {
        self.serves.set(true);
    }

    fn becomes_python(&self, rack: &Rack, extension: Extension) -> Result<()> {
        let interpreter = python_host::choose(&rack.plan())?;
        let fields = [
            ("program", Json::from(interpreter.program.display().to_string())),
            ("because", interpreter.because.clone().into()),
        ];
        self.output.event(Level::Info, "python", &fields);
        Err(python_host::become_python(&interpreter, extension, &self.words))
    }

    /// Watches for Ctrl-C while a verb works with this rack.
    pub(crate) fn watch(&self, rack: &Rack) -> Interrupt {
        let backend = rack.backend(BackendName::Python).ok().cloned();
        let words = match (self.output.level, self.output.words_are_terminal) {
            (Level::Quiet, _) => Words::None,
            (_, true) => Words::OnTerminal,
            (_, false) => Words::Plain,
        };
        let interrupt =
            Interrupt::watch(backend.into_iter().collect(), words, modrack_flow::remove_unfinished);
        self.output.give_up_with(interrupt.cancel());
        interrupt
    }

    /// Watches for Ctrl-C while a verb waits for a server: the first ends the verb.
    pub(crate) fn watch_there(&self) -> Interrupt {
        let interrupt = Interrupt::watch(Vec::new(), Words::None, || ());
        self.output.give_up_with(interrupt.cancel());
        interrupt
    }

    /// Stops the rack's modules and gives the verb's own outcome, unless only stopping failed.
    pub(crate) fn close(&mut self, rack: &Rack, done: Outcome) -> Outcome {
        self.tell_figures(rack);
        for lost in crate::figures::lost(&rack.stats()) {
            self.output.say(&format!("warning: {lost}\n"));
        }
        let failed = Error::all(rack.stop());
        match (done, failed) {
            (Ok(_), Some(error)) => Err(error.into()),
            (Err(failure), Some(error)) => {
                if let Failure::Failed(first) = failure {
                    self.output.report(&first);
                    self.output.report_more(&error);
                    return Ok(crate::report::status(&first));
                }
                Err(failure)
            }
            (done, None) => done,
        }
    }

    fn tell_figures(&self, rack: &Rack) {
        if self.output.level < Level::Info {
            return;
        }
        for stats in rack.stats() {
            let phases = [("loaded", stats.load), ("started", stats.start), ("called", stats.call)];
            for (event, figures) in phases {
                if figures.count > 0 {
                    let fields = [
                        ("slot", Json::from(stats.slot.as_str())),
                        ("count", figures.count.into()),
                        ("seconds", json!(figures.total.as_secs_f64())),
                        ("errors", figures.errors.into()),
                    ];
                    self.output.event(Level::Info, event, &fields);
                }
            }
        }
    }
}

fn no_databases(source: &Source) -> Error {
    Error::new(Code::Unsupported, format!("The rack `{}` cannot be read without SQLite", source.name()))
        .hint("Run the command itself, which has it")
}

/// What the Python backend is told about a rack.
pub(crate) fn settings(plan: &RackPlan) -> PythonSettings {
    let folders = plan.python.path.clone().unwrap_or_else(|| vec![".".to_owned()]);
    let path = folders.iter().map(|folder| match folder.as_str() {
        "." => plan.root.clone(),
        folder => plan.root.join(folder),
    });
    PythonSettings {
        root: plan.root.clone(),
        path: path.collect(),
        store: state(plan).map(|s| s.join("python")),
    }
}

/// The folder of what the rack alone keeps, as its history and what was swapped in; none as for [`state`].
///
/// Racks of one folder or one database share what is kept by content, and nothing else: a rack that is not called `rack` has a
/// folder of its own in theirs, unless its text names one.
pub(crate) fn own_state(plan: &RackPlan) -> Option<PathBuf> {
    let folder = state(plan)?;
    match (&plan.state, &plan.file) {
        (None, Some(file)) => Some(below(folder, file)),
        _ => Some(folder),
    }
}

/// The folder of this rack's own in one that racks share; for `rack.yaml`, `rack.toml` and `rack.json` that one itself.
fn below(folder: PathBuf, rack: &Path) -> PathBuf {
    let shown = rack.display().to_string();
    let (file, row) = match shown.strip_prefix("sqlite:").and_then(|row| row.split_once('#')) {
        Some((file, row)) => (Path::new(file), format!("#{}", row.replace('/', "%2F"))),
        None => (rack, String::new()),
    };
    match file.file_name() {
        Some(name) if !row.is_empty() || file.file_stem().is_some_and(|stem| stem != "rack") => {
            folder.join(name.display().to_string() + &row)
        }
        _ => folder,
    }
}

/// The folder for what is kept between runs; none for `state: memory`, or when there is no home to keep it in.
pub(crate) fn state(plan: &RackPlan) -> Option<PathBuf> {
    match (&plan.state, env_path("MODRACK_STATE")) {
        (Some(StatePlace::Memory), _) => None,
        (Some(StatePlace::Folder(folder)), _) => Some(plan.root.join(folder)),
        (None, Some(folder)) => Some(folder),
        (None, None) if plan.file.is_some() => Some(plan.root.join(".modrack")),
        (None, None) => {
            let cache = env_path("XDG_CACHE_HOME").or_else(|| Some(env_path("HOME")?.join(".cache")));
            Some(cache?.join("modrack"))
        }
    }
}

/// Who runs the command, as far as the environment says, else by number.
pub(crate) fn user() -> String {
    let named =
        ["USER", "LOGNAME"].into_iter().find_map(|name| env::var(name).ok().filter(|user| !user.is_empty()));
    named.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

fn env_path(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn racks_of_one_folder_have_their_own_state() {
        for (rack, folder) in [
            ("/r/rack.yaml", "/s"),
            ("/r/rack.toml", "/s"),
            ("/r/eu.yaml", "/s/eu.yaml"),
            ("/r/eu.toml", "/s/eu.toml"),
            ("sqlite:/r/racks.db#eu", "/s/racks.db#eu"),
            ("sqlite:/r/rack.db#a/b", "/s/rack.db#a%2Fb"),
        ] {
            assert_eq!(below("/s".into(), Path::new(rack)), Path::new(folder), "{rack}");
        }
    }
}
