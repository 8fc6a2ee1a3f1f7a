//! What is told on the bus of a rack: events with names.
//!
//! An event is data, for whoever reads it in whatever language: nothing in it is a type of this crate. The names stand in
//! the list of `modrack_core::events`.

use std::time::SystemTime;

use modrack_core::{ContentHash, Error, Map, Origin, Place, SlotName, Text, Value};

use crate::events::Event;
use crate::swap::{Asked, Served};

/// What who hears too slowly is told in place of what it lost: `count` says how many. It is told whatever the pattern.
pub(crate) const MISSED: &str = "missed";

/// Something that was told on the bus.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Its number, which is one more than that of what was told before in this rack.
    pub number: u64,
    /// When it happened.
    pub at: SystemTime,
    /// What happened: one of [`modrack_core::events::EVENTS`], or `missed`.
    pub name: &'static str,
    /// The slot that it happened to, where it is one.
    pub slot: Option<SlotName>,
    /// What else is known of it, by name.
    pub fields: Map,
}

impl Told {
    /// What is told in place of `count` events, of which `last` was the last.
    pub(crate) fn missed(count: u64, last: u64) -> Self {
        let fields = Map::from_iter([(Text::from_static("count"), Value::Int(number(count)))]);
        Self { number: last, at: SystemTime::now(), name: MISSED, slot: None, fields }
    }
}

/// What is told of a load on the bus alone: who observes the rack hears only of what came of it.
pub(crate) enum Load<'a> {
    /// What a slot's `use` leads to was found. Nothing of it has run.
    Found(&'a SlotName, &'a Origin),
    /// A module is being loaded and started.
    Begun(&'a SlotName, &'a str),
    /// It was, and does not serve yet.
    Started(&'a Served),
    /// It could not be.
    Failed(&'a SlotName, &'a Error),
}

/// What a step of a load is on the bus.
pub(crate) fn of_load(load: &Load<'_>) -> (&'static str, Option<SlotName>, Map) {
    let mut fields = Fields::default();
    let (name, slot) = match load {
        Load::Found(slot, origin) => {
            fields.text("origin", &origin.to_string());
            ("module.found", *slot)
        }
        Load::Begun(slot, module) => {
            fields.text("module", module);
            ("module.loading", *slot)
        }
        Load::Started(served) => {
            fields.served(served).set("serves", false);
            ("module.loaded", &served.slot)
        }
        Load::Failed(slot, why) => {
            fields.error(why);
            ("module.failed", *slot)
        }
    };
    (name, Some(slot.clone()), fields.0)
}

/// What is told of a failure, under `error`; of several that were found at once the first is told so, and all of them under `errors`.
pub(crate) fn failure(why: &Error) -> Map {
    let mut fields = Fields::default();
    fields.error(why);
    if why.each().count() > 1 {
        let each = why.each().map(|one| Value::from(Fields::of_error(one).0));
        fields.set("errors", each.collect::<Vec<_>>());
    }
    fields.0
}

/// What is told of something that went wrong and stops nobody.
pub(crate) fn warning(warning: &Error) -> Map {
    let mut fields = Fields::default();
    fields.error(warning);
    fields.0
}

/// What an event is on the bus: its name, its slot, and its fields.
pub(crate) fn of(event: &Event) -> (&'static str, Option<SlotName>, Map) {
    let mut fields = Fields::default();
    let (name, slot) = match event {
        Event::Loaded { served } => {
            fields.served(served).set("serves", true);
            ("module.loaded", Some(&served.slot))
        }
        Event::LoadFailed { coming, why } => {
            fields.error(why);
            ("module.failed", Some(&coming.slot))
        }
        Event::Unloaded { slot, generation, asked, .. } => {
            fields.set("generation", number(generation.0)).asked(asked);
            ("module.unloaded", Some(slot))
        }
        Event::InstanceLost { slot, module, generation, why } => {
            fields.text("module", module).set("generation", number(generation.0)).error(why);
            ("module.lost", Some(slot))
        }
        Event::StopFailed { slot, why } => {
            fields.error(why);
            ("module.stop-failed", Some(slot))
        }
        Event::Swapped { slots, asked } => {
            fields.all_served(slots).asked(asked);
            ("swap.swapped", only(slots))
        }
        Event::SwapFailed { slots, slot, step, why, asked, .. } => {
            fields.slots(slots).text("step", step.as_str()).error(why).asked(asked);
            ("swap.failed", Some(slot))
        }
        Event::RolledBack { slots, why, asked } => {
            fields.all_served(slots).asked(asked);
            if let Some(why) = why {
                fields.error(why);
            }
            ("swap.rolled-back", only(slots))
        }
        Event::Settled { slots } => {
            fields.all_served(slots);
            ("swap.settled", only(slots))
        }
        Event::Draining { slots, within } => {
            fields.slots(slots).set("within", within.as_secs_f64());
            ("swap.draining", if let [slot] = &**slots { Some(slot) } else { None })
        }
        Event::Lingering { slot, generation } => {
            fields.set("generation", number(generation.0));
            ("swap.lingering", Some(slot))
        }
        Event::Retired { slot, generation } => {
            fields.set("generation", number(generation.0));
            ("swap.retired", Some(slot))
        }
        Event::Held { slot, generation, holders } => {
            let holders: Vec<_> = holders.iter().map(|holder| Value::from(&**holder)).collect();
            fields.set("generation", number(generation.0)).set("holders", holders);
            ("swap.held", Some(slot))
        }
        Event::Warning { slot, why } => {
            fields.error(why);
            ("warning", Some(slot))
        }
    };
    (name, slot.cloned(), fields.0)
}

/// The fields of a warning: what failed, and what else is known of it.
pub(crate) fn of_warning<const N: usize>(why: &Error, more: [(&'static str, Value); N]) -> Map {
    let mut fields = Fields::default();
    for (name, value) in more {
        fields.set(name, value);
    }
    fields.error(why);
    fields.0
}

/// The last lines of a traceback: those that led there are told to who asks for the failure itself.
fn end_of(traceback: &str) -> &str {
    const LINES: usize = 12;
    let whole = traceback.trim_end();
    let from = whole.rmatch_indices('\n').nth(LINES - 1).map_or(0, |(at, _)| at + 1);
    &whole[from..]
}

/// The one slot that an event is about, if it is one.
fn only(slots: &[Served]) -> Option<&SlotName> {
    if let [served] = slots { Some(&served.slot) } else { None }
}

pub(crate) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Fields that are being put together. What is not known is left out.
#[derive(Default)]
struct Fields(Map);

impl Fields {
    fn set(&mut self, name: &'static str, value: impl Into<Value>) -> &mut Self {
        self.0.insert(Text::from_static(name), value.into());
        self
    }

    fn text(&mut self, name: &'static str, text: &str) -> &mut Self {
        self.set(name, text)
    }

    fn asked(&mut self, asked: &Asked) -> &mut Self {
        for (name, text) in [("who", &asked.who), ("why", &asked.why)] {
            if !text.is_empty() {
                self.text(name, text);
            }
        }
        self
    }

    fn error(&mut self, why: &Error) -> &mut Self {
        self.set("error", Self::of_error(why).0)
    }

    fn of_error(why: &Error) -> Self {
        let mut error = Self::default();
        error
            .text("code", why.code().as_str())
            .text("kind", why.kind().as_str())
            .text("message", why.message());
        if let Some(module) = why.module_name() {
            error.text("module", module);
        }
        if let Some(place) = why.place_of() {
            error.place(place);
        }
        if let Some(hint) = why.hint_text() {
            error.text("hint", hint);
        }
        if let Some(traceback) = why.traceback_text() {
            error.text("traceback", end_of(traceback));
        }
        error
    }

    fn place(&mut self, place: &Place) -> &mut Self {
        let mut parts = Self::default();
        // Who hears of it may stand in another folder; what stands in brackets is the name of a text that is no file.
        let is_file = !place.file.as_os_str().as_encoded_bytes().starts_with(b"<");
        let whole = is_file.then(|| std::path::absolute(&place.file).ok()).flatten();
        parts.text("file", &whole.as_ref().unwrap_or(&place.file).display().to_string());
        for (name, number_of) in [("line", place.line), ("column", place.column)] {
            if let Some(number_of) = number_of {
                parts.set(name, i64::try_from(number_of).unwrap_or(i64::MAX));
            }
        }
        if let Some(key) = &place.key {
            parts.text("key", key);
        }
        self.set("place", parts.0)
    }

    fn served(&mut self, served: &Served) -> &mut Self {
        self.text("module", &served.module).set("generation", number(served.generation.0));
        if let Some(hash) = &served.hash {
            self.text("hash", ContentHash::as_str(hash));
        }
        if let Some(replaced) = served.replaced {
            self.set("replaced", number(replaced.0));
        }
        if served.carried {
            self.set("carried", true);
        }
        self
    }

    fn all_served(&mut self, slots: &[Served]) -> &mut Self {
        let each = slots.iter().map(|served| {
            let mut fields = Self::default();
            fields.text("slot", served.slot.as_str()).served(served);
            Value::from(fields.0)
        });
        self.set("slots", each.collect::<Vec<_>>())
    }

    fn slots(&mut self, slots: &[SlotName]) -> &mut Self {
        let each = slots.iter().map(|slot| {
            let mut fields = Self::default();
            fields.text("slot", slot.as_str());
            Value::from(fields.0)
        });
        self.set("slots", each.collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_traceback_its_end_is_told() {
        let lines =
            |from: usize| (from..=20).map(|line| format!("line {line}")).collect::<Vec<_>>().join("\n");
        assert_eq!(end_of(&(lines(1) + "\n")), lines(9));
        assert_eq!(end_of(&lines(10)), lines(10));
        assert_eq!(end_of(""), "");
    }
}
