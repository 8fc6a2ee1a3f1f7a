//! What can be known to be wrong with a pipeline without running it or loading a module.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use modrack_core::plan::{Endpoint, PipelinePlan, SlotRef};
use modrack_core::{Cancel, Code, Error, OnError, OnErrors, Place, Result, Takes};
use modrack_runtime::{Rack, Slot};
use rustix::fs::Access;

use crate::input::{InputFile, Meter};
use crate::quarantine::Quarantine;
use crate::source::{self, Opening};
use crate::{error, groups, module, sink};

/// Everything that is wrong with a pipeline and can be known without running it: its source and the columns
/// that stages name, its stages, its sink. Slots that the rack declares are the rack's to check.
pub fn check(rack: &Rack, pipeline: &PipelinePlan) -> Vec<Error> {
    let mut errors = coherent(pipeline);
    let names = match source_columns(rack, pipeline) {
        Ok(names) => names,
        Err(why) => {
            errors.extend(why.each().cloned());
            None
        }
    };
    check_stages(rack, pipeline, names, &mut errors);
    for (end, options, place, word) in [
        (&pipeline.source.from, &pipeline.source.options, &pipeline.source.place, "source"),
        (&pipeline.sink.to, &pipeline.sink.options, &pipeline.sink.place, "sink"),
    ] {
        if let Endpoint::Slot(slot, function) = end {
            match module::slot(rack, slot, options, word) {
                Ok(found) => check_slot(&found, slot, function.as_deref(), &mut errors),
                Err(why) => errors.push(with_place(why, place.as_ref())),
            }
        }
    }
    if let Some(path) = sink::path(rack.root(), &pipeline.sink)
        && let Err(why) = can_be_written(rack.root(), &path)
    {
        errors.push(why);
    }
    let mut seen = Vec::new();
    for (to, place) in put_aside(rack, pipeline) {
        // Where none is named, it lies beside the sink.
        let Some(to) = to.filter(|to| !seen.contains(to)) else { continue };
        if let Err(why) = can_be_written(rack.root(), &rack.root().join(&*to)) {
            errors.push(with_place(why, place.as_ref()));
        }
        seen.push(to);
    }
    errors
}

/// Parts of stages that cannot go together.
pub(crate) fn coherent(pipeline: &PipelinePlan) -> Vec<Error> {
    let mut errors = Vec::new();
    for stage in &pipeline.stages {
        let wrong = |message: String, hint: &str| {
            groups::placed(Error::new(Code::BadValue, message).hint(hint), stage)
        };
        match (stage.takes, &stage.column) {
            (Some(Takes::Column), None) => errors.push(wrong(
                format!("Stage `{}` takes a column, and does not say which", stage.name),
                "Name it: `column: NAME`",
            )),
            (Some(takes), Some(column)) if takes != Takes::Column => errors.push(wrong(
                format!("Stage `{}` names column `{column}`, and does not take a column", stage.name),
                "Leave out `column:`, or write `takes: column`",
            )),
            _ => {}
        }
        if stage.batch == Some(0) {
            errors.push(wrong(
                format!("Stage `{}` has batches of no rows", stage.name),
                "Write a number above 0",
            ));
        }
    }
    errors
}

/// The files of a run are apart: what is read is not written by it, and rows that are put aside do not go to
/// the sink's file.
///
/// # Errors
/// `M0112` when two of them are one.
pub(crate) fn files_are_apart(rack: &Rack, pipeline: &PipelinePlan, files: &[InputFile]) -> Result<()> {
    let sink = sink::path(rack.root(), &pipeline.sink);
    let read: Vec<PathBuf> = files.iter().filter_map(|file| file.path.canonicalize().ok()).collect();
    let wrong = |path: &Path, does: &str, too: &str, hint: &str| {
        let shown = error::shown(path, rack.root());
        let message = format!("Pipeline `{}` {does} `{shown}` and {too} too", pipeline.name);
        Error::new(Code::BadValue, message).hint(hint)
    };
    let written = sink.as_deref().and_then(real);
    if let Some(path) = written.as_ref().filter(|path| read.contains(path)) {
        let why = wrong(
            path,
            "reads",
            "writes it",
            "Name another file for the sink; a pattern of the source may fit it",
        );
        return Err(with_place(why, pipeline.sink.place.as_ref()));
    }
    let beside = sink.as_deref().and_then(Path::parent);
    let quarantine = Quarantine::new(rack.root(), beside, &pipeline.name);
    for (to, place) in put_aside(rack, pipeline) {
        let Some(path) = real(&quarantine.path(to.as_ref())) else { continue };
        let why = if read.contains(&path) {
            wrong(
                &path,
                "reads",
                "puts failed rows into it",
                "Name another file with `{ quarantine: PATH }`; a pattern of the source may fit it",
            )
        } else if written.as_ref() == Some(&path) {
            let hint = "Name another file with `{ quarantine: PATH }`";
            wrong(&path, "writes", "puts failed rows into it", hint)
        } else {
            continue;
        };
        return Err(with_place(why, place.as_ref()));
    }
    Ok(())
}

/// The files that rows may be put aside in, none standing for the pipeline's own, and who says so.
fn put_aside(rack: &Rack, pipeline: &PipelinePlan) -> Vec<(Option<Arc<str>>, Option<Place>)> {
    let mut decisions = vec![(groups::on_errors(rack, pipeline), pipeline.place.clone())];
    for stage in &pipeline.stages {
        // A slot that is not there is reported elsewhere.
        let of_slot = groups::slot(rack, stage).ok().and_then(|slot| slot.errors());
        let of_stage = of_slot.into_iter().chain(stage.errors.clone());
        decisions.extend(of_stage.map(|errors| (errors, stage.place.clone())));
    }
    let files = |(errors, place): (OnErrors, Option<Place>)| {
        let all = errors.by_name.into_iter().map(|(_, decision)| decision).chain([errors.default]);
        all.filter_map(|decision| match decision {
            OnError::Quarantine(to) => Some(to),
            OnError::Stop | OnError::Skip => None,
        })
        .map(|to| (to, place.clone()))
        .collect::<Vec<_>>()
    };
    decisions.into_iter().flat_map(files).collect()
}

/// The path with no links in it, of a file that is there or could be made; none for devices and pipes.
fn real(path: &Path) -> Option<PathBuf> {
    match path.canonicalize() {
        Ok(path) => path.is_file().then_some(path),
        Err(_) => {
            let folder = path.parent()?;
            Some(folder.canonicalize().unwrap_or_else(|_| folder.to_owned()).join(path.file_name()?))
        }
    }
}

/// The source's columns, where they are known before a row is read.
fn source_columns(rack: &Rack, pipeline: &PipelinePlan) -> Result<Option<Vec<String>>> {
    let files = source::list(rack, &pipeline.source)?;
    files_are_apart(rack, pipeline, &files)?;
    if files.is_empty() {
        return Ok(None);
    }
    let opening = Opening {
        rack,
        plan: &pipeline.source,
        stdin: None,
        meter: Meter::default(),
        cancel: Cancel::default(),
    };
    let schema = source::open(opening, files)?.schema();
    Ok(schema.map(|schema| schema.fields().iter().map(|field| field.name().clone()).collect()))
}

/// Columns are known up to the first stage that may change them, and again behind one that says them.
fn check_stages(
    rack: &Rack,
    pipeline: &PipelinePlan,
    mut names: Option<Vec<String>>,
    errors: &mut Vec<Error>,
) {
    for stage in &pipeline.stages {
        if let (Some(names), Some(column)) = (&names, &stage.column)
            && !names.contains(column)
        {
            let has: Vec<&str> = names.iter().map(String::as_str).collect();
            let why = error::unknown_column(column, &has, &format!("What comes to stage `{}`", stage.name));
            errors.push(groups::placed(why, stage));
        }
        match groups::slot(rack, stage) {
            Ok(slot) => {
                let declared = match &stage.in_place {
                    Some(_) => SlotRef::Inline("".into()),
                    None => stage.slot.clone(),
                };
                let mut found = Vec::new();
                check_slot(&slot, &declared, stage.function.as_deref(), &mut found);
                errors.extend(found.into_iter().map(|why| groups::placed(why, stage)));
            }
            Err(why) => errors.push(why),
        }
        names = match &stage.schema {
            Some(schema) => Some(schema.keys().cloned().collect()),
            // A stage that takes a column gives it back, and leaves the others.
            None if stage.column.is_some() => names,
            None => None,
        };
    }
}

fn check_slot(slot: &Slot, named: &SlotRef, function: Option<&str>, errors: &mut Vec<Error>) {
    let faults = slot.check();
    if !faults.is_empty() {
        if matches!(named, SlotRef::Inline(_)) {
            errors.extend(faults);
        }
        return;
    }
    let Ok(description) = slot.describe() else { return };
    match function {
        Some(name) if !description.open && description.function(name).is_none() => {
            let names: Vec<&str> =
                description.functions.iter().map(|function| function.name.as_str()).collect();
            let why =
                Error::new(Code::UnknownFunction, format!("`{}` has no function `{name}`", slot.name()));
            let why = match modrack_core::nearest(name, names.iter().copied()) {
                Some(near) => why.hint(format!("Did you mean `{near}`?")),
                None => why.hint(format!("It has {}", error::listed(&names))),
            };
            errors.push(why.slot(slot.name()));
        }
        Some(_) => {}
        None => {
            if !description.open
                && let Err(why) = slot.main_function()
            {
                errors.push(why);
            }
        }
    }
}

/// Whether a file could be made there, as far as that can be told without making it.
fn can_be_written(root: &Path, path: &Path) -> Result<()> {
    let shown = error::shown(path, root);
    let refused = |kind: std::io::ErrorKind| Err(error::unwritable(&shown, &kind.into()));
    let allowed = |path: &Path, how: Access| match rustix::fs::access(path, how) {
        Ok(()) => Ok(()),
        Err(why) => Err(error::unwritable(&shown, &why.into())),
    };
    match path.metadata() {
        Ok(meta) if meta.is_dir() => return refused(std::io::ErrorKind::IsADirectory),
        Ok(meta) if meta.is_file() && meta.permissions().readonly() => {
            return refused(std::io::ErrorKind::PermissionDenied);
        }
        // A device or a pipe is written as it is.
        Ok(meta) if !meta.is_file() => return allowed(path, Access::WRITE_OK),
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => return refused(why.kind()),
        _ => {}
    }
    // What is missing will be made, in the nearest folder that is there.
    let there = |folder: &&Path| folder.symlink_metadata().is_ok();
    let Some(nearest) = path.ancestors().skip(1).find(there) else { return Ok(()) };
    if !nearest.is_dir() {
        return refused(std::io::ErrorKind::NotADirectory);
    }
    if takes_no_files(nearest) {
        return refused(std::io::ErrorKind::PermissionDenied);
    }
    allowed(nearest, Access::WRITE_OK | Access::EXEC_OK)
}

/// Whether a folder lies in a tree that the kernel makes up, where nobody makes files.
#[cfg(target_os = "linux")]
fn takes_no_files(folder: &Path) -> bool {
    // What `statfs(2)` tells of procfs and sysfs.
    rustix::fs::statfs(folder).is_ok_and(|about| matches!(i128::from(about.f_type), 0x9fa0 | 0x6265_6572))
}

/// Whether a folder lies in a tree that the kernel makes up, where nobody makes files.
#[cfg(not(target_os = "linux"))]
fn takes_no_files(_folder: &Path) -> bool {
    false
}

fn with_place(why: Error, place: Option<&Place>) -> Error {
    match place {
        Some(place) if why.place_of().is_none() => why.place(place.clone()),
        _ => why,
    }
}
