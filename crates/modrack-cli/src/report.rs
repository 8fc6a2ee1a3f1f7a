//! How failures are shown: to people with the place and the line it is on, and as JSON.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use modrack_core::plan::RackText;
use modrack_core::{Cause, Code, Error, Kind, Place};
use serde_json::{Value as Json, json};

use crate::style::{Paint, counted};

/// Files above this size are not opened to show one of their lines.
const SHOWN_FILE_BYTES: u64 = 4 << 20;
/// Lines are cut to this many characters round the place.
const SHOWN_LINE_CHARS: usize = 100;

/// The exit status that a failure stands for: 2 when any of it is configuration or usage, 130 when
/// interrupted, else 1.
pub(crate) fn status(error: &Error) -> u8 {
    if error.code() == Code::Interrupted {
        130
    } else if error.each().any(|each| each.kind() == Kind::Config) {
        2
    } else {
        1
    }
}

/// A failure and those found with it, for people. `row` is the rack's text, where that stands in no file.
pub(crate) fn text(error: &Error, row: Option<&RackText>, paint: Paint) -> String {
    let mut text = String::new();
    let mut count: u64 = 0;
    for each in error.each() {
        if count > 0 {
            text.push('\n');
        }
        one(&mut text, each, row, paint);
        count += 1;
    }
    if count > 1 {
        text.push_str(&format!("\n{}\n", paint.strong(&format!("{} found", counted(count, "error")))));
    }
    text
}

/// What went wrong and stopped nobody, for people.
pub(crate) fn warning(error: &Error, paint: Paint) -> String {
    let mut text = String::new();
    for each in error.each() {
        let head = paint.warning(&format!("warning[{}]", each.code()));
        text.push_str(&format!("{head}: {}\n", each.message()));
        for line in each.hint_text().unwrap_or_default().lines() {
            text.push_str(&format!("  {} {line}\n", paint.hint("hint:")));
        }
    }
    text
}

/// A failure and those found with it, as the one JSON document that `--json` prints.
pub(crate) fn document(error: &Error) -> Json {
    let each: Vec<Json> = error.each().map(record).collect();
    json!({ "error": each.first(), "errors": each })
}

/// One failure as JSON.
pub(crate) fn record(error: &Error) -> Json {
    record_with(error, near)
}

/// One failure as JSON, its file as `shown` has it.
pub(crate) fn record_with(error: &Error, shown: impl Fn(&Path) -> PathBuf) -> Json {
    json!({
        "code": error.code().as_str(),
        "kind": error.kind().as_str(),
        "message": error.message(),
        "slot": error.slot_name().map(|slot| slot.as_str()),
        "module": error.module_name(),
        "generation": error.generation_id().map(|generation| generation.0),
        "phase": error.phase_of().map(|phase| phase.as_str()),
        "place": error.place_of().map(|place| json!({
            "file": shown(&place.file).display().to_string(),
            "line": place.line,
            "column": place.column,
            "key": place.key,
        })),
        "classes": error.class_names(),
        "causes": error.causes().iter().map(|cause| json!({
            "class": cause.class,
            "message": cause.message,
            "notes": cause.notes,
            "traceback": cause.traceback,
            "slot": cause.slot.as_ref().map(|slot| slot.as_str()),
            "module": cause.module,
        })).collect::<Vec<_>>(),
        "traceback": error.traceback_text(),
        "hint": error.hint_text(),
    })
}

/// `path` as it is shown: relative to the current folder where that is shorter.
pub(crate) fn near(path: &Path) -> PathBuf {
    let Ok(here) = std::env::current_dir() else { return path.to_owned() };
    match path.strip_prefix(&here) {
        Ok(rest) if rest.as_os_str().is_empty() => PathBuf::from("."),
        Ok(rest) => rest.to_owned(),
        Err(_) => match here.parent().and_then(|above| path.strip_prefix(above).ok()) {
            Some(rest) if here.components().count() > 2 => Path::new("..").join(rest),
            _ => path.to_owned(),
        },
    }
}

/// `text` with the absolute paths of files under the current folder made relative.
pub(crate) fn near_text(text: &str) -> String {
    match std::env::current_dir() {
        Ok(here) if here.components().count() > 1 => below(text, &format!("{}/", here.display())),
        _ => text.to_owned(),
    }
}

/// `text` without `folder` wherever a path begins with it. Kept content lies under the whole path that it had: within a path
/// it stays.
fn below(text: &str, folder: &str) -> String {
    let (mut shown, mut done) = (String::with_capacity(text.len()), 0);
    for (at, _) in text.match_indices(folder) {
        let is_within = |c: char| c.is_alphanumeric() || "/._-~+".contains(c);
        if !text[..at].chars().next_back().is_some_and(is_within) {
            shown.push_str(&text[done..at]);
            done = at + folder.len();
        }
    }
    shown.push_str(&text[done..]);
    shown
}

fn one(text: &mut String, error: &Error, row: Option<&RackText>, paint: Paint) {
    let head = paint.error(&format!("error[{}]", error.code()));
    let mut lines = error.message().lines();
    let first = lines.next().unwrap_or_default();
    text.push_str(&format!("{head}{} {}\n", paint.strong(":"), paint.strong(first)));
    for line in lines {
        text.push_str(&format!("  {line}\n"));
    }
    let line = error.place_of().and_then(|place| position(text, place, row, paint));
    let mut about: Vec<String> = Vec::new();
    let mut tell = |what: &str, value: Option<String>| {
        if let Some(value) = value {
            about.push(format!("{} {value}", paint.faint(&format!("{what}:"))));
        }
    };
    let slot = error.slot_name().map(ToString::to_string);
    let module = error.module_name().map(|module| near(Path::new(module)).display().to_string());
    tell("slot", slot.clone());
    tell("module", module.filter(|module| Some(module) != slot.as_ref()));
    tell("generation", error.generation_id().map(|generation| generation.to_string()));
    tell("phase", error.phase_of().map(|phase| phase.to_string()));
    if !about.is_empty() {
        text.push_str(&format!("  {}\n", about.join("   ")));
    }
    for cause in error.causes() {
        chain(text, cause, paint);
    }
    // What a parser says often begins with the line that stands above already.
    let says_more = |traceback: &&str| {
        let first = traceback.lines().next().unwrap_or_default().trim();
        !first.is_empty() && line.as_deref().is_none_or(|line| line.trim() != first)
    };
    if let Some(traceback) = error.traceback_text().filter(says_more) {
        for line in near_text(traceback).trim_end().lines() {
            text.push_str(format!("  {} {line}", paint.rule("|")).trim_end());
            text.push('\n');
        }
    }
    if let Some(hint) = error.hint_text() {
        let mut lines = hint.lines();
        text.push_str(&format!("  {} {}\n", paint.hint("hint:"), lines.next().unwrap_or_default()));
        for line in lines {
            text.push_str(&format!("        {line}\n"));
        }
    }
}

fn chain(text: &mut String, cause: &Cause, paint: Paint) {
    let said = match (cause.class.is_empty(), cause.message.is_empty()) {
        (true, _) => cause.message.clone(),
        (false, true) => cause.class.clone(),
        (false, false) => format!("{}: {}", cause.class, cause.message),
    };
    let said = near_text(&said);
    let mut lines = said.lines();
    let slot = cause.slot.as_ref().map_or_else(String::new, |slot| format!("  (slot: {slot})"));
    text.push_str(&format!("  {} {}{slot}\n", paint.strong("caused by:"), lines.next().unwrap_or_default()));
    for line in lines.chain(cause.notes.iter().flat_map(|note| note.lines())) {
        text.push_str(&format!("             {line}\n"));
    }
    // What another module's language says of itself stands with it; one's own stands in the failure's.
    let theirs = cause.traceback.as_deref().filter(|_| cause.slot.is_some());
    for line in theirs.map(near_text).unwrap_or_default().trim_end().lines() {
        text.push_str(format!("             {} {line}", paint.rule("|")).trim_end());
        text.push('\n');
    }
}

/// The place, and the line of the file with a mark under the column where both are known; gives that line.
fn position(text: &mut String, place: &Place, row: Option<&RackText>, paint: Paint) -> Option<String> {
    let shown = Place { file: near(&place.file), ..place.clone() };
    let key = place.key.as_ref().map_or(String::new(), |key| format!("  {}", paint.faint(key)));
    text.push_str(&format!("  {} {shown}{key}\n", paint.rule("-->")));
    let (number, column) = (place.line?, place.column?);
    let line = match row.filter(|row| row.file == place.file) {
        Some(row) => line_in(&row.bytes[..], number)?,
        None => line_of(&place.file, number)?,
    };
    let letters: Vec<char> = line.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
    let at = column.saturating_sub(1).min(letters.len());
    let from = at.saturating_sub(SHOWN_LINE_CHARS * 2 / 3);
    let from = if letters.len() <= SHOWN_LINE_CHARS { 0 } else { from };
    let to = letters.len().min(from + SHOWN_LINE_CHARS);
    let piece: String = letters[from..to].iter().filter(|c| !c.is_control()).collect();
    let margin = " ".repeat(number.to_string().len());
    let bar = paint.rule("|");
    text.push_str(&format!("  {margin} {bar}\n"));
    text.push_str(&format!("  {} {bar} {}\n", paint.rule(&number.to_string()), piece.trim_end()));
    text.push_str(&format!("  {margin} {bar} {}{}\n", " ".repeat(at - from), paint.error("^")));
    Some(line)
}

fn line_of(file: &Path, number: usize) -> Option<String> {
    let opened = File::open(file).ok()?;
    let about = opened.metadata().ok()?;
    if !about.is_file() || about.len() > SHOWN_FILE_BYTES {
        return None;
    }
    line_in(BufReader::new(opened), number)
}

fn line_in(text: impl BufRead, number: usize) -> Option<String> {
    let mut lines = text.split(b'\n');
    let line = lines.nth(number.checked_sub(1)?)?.ok()?;
    Some(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use modrack_core::{Phase, SlotName};

    fn check(error: &Error, expected: &Expect) {
        expected.assert_eq(&text(error, None, Paint { on: false }));
    }

    #[test]
    fn paths_begin_in_the_current_folder_and_nowhere_else() {
        for (text, wanted) in [
            ("File \"/a/p/x.py\", line 1", "File \"x.py\", line 1"),
            ("/a/p/x.py and /a/p/y.py", "x.py and y.py"),
            ("/a/p/.modrack/modules/17/a/p/x.py", ".modrack/modules/17/a/p/x.py"),
            ("/b/a/p/x.py", "/b/a/p/x.py"),
            ("/a/p", "/a/p"),
        ] {
            assert_eq!(below(text, "/a/p/"), wanted);
        }
    }

    #[test]
    fn a_failure_of_a_module_shows_slot_phase_causes_and_traceback() {
        let error = Error::new(Code::Raised, "`upper` raised `ValueError`: no text")
            .place(Place::line("modules/upper.py", 3))
            .slot(&SlotName::parse("upper").unwrap())
            .module("modules/upper.py:Upper")
            .phase(Phase::Call)
            .cause(Cause {
                class: "KeyError".into(),
                message: "'name'".into(),
                notes: vec!["row 7".into()],
                ..Cause::default()
            })
            .traceback("Traceback (most recent call last):\n  File \"x.py\", line 3, in upper\n")
            .hint("Give it some text");
        check(
            &error,
            &expect![[r#"
                error[M0504]: `upper` raised `ValueError`: no text
                  --> modules/upper.py:3
                  slot: upper   module: modules/upper.py:Upper   phase: call
                  caused by: KeyError: 'name'
                             row 7
                  | Traceback (most recent call last):
                  |   File "x.py", line 3, in upper
                  hint: Give it some text
            "#]],
        );
    }

    #[test]
    fn a_failure_in_a_file_shows_the_line_and_several_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rack.yaml");
        std::fs::write(&file, "rack: 1\nslotz: {}\n").unwrap();
        let place = Place { file: file.clone(), line: Some(2), column: Some(1), key: Some("slotz".into()) };
        let first =
            Error::new(Code::UnknownKey, "Unknown key `slotz`").place(place).hint("Did you mean `slots`?");
        let second = Error::new(Code::NoRack, "No rack");
        let all = Error::all(vec![first, second]).unwrap();
        let shown = text(&all, None, Paint { on: false }).replace(&*file.to_string_lossy(), "rack.yaml");
        expect![[r#"
            error[M0104]: Unknown key `slotz`
              --> rack.yaml:2:1  slotz
                |
              2 | slotz: {}
                | ^
              hint: Did you mean `slots`?

            error[M0113]: No rack

            2 errors found
        "#]]
        .assert_eq(&shown);
        assert_eq!(status(&all), 2);
    }

    #[test]
    fn a_failure_as_json_has_every_field() {
        let record = record(&Error::new(Code::UnknownFunction, "No `f`"));
        assert_eq!(record["code"], "M0501");
        assert_eq!(record["kind"], "not-found");
        assert_eq!(record["hint"], Json::Null);
        assert_eq!(status(&Error::new(Code::UnknownFunction, "No `f`")), 1);
        assert_eq!(status(&Error::new(Code::Interrupted, "Interrupted")), 130);
    }
}
