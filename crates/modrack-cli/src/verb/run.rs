//! `modrack run`: pipelines, with progress on a terminal and a summary at the end.

use modrack_core::plan::{Endpoint, PipelinePlan};
use modrack_core::{Call, Chain, Code, Error, PipelineName, nearest};
use modrack_flow::{RunOptions, Summary};
use modrack_runtime::{Rack, Slot};
use serde_json::{Value as Json, json};

use crate::args;
use crate::figures;
use crate::interrupt::Interrupt;
use crate::output::{Failure, Level, Outcome};
use crate::progress::Bar;
use crate::report::near;
use crate::session::Session;
use crate::style::{Paint, counted, grouped, span};
use crate::table::Table;

/// Of a run of fewer seconds no speed is told: it would be that of the start.
const SHORTEST_MEASURED: f64 = 0.1;

/// Runs the pipeline that was named, the only one, or all.
pub(crate) fn run(what: &args::Run, session: &mut Session) -> Outcome {
    let rack = session.rack()?;
    let chosen = choose(what, &rack)?;
    if !session.has_python() {
        session.needs_python(&rack, &slots(&rack, &chosen)?, false)?;
    }
    rack.measure(what.stats || session.output.level >= Level::Info);
    let interrupt = session.watch(&rack);
    let mut summaries = Vec::new();
    let mut failed = None;
    let mut done = Ok(0);
    let mut left = chosen.iter();
    for pipeline in left.by_ref() {
        let (summary, ended) = one(what, pipeline, &rack, &interrupt, session);
        match ended {
            Ok(()) => summaries.extend(summary),
            Err(failure) => {
                failed = Some(
                    summary.as_ref().map_or_else(|| json!({ "pipeline": pipeline.name.as_str() }), document),
                );
                done = Err(interrupt.explain(failure));
                break;
            }
        }
    }
    let not_run: Vec<&str> = left.map(|pipeline| pipeline.name.as_str()).collect();
    let stats = what.stats.then(|| rack.stats());
    if session.output.json {
        let mut document = match (what.all || failed.is_some(), summaries.first()) {
            (false, Some(summary)) => document(summary),
            _ => json!({ "pipelines": summaries.iter().map(document).collect::<Vec<_>>() }),
        };
        if let Some(stats) = &stats {
            document["stats"] = figures::document(stats);
        }
        if let Some(failed) = failed {
            document["failed"] = failed;
            document["not_run"] = not_run.into();
            session.output.tell_with_failure(document);
        } else {
            let to_words = chosen.iter().any(writes_to_stdout);
            done = session.output.print_summary(&document, to_words).map(|()| 0);
        }
    } else {
        if !not_run.is_empty() {
            let names: Vec<_> = not_run.iter().map(|name| format!("`{name}`")).collect();
            session.output.say(&format!("not run after the failure: {}\n", names.join(", ")));
        }
        if let Some(stats) = &stats {
            let text = figures::table(&figures::document(stats), session.output.paint);
            session.output.figures(&format!("\n{text}{}", figures::notes(stats)));
        }
    }
    session.close(&rack, done)
}

/// Runs one pipeline: what it did, also until it failed.
fn one(
    what: &args::Run,
    pipeline: &PipelinePlan,
    rack: &Rack,
    interrupt: &Interrupt,
    session: &mut Session,
) -> (Option<Summary>, Result<(), Failure>) {
    let bar = Bar::new(&pipeline.name, session.output.shows_progress());
    let options = RunOptions {
        limit: what.limit,
        dry_run: what.dry_run,
        max_errors: what.max_errors,
        cancel: interrupt.cancel(),
        stdin: None,
        stdout: writes_to_stdout(pipeline).then(|| Box::new(session.output.stream()) as _),
    };
    let cancel = interrupt.cancel();
    let given_up = Call { cancel: Some(&cancel), ..Call::default() };
    let result = Chain::bounded(&given_up, || modrack_flow::run(rack, pipeline, options, &bar));
    let ended = bar.end();
    match result {
        Ok(summary) => {
            if !session.output.json {
                session.output.say(&text(&summary, session.output.paint));
            }
            (Some(summary), Ok(()))
        }
        Err(_) if session.output.reader_is_gone() => (ended, Err(Failure::ReaderGone)),
        Err(error) => {
            if !session.output.json
                && let Some(summary) = &ended
                && summary.rows_in > 0
            {
                session.output.say(&unfinished(summary));
            }
            (ended, Err(error.into()))
        }
    }
}

fn choose(what: &args::Run, rack: &Rack) -> modrack_core::Result<Vec<PipelinePlan>> {
    let pipelines = &rack.plan().pipelines;
    let names = || pipelines.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let of_rack = || match &rack.plan().file {
        Some(file) => format!("`{}`", near(file).display()),
        None => "The rack".to_owned(),
    };
    if pipelines.is_empty() {
        return Err(Error::new(Code::UnknownPipeline, format!("{} has no pipelines", of_rack()))
            .hint("Add one under `pipelines:`, with `source:`, `stages:` and `sink:`"));
    }
    if what.all {
        return Ok(pipelines.values().cloned().collect());
    }
    let Some(named) = &what.pipeline else {
        return match pipelines.len() {
            1 => Ok(pipelines.values().cloned().collect()),
            count => {
                Err(Error::new(Code::Usage, format!("{} has {count} pipelines: {}", of_rack(), names()))
                    .hint("Name one of them, or run all with `--all`"))
            }
        };
    };
    let found = PipelineName::parse(named).ok().and_then(|name| pipelines.get(&name));
    found.map(|pipeline| vec![pipeline.clone()]).ok_or_else(|| {
        Error::new(Code::UnknownPipeline, format!("{} has no pipeline `{named}`", of_rack())).hint(
            match nearest(named, pipelines.keys().map(PipelineName::as_str)) {
                Some(meant) => format!("Did you mean `{meant}`?"),
                None => format!("It has {}", names()),
            },
        )
    })
}

/// The slots that these pipelines name, their sources and sinks among them.
fn slots(rack: &Rack, pipelines: &[PipelinePlan]) -> modrack_core::Result<Vec<Slot>> {
    let mut slots = Vec::new();
    for pipeline in pipelines {
        for stage in &pipeline.stages {
            slots.push(match &stage.in_place {
                Some(plan) => rack.declare(plan.clone())?,
                None => rack.slot_ref(&stage.slot)?,
            });
        }
        for end in [&pipeline.source.from, &pipeline.sink.to] {
            if let Endpoint::Slot(slot, _) = end {
                slots.push(rack.slot_ref(slot)?);
            }
        }
    }
    Ok(slots)
}

fn writes_to_stdout(pipeline: &PipelinePlan) -> bool {
    matches!(pipeline.sink.to, Endpoint::Standard(_))
}

/// The summary for people.
fn text(summary: &Summary, paint: Paint) -> String {
    if summary.dry_run {
        return dry(summary, paint);
    }
    let mut head = format!(
        "{}: {} in, {} out",
        paint.good(summary.pipeline.as_str()),
        counted(summary.rows_in, "row"),
        grouped(summary.rows_out)
    );
    if summary.skipped > 0 {
        head.push_str(&format!(", {} skipped", paint.warning(&grouped(summary.skipped))));
    }
    if summary.quarantined > 0 {
        head.push_str(&format!(", {} quarantined", paint.warning(&grouped(summary.quarantined))));
    }
    head.push_str(&format!(" in {}", span(summary.time)));
    if let Some(speed) = speed(summary) {
        head.push_str(&format!(" ({} rows/s)", grouped(speed as u64)));
    }
    let mut table = Table::new(&["  STAGE", ">ROWS IN", ">ROWS OUT", ">SKIPPED", ">QUARANTINED", ">TIME"]);
    let some = |count: u64| if count > 0 { grouped(count) } else { String::new() };
    let rim = |name: &str, rows_in: String, rows_out: String, time| {
        vec![format!("  {name}"), rows_in, rows_out, String::new(), String::new(), span(time)]
    };
    table.row(rim("read", String::new(), grouped(summary.rows_in), summary.read_time));
    for stage in &summary.stages {
        table.row(vec![
            format!("  {}", stage.name),
            grouped(stage.rows_in),
            grouped(stage.rows_out),
            some(stage.skipped),
            some(stage.quarantined),
            span(stage.time),
        ]);
    }
    table.row(rim("write", grouped(summary.rows_out), String::new(), summary.write_time));
    let mut text = format!("{head}\n{}", table.render(Paint { on: false }));
    for path in &summary.quarantines {
        text.push_str(&format!("  failed rows in {}\n", paint.warning(&near(path).display().to_string())));
    }
    for path in &summary.outputs {
        text.push_str(&format!("  output in {}\n", paint.strong(&near(path).display().to_string())));
    }
    text
}

/// What a run would do.
fn dry(summary: &Summary, paint: Paint) -> String {
    let mut text = format!("{}: nothing was run (--dry-run)\n", paint.good(summary.pipeline.as_str()));
    let columns: Vec<String> = summary.columns.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
    let stages: Vec<&str> = summary.stages.iter().map(|stage| stage.name.as_str()).collect();
    let outputs: Vec<String> = summary.outputs.iter().map(|path| near(path).display().to_string()).collect();
    for (what, said) in
        [("columns", columns.join(", ")), ("stages", stages.join(", ")), ("output", outputs.join(", "))]
    {
        if !said.is_empty() {
            text.push_str(&format!("  {}{said}\n", paint.faint(&format!("{what:<9}"))));
        }
    }
    text
}

/// What was done before a failure, and where the rows are that were put aside.
fn unfinished(summary: &Summary) -> String {
    let mut text = format!(
        "{}: ended after {} in, {} out",
        summary.pipeline,
        counted(summary.rows_in, "row"),
        grouped(summary.rows_out)
    );
    if summary.quarantined > 0 {
        text.push_str(&format!(", {} quarantined", grouped(summary.quarantined)));
    }
    text.push_str(&format!(", {}; no output was written\n", span(summary.time)));
    for path in &summary.quarantines {
        text.push_str(&format!("  failed rows in {}\n", near(path).display()));
    }
    text
}

fn document(summary: &Summary) -> Json {
    let paths = |paths: &[std::path::PathBuf]| {
        paths.iter().map(|path| near(path).display().to_string()).collect::<Vec<_>>()
    };
    json!({
        "pipeline": summary.pipeline.as_str(),
        "rows_in": summary.rows_in,
        "rows_out": summary.rows_out,
        "skipped": summary.skipped,
        "quarantined": summary.quarantined,
        "seconds": summary.time.as_secs_f64(),
        "rows_per_second": speed(summary),
        "read_seconds": summary.read_time.as_secs_f64(),
        "write_seconds": summary.write_time.as_secs_f64(),
        "stages": summary.stages.iter().map(|stage| json!({
            "name": stage.name,
            "rows_in": stage.rows_in,
            "rows_out": stage.rows_out,
            "skipped": stage.skipped,
            "quarantined": stage.quarantined,
            "seconds": stage.time.as_secs_f64(),
        })).collect::<Vec<_>>(),
        "outputs": paths(&summary.outputs),
        "quarantines": paths(&summary.quarantines),
        "dry_run": summary.dry_run,
        "columns": summary.columns.iter().map(|(name, ty)| json!({ "name": name, "type": ty })).collect::<Vec<_>>(),
    })
}

/// Rows in a second, of a run that was long enough for it to mean something.
fn speed(summary: &Summary) -> Option<f64> {
    let seconds = summary.time.as_secs_f64();
    (seconds >= SHORTEST_MEASURED && summary.rows_in > 0).then(|| (summary.rows_in as f64 / seconds).round())
}
