//! Failures as they go from a server to who asked it: all that is known of them, so that they are shown there as they would have
//! been here.
//!
//! Paths are written whole, because the two may stand in different folders.

use std::path::PathBuf;

use modrack_core::{Cause, Code, Error, GenerationId, Phase, Place, SlotName};
use serde_json::{Value as Json, json};

use crate::report::record_with;

/// A failure and those found with it: `{"error": the first, "errors": all}`.
pub(crate) fn document(error: &Error) -> Json {
    let each: Vec<Json> = error.each().map(record).collect();
    json!({ "error": each.first(), "errors": each })
}

/// One failure as JSON.
pub(crate) fn record(error: &Error) -> Json {
    record_with(error, |file| match file.to_string_lossy().starts_with('<') {
        // The name of a stream.
        true => file.to_owned(),
        false => std::path::absolute(file).unwrap_or_else(|_| file.to_owned()),
    })
}

/// The failure that a document tells of, with those found with it; none where it tells of none that is known here.
pub(crate) fn error_of(document: &Json) -> Option<Error> {
    match document["errors"].as_array() {
        Some(each) if !each.is_empty() => Error::all(each.iter().map(one).collect::<Option<_>>()?),
        _ => one(&document["error"]),
    }
}

fn one(record: &Json) -> Option<Error> {
    let text = |key: &str| record[key].as_str();
    let slot = |record: &Json| record["slot"].as_str().map(SlotName::undeclared);
    let mut error = Error::new(Code::parse(text("code")?)?, text("message")?);
    if let Some(slot) = slot(record) {
        error = error.slot(&slot);
    }
    if let Some(module) = text("module") {
        error = error.module(module);
    }
    if let Some(generation) = record["generation"].as_u64() {
        error = error.generation(GenerationId(generation));
    }
    if let Some(phase) = text("phase").and_then(phase) {
        error = error.phase(phase);
    }
    if let Some(place) = place(&record["place"]) {
        error = error.place(place);
    }
    error = error.classes(texts(&record["classes"]));
    for cause in record["causes"].as_array().into_iter().flatten() {
        let text = |key: &str| cause[key].as_str().map(str::to_owned);
        error = error.cause(Cause {
            class: text("class").unwrap_or_default(),
            message: text("message").unwrap_or_default(),
            notes: texts(&cause["notes"]),
            traceback: text("traceback"),
            slot: slot(cause),
            module: text("module"),
        });
    }
    if let Some(traceback) = text("traceback") {
        error = error.traceback(traceback);
    }
    Some(match text("hint") {
        Some(hint) => error.hint(hint),
        None => error,
    })
}

fn place(record: &Json) -> Option<Place> {
    let number = |key: &str| record[key].as_u64().and_then(|number| usize::try_from(number).ok());
    Some(Place {
        file: PathBuf::from(record["file"].as_str()?),
        line: number("line"),
        column: number("column"),
        key: record["key"].as_str().map(str::to_owned),
    })
}

fn phase(text: &str) -> Option<Phase> {
    use Phase::{Call, Check, Find, Load, Start, Stop, Swap};
    [Find, Check, Load, Start, Call, Swap, Stop].into_iter().find(|phase| phase.as_str() == text)
}

fn texts(list: &Json) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report;
    use crate::style::Paint;

    #[test]
    fn a_failure_comes_back_as_it_was() {
        let slot = SlotName::undeclared("upper");
        let bare = Error::new(Code::UnknownFunction, "No `f`");
        let whole = Error::new(Code::Raised, "`upper` raised `ValueError`: no text")
            .place(Place { file: "/srv/a.py".into(), line: Some(3), column: Some(2), key: Some("k".into()) })
            .slot(&slot)
            .module("/srv/a.py:Upper")
            .generation(GenerationId(7))
            .phase(Phase::Swap)
            .classes(vec!["ValueError".into(), "Exception".into()])
            .cause(Cause {
                class: "KeyError".into(),
                message: "'name'".into(),
                notes: vec!["row 7".into()],
                traceback: Some("at 0x1".into()),
                slot: Some(slot.clone()),
                module: Some("m".into()),
            })
            .traceback("Traceback:\n  File \"x.py\", line 3\n")
            .hint("Give it some text");
        for error in [bare.clone(), whole.clone(), Error::all(vec![whole, bare]).unwrap()] {
            let sent = document(&error).to_string();
            let there = error_of(&serde_json::from_str(&sent).unwrap()).unwrap();
            assert_eq!(
                report::text(&there, None, Paint { on: false }),
                report::text(&error, None, Paint { on: false })
            );
            assert_eq!(report::document(&there), report::document(&error));
        }
        assert!(error_of(&json!({ "error": { "code": "M9999", "message": "?" } })).is_none());
        assert!(error_of(&json!({ "result": 1 })).is_none());
    }

    #[test]
    fn places_are_whole_and_streams_have_their_names() {
        let file = |name: &str| {
            let error = Error::new(Code::BadCsv, "x").place(Place::file(name));
            record(&error)["place"]["file"].as_str().unwrap_or_default().to_owned()
        };
        assert_eq!(file("<stdin>"), "<stdin>");
        assert!(file("rack.yaml").ends_with("/rack.yaml"));
    }
}
