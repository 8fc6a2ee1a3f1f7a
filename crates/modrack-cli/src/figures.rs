//! The load and call figures of slots (`--stats`), as a table and as JSON.

use std::time::Duration;

use modrack_runtime::SlotStats;
use serde_json::{Map, Value as Json, json};

use crate::style::{Paint, counted, grouped, span};
use crate::table::Table;

/// What happens to a slot, in that order.
const PHASES: [&str; 5] = ["find", "check", "load", "start", "call"];

/// The figures for people, of their document: a line for each slot and phase in which something happened.
pub(crate) fn table(document: &Json, paint: Paint) -> String {
    let mut table = Table::new(&["SLOT", "PHASE", ">COUNT", ">MEAN", ">MIN", ">MAX", ">ERRORS"]);
    for slot in document.as_array().into_iter().flatten() {
        let mut name = slot["slot"].as_str().unwrap_or_default().to_owned();
        for phase in PHASES {
            let figures = &slot[phase];
            let number = |key: &str| figures[key].as_u64().unwrap_or_default();
            let time = |key: &str| {
                let seconds = figures[key].as_f64().unwrap_or_default();
                span(Duration::try_from_secs_f64(seconds).unwrap_or_default())
            };
            if number("count") > 0 {
                table.row(vec![
                    std::mem::take(&mut name),
                    phase.to_owned(),
                    grouped(number("count")),
                    time("mean"),
                    time("min"),
                    time("max"),
                    grouped(number("errors")),
                ]);
            }
        }
    }
    table.render(paint)
}

/// Beside the figures: instances that were lost, and the tables that were copied between languages.
pub(crate) fn notes(stats: &[SlotStats]) -> String {
    let mut text = String::new();
    for slot in stats.iter().filter(|slot| slot.copies.tables > 0) {
        let (tables, bytes) = (counted(slot.copies.tables, "table"), counted(slot.copies.bytes, "byte"));
        text.push_str(&format!("copied into and out of `{}`: {tables}, {bytes}\n", slot.slot));
    }
    if text.is_empty() {
        text.push_str("no table was copied between modules\n");
    }
    text
}

/// What is to be said of the instances that were lost, if any were.
pub(crate) fn lost(stats: &[SlotStats]) -> Vec<String> {
    let lost = stats.iter().filter(|slot| slot.lost > 0);
    let line = |slot: &SlotStats| {
        let instances = counted(slot.lost, "instance");
        format!("slot `{}` lost {instances}, which broke in a call, with what was in memory", slot.slot)
    };
    lost.map(line).collect()
}

/// The figures as JSON, times in seconds.
pub(crate) fn document(stats: &[SlotStats]) -> Json {
    let each = |slot: &SlotStats| {
        let mut fields = Map::new();
        fields.insert("slot".into(), slot.slot.as_str().into());
        let figures = [&slot.find, &slot.check, &slot.load, &slot.start, &slot.call];
        for (phase, figures) in PHASES.into_iter().zip(figures) {
            fields.insert(
                phase.into(),
                json!({
                    "count": figures.count,
                    "errors": figures.errors,
                    "mean": figures.mean().as_secs_f64(),
                    "min": figures.min.as_secs_f64(),
                    "max": figures.max.as_secs_f64(),
                }),
            );
        }
        fields.insert("lost".into(), slot.lost.into());
        fields.insert("copies".into(), json!({ "tables": slot.copies.tables, "bytes": slot.copies.bytes }));
        Json::Object(fields)
    };
    Json::Array(stats.iter().map(each).collect())
}
