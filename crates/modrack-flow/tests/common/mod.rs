//! A folder with files, a pipeline written as in a rack, and modules made of closures.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(dead_code, reason = "each test file uses a part of it")]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use modrack_core::plan::{Ask, PipelinePlan, RackPlan, RackText, SlotRef, StagePlan, TextFormat};
use modrack_core::{Call, Cancel, Error, Manifest, Map, OnErrors, Result, SlotName, Takes, Value};
use modrack_flow::{Progress, RunOptions, Snapshot, Summary};
use modrack_runtime::{HostModule, Rack};

/// A folder, and what is run in it.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    modules: Vec<(String, HostModule)>,
    stages: Vec<StagePlan>,
    pub(crate) limit: Option<u64>,
    pub(crate) dry_run: bool,
    pub(crate) max_errors: Option<u64>,
    pub(crate) cancel: Cancel,
    stdin: Option<Box<dyn Read + Send>>,
    stdout: Option<Box<dyn Write + Send>>,
}

/// What became of a run.
pub(crate) struct Outcome {
    pub(crate) result: Result<Summary>,
    /// What progress was told at the end, failed or not.
    pub(crate) summary: Option<Summary>,
    pub(crate) root: PathBuf,
}

/// Bytes that somebody else reads later.
#[derive(Clone, Default)]
pub(crate) struct Shared(pub(crate) Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Watcher(Mutex<Option<Summary>>);

impl Progress for Watcher {
    fn update(&self, _now: &Snapshot) {}

    fn ended(&self, summary: &Summary) {
        *self.0.lock().unwrap() = Some(summary.clone());
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            modules: Vec::new(),
            stages: Vec::new(),
            limit: None,
            dry_run: false,
            max_errors: None,
            cancel: Cancel::default(),
            stdin: None,
            stdout: None,
        }
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let path = self.root().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    pub(crate) fn stdin(mut self, input: impl Read + Send + 'static) -> Self {
        self.stdin = Some(Box::new(input));
        self
    }

    pub(crate) fn stdout(mut self, output: impl Write + Send + 'static) -> Self {
        self.stdout = Some(Box::new(output));
        self
    }

    pub(crate) fn module(mut self, name: &str, module: HostModule) -> Self {
        self.modules.push((name.to_owned(), module));
        self
    }

    /// A stage whose function is `body`.
    pub(crate) fn stage(
        self,
        name: &str,
        takes: Takes,
        body: impl Fn(Call<'_>) -> Result<Value> + Send + Sync + 'static,
    ) -> Self {
        let manifest = Manifest { takes: Some(takes), ..Manifest::default() };
        let module = HostModule::new(name).function("transform", None, body).manifest(manifest);
        self.module(name, module).uses(name, |_| {})
    }

    /// A stage that changes a row.
    pub(crate) fn rows(
        self,
        name: &str,
        body: impl Fn(&mut Map) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.stage(name, Takes::Row, move |call| {
            let mut row = call.args.positional[0].as_map().unwrap().clone();
            body(&mut row)?;
            Ok(Value::from(row))
        })
    }

    /// Puts a slot into the pipeline.
    pub(crate) fn uses(mut self, name: &str, edit: impl FnOnce(&mut StagePlan)) -> Self {
        let mut stage = StagePlan {
            name: name.to_owned(),
            slot: SlotRef::Declared(SlotName::parse(name).unwrap()),
            function: None,
            in_place: None,
            takes: None,
            column: None,
            batch: None,
            schema: None,
            errors: None,
            place: None,
        };
        edit(&mut stage);
        self.stages.push(stage);
        self
    }

    /// Changes the last stage.
    pub(crate) fn but(mut self, edit: impl FnOnce(&mut StagePlan)) -> Self {
        edit(self.stages.last_mut().unwrap());
        self
    }

    /// The rack and the pipeline `p`, whose keys are `text`.
    pub(crate) fn open(&mut self, text: &str) -> (Rack, PipelinePlan) {
        let indented: String = text.lines().map(|line| format!("    {line}\n")).collect();
        let text = RackText {
            file: self.root().join("rack.yaml"),
            root: self.root().to_owned(),
            format: TextFormat::Yaml,
            bytes: format!("rack: 1\npipelines:\n  p:\n{indented}").into_bytes(),
        };
        let ask = Ask { env: &|_| None, read: &|_| Err("no file".into()), given: &[] };
        let plan = RackPlan::parse(&text, &[], &ask).unwrap();
        let mut pipeline = plan.pipelines.values().next().unwrap().clone();
        pipeline.stages = self.stages.clone();
        let rack = Rack::open(plan, Vec::new()).unwrap();
        for (name, module) in std::mem::take(&mut self.modules) {
            let description = module.description();
            rack.register(SlotName::parse(&name).unwrap(), Arc::new(module), description).unwrap();
        }
        (rack, pipeline)
    }

    pub(crate) fn run(mut self, text: &str) -> Outcome {
        let (rack, pipeline) = self.open(text);
        self.go(&rack, &pipeline)
    }

    pub(crate) fn go(mut self, rack: &Rack, pipeline: &PipelinePlan) -> Outcome {
        let options = RunOptions {
            limit: self.limit,
            dry_run: self.dry_run,
            max_errors: self.max_errors,
            cancel: self.cancel.clone(),
            stdin: self.stdin.take(),
            stdout: self.stdout.take(),
        };
        let watcher = Watcher::default();
        let result = modrack_flow::run(rack, pipeline, options, &watcher);
        let summary = watcher.0.lock().unwrap().take();
        Outcome { result, summary, root: self.folder.keep() }
    }
}

impl Outcome {
    /// The files below the folder, hidden ones too, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        walk(&self.root, &self.root, &mut files);
        files.sort();
        files
    }

    pub(crate) fn text(&self, name: &str) -> String {
        match std::fs::read_to_string(self.root.join(name)) {
            Ok(text) => text,
            Err(why) => panic!("{name}: {why}; there is {:?}; {:?}", self.files(), self.result),
        }
    }

    pub(crate) fn summary(&self) -> &Summary {
        self.result.as_ref().unwrap()
    }

    pub(crate) fn error(&self) -> &Error {
        self.result.as_ref().unwrap_err()
    }

    /// Code, place, column, message and hint of the failure, one a line.
    pub(crate) fn told(&self) -> String {
        told(self.error(), &self.root)
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

pub(crate) fn told(error: &Error, root: &Path) -> String {
    let place = error.place_of().map(|place| {
        let key = place.key.as_ref().map(|key| format!(" ({key})")).unwrap_or_default();
        format!("{place}{key}")
    });
    let text = format!(
        "{} {}\n{}\nhint: {}",
        error.code(),
        place.unwrap_or_else(|| "nowhere".into()),
        error.message(),
        error.hint_text().unwrap_or("none")
    );
    text.replace(&format!("{}/", root.display()), "").replace(&root.display().to_string(), "ROOT")
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.push(format!("{}/", path.strip_prefix(root).unwrap().display()));
            walk(root, &path, files);
        } else {
            files.push(path.strip_prefix(root).unwrap().display().to_string());
        }
    }
}

pub(crate) fn all(text: &str) -> OnErrors {
    let decision = match text {
        "skip" => modrack_core::OnError::Skip,
        "quarantine" => modrack_core::OnError::Quarantine(None),
        _ => modrack_core::OnError::Stop,
    };
    OnErrors { default: decision, default_said: true, ..OnErrors::default() }
}
