//! `modrack version`: this command, what it is made of, and the Python that would run.

use modrack_core::plan::RackPlan;
use serde_json::{Map, Value as Json, json};

use crate::host::Host;
use crate::output::Outcome;
use crate::python_host;
use crate::report::near;
use crate::session::Session;

/// Prints the versions. What is missing is said and is no failure: this is what people run to find out.
pub(crate) fn run(session: &mut Session) -> Outcome {
    // A rack that cannot be read still leaves the rest to be told.
    let plan = session.plan().ok().flatten();
    let file = plan.as_ref().and_then(|plan| plan.file.clone());
    let plan = plan.unwrap_or_else(|| session.no_rack());
    let linked: Map<String, Json> = env!("MODRACK_LINKED")
        .split(',')
        .filter_map(|package| package.split_once(' '))
        .filter(|(name, _)| *name != "pyo3" || session.has_python())
        .filter(|(name, _)| *name != "wasmtime" || session.host().wasm.is_some())
        .map(|(name, version)| (name.to_owned(), version.into()))
        .collect();
    let document = json!({
        "modrack": env!("CARGO_PKG_VERSION"),
        "target": env!("MODRACK_TARGET"),
        "program": std::env::current_exe().ok().map(|path| path.display().to_string()),
        "features": features(session.host()),
        "linked": linked,
        "rack": file.map(|file| near(&file).display().to_string()),
        "python": python(&plan, session.host()),
        "extension": extension(session.host()),
    });
    if session.output.json {
        session.output.print_json(&document)?;
        return Ok(0);
    }
    let paint = session.output.data_paint;
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let mut lines = vec![format!(
        "{} ({})",
        paint.strong(&format!("modrack {}", text(&document["modrack"]))),
        text(&document["target"])
    )];
    let mut line = |what: &str, said: String| lines.push(format!("{what:<11}{said}"));
    let words: Vec<String> = document["features"].as_array().into_iter().flatten().map(text).collect();
    line("features", words.join(", "));
    let packages: Vec<String> =
        linked.iter().map(|(name, version)| format!("{name} {}", text(version))).collect();
    line("linked", packages.join(", "));
    if let Some(rack) = document["rack"].as_str() {
        line("rack", rack.to_owned());
    }
    let python = &document["python"];
    if python["error"].is_null() {
        let unfit = if python["fits"] == true {
            String::new()
        } else {
            format!("; {}", paint.warning("CPython 3.10 or newer, not free-threaded, is needed"))
        };
        line(
            "python",
            format!(
                "{} {} at {} ({}){unfit}",
                text(&python["implementation"]),
                text(&python["version"]),
                text(&python["executable"]),
                text(&python["chosen_by"]),
            ),
        );
    } else {
        line("python", format!("{}: {}", paint.warning("none"), text(&python["error"])));
    }
    let extension = &document["extension"];
    line(
        "extension",
        match extension["error"].as_str() {
            None => match extension["without_components"].as_str() {
                Some(lean) => format!("{}, without components {lean}", text(&extension["file"])),
                None => text(&extension["file"]),
            },
            Some(error) => format!("{}: {error}", paint.warning("none")),
        },
    );
    session.output.print(&(lines.join("\n") + "\n"))?;
    Ok(0)
}

fn features(host: &Host) -> Vec<&'static str> {
    let mut features = vec!["flow", "native"];
    if host.python.is_some() {
        features.push("python");
    }
    if host.wasm.is_some() {
        features.extend(["wasi", "wasm"]);
    }
    features
}

fn extension(host: &Host) -> Json {
    if let Some(own) = &host.interpreter {
        return json!({ "file": own.extension });
    }
    let lean = python_host::extension(python_host::Extension::Lean).ok();
    match python_host::extension(python_host::Extension::Whole) {
        Ok(path) => json!({
            "file": path.display().to_string(),
            "without_components": lean.filter(|lean| *lean != path).map(|lean| lean.display().to_string()),
        }),
        Err(error) => json!({ "error": error.message(), "hint": error.hint_text() }),
    }
}

fn python(plan: &RackPlan, host: &Host) -> Json {
    if let Some(own) = &host.interpreter {
        return json!({
            "version": own.version,
            "implementation": "cpython",
            "executable": own.executable,
            "prefix": own.prefix,
            "free_threaded": false,
            "chosen_by": "the interpreter that runs this command",
            "fits": true,
        });
    }
    match python_host::choose(plan).and_then(|chosen| python_host::ask(&chosen)) {
        Ok(about) => about,
        Err(error) => json!({ "error": error.message(), "hint": error.hint_text() }),
    }
}
