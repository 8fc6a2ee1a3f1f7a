//! What a rack that is served, or was, tells of itself, for people: made from the JSON of `live_json`, so that it reads the same
//! whoever tells it.

use std::path::Path;
use std::time::Duration;

use serde_json::Value as Json;

use crate::report::{near, near_text};
use crate::style::{Paint, grouped, span};
use crate::table::Table;

/// How many digits of a hash are shown.
const DIGITS: usize = 12;

/// What serves after a swap, as a table.
pub(crate) fn swapped(document: &Json, paint: Paint) -> String {
    let mut table = Table::new(&["SLOT", "MODULE", "HASH", ">GENERATION", "STATE"]);
    for slot in each(&document["slots"]) {
        let carried = if slot["carried"] == true { "carried over" } else { "" };
        table.row(vec![
            text(&slot["slot"]),
            text(&slot["module"]),
            short(&slot["hash"]),
            number(&slot["generation"]),
            carried.to_owned(),
        ]);
    }
    table.render(paint)
}

/// What came of putting another text of the rack in force: what was started as a table, and what is new, other and gone.
pub(crate) fn configured(document: &Json, paint: Paint) -> String {
    let started = each(&document["slots"]);
    let mut shown = if started.is_empty() { String::new() } else { swapped(document, paint) };
    for (key, word) in [("added", "New"), ("changed", "Changed"), ("removed", "Gone")] {
        let names: Vec<_> = each(&document[key]).iter().map(text).collect();
        if !names.is_empty() {
            shown.push_str(&format!("{} {}\n", paint.faint(&format!("{word}:")), names.join(", ")));
        }
    }
    shown
}

/// What became of what served before, as a line.
pub(crate) fn before(swapped: &Json) -> String {
    let seconds = swapped["switch_seconds"].as_f64().unwrap_or_default();
    let switch = span(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    format!("Switched in {switch}; {}\n", became(swapped))
}

/// That nothing fills a slot any more, as a line.
pub(crate) fn unloaded(slot: &str, document: &Json) -> String {
    match document["before"].as_str() {
        Some("nothing") => format!("Nothing filled `{slot}`\n"),
        _ => format!(
            "Nothing fills `{slot}`, until it is called, and begins without the state it had; {}\n",
            became(document)
        ),
    }
}

fn became(document: &Json) -> &'static str {
    match document["before"].as_str() {
        Some("nothing") => "nothing served before",
        Some("parked") => "what served before is parked, to go back to",
        Some("draining") => "the last calls of what served before are waited for",
        Some("lingering") => "a call of what served before goes on past its time, and cannot be ended",
        _ => "what served before is stopped",
    }
}

/// How a rack stands, as tables: its slots, and the generations that are kept beside what serves.
pub(crate) fn status(document: &Json, paint: Paint) -> String {
    let mut table = Table::new(&["SLOT", "STATE", "USE", "HASH", ">GENERATION", "DIFFERS", "PROBLEM"]);
    for slot in each(&document["slots"]) {
        let state = match (text(&slot["state"]), slot["lazy"] == true) {
            (state, true) if state == "empty" => "empty, lazy".to_owned(),
            (state, _) => state.replace('-', " "),
        };
        // Where nothing serves, what was swapped in says what would.
        let hash = if slot["hash"].is_null() { &slot["override"]["hash"] } else { &slot["hash"] };
        let problem = match (slot["error"].is_object(), slot["refused"].is_object()) {
            (true, _) => field("error", &slot["error"]),
            (false, true) => format!("refused: {}", field("error", &slot["refused"]["error"])),
            (false, false) => String::new(),
        };
        table.row(vec![
            text(&slot["slot"]),
            state,
            text(&slot["use"]),
            short(hash),
            number(&slot["generation"]),
            differs(slot, &document["drift"]),
            problem,
        ]);
    }
    let mut shown = String::new();
    let refused = &document["refused"];
    if refused.is_object() {
        let why = field("error", &refused["error"]);
        let said = format!("The rack's text was refused at {} (UTC): {why}", when(&refused["at"]));
        shown.push_str(&format!("{}\n", paint.error(&said)));
    }
    if !each(&document["slots"]).is_empty() {
        shown.push_str(&table.render(paint));
    }
    let kept = each(&document["kept"]);
    if !kept.is_empty() {
        let mut table = Table::new(&["KEPT", ">GENERATION", "STATE"]);
        for kept in kept {
            table.row(vec![text(&kept["slot"]), number(&kept["generation"]), text(&kept["state"])]);
        }
        shown.push('\n');
        shown.push_str(&table.render(paint));
    }
    let held = each(&document["held"]);
    if !held.is_empty() {
        let mut table = Table::new(&["STOPPED", ">GENERATION", "STILL HELD BY"]);
        for held in held {
            let holders: Vec<String> = each(&held["holders"]).iter().map(text).collect();
            table.row(vec![text(&held["slot"]), number(&held["generation"]), holders.join("; ")]);
        }
        shown.push('\n');
        shown.push_str(&table.render(paint));
    }
    let stays = each(&document["stays"]);
    if !stays.is_empty() {
        let mut table = Table::new(&["UNUSED LIBRARY", "HASH", ">BYTES"]);
        for stays in stays {
            table.row(vec![text(&stays["library"]), short(&stays["hash"]), number(&stays["bytes"])]);
        }
        shown.push('\n');
        shown.push_str(&table.render(paint));
    }
    shown
}

/// How a slot differs from what the rack says of it; nothing when it does not.
fn differs(slot: &Json, drift: &Json) -> String {
    let declared = text(&slot["declared"]);
    if slot["override"].is_object() {
        let mut words = match declared == text(&slot["use"]) {
            true => "swapped in".to_owned(),
            false => format!("swapped in for {declared}"),
        };
        let set: Vec<String> = each(&slot["override"]["set"]).iter().map(text).collect();
        if !set.is_empty() {
            words.push_str(&format!(", with {}", set.join(", ")));
        }
        if slot["override"]["earlier"] == true {
            words.push_str(", as the rack had it before");
        }
        return words;
    }
    let Some(found) = each(drift).iter().find(|found| found["slot"] == slot["slot"]) else {
        return String::new();
    };
    match found["how"].as_str() {
        Some("other-content") => "its files were changed since".to_owned(),
        Some("undeclared") => "not in the rack".to_owned(),
        _ => format!("the rack says {declared}"),
    }
}

/// Who serves the rack, as a line.
pub(crate) fn served(document: &Json) -> String {
    let served = &document["served"];
    if served.is_null() {
        return "Nothing serves the rack\n".to_owned();
    }
    let configuration = match document["configuration"].as_str() {
        Some(_) => format!(", configuration {}", short(&document["configuration"])),
        None => String::new(),
    };
    format!(
        "Served by process {} at http://{} since {}{configuration}\n",
        served["pid"],
        text(&served["address"]),
        when(&served["started"]),
    )
}

/// The history as a table; empty when there is none.
pub(crate) fn history(document: &Json, paint: Paint) -> String {
    let entries = each(&document["entries"]);
    let mut table =
        Table::new(&["WHEN (UTC)", "WHO", "ACTION", "SLOT", "HASH", "FROM", "SET", "OUTCOME", "WHY"]);
    for entry in entries {
        let mut first = vec![when(&entry["at"]), text(&entry["who"]), text(&entry["action"])];
        let mut last = vec![outcome(entry), text(&entry["why"])];
        let mut rows: Vec<Vec<String>> = each(&entry["slots"])
            .iter()
            .map(|slot| {
                let set: Vec<String> = each(&slot["set"]).iter().map(text).collect();
                vec![text(&slot["slot"]), short(&slot["hash"]), short(&slot["from"]), set.join(", ")]
            })
            .collect();
        if rows.is_empty() {
            // What has no slots is a configuration.
            rows.push(vec![String::new(), short(&entry["configuration"]), String::new(), String::new()]);
        }
        for row in rows {
            let blank = vec![String::new(); first.len()];
            table.row([std::mem::replace(&mut first, blank), row, std::mem::take(&mut last)].concat());
        }
    }
    if entries.is_empty() { String::new() } else { table.render(paint) }
}

/// The configurations as a table; empty when there are none.
pub(crate) fn configurations(document: &Json, paint: Paint) -> String {
    let all = each(&document["configurations"]);
    let mut table = Table::new(&["HASH", "SINCE (UTC)", "FROM"]);
    for one in all {
        table.row(vec![short(&one["hash"]), when(&one["since"]), text(&one["name"])]);
    }
    if all.is_empty() { String::new() } else { table.render(paint) }
}

/// An event as one line: the time of day, its name, its slot, and what else is known of it.
pub(crate) fn event(name: &str, event: &Json, paint: Paint) -> String {
    let at = text(&event["at"]);
    let time = at.get(11..23).unwrap_or(&at);
    let mut line = format!("{}  {}", paint.faint(time), kind(name, paint));
    if let Some(slot) = event["slot"].as_str() {
        line.push_str(&format!("  {slot}"));
    }
    for (key, value) in event["fields"].as_object().into_iter().flatten() {
        line.push_str(&format!("  {}{}", paint.faint(&format!("{key}=")), field(key, value)));
    }
    line.truncate(line.trim_end().len());
    line + "\n"
}

/// What is known of the failure that an event tells of and does not stand on its line, on lines of its own: what was found with it, the end of its
/// traceback, and what to do about it.
pub(crate) fn details(event: &Json, paint: Paint) -> String {
    let fields = &event["fields"];
    let several = each(&fields["errors"]);
    let errors = if several.is_empty() { std::slice::from_ref(&fields["error"]) } else { several };
    let mut lines = String::new();
    for (at, error) in errors.iter().enumerate() {
        if at > 0 {
            lines.push_str(&format!("  {}\n", field("error", error)));
        }
        for line in near_text(&text(&error["traceback"])).lines() {
            lines.push_str(&format!("    {}\n", paint.faint(&flat(line))));
        }
        for line in text(&error["hint"]).lines() {
            lines.push_str(&format!("  {} {}\n", paint.hint("hint:"), flat(line)));
        }
    }
    lines
}

/// The name of an event, in a column of its own; what came to nothing stands out.
fn kind(name: &str, paint: Paint) -> String {
    let name = format!("{name:20}");
    match name.trim_end().rsplit('.').next() {
        Some("failed" | "refused") => paint.error(&name),
        _ => paint.strong(&name),
    }
}

/// What an event tells under a key, on one line.
fn field(key: &str, value: &Json) -> String {
    match value {
        Json::String(_) if key == "hash" => short(value),
        Json::String(text) => flat(text),
        Json::Object(error) if key == "error" => {
            let part = |key: &str| error.get(key).map(text).unwrap_or_default();
            format!("[{}] {}{}", part("code"), place(&value["place"]), flat(&part("message")))
        }
        Json::Object(parts) => {
            let parts: Vec<_> =
                parts.iter().map(|(key, value)| format!("{key}={}", field(key, value))).collect();
            format!("({})", parts.join(" "))
        }
        Json::Array(items) => items.iter().map(|item| field("", item)).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// Where a failure is, before its message: `rack.yaml:3:7: `.
fn place(place: &Json) -> String {
    let Some(file) = place["file"].as_str() else { return String::new() };
    let mut shown = flat(&near(Path::new(file)).display().to_string());
    for number in ["line", "column"].into_iter().map_while(|key| place[key].as_u64()) {
        shown.push_str(&format!(":{number}"));
    }
    shown + ": "
}

/// Text on one line, which does nothing to a terminal.
fn flat(text: &str) -> String {
    let mut flat = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() { flat.extend(letter.escape_debug()) } else { flat.push(letter) }
    }
    flat
}

/// How an entry ended: `done`, `failed at start [M0403]`.
fn outcome(entry: &Json) -> String {
    let failed = &entry["failed"];
    match failed.is_null() {
        true => text(&entry["outcome"]),
        false => format!("failed at {} [{}]", text(&failed["step"]), text(&failed["code"])),
    }
}

fn each(list: &Json) -> &[Json] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn number(value: &Json) -> String {
    value.as_u64().map_or_else(String::new, grouped)
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A hash as far as it is shown.
fn short(hash: &Json) -> String {
    hash.as_str().map_or("", |hash| hash.get(..DIGITS).unwrap_or(hash)).to_owned()
}

/// A time to the second, its date and time of day apart.
fn when(at: &Json) -> String {
    let at = at.as_str().unwrap_or_default();
    at.get(..19).unwrap_or(at).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn an_entry_has_a_line_for_each_slot() {
        let slot = |name: &str, hash: &str| json!({ "slot": name, "hash": hash, "from": null });
        let document = json!({ "entries": [
            { "at": "2026-01-02T03:04:05.678Z", "who": "ada", "action": "swap", "why": "faster", "outcome": "failed",
              "failed": { "step": "start", "code": "M0403" }, "slots": [slot("a", "0123456789abcdef")] },
            { "at": "2026-01-02T03:04:04.678Z", "who": "", "action": "swap", "why": "", "outcome": "done",
              "failed": null, "slots": [slot("a", "1123456789abcdef"), slot("größer", "22")] },
            { "at": "2026-01-02T03:04:03.678Z", "who": "", "action": "configure", "why": "", "outcome": "done",
              "failed": null, "configuration": "fedcba9876543210", "slots": [] },
        ] });
        expect![[r#"
            WHEN (UTC)           WHO  ACTION     SLOT    HASH          OUTCOME                  WHY
            2026-01-02 03:04:05  ada  swap       a       0123456789ab  failed at start [M0403]  faster
            2026-01-02 03:04:04       swap       a       1123456789ab  done
                                                 größer  22
            2026-01-02 03:04:03       configure          fedcba987654  done
        "#]]
        .assert_eq(&history(&document, Paint { on: false }));
        assert_eq!(history(&json!({ "entries": [] }), Paint { on: false }), "");
    }

    #[test]
    fn what_is_known_of_a_failure_stands_below_its_event() {
        let one = json!({ "code": "M0401", "message": "No", "traceback": "  File \"a.py\", line 1\n    1 / 0", "hint": "Mend it" });
        let other = json!({ "code": "M0104", "message": "No key", "hint": "Did you mean `use`?" });
        let alone = json!({ "fields": { "error": one } });
        let shown = details(&alone, Paint { on: false });
        assert_eq!(shown, "      File \"a.py\", line 1\n        1 / 0\n  hint: Mend it\n");
        let several = json!({ "fields": { "error": one, "errors": [other, other] } });
        let shown = details(&several, Paint { on: false });
        let hint = "  hint: Did you mean `use`?\n";
        assert_eq!(shown, format!("{hint}  [M0104] No key\n{hint}"));
        assert_eq!(details(&json!({ "fields": { "slots": [] } }), Paint { on: false }), "");
    }

    #[test]
    fn an_event_is_one_line() {
        let told = json!({ "number": 7, "at": "2026-01-02T03:04:05.678Z", "name": "swap.failed", "slot": "a", "fields": {
            "slots": ["a", "b"], "step": "start", "error": { "code": "M0403", "message": "`one` \"\ntwo" },
            "served": [{ "slot": "a", "hash": "0123456789abcdef", "generation": 2 }],
        } });
        expect![[r#"
            03:04:05.678  swap.failed           a  slots=a,b  step=start  error=[M0403] `one` "\ntwo  served=(slot=a hash=0123456789ab generation=2)
        "#]].assert_eq(&event("swap.failed", &told, Paint { on: false }));
        let placed =
            |place: Json| field("error", &json!({ "code": "M0104", "message": "No", "place": place }));
        let place = json!({ "file": "/etc/rack.yaml", "line": 3, "column": 7, "key": "slots.a" });
        assert_eq!(placed(place), "[M0104] /etc/rack.yaml:3:7: No");
        assert_eq!(placed(json!({ "file": "<stdin>", "column": 7 })), "[M0104] <stdin>: No");
    }
}
